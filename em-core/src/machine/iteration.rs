//! One fresh deployment of a trial: deployed, verified, loaded, measured, withdrawn.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::IllegalTransition;
use crate::journal::{Collection, Failure, InterruptCause, IterationEnd, IterationResult, Stage};
use crate::port::{Address, Fact};

/// Where an iteration stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum IterationState {
    /// It has a slot, and nothing was done yet.
    Queued,
    /// Being deployed.
    Deploying,
    /// Deployed; what runs is compared with what was asked.
    Verifying,
    /// Ready; waits for the others of its wave.
    AtBarrier(Running),
    /// The load is on its way to steady.
    Loading(Running),
    /// Being measured.
    Collecting {
        /// What runs.
        running: Running,
        /// Since when the load is steady.
        since: Timestamp,
    },
    /// Being taken down.
    Withdrawing {
        /// How it will have ended.
        end: IterationEnd,
    },
    /// It could not be taken down; a person is called for.
    Stranded {
        /// How it will have ended.
        end: IterationEnd,
        /// What went wrong.
        why: String,
    },
    /// Over.
    Ended {
        /// How.
        end: IterationEnd,
    },
}

/// What runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Running {
    /// What was read back.
    pub facts: Vec<Fact>,
    /// Where it can be reached.
    pub addresses: Vec<Address>,
}

/// What happens to an iteration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum IterationEvent {
    /// From now on something of it may be out there.
    Begun,
    /// The deployment was started.
    Deployed,
    /// It is ready, and what runs is what was asked.
    Verified(Running),
    /// All of its wave are ready or have ended.
    BarrierOpened,
    /// The load is steady.
    LoadSteady {
        /// Since when.
        since: Timestamp,
    },
    /// It was measured.
    Collected {
        /// What was collected.
        collection: Box<Collection>,
        /// What it says.
        result: Box<IterationResult>,
    },
    /// A stage failed.
    Failed(Failure),
    /// It is broken off and repeated later.
    Interrupt {
        /// Why.
        cause: InterruptCause,
    },
    /// It is called off for good.
    Cancel,
    /// Nothing of it is out there any more.
    Withdrawn,
    /// It could not be taken down.
    WithdrawFailed {
        /// Why.
        why: String,
    },
    /// Somebody asks to try again.
    Retry,
    /// Somebody has taken it down.
    DoneByHand {
        /// Who.
        by: String,
    },
}

/// What an iteration waits for.
#[derive(Debug, Clone, PartialEq)]
pub enum IterationEffect {
    /// Note that something may be out there from now on.
    Begin,
    /// Start the deployment.
    Deploy,
    /// Wait until it is ready, and compare.
    Verify,
    /// Start the load and wait until it is steady.
    Load(Running),
    /// Measure.
    Collect {
        /// What runs.
        running: Running,
        /// Since when the load is steady.
        since: Timestamp,
    },
    /// Take it down.
    Withdraw,
}

impl IterationState {
    /// The state of an empty stream.
    pub fn new() -> Self {
        Self::Queued
    }

    /// The state after `event`.
    pub fn on(self, event: IterationEvent) -> Result<Self, IllegalTransition> {
        use IterationEvent as E;
        let illegal = IllegalTransition {
            machine: "iteration",
            state: self.name(),
            event: event.name(),
        };
        let stage = self.stage();
        Ok(match (self, event) {
            (Self::Queued, E::Begun) => Self::Deploying,
            (Self::Deploying, E::Deployed) => Self::Verifying,
            (Self::Verifying, E::Verified(running)) => Self::AtBarrier(running),
            (Self::AtBarrier(running), E::BarrierOpened) => Self::Loading(running),
            (Self::Loading(running), E::LoadSteady { since }) => {
                Self::Collecting { running, since }
            }
            (Self::Collecting { .. }, E::Collected { result, .. }) => Self::Withdrawing {
                end: IterationEnd::Done(result),
            },
            // Nothing is out there yet, so there is nothing to take down.
            (Self::Queued, event @ (E::Interrupt { .. } | E::Cancel)) => Self::Ended {
                end: event.interruption(None),
            },
            (
                Self::Deploying
                | Self::Verifying
                | Self::AtBarrier(_)
                | Self::Loading(_)
                | Self::Collecting { .. },
                event @ (E::Interrupt { .. } | E::Cancel),
            ) => Self::Withdrawing {
                end: event.interruption(stage),
            },
            (
                Self::Deploying
                | Self::Verifying
                | Self::AtBarrier(_)
                | Self::Loading(_)
                | Self::Collecting { .. },
                E::Failed(failure),
            ) => Self::Withdrawing {
                end: IterationEnd::Failed(failure),
            },
            (Self::Withdrawing { end }, E::WithdrawFailed { why }) => Self::Stranded { end, why },
            (Self::Stranded { end, .. }, E::Retry) => Self::Withdrawing { end },
            (Self::Withdrawing { end }, E::Withdrawn)
            | (Self::Stranded { end, .. }, E::DoneByHand { .. }) => Self::Ended { end },
            // On its way out already: what it will have been does not change.
            (
                state @ (Self::Withdrawing { .. } | Self::Stranded { .. } | Self::Ended { .. }),
                E::Interrupt { .. } | E::Cancel,
            ) => state,
            (_, _) => return Err(illegal),
        })
    }

    /// What it waits for.
    pub fn effect(&self) -> Option<IterationEffect> {
        match self {
            Self::Queued => Some(IterationEffect::Begin),
            Self::Deploying => Some(IterationEffect::Deploy),
            Self::Verifying => Some(IterationEffect::Verify),
            Self::Loading(running) => Some(IterationEffect::Load(running.clone())),
            Self::Collecting { running, since } => Some(IterationEffect::Collect {
                running: running.clone(),
                since: *since,
            }),
            Self::Withdrawing { .. } => Some(IterationEffect::Withdraw),
            Self::AtBarrier(_) | Self::Stranded { .. } | Self::Ended { .. } => None,
        }
    }

    /// Whether something of it may be out there and it is not on its way out.
    pub fn is_active(&self) -> bool {
        self.stage().is_some_and(|stage| stage != Stage::Withdraw)
    }

    /// How it ended, once it has.
    pub fn end(&self) -> Option<&IterationEnd> {
        match self {
            Self::Ended { end } => Some(end),
            Self::Queued
            | Self::Deploying
            | Self::Verifying
            | Self::AtBarrier(_)
            | Self::Loading(_)
            | Self::Collecting { .. }
            | Self::Withdrawing { .. }
            | Self::Stranded { .. } => None,
        }
    }

    /// The stage it is in, while something of it may be out there.
    pub fn stage(&self) -> Option<Stage> {
        match self {
            Self::Deploying => Some(Stage::Deploy),
            Self::Verifying => Some(Stage::Verify),
            Self::AtBarrier(_) => Some(Stage::Barrier),
            Self::Loading(_) => Some(Stage::Load),
            Self::Collecting { .. } => Some(Stage::Collect),
            Self::Withdrawing { .. } | Self::Stranded { .. } => Some(Stage::Withdraw),
            Self::Queued | Self::Ended { .. } => None,
        }
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Queued => "Queued",
            Self::Deploying => "Deploying",
            Self::Verifying => "Verifying",
            Self::AtBarrier(_) => "AtBarrier",
            Self::Loading(_) => "Loading",
            Self::Collecting { .. } => "Collecting",
            Self::Withdrawing { .. } => "Withdrawing",
            Self::Stranded { .. } => "Stranded",
            Self::Ended { .. } => "Ended",
        }
    }
}

impl Default for IterationState {
    fn default() -> Self {
        Self::new()
    }
}

impl IterationEvent {
    fn interruption(&self, stage: Option<Stage>) -> IterationEnd {
        let cause = match self {
            Self::Interrupt { cause } => *cause,
            Self::Begun
            | Self::Deployed
            | Self::Verified(_)
            | Self::BarrierOpened
            | Self::LoadSteady { .. }
            | Self::Collected { .. }
            | Self::Failed(_)
            | Self::Cancel
            | Self::Withdrawn
            | Self::WithdrawFailed { .. }
            | Self::Retry
            | Self::DoneByHand { .. } => InterruptCause::CalledOff,
        };
        IterationEnd::Interrupted { stage, cause }
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Begun => "Begun",
            Self::Deployed => "Deployed",
            Self::Verified(_) => "Verified",
            Self::BarrierOpened => "BarrierOpened",
            Self::LoadSteady { .. } => "LoadSteady",
            Self::Collected { .. } => "Collected",
            Self::Failed(_) => "Failed",
            Self::Interrupt { .. } => "Interrupt",
            Self::Cancel => "Cancel",
            Self::Withdrawn => "Withdrawn",
            Self::WithdrawFailed { .. } => "WithdrawFailed",
            Self::Retry => "Retry",
            Self::DoneByHand { .. } => "DoneByHand",
        }
    }
}
