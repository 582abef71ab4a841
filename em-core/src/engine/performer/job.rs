//! What one iteration is to do, and when it did what.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::configuration::Configuration;
use crate::id::{IterationNo, SlotId, TrialId, TunableName};
use crate::machine::IterationEvent;
use crate::port::{LoadGoal, Undo};
use crate::value::Value;

/// What one iteration is to do.
#[derive(Debug, Clone)]
pub(in crate::engine) struct Job {
    pub(in crate::engine) trial: TrialId,
    pub(in crate::engine) iteration: IterationNo,
    pub(in crate::engine) slot: SlotId,
    pub(in crate::engine) configuration: Arc<Configuration>,
    /// Every value that is applied, or why there is none.
    pub(in crate::engine) values: Result<Arc<BTreeMap<TunableName, Value>>, String>,
    pub(in crate::engine) undo: Arc<Undo>,
    pub(in crate::engine) goal: LoadGoal,
    /// Seed of the arrivals.
    pub(in crate::engine) seed: u64,
    /// Whether it is a wave by itself, so that its barrier opens at once.
    pub(in crate::engine) is_alone: bool,
}

/// When an iteration did what, as its journal says.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::engine) struct Stamps {
    pub(in crate::engine) begun: Option<Timestamp>,
    pub(in crate::engine) verified: Option<Timestamp>,
    pub(in crate::engine) opened: Option<Timestamp>,
    /// When the manager asked for load; not journaled.
    pub(in crate::engine) load_asked: Option<Timestamp>,
}

impl Stamps {
    pub(in crate::engine) fn note(&mut self, event: &IterationEvent, at: Timestamp) {
        match event {
            IterationEvent::Begun => self.begun = Some(at),
            IterationEvent::Verified(_) => self.verified = Some(at),
            IterationEvent::BarrierOpened => self.opened = Some(at),
            IterationEvent::Deployed
            | IterationEvent::LoadSteady { .. }
            | IterationEvent::Collected { .. }
            | IterationEvent::Failed(_)
            | IterationEvent::Interrupt { .. }
            | IterationEvent::Cancel
            | IterationEvent::Withdrawn
            | IterationEvent::WithdrawFailed { .. }
            | IterationEvent::Retry
            | IterationEvent::DoneByHand { .. } => {}
        }
    }
}
