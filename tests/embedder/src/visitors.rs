//! A load driver: visitors come at their own pace, whether or not anybody is free.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use em_core::fault::{Fault, FaultKind};
use em_core::id::{MetricName, OpKey};
use em_core::observe::{Observed, TimedValue};
use em_core::plan::LoadSpec;
use em_core::port::{
    Address, Clock, LoadBatch, LoadDriver, LoadPlan, LoadReport, LoadStatus, OpContext,
};
use em_core::value::Unit;
use jiff::Timestamp;
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use crate::Office;

/// Time between two visitors: one clerk cannot keep up, three can.
const EVERY: Duration = Duration::from_millis(4);

/// Sends visitors to an office.
#[derive(Debug)]
pub struct Visitors {
    office: Office,
    clock: Arc<dyn Clock>,
    loads: Mutex<HashMap<OpKey, Load>>,
}

/// The visitors of one iteration.
#[derive(Debug)]
struct Load {
    since: Timestamp,
    plan: LoadPlan,
    stays: Arc<Mutex<Vec<TimedValue>>>,
    crowd: JoinSet<()>,
}

impl Visitors {
    /// Visitors of this office.
    pub fn new(office: &Office, clock: Arc<dyn Clock>) -> Self {
        Self {
            office: office.clone(),
            clock,
            loads: Mutex::default(),
        }
    }
}

#[async_trait]
impl LoadDriver for Visitors {
    /// The same key twice is one load.
    async fn start(&self, cx: &OpContext, plan: &LoadPlan, _: &[Address]) -> Result<(), Fault> {
        let counter = self.office.counter()?;
        let mut loads = self.loads.lock().await;
        if loads.contains_key(&cx.key) {
            return Ok(());
        }
        // One counter, so an earlier crowd is gone.
        loads.clear();
        let stays = Arc::default();
        let (clock, times) = (Arc::clone(&self.clock), Arc::clone(&stays));
        let mut crowd = JoinSet::new();
        crowd.spawn(async move {
            let mut visits = JoinSet::new();
            let mut pace = tokio::time::interval(EVERY);
            loop {
                let due = pace.tick().await;
                let (counter, clock) = (Arc::clone(&counter), Arc::clone(&clock));
                let times: Arc<Mutex<Vec<TimedValue>>> = Arc::clone(&times);
                visits.spawn(async move {
                    counter.serve().await;
                    // From when the visitor was due: a late start is part of the stay.
                    let (at, value) = (clock.now(), due.elapsed().as_secs_f64());
                    times.lock().await.push(TimedValue { at, value });
                });
            }
        });
        let (since, plan) = (self.clock.now(), plan.clone());
        let load = Load {
            since,
            plan,
            stays,
            crowd,
        };
        loads.insert(cx.key.clone(), load);
        Ok(())
    }

    async fn status(&self, cx: &OpContext) -> Result<LoadStatus, Fault> {
        let loads = self.loads.lock().await;
        let since = loads.get(&cx.key).ok_or_else(no_load)?.since;
        Ok(LoadStatus::Steady { since })
    }

    /// The visitors go; what was seen of them stays.
    async fn stop(&self, cx: &OpContext) -> Result<(), Fault> {
        if let Some(load) = self.loads.lock().await.get_mut(&cx.key) {
            load.crowd.abort_all();
        }
        Ok(())
    }

    async fn report(&self, cx: &OpContext, from: u32) -> Result<LoadReport, Fault> {
        let loads = self.loads.lock().await;
        let load = loads.get(&cx.key).ok_or_else(no_load)?;
        let stays = load.stays.lock().await;
        let over = load
            .plan
            .batches_over(load.since, from, self.clock.now())
            .map(|(index, window)| {
                let within = stays.iter().filter(|stay| window.contains(stay.at));
                let points = within.copied().collect();
                let observed = [(MetricName::response_time(), Observed::Values { points })].into();
                LoadBatch::new(index, window, observed)
            });
        Ok(LoadReport::of(over.collect()))
    }

    fn metrics(&self, _: &LoadSpec) -> BTreeMap<MetricName, Unit> {
        BTreeMap::from([(MetricName::response_time(), Unit::Seconds)])
    }
}

fn no_load() -> Fault {
    Fault::new(FaultKind::NotFound, "no visitors were sent")
}
