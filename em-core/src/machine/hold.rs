//! The grip on a slot: acquired with an undo, released when the original is back.

use serde::{Deserialize, Serialize};

use super::IllegalTransition;
use crate::port::Undo;

/// Where a hold stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum HoldState {
    /// The slot is being locked and its original read.
    Acquiring,
    /// Iterations may run in it.
    Held {
        /// How to put the original back.
        undo: Undo,
    },
    /// The original is being put back.
    Restoring {
        /// How; none where nothing was read.
        undo: Option<Undo>,
        /// Why it closes.
        why: String,
    },
    /// The original could not be put back; a person is called for.
    Stranded {
        /// How it would be put back.
        undo: Option<Undo>,
        /// What went wrong.
        why: String,
    },
    /// Over.
    Released {
        /// What was noted.
        note: Option<String>,
    },
}

/// What happens to a hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum HoldEvent {
    /// The slot is locked, and this puts it back.
    Acquired {
        /// The record.
        undo: Undo,
    },
    /// The slot cannot be had.
    Refused {
        /// Why.
        why: String,
    },
    /// Nothing more is placed in it.
    Close {
        /// Why.
        why: String,
    },
    /// Its experiment was called off.
    Cancel,
    /// Its owner leaves.
    Interrupt,
    /// The target shows the original.
    Restored {
        /// What was noted.
        note: Option<String>,
    },
    /// The original could not be put back.
    RestoreFailed {
        /// Why.
        why: String,
    },
    /// Somebody asks to try again.
    Retry,
    /// Somebody has put it back.
    DoneByHand {
        /// Who.
        by: String,
    },
}

/// What a hold waits for.
#[derive(Debug, Clone, PartialEq)]
pub enum HoldEffect {
    /// Lock the slot and read the original.
    Acquire,
    /// Put the original back.
    Restore(Option<Undo>),
}

impl HoldState {
    /// The state of an empty stream.
    pub fn new() -> Self {
        Self::Acquiring
    }

    /// The state after `event`.
    pub fn on(self, event: HoldEvent) -> Result<Self, IllegalTransition> {
        use HoldEvent as E;
        let illegal = IllegalTransition {
            machine: "hold",
            state: self.name(),
            event: event.name(),
        };
        Ok(match (self, event) {
            (Self::Acquiring, E::Acquired { undo }) => Self::Held { undo },
            (Self::Acquiring, E::Refused { why } | E::Close { why }) => {
                Self::Restoring { undo: None, why }
            }
            (Self::Acquiring, event @ (E::Cancel | E::Interrupt)) => Self::Restoring {
                undo: None,
                why: event.name().to_owned(),
            },
            (Self::Held { undo }, E::Close { why }) => Self::Restoring {
                undo: Some(undo),
                why,
            },
            (Self::Held { undo }, event @ (E::Cancel | E::Interrupt)) => Self::Restoring {
                undo: Some(undo),
                why: event.name().to_owned(),
            },
            (Self::Restoring { .. }, E::Restored { note }) => Self::Released { note },
            (Self::Restoring { undo, .. }, E::RestoreFailed { why }) => {
                Self::Stranded { undo, why }
            }
            (Self::Stranded { undo, why }, E::Retry) => Self::Restoring { undo, why },
            (Self::Stranded { .. }, E::DoneByHand { by }) => Self::Released {
                note: Some(format!("put back by {by}")),
            },
            // Called off or left while it is on its way out already: nothing changes.
            (
                state @ (Self::Restoring { .. } | Self::Stranded { .. } | Self::Released { .. }),
                E::Cancel | E::Interrupt | E::Close { .. },
            ) => state,
            (_, _) => return Err(illegal),
        })
    }

    /// What it waits for.
    pub fn effect(&self) -> Option<HoldEffect> {
        match self {
            Self::Acquiring => Some(HoldEffect::Acquire),
            Self::Restoring { undo, .. } => Some(HoldEffect::Restore(undo.clone())),
            Self::Held { .. } | Self::Stranded { .. } | Self::Released { .. } => None,
        }
    }

    /// Whether it is over.
    pub fn is_released(&self) -> bool {
        matches!(self, Self::Released { .. })
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Acquiring => "Acquiring",
            Self::Held { .. } => "Held",
            Self::Restoring { .. } => "Restoring",
            Self::Stranded { .. } => "Stranded",
            Self::Released { .. } => "Released",
        }
    }
}

impl Default for HoldState {
    fn default() -> Self {
        Self::new()
    }
}

impl HoldEvent {
    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Acquired { .. } => "Acquired",
            Self::Refused { .. } => "Refused",
            Self::Close { .. } => "Close",
            Self::Cancel => "Cancel",
            Self::Interrupt => "Interrupt",
            Self::Restored { .. } => "Restored",
            Self::RestoreFailed { .. } => "RestoreFailed",
            Self::Retry => "Retry",
            Self::DoneByHand { .. } => "DoneByHand",
        }
    }
}
