//! The port `LoadDriver` for simulated targets: what the open-model driver would have seen.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use em_core::fault::{Fault, FaultKind};
use em_core::id::{MetricName, OpKey};
use em_core::observe::{Observed, TimedValue, Window};
use em_core::plan::{LoadSpec, MetricKind, SimulatedSpec};
use em_core::port::{
    Address, Capacity, Clock, LoadBatch, LoadDriver, LoadGoal, LoadPlan, LoadReport, LoadStatus,
    OpContext,
};
use em_core::read::printed::short;
use em_core::value::Unit;
use jiff::{SignedDuration, Timestamp};

use super::draw::Draw;
use super::model::{Look, ModelError};
use crate::distribution;

/// Requests of one batch whose times are drawn; more would only cost time.
const DRAWN: usize = 500;
/// Relative deviation of single requests around the batch's level.
const SPREAD: f64 = 0.3;
/// Requests per second where neither file nor model says a rate.
const USUAL_RATE: f64 = 100.0;

/// Load on a simulated target.
#[derive(Debug)]
pub struct SimulatedLoad {
    spec: SimulatedSpec,
    clock: Arc<dyn Clock>,
    since: Timestamp,
    loads: Mutex<HashMap<OpKey, Load>>,
}

#[derive(Debug, Clone)]
struct Load {
    plan: LoadPlan,
    started: Timestamp,
    stopped: Option<Timestamp>,
}

impl SimulatedLoad {
    /// Load on a system that follows `spec` and comes to be now.
    pub fn new(spec: SimulatedSpec, clock: Arc<dyn Clock>) -> Self {
        Self {
            spec,
            since: clock.now(),
            clock,
            loads: Mutex::default(),
        }
    }

    fn load(&self, cx: &OpContext) -> Result<Load, Fault> {
        let loads = self.loads.lock().unwrap_or_else(PoisonError::into_inner);
        loads.get(&cx.key).cloned().ok_or_else(|| {
            Fault::new(
                FaultKind::NotFound,
                format!("no load was started for {}", cx.key),
            )
        })
    }

    fn batch(&self, load: &Load, key: &str, index: u32) -> Result<LoadBatch, ModelError> {
        let length = SignedDuration::try_from(load.plan.batch).unwrap_or(SignedDuration::MAX);
        let at = |number: u32| {
            let number = i32::try_from(number).unwrap_or(i32::MAX);
            load.started
                .saturating_add(length.saturating_mul(number))
                .unwrap_or(Timestamp::MAX)
        };
        let window = Window {
            start: at(index),
            end: at(index + 1),
        };
        let hours = window.start.duration_since(self.since).as_secs_f64() / 3600.0;
        let (spec, values) = (&self.spec, &load.plan.values);
        let look = Look {
            spec,
            values,
            key,
            hours,
            number: index.into(),
        };
        let mut seen = usual(load, &window);
        let reported = load.plan.spec.metrics();
        for metric in spec.model.keys() {
            let known = reported.iter().find(|known| known.name == *metric);
            let usual = known.cloned().or_else(|| LoadSpec::usual_metric(metric));
            if let (Some(usual), Some(level)) = (usual, look.at(metric)?) {
                let draw = Draw::new(spec.seed, &format!("{key}/{metric}/{index}/requests"));
                seen.insert(
                    short(metric),
                    observed(usual.kind, &usual.unit, level, &window, draw),
                );
            }
        }
        Ok(LoadBatch::new(index, window, seen))
    }
}

/// What a driver always counts, where the model says nothing else: all offered, all answered.
fn usual(load: &Load, window: &Window) -> BTreeMap<MetricName, Observed> {
    let rate = match load.plan.goal {
        LoadGoal::Measure { rate } => rate,
        LoadGoal::FindCapacity { .. } => None,
    };
    let rate = rate.unwrap_or(USUAL_RATE);
    let seconds = window.seconds();
    let count = |per_second: f64| Observed::Counter {
        increase: per_second * seconds,
        seconds,
        resets: 0,
    };
    let counts = [
        ("offered", count(rate)),
        ("achieved", count(rate)),
        ("throughput", count(rate)),
        ("dropped", count(0.0)),
        ("errors", count(0.0)),
    ];
    let share = Observed::Values {
        points: vec![TimedValue {
            at: window.start,
            value: 0.0,
        }],
    };
    let all = counts.into_iter().chain([("error_share", share)]);
    all.filter_map(|(name, seen)| Some((name.parse().ok()?, seen)))
        .collect()
}

fn observed(
    kind: MetricKind,
    unit: &Unit,
    level: f64,
    window: &Window,
    mut draw: Draw,
) -> Observed {
    let point = || Observed::Values {
        points: vec![TimedValue {
            at: window.start,
            value: level,
        }],
    };
    match kind {
        MetricKind::Histogram => {
            let values: Vec<f64> = (0..DRAWN).map(|_| level * draw.factor(SPREAD)).collect();
            distribution::of(&values, unit).map_or_else(point, Observed::Histogram)
        }
        MetricKind::Counter => {
            let seconds = window.seconds();
            Observed::Counter {
                increase: level * seconds,
                seconds,
                resets: 0,
            }
        }
        MetricKind::Gauge | MetricKind::Value => point(),
    }
}

#[async_trait]
impl LoadDriver for SimulatedLoad {
    async fn check(&self, _cx: &OpContext, _plan: &LoadPlan) -> Result<(), Fault> {
        Ok(())
    }

    async fn start(
        &self,
        cx: &OpContext,
        plan: &LoadPlan,
        _addresses: &[Address],
    ) -> Result<(), Fault> {
        let mut loads = self.loads.lock().unwrap_or_else(PoisonError::into_inner);
        loads.entry(cx.key.clone()).or_insert_with(|| Load {
            plan: plan.clone(),
            started: self.clock.now(),
            stopped: None,
        });
        Ok(())
    }

    async fn status(&self, cx: &OpContext) -> Result<LoadStatus, Fault> {
        let load = self.load(cx)?;
        let searches = matches!(load.plan.goal, LoadGoal::FindCapacity { .. });
        Ok(if searches || load.stopped.is_some() {
            LoadStatus::Finished
        } else {
            LoadStatus::Steady {
                since: load.started,
            }
        })
    }

    async fn stop(&self, cx: &OpContext) -> Result<(), Fault> {
        let mut loads = self.loads.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(load) = loads.get_mut(&cx.key) {
            load.stopped.get_or_insert(self.clock.now());
        }
        Ok(())
    }

    async fn report(&self, cx: &OpContext, from: u32) -> Result<LoadReport, Fault> {
        let load = self.load(cx)?;
        let key = cx.key.to_string();
        let mut report = LoadReport::default();
        if let LoadGoal::FindCapacity { .. } = load.plan.goal {
            let metric: Option<MetricName> = "load.capacity".parse().ok();
            let (spec, values) = (&self.spec, &load.plan.values);
            let look = Look {
                spec,
                values,
                key: &key,
                hours: 0.0,
                number: 0,
            };
            let modelled = metric.map(|metric| look.at(&metric)).transpose()?.flatten();
            let rate = modelled.unwrap_or(USUAL_RATE);
            report.capacity = Some(Capacity {
                rate,
                evidence: "simulated".to_owned(),
            });
            return Ok(report);
        }
        let end = load.stopped.unwrap_or_else(|| self.clock.now());
        let lasted = end.duration_since(load.started).as_secs_f64();
        let mut index = from;
        while f64::from(index + 1) * load.plan.batch.as_secs_f64() <= lasted {
            report.batches.push(self.batch(&load, &key, index)?);
            index += 1;
        }
        Ok(report)
    }

    fn metrics(&self, spec: &LoadSpec) -> BTreeMap<MetricName, Unit> {
        spec.metrics()
            .into_iter()
            .map(|metric| (short(&metric.name), metric.unit))
            .collect()
    }

    async fn changed(&self, _cx: &OpContext) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
