//! Where an experiment stands: a pure machine over the events that matter to it.

use serde::{Deserialize, Serialize};

use super::Consequence;
use crate::id::TrialId;
use crate::journal::{Answer, ExperimentEvent, Stopped};
use crate::machine::IllegalTransition;

/// Where an experiment stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "snake_case")]
pub enum Phase {
    /// Trials are measured.
    Running,
    /// The best are measured again, in fresh blocks.
    Verifying {
        /// Why nothing more is searched.
        stopped: Stopped,
    },
    /// Nothing more is measured; what is held is put back.
    Closing {
        /// What it answers; none while iterations that were called off still end.
        conclusion: Option<Conclusion>,
    },
    /// Nothing is placed until somebody resumes it.
    Paused {
        /// Why.
        why: String,
        /// Where it goes on.
        from: Box<Self>,
    },
    /// Everything is put back.
    Finished {
        /// What it answered.
        conclusion: Conclusion,
    },
}

/// Why an experiment stopped, and what it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conclusion {
    /// Why nothing more is measured.
    pub stopped: Stopped,
    /// What it answers.
    pub answer: Answer,
    /// The winner.
    pub winner: Option<TrialId>,
}

impl Phase {
    /// The phase after `event`; most events leave it as it is.
    pub fn on(self, event: &ExperimentEvent) -> Result<Self, IllegalTransition> {
        use ExperimentEvent as E;
        let illegal = IllegalTransition {
            machine: "experiment",
            state: self.name(),
            event: event.name(),
        };
        Ok(match (self, event) {
            // Called off is called off for good.
            (Self::Finished { conclusion }, E::Amended { consequence, .. })
                if conclusion.stopped != Stopped::Cancelled =>
            {
                match consequence {
                    Consequence::Noted => Self::Finished { conclusion },
                    Consequence::Judged => Self::Closing { conclusion: None },
                    Consequence::Measured => Self::Running,
                }
            }
            // Over is over; a late call changes nothing.
            (
                state @ Self::Finished { .. },
                E::Cancelled { .. } | E::RequestTaken { .. } | E::Started { .. },
            ) => state,
            (Self::Finished { .. }, _) => return Err(illegal),
            (
                Self::Closing {
                    conclusion: Some(conclusion),
                },
                E::Finished,
            ) => Self::Finished { conclusion },
            (_, E::Finished) => return Err(illegal),
            (state @ Self::Closing { .. }, E::Cancelled { .. }) => state,
            (_, E::Cancelled { .. }) => Self::Closing { conclusion: None },
            (state @ Self::Paused { .. }, E::Paused { .. }) => state,
            (from, E::Paused { why, .. }) => Self::Paused {
                why: why.clone(),
                from: Box::new(from),
            },
            (Self::Paused { from, .. }, E::Resumed { .. }) => *from,
            (state, E::Resumed { .. }) => state,
            (Self::Running, E::VerificationBegun { stopped }) => {
                Self::Verifying { stopped: *stopped }
            }
            (
                Self::Running | Self::Verifying { .. } | Self::Closing { conclusion: None },
                E::Concluded {
                    stopped,
                    answer,
                    winner,
                },
            ) => {
                let conclusion = Conclusion {
                    stopped: *stopped,
                    answer: *answer,
                    winner: *winner,
                };
                Self::Closing {
                    conclusion: Some(conclusion),
                }
            }
            (_, E::VerificationBegun { .. } | E::Concluded { .. }) => return Err(illegal),
            (
                Self::Closing { .. } | Self::Paused { .. },
                E::Placed { .. } | E::BlockDrawn { .. },
            ) => {
                return Err(illegal);
            }
            (state, _) => state,
        })
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Running => "Running",
            Self::Verifying { .. } => "Verifying",
            Self::Closing { .. } => "Closing",
            Self::Paused { .. } => "Paused",
            Self::Finished { .. } => "Finished",
        }
    }

    /// What it answers, once that is known.
    pub fn conclusion(&self) -> Option<&Conclusion> {
        match self {
            Self::Closing { conclusion } => conclusion.as_ref(),
            Self::Finished { conclusion } => Some(conclusion),
            Self::Paused { from, .. } => from.conclusion(),
            Self::Running | Self::Verifying { .. } => None,
        }
    }
}
