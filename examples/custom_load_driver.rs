//! A load driver of one's own: calls a function of this program instead of a server.
use std::collections::{BTreeMap, HashMap};
use std::error::Error;

use em_core::fault::{Fault, FaultKind};
use em_core::id::{MetricName, OpKey};
use em_core::port::{Address, Clock as _, LoadBatch, LoadDriver, LoadPlan, LoadReport, LoadStatus};
use em_core::port::{OpContext, SystemClock};
use em_core::{observe::Observed, plan::LoadSpec, report::Report, value::Unit, value::Value};
use jiff::Timestamp;

const FILE: &str = r#"
name: calls
target: { kind: simulated, model: { unused: "1" } }
tunables: [{ name: size, range: [100, 1000000], default: 5000, apply: { env: SIZE } }]
trials: [{ id: small, values: { size: 100 } }]
load: { kind: custom, name: calls }
objective: { minimize: load.response_time.mean }
measurement: { warmup: 0s, cycles: 1, cycle_duration: 200ms, iterations: { max: 6 } }
"#;

/// When each load began, and what it is to do.
#[derive(Debug, Default)]
struct Calls(tokio::sync::Mutex<HashMap<OpKey, (Timestamp, LoadPlan)>>);

impl Calls {
    async fn load(&self, cx: &OpContext) -> Result<(Timestamp, LoadPlan), Fault> {
        let missing = || Fault::new(FaultKind::NotFound, format!("no load of {}", cx.key));
        let loads = self.0.lock().await;
        loads.get(&cx.key).cloned().ok_or_else(missing)
    }
}

#[async_trait::async_trait]
impl LoadDriver for Calls {
    async fn start(&self, cx: &OpContext, plan: &LoadPlan, _: &[Address]) -> Result<(), Fault> {
        let mut loads = self.0.lock().await;
        let load = (SystemClock.now(), plan.clone());
        loads.entry(cx.key.clone()).or_insert(load);
        Ok(())
    }

    async fn status(&self, cx: &OpContext) -> Result<LoadStatus, Fault> {
        let (since, _) = self.load(cx).await?;
        Ok(LoadStatus::Steady { since })
    }

    async fn stop(&self, _: &OpContext) -> Result<(), Fault> {
        Ok(())
    }

    /// One call per batch, made when the batch is over.
    async fn report(&self, cx: &OpContext, from: u32) -> Result<LoadReport, Fault> {
        let (since, plan) = self.load(cx).await?;
        let size = plan.value("size").and_then(Value::to_f64);
        let over = plan.batches_over(since, from, SystemClock.now());
        let batches = over.map(|(index, window)| {
            let took = em_examples::time_to_sort(size.unwrap_or_default());
            let seen = Observed::value(window.start, took);
            LoadBatch::new(index, window, [(MetricName::response_time(), seen)].into())
        });
        Ok(LoadReport::of(batches.collect()))
    }

    fn metrics(&self, _: &LoadSpec) -> BTreeMap<MetricName, Unit> {
        BTreeMap::from([(MetricName::response_time(), Unit::Seconds)])
    }
}

pub(crate) async fn example() -> Result<Report, Box<dyn Error>> {
    let plan = em_examples::plan(FILE)?;
    let engine = em_examples::engine(em_examples::simulated(), Calls::default()).build();
    em_examples::answer(&engine, &plan).await
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    em_examples::show(&example().await?.winning);
    Ok(())
}
