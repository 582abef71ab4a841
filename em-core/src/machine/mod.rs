//! State machines: pure, total, without clock, I/O or store.
//!
//! `State::on(event)` is the only way to change a state, and answers [`IllegalTransition`] where
//! the event does not belong. Each state has at most one effect, so recovery is replaying the
//! events and performing `effect()`: there is no second path. Failures are events, too.

mod delivery;
mod hold;
mod iteration;
#[cfg(test)]
mod laws;

pub use delivery::{DeliveryEffect, DeliveryEvent, DeliveryState};
pub use hold::{HoldEffect, HoldEvent, HoldState};
pub use iteration::{IterationEffect, IterationEvent, IterationState, Running};

/// An event that does not belong to a state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{machine} in state {state} cannot take event {event}")]
pub struct IllegalTransition {
    /// Which machine.
    pub machine: &'static str,
    /// Name of its state.
    pub state: &'static str,
    /// Name of the event.
    pub event: &'static str,
}
