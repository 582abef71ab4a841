//! What drivers tell the experiment's loop.

use std::sync::Arc;

use crate::id::{IterationNo, SlotId, TrialId};
use crate::journal::Stage;
use crate::port::Undo;

/// A driver's state, once it is durable.
#[derive(Debug, Clone)]
pub(super) enum Notice {
    /// A hold.
    Hold { slot: SlotId, state: HoldNotice },
    /// An iteration.
    Iteration {
        trial: TrialId,
        iteration: IterationNo,
        state: IterationNotice,
    },
}

#[derive(Debug, Clone)]
pub(super) enum HoldNotice {
    Acquiring,
    Held(Arc<Undo>),
    Closing {
        /// Why the slot could not be had, where that is why.
        refused: Option<String>,
    },
    Stranded(String),
}

#[derive(Debug, Clone)]
pub(super) enum IterationNotice {
    /// It is in this stage.
    In(Stage),
    /// It is ready for load, and waits for the others of its wave.
    AtBarrier,
    /// It could not be taken down.
    Stranded(String),
    /// A share of its measurement is done.
    Measuring {
        /// Cycles that count so far.
        cycles: u32,
        /// Cycles that are wanted.
        of: u32,
    },
}
