//! A datasource of one's own: numbers that only this program knows, here how long its queues are.
use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use em_core::fault::{Fault, FaultKind};
use em_core::observe::Window;
use em_core::port::{Answer, Asked, Clock, Datasource, OpContext, Sampling, SystemClock};
use em_core::report::Report;

const FILE: &str = r#"
name: queues
target: { kind: simulated, model: { unused: "1" } }
tunables: [{ name: workers, range: [1, 8], default: 2, apply: { env: WORKERS } }]
trials: [{ id: eight, values: { workers: 8 } }]
load: { kind: none }
datasources: { queues: { kind: custom, name: queues } }
metrics: [{ name: depth, datasource: queues, query: "{{workers}} workers", as: gauge }]
objective: { minimize: depth.mean }
measurement: { warmup: 0s, cycles: 1, cycle_duration: 100ms, iterations: { max: 6 } }
"#;

/// Lengths by the name of the queue. They have no history, so the engine looks while it measures.
#[derive(Debug)]
struct Queues(BTreeMap<&'static str, f64>);

#[async_trait]
impl Datasource for Queues {
    async fn query(&self, _: &OpContext, asked: &Asked, _: Window) -> Result<Answer, Fault> {
        let missing = || Fault::new(FaultKind::NotFound, format!("no queue of {}", asked.text));
        let value = *self.0.get(asked.text.as_str()).ok_or_else(missing)?;
        Ok(Answer::look(SystemClock.now(), value))
    }

    fn sampling(&self) -> Option<Sampling> {
        let every = Duration::from_millis(10);
        Some(Sampling { every })
    }
}

pub(crate) async fn example() -> Result<Report, Box<dyn Error>> {
    let plan = em_examples::plan(FILE)?;
    let queues = Queues(BTreeMap::from([("2 workers", 12.0), ("8 workers", 3.0)]));
    let builder = em_examples::rehearsal(&plan)?.datasource("queues".parse()?, Arc::new(queues));
    em_examples::answer(&builder.build(), &plan).await
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    em_examples::show(&example().await?.winning);
    Ok(())
}
