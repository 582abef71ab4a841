//! A report on its way to whoever asked for it. Holds no slot and blocks no trial.

use serde::{Deserialize, Serialize};

use super::IllegalTransition;

/// Where a delivery stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum DeliveryState {
    /// It is to be sent.
    Due {
        /// Attempts so far.
        attempts: u32,
    },
    /// It was sent; the other side has not agreed yet.
    Sent {
        /// Attempts so far.
        attempts: u32,
    },
    /// The other side has it.
    Acknowledged,
    /// It was given up.
    Dead {
        /// Why.
        why: String,
    },
}

/// What happens to a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum DeliveryEvent {
    /// It is on its way.
    Sent,
    /// The other side has it.
    Acknowledged,
    /// It did not arrive; it is tried again.
    Failed {
        /// Why.
        why: String,
    },
    /// It will not arrive.
    GivenUp {
        /// Why.
        why: String,
    },
    /// Somebody asks to send it again.
    Resend,
    /// Nobody wants it any more.
    Cancel,
    /// The owner leaves; it is sent by the next one.
    Interrupt,
}

/// What a delivery waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryEffect {
    /// Note that it is on its way.
    Send,
    /// Send it and wait for the answer; the key makes a repetition harmless.
    Await,
}

impl DeliveryState {
    /// The state of an empty stream.
    pub fn new() -> Self {
        Self::Due { attempts: 0 }
    }

    /// The state after `event`.
    pub fn on(self, event: DeliveryEvent) -> Result<Self, IllegalTransition> {
        use DeliveryEvent as E;
        let illegal = IllegalTransition {
            machine: "delivery",
            state: self.name(),
            event: event.name(),
        };
        Ok(match (self, event) {
            (Self::Due { attempts }, E::Sent) => Self::Sent {
                attempts: attempts + 1,
            },
            (Self::Sent { .. }, E::Acknowledged) => Self::Acknowledged,
            (Self::Sent { attempts }, E::Failed { .. } | E::Interrupt) => Self::Due { attempts },
            (Self::Due { .. } | Self::Sent { .. }, E::GivenUp { why }) => Self::Dead { why },
            (Self::Due { .. } | Self::Sent { .. }, E::Cancel) => Self::Dead {
                why: "called off".to_owned(),
            },
            (Self::Dead { .. }, E::Resend) => Self::Due { attempts: 0 },
            (state @ Self::Due { .. }, E::Interrupt)
            | (state @ (Self::Acknowledged | Self::Dead { .. }), E::Cancel | E::Interrupt) => state,
            (_, _) => return Err(illegal),
        })
    }

    /// What it waits for.
    pub fn effect(&self) -> Option<DeliveryEffect> {
        match self {
            Self::Due { .. } => Some(DeliveryEffect::Send),
            Self::Sent { .. } => Some(DeliveryEffect::Await),
            Self::Acknowledged | Self::Dead { .. } => None,
        }
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Due { .. } => "Due",
            Self::Sent { .. } => "Sent",
            Self::Acknowledged => "Acknowledged",
            Self::Dead { .. } => "Dead",
        }
    }
}

impl Default for DeliveryState {
    fn default() -> Self {
        Self::new()
    }
}

impl DeliveryEvent {
    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Sent => "Sent",
            Self::Acknowledged => "Acknowledged",
            Self::Failed { .. } => "Failed",
            Self::GivenUp { .. } => "GivenUp",
            Self::Resend => "Resend",
            Self::Cancel => "Cancel",
            Self::Interrupt => "Interrupt",
        }
    }
}
