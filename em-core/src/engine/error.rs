//! Why a run ended without a report.

use crate::fault::{Fault, FaultKind};
use crate::id::{ExperimentName, SlotId};
use crate::machine::IllegalTransition;

/// Why a run ended without a report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// There is an experiment of that name already.
    #[error("experiment {name} exists already; run it to go on with it")]
    Exists {
        /// The name.
        name: ExperimentName,
    },
    /// There is none of that name.
    #[error("there is no experiment {name} in this store")]
    NotFound {
        /// The name.
        name: ExperimentName,
    },
    /// The run was told to leave at once. Nothing was put back; the next run goes on from here.
    #[error("stopped; what is held stays held until the experiment is run again")]
    Stopped,
    /// The run was interrupted: everything is put back, and the next run goes on.
    #[error("interrupted; everything is put back, and the experiment can be resumed")]
    Interrupted,
    /// The original of some slots could not be put back.
    #[error(
        "the original of slot {slot} could not be put back: {why} (put it back, then run `em \
         restore {name}`)"
    )]
    Stranded {
        /// The experiment.
        name: ExperimentName,
        /// One of the slots.
        slot: SlotId,
        /// What went wrong.
        why: String,
    },
    /// The experiment is paused, and the run was told not to wait.
    #[error("the experiment is paused: {why} (`em resume` goes on)")]
    Paused {
        /// Why it is paused.
        why: String,
    },
    /// A port that the plan needs was not given to the engine.
    #[error("the plan needs {what}, which was not given to the engine")]
    Missing {
        /// Which.
        what: String,
    },
    /// The journal does not make sense.
    #[error("entry {seq} of {stream} does not follow from those before it")]
    Damaged {
        /// The stream.
        stream: String,
        /// The entry.
        seq: u64,
        /// Why.
        #[source]
        source: IllegalTransition,
    },
    /// A call failed for good.
    #[error("failed to {act}")]
    Failed {
        /// What was tried.
        act: String,
        /// Why it failed.
        #[source]
        source: Fault,
    },
}

impl EngineError {
    /// `act` failed.
    pub(super) fn failed(act: impl Into<String>) -> impl FnOnce(Fault) -> Self {
        let act = act.into();
        move |source| Self::Failed { act, source }
    }

    /// The kind of the fault behind it, where there is one.
    pub fn kind(&self) -> Option<FaultKind> {
        match self {
            Self::Failed { source, .. } => Some(source.kind),
            Self::Exists { .. }
            | Self::NotFound { .. }
            | Self::Stopped
            | Self::Interrupted
            | Self::Stranded { .. }
            | Self::Paused { .. }
            | Self::Missing { .. }
            | Self::Damaged { .. } => None,
        }
    }
}
