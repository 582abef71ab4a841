//! Who makes the load.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Address, OpContext};
use crate::fault::Fault;
use crate::id::{MetricName, TunableName};
use crate::observe::{Observed, Window};
use crate::plan::LoadSpec;
use crate::value::{Unit, Value};

/// A maker of load. Acts are keyed by iteration: starting twice under one key is one load.
#[cfg_attr(any(test, feature = "mock"), mockall::automock)]
#[async_trait]
pub trait LoadDriver: Debug + Send + Sync + 'static {
    /// Whether the load can be made as planned; looks only. The default can make any.
    async fn check(&self, cx: &OpContext, plan: &LoadPlan) -> Result<(), Fault> {
        let _ = (cx, plan);
        Ok(())
    }

    /// Starts it; returns without waiting for steady load.
    async fn start(
        &self,
        cx: &OpContext,
        plan: &LoadPlan,
        addresses: &[Address],
    ) -> Result<(), Fault>;

    /// One look at it.
    async fn status(&self, cx: &OpContext) -> Result<LoadStatus, Fault>;

    /// Ends it, within a second. Nothing to end = success. What was seen stays readable through
    /// `report` until the key's iteration is over. A measurement is read before its load is stopped:
    /// while the last answers come, the target is under the same load as before.
    async fn stop(&self, cx: &OpContext) -> Result<(), Fault>;

    /// What was seen in the batches from number `from` on. Finished batches only, until `stop`.
    async fn report(&self, cx: &OpContext, from: u32) -> Result<LoadReport, Fault>;

    /// The metrics of the reports of this plan, with their units: `response_time`, ...
    fn metrics(&self, spec: &LoadSpec) -> BTreeMap<MetricName, Unit>;

    /// Whether the load goes on when the manager dies.
    fn outlives_manager(&self) -> bool {
        false
    }

    /// Returns when another look is worth it: it became steady, ended, or there is a batch that no
    /// report held yet. The default is a tick.
    async fn changed(&self, cx: &OpContext) {
        let _ = cx;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The load of one iteration.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LoadPlan {
    /// What the file says.
    pub spec: Arc<LoadSpec>,
    /// What it is for.
    pub goal: LoadGoal,
    /// Seed of arrivals; the same for all iterations of a block.
    pub seed: u64,
    /// Length of one batch of observations.
    pub batch: Duration,
    /// How long the load is planned to last from steady to end: `{{duration_s}}` of requests, and of a
    /// tool that runs once.
    pub duration: Duration,
    /// How long one cycle of it lasts: `{{duration_s}}` of a tool that runs once per cycle.
    pub cycle: Duration,
    /// Values of the iteration, for templates.
    pub values: Arc<BTreeMap<TunableName, Value>>,
    /// Working folder of a tool. None: the driver makes one.
    pub folder: Option<std::path::PathBuf>,
}

impl LoadPlan {
    /// A load without values, for one second batches, all of it in one cycle.
    pub fn new(spec: Arc<LoadSpec>, goal: LoadGoal, seed: u64, duration: Duration) -> Self {
        let values = Arc::default();
        let batch = Duration::from_secs(1);
        Self {
            spec,
            goal,
            seed,
            batch,
            duration,
            cycle: duration,
            values,
            folder: None,
        }
    }

    /// The same with another length of batches.
    #[must_use]
    pub fn batch(mut self, batch: Duration) -> Self {
        self.batch = batch;
        self
    }

    /// The same in cycles of this length.
    #[must_use]
    pub fn cycle(mut self, cycle: Duration) -> Self {
        self.cycle = cycle;
        self
    }

    /// The same with the iteration's values.
    #[must_use]
    pub fn values(mut self, values: Arc<BTreeMap<TunableName, Value>>) -> Self {
        self.values = values;
        self
    }

    /// The iteration's value of a tunable. None: there is no such tunable, or it has no value here.
    pub fn value(&self, name: &str) -> Option<&Value> {
        value(&self.values, name)
    }

    /// Numbers and windows of the batches that are over at `now`, from number `from` on, of a load
    /// whose first batch began at `since`: what [`LoadDriver::report`] tells of.
    pub fn batches_over(
        &self,
        since: Timestamp,
        from: u32,
        now: Timestamp,
    ) -> impl Iterator<Item = (u32, Window)> {
        let batch = self.batch;
        let numbered = (from..u32::MAX).map(move |index| {
            let (start, end) = (since + batch * index, since + batch * (index + 1));
            (index, Window { start, end })
        });
        numbered.take_while(move |(_, window)| window.end <= now)
    }
}

/// The value of the tunable of this name.
pub(super) fn value<'v>(values: &'v BTreeMap<TunableName, Value>, name: &str) -> Option<&'v Value> {
    let mut values = values.iter();
    values.find_map(|(one, value)| (one.as_str() == name).then_some(value))
}

/// What a load is for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LoadGoal {
    /// To measure under this absolute rate per second; none: the driver has no rate.
    Measure {
        /// Requests per second.
        rate: Option<f64>,
    },
    /// To find the greatest rate that the target sustains; ends by itself within this time.
    FindCapacity {
        /// Time at the most.
        within: Duration,
    },
}

/// One look at a load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoadStatus {
    /// On its way to the measured phase, or waiting for external load.
    Ramping,
    /// In the measured phase.
    Steady {
        /// Since when.
        since: Timestamp,
    },
    /// Ended as planned.
    Finished,
    /// Ended otherwise, or is not to be trusted.
    Failed {
        /// Why: `load_absent`, `load_unstable`, `every connection is refused`, ...
        why: String,
    },
}

/// What a load driver saw.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LoadReport {
    /// Batches in order.
    pub batches: Vec<LoadBatch>,
    /// Capacity, where it was looked for and found.
    pub capacity: Option<Capacity>,
    /// Stretches in which the load was not what it was before, with what happened, of the whole load
    /// so far: a cycle that touches one does not count.
    pub void: Vec<(Window, String)>,
    /// Why numbers of this load should not be trusted; empty = they can be.
    pub problems: Vec<String>,
    /// What is worth knowing: send lag, client CPU.
    pub notes: Vec<String>,
}

impl LoadReport {
    /// A report of batches about which there is nothing else to say.
    pub fn of(batches: Vec<LoadBatch>) -> Self {
        Self {
            batches,
            ..Self::default()
        }
    }
}

/// What was seen in one batch.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadBatch {
    /// Number from 0, without gaps.
    pub index: u32,
    /// When.
    pub window: Window,
    /// When the last observation of the window was there: the answer to a request that fell due in
    /// it may come after its end.
    pub complete: Timestamp,
    /// Observations by metric, without the prefix `load.`.
    pub observed: BTreeMap<MetricName, Observed>,
}

impl LoadBatch {
    /// A batch that was complete at its end.
    pub fn new(index: u32, window: Window, observed: BTreeMap<MetricName, Observed>) -> Self {
        Self {
            index,
            complete: window.end,
            window,
            observed,
        }
    }
}

/// The greatest rate that a target sustained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Capacity {
    /// Requests per second.
    pub rate: f64,
    /// What was tried, for people.
    pub evidence: String,
}
