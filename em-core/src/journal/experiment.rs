//! Events of the experiment's own stream.

use serde::{Deserialize, Serialize};

use super::iteration::IterationEnd;
use super::outcome::{Answer, Outcome, Stopped};
use crate::configuration::Configuration;
use crate::experiment::Consequence;
use crate::id::{BlockNo, Digest, Epoch, IterationNo, SlotId, TrialId};
use crate::plan::Plan;
use crate::port::{Capacity, Suggestion, Survey};

/// What happened to an experiment. Whatever looked at the time, the slots or the outside is an
/// event; all else is derived.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ExperimentEvent {
    /// It was asked for. Always the first.
    Created {
        /// The resolved plan.
        plan: Box<Plan>,
    },
    /// An owner started to work on it.
    Started {
        /// The owner.
        epoch: Epoch,
    },
    /// The target was looked at.
    Surveyed {
        /// What was found.
        survey: Survey,
    },
    /// The baseline's capacity is known, and so is the rate of every iteration.
    Calibrated {
        /// What was found.
        capacity: Capacity,
        /// Offered rate per second from now on.
        rate: f64,
    },
    /// The recommender was asked, and answered.
    Asked {
        /// Its answer.
        answer: Suggestion,
    },
    /// A trial joined. Trials are numbered from 0 without gaps where there is a baseline, else
    /// from 1.
    TrialAdded {
        /// Its number.
        trial: TrialId,
        /// Its name for people.
        label: String,
        /// Its values; none: whatever the target runs today.
        configuration: Option<Configuration>,
        /// Where it comes from.
        origin: Origin,
    },
    /// A block was drawn.
    BlockDrawn {
        /// Its number, from 1.
        block: BlockNo,
        /// What it is for.
        purpose: Purpose,
        /// Its trials in waves: those of one wave run side by side.
        waves: Vec<Vec<TrialId>>,
    },
    /// A block does not count, and is drawn again.
    BlockVoided {
        /// Which.
        block: BlockNo,
        /// Why.
        why: String,
    },
    /// A hold was opened.
    HoldOpened {
        /// The slot.
        slot: SlotId,
        /// The n-th hold of the slot, from 1.
        n: u32,
    },
    /// A hold was released.
    HoldClosed {
        /// The slot.
        slot: SlotId,
        /// Which hold.
        n: u32,
        /// Why the slot could not be had; none where it was held.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        refused: Option<String>,
        /// What was noted while it was released.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
    /// An iteration was given a slot.
    Placed {
        /// Its trial.
        trial: TrialId,
        /// Its number within the trial.
        iteration: IterationNo,
        /// Its block; none for the calibration.
        block: Option<BlockNo>,
        /// Its slot.
        slot: SlotId,
        /// The iteration that it repeats.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        repeats: Option<IterationNo>,
    },
    /// An iteration ended.
    IterationEnded {
        /// Its trial.
        trial: TrialId,
        /// Its number.
        iteration: IterationNo,
        /// How.
        end: IterationEnd,
    },
    /// A trial will not be measured any further.
    TrialFinished {
        /// Which.
        trial: TrialId,
        /// How it ended.
        outcome: Outcome,
    },
    /// A trial cannot win any more.
    Dropped {
        /// Which.
        trial: TrialId,
        /// Why.
        why: String,
    },
    /// The best trials are measured again, in fresh blocks.
    VerificationBegun {
        /// Why nothing more is searched.
        stopped: Stopped,
    },
    /// Nothing is placed from now on.
    Paused {
        /// Why.
        why: String,
        /// The request that asked for it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        request: Option<u64>,
    },
    /// It goes on.
    Resumed {
        /// The request that asked for it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        request: Option<u64>,
    },
    /// It was called off for good.
    Cancelled {
        /// By whom or why.
        by: String,
        /// The request that asked for it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        request: Option<u64>,
    },
    /// The file was changed in what does not change the meaning of its numbers.
    Amended {
        /// The resolved plan from now on.
        plan: Box<Plan>,
        /// Keys of the file that differ.
        what: Vec<String>,
        /// What follows where the experiment is finished.
        consequence: Consequence,
        /// By whom.
        by: String,
    },
    /// A request was read that changes nothing here (a restore of a stranded hold, for example).
    RequestTaken {
        /// Which.
        request: u64,
        /// What was done about it.
        note: String,
    },
    /// Nothing more is measured; what is held is put back.
    Concluded {
        /// Why.
        stopped: Stopped,
        /// What it answers.
        answer: Answer,
        /// The winner.
        winner: Option<TrialId>,
    },
    /// The report is ready to be delivered.
    ReportDue {
        /// The report, in raw data.
        digest: Digest,
    },
    /// Everything is put back. Always the last.
    Finished,
}

/// Where a trial comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// It is what all others are compared with.
    Baseline,
    /// The file lists it.
    Listed,
    /// The recommender proposed it.
    Proposed {
        /// In which round, from 1.
        round: u32,
    },
    /// It measures the same configuration again.
    Verifies {
        /// The screened trial.
        trial: TrialId,
    },
    /// A target that is only observed.
    Observed,
}

/// What a block is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Listed trials are compared.
    Measuring,
    /// Proposed trials are sifted.
    Screening {
        /// The round.
        round: u32,
    },
    /// The best are measured again.
    Verifying,
}

impl ExperimentEvent {
    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Created { .. } => "Created",
            Self::Started { .. } => "Started",
            Self::Surveyed { .. } => "Surveyed",
            Self::Calibrated { .. } => "Calibrated",
            Self::Asked { .. } => "Asked",
            Self::TrialAdded { .. } => "TrialAdded",
            Self::BlockDrawn { .. } => "BlockDrawn",
            Self::BlockVoided { .. } => "BlockVoided",
            Self::HoldOpened { .. } => "HoldOpened",
            Self::HoldClosed { .. } => "HoldClosed",
            Self::Placed { .. } => "Placed",
            Self::IterationEnded { .. } => "IterationEnded",
            Self::TrialFinished { .. } => "TrialFinished",
            Self::Dropped { .. } => "Dropped",
            Self::VerificationBegun { .. } => "VerificationBegun",
            Self::Paused { .. } => "Paused",
            Self::Resumed { .. } => "Resumed",
            Self::Cancelled { .. } => "Cancelled",
            Self::Amended { .. } => "Amended",
            Self::RequestTaken { .. } => "RequestTaken",
            Self::Concluded { .. } => "Concluded",
            Self::ReportDue { .. } => "ReportDue",
            Self::Finished => "Finished",
        }
    }
}
