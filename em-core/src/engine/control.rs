//! How a run is told to end, and what it tells meanwhile.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use super::gate::Gate;
use crate::id::{BlockNo, IterationNo, SlotId, TrialId};
use crate::journal::{Answer, Outcome, Purpose, Stage};

/// How a run is told to end, and where its events go.
#[derive(Debug, Clone, Default)]
pub struct Control {
    /// Leave at once: no event, nothing is put back, the next run goes on from here.
    pub stop: CancellationToken,
    /// Break off what runs, put everything back, leave; the next run repeats what was broken off.
    pub interrupt: CancellationToken,
    /// Who is told what happens. Slow listeners lose events, never hold the run up.
    pub events: Option<broadcast::Sender<EngineEvent>>,
    /// Who gives leave to measure, block by block. None: nobody has to be asked.
    pub gate: Option<Arc<dyn Gate>>,
    /// What every result of this run is to say beside its numbers.
    pub remarks: Vec<String>,
    /// What a paused experiment does to the run.
    pub when_paused: WhenPaused,
}

/// What a run does when its experiment is paused and everything is put back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum WhenPaused {
    /// It waits until somebody resumes the experiment.
    #[default]
    Wait,
    /// It ends with [`EngineError::Paused`](super::EngineError::Paused).
    Leave,
}

/// Something that happened, for whoever watches. Everything here follows from the journal.
#[derive(Debug, Clone, PartialEq)]
pub struct EngineEvent {
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: EventKind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum EventKind {
    /// A slot is held.
    Held {
        /// The slot.
        slot: SlotId,
    },
    /// A slot is back as it was.
    Released {
        /// The slot.
        slot: SlotId,
    },
    /// A trial joined.
    TrialAdded {
        /// The trial.
        trial: TrialId,
        /// Its name for people.
        label: String,
    },
    /// A block was drawn.
    BlockDrawn {
        /// The block.
        block: BlockNo,
        /// What it is for.
        purpose: Purpose,
        /// Its iterations.
        iterations: usize,
    },
    /// An iteration was given a slot.
    Placed {
        /// The trial.
        trial: TrialId,
        /// Its number.
        iteration: IterationNo,
        /// Its block; none for the calibration.
        block: Option<BlockNo>,
        /// The slot.
        slot: SlotId,
    },
    /// An iteration is in another stage.
    Stage {
        /// The trial.
        trial: TrialId,
        /// The iteration.
        iteration: IterationNo,
        /// The stage.
        stage: Stage,
    },
    /// A share of an iteration's measurement is done.
    Measuring {
        /// The trial.
        trial: TrialId,
        /// The iteration.
        iteration: IterationNo,
        /// Cycles that count so far.
        cycles: u32,
        /// Cycles that are wanted.
        of: u32,
    },
    /// An iteration ended.
    IterationEnded {
        /// The trial.
        trial: TrialId,
        /// The iteration.
        iteration: IterationNo,
        /// `done`, or why it has no result.
        how: String,
    },
    /// The offered rate is known.
    Calibrated {
        /// The baseline's capacity per second.
        capacity: f64,
        /// The offered rate per second.
        rate: f64,
    },
    /// A trial ended.
    TrialFinished {
        /// The trial.
        trial: TrialId,
        /// How.
        outcome: Outcome,
    },
    /// The best are measured again.
    VerificationBegun,
    /// Nothing is placed any more.
    Paused {
        /// Why.
        why: String,
    },
    /// It goes on.
    Resumed,
    /// Nothing more is measured.
    Concluded {
        /// What it answers.
        answer: Answer,
        /// The winner.
        winner: Option<TrialId>,
    },
}
