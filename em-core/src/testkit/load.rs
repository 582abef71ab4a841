//! Load without a network: its numbers follow from values and seed alone.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::fault::{Fault, FaultKind};
use crate::id::{MetricName, OpKey};
use crate::observe::{Observed, TimedValue, Window};
use crate::plan::LoadSpec;
use crate::port::{
    Address, Capacity, Clock, LoadBatch, LoadDriver, LoadGoal, LoadPlan, LoadReport, LoadStatus,
    OpContext,
};
use crate::value::Unit;

/// Reports one metric, `latency`: the sum of all whole numbers of the configuration, and noise of
/// 1 % that is the same for all iterations of a block.
#[derive(Debug)]
pub struct FakeLoad {
    clock: Arc<dyn Clock>,
    loads: Mutex<HashMap<OpKey, Started>>,
    failing: Mutex<BTreeSet<u32>>,
    outlives: bool,
}

#[derive(Debug, Clone)]
struct Started {
    at: Timestamp,
    plan: LoadPlan,
    ended: Option<Timestamp>,
}

impl FakeLoad {
    /// A driver whose load is steady at once.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            loads: Mutex::default(),
            failing: Mutex::default(),
            outlives: false,
        }
    }

    /// The same, whose load goes on when the manager dies.
    #[must_use]
    pub fn outliving(mut self) -> Self {
        self.outlives = true;
        self
    }

    /// Lets every load of this trial fail.
    pub fn fail(&self, trial: u32) {
        self.failing.lock().unwrap().insert(trial);
    }

    /// Loads that run now.
    pub fn running(&self) -> usize {
        let loads = self.loads();
        loads.values().filter(|load| load.ended.is_none()).count()
    }

    /// The clock it stamps by.
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    fn loads(&self) -> MutexGuard<'_, HashMap<OpKey, Started>> {
        self.loads.lock().unwrap()
    }

    fn started(&self, key: &OpKey) -> Result<Started, Fault> {
        let known = self.loads().get(key).cloned();
        known.ok_or_else(|| Fault::new(FaultKind::NotFound, format!("no load of {key}")))
    }
}

fn batch(started: &Started, index: u32) -> LoadBatch {
    let length = SignedDuration::try_from(started.plan.batch).unwrap();
    let start = started.at + length * i32::try_from(index).unwrap();
    let window = Window {
        start,
        end: start + length,
    };
    let sum: f64 = started
        .plan
        .values
        .values()
        .filter_map(crate::value::Value::to_f64)
        .sum();
    let mut random = ChaCha8Rng::seed_from_u64(started.plan.seed);
    random.set_stream(u64::from(index));
    let value = sum * (1.0 + 0.01 * random.random_range(-1.0..1.0));
    let points = vec![TimedValue { at: start, value }];
    let observed = BTreeMap::from([("latency".parse().unwrap(), Observed::Values { points })]);
    LoadBatch::new(index, window, observed)
}

#[async_trait]
impl LoadDriver for FakeLoad {
    async fn check(&self, _cx: &OpContext, _plan: &LoadPlan) -> Result<(), Fault> {
        Ok(())
    }

    async fn start(
        &self,
        cx: &OpContext,
        plan: &LoadPlan,
        _addresses: &[Address],
    ) -> Result<(), Fault> {
        let at = self.clock.now();
        self.loads()
            .entry(cx.key.clone())
            .or_insert_with(|| Started {
                at,
                plan: plan.clone(),
                ended: None,
            });
        Ok(())
    }

    async fn status(&self, cx: &OpContext) -> Result<LoadStatus, Fault> {
        let started = self.started(&cx.key)?;
        if let OpKey::Iteration { trial, .. } = &cx.key
            && self.failing.lock().unwrap().contains(&trial.0)
        {
            return Ok(LoadStatus::Failed {
                why: "every connection is refused".to_owned(),
            });
        }
        Ok(match (started.ended, started.plan.goal) {
            (Some(_), _) | (None, LoadGoal::FindCapacity { .. }) => LoadStatus::Finished,
            (None, LoadGoal::Measure { .. }) => LoadStatus::Steady { since: started.at },
        })
    }

    async fn stop(&self, cx: &OpContext) -> Result<(), Fault> {
        let now = self.clock.now();
        if let Some(load) = self.loads().get_mut(&cx.key) {
            load.ended.get_or_insert(now);
        }
        Ok(())
    }

    async fn report(&self, cx: &OpContext, from: u32) -> Result<LoadReport, Fault> {
        let started = self.started(&cx.key)?;
        let until = started.ended.unwrap_or_else(|| self.clock.now());
        let batches = (from..)
            .map(|index| batch(&started, index))
            .take_while(|batch| batch.window.end <= until);
        let capacity = matches!(started.plan.goal, LoadGoal::FindCapacity { .. });
        Ok(LoadReport {
            batches: batches.collect(),
            capacity: capacity.then(|| Capacity {
                rate: 1000.0,
                evidence: "it is always this much".to_owned(),
            }),
            ..LoadReport::default()
        })
    }

    fn metrics(&self, _spec: &LoadSpec) -> BTreeMap<MetricName, Unit> {
        BTreeMap::from([("latency".parse().unwrap(), Unit::Seconds)])
    }

    fn outlives_manager(&self) -> bool {
        self.outlives
    }

    async fn changed(&self, cx: &OpContext) {
        let batch = self.started(&cx.key).map(|load| load.plan.batch);
        tokio::time::sleep(batch.unwrap_or(Duration::from_millis(100))).await;
    }
}
