//! The fold of an experiment's own stream: everything the scheduler and the views know of it.
//!
//! Nothing here looks at the time, the store or the outside. Indexes are kept as events arrive, so
//! that one more trial costs the same whether there are ten or a hundred thousand.

mod amend;
mod block;
mod evaluate;
mod fold;
mod hold;
mod known;
mod phase;
mod trial;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::id::{BlockNo, Digest, IterationNo, SlotId, TrialId};
use crate::journal::Stopped;
use crate::plan::Plan;
use crate::port::{Capacity, Suggestion, Survey};

pub use amend::{Amendment, Consequence};
pub use block::{BlockState, DrawnBlock, Place, PlaceState, PlacedIteration};
pub use evaluate::{MissingNumber, Numbers, evaluate, margin};
pub use hold::HoldRecord;
pub use phase::{Conclusion, Phase};
pub use trial::Trial;

/// An experiment as its events tell it.
#[derive(Debug, Clone, PartialEq)]
pub struct Experiment {
    plan: Arc<Plan>,
    phase: Phase,
    /// Entries so far; the number of the next one.
    entries: u64,
    started: Option<Timestamp>,
    last: Timestamp,
    survey: Option<Arc<Survey>>,
    calibration: Option<(Capacity, f64)>,
    trials: BTreeMap<TrialId, Trial>,
    unfinished: BTreeSet<TrialId>,
    /// Trials that the file lists.
    listed: usize,
    configurations: HashMap<Digest, TrialId>,
    blocks: Vec<DrawnBlock>,
    open_block: Option<BlockNo>,
    /// Blocks of the present purpose that were voided one after the other.
    voided_in_a_row: u32,
    calibrating: Vec<PlacedIteration>,
    active: BTreeMap<(TrialId, IterationNo), Placing>,
    holds: BTreeMap<SlotId, HoldRecord>,
    rounds: u32,
    asked: Option<(Timestamp, Suggestion)>,
    /// Configurations that were proposed and are not trials yet.
    pending: Vec<crate::configuration::Configuration>,
    proposed: u32,
    failures: u32,
    requests_taken: u64,
    report: Option<Digest>,
    /// Why it had stopped before it was amended.
    stopped_before: Option<Stopped>,
    iteration_time: Duration,
    iterations_timed: u32,
}

/// Where an iteration that has not ended was placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placing {
    /// Its block; none for the calibration.
    pub block: Option<BlockNo>,
    /// Its slot.
    pub slot: SlotId,
    /// Since when.
    pub at: Timestamp,
}
