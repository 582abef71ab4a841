//! One collection, from steady load to load end, and the labels put on it.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Observed, Window};
use crate::id::{CycleNo, MetricName};
use crate::plan::{Precision, Warmup};

/// Everything seen in one iteration so far, with what the plan wants of it.
#[derive(Debug, Clone)]
pub struct Collected {
    /// Since when the load is steady.
    pub steady_since: Timestamp,
    /// Batches in order of time.
    pub batches: Vec<Batch>,
    /// The metric on which the warm-up is judged.
    pub leading: Option<MetricName>,
    /// What the plan says of the warm-up.
    pub warmup: Warmup,
    /// Wanted cycles.
    pub cycles: u32,
    /// Length of one.
    pub cycle_duration: Duration,
    /// When it is precise enough before that.
    pub precision: Option<Precision>,
    /// Stretches that are void, with the reason: a gap, an incident, a shift of the load.
    pub void: Vec<(Window, String)>,
}

/// One stretch of observations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    /// Number from 0.
    pub index: u32,
    /// When.
    pub window: Window,
    /// What was seen, by metric.
    pub observed: BTreeMap<MetricName, Observed>,
}

/// A collection with labels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Labelled {
    /// Where the warm-up ends.
    pub warmup_end: Timestamp,
    /// How that was found: `fixed`, `MSER-5 over 40 batches of load.response_time`.
    pub method: String,
    /// The cycles after it, in order.
    pub cycles: Vec<Cycle>,
    /// Whether that is enough.
    pub steadiness: Steadiness,
}

impl Labelled {
    /// Cycles that count.
    pub fn kept(&self) -> impl Iterator<Item = &Cycle> {
        self.cycles
            .iter()
            .filter(|cycle| cycle.state == CycleState::Kept)
    }
}

/// One cycle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cycle {
    /// Its number from 0, void ones included.
    pub cycle: CycleNo,
    /// When.
    pub window: Window,
    /// Whether it counts.
    pub state: CycleState,
}

/// Whether a cycle counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CycleState {
    /// It does.
    Kept,
    /// It does not.
    Void {
        /// Why.
        why: String,
    },
}

/// Whether a collection is enough.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Steadiness {
    /// It has the wanted cycles.
    Enough,
    /// It needs to go on until this time, and be looked at again.
    Extend {
        /// Until when.
        until: Timestamp,
    },
    /// It did not settle in the time there was.
    Unstable {
        /// What it does instead.
        why: String,
    },
}
