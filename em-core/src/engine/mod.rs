//! The engine: drives experiments through ports, by the journal.
//!
//! | task | owner | when `stop` fires | when it fails |
//! |---|---|---|---|
//! | the experiment's loop | whoever calls [`Engine::run`] | waits for all drivers, writes nothing | the run ends with the error |
//! | one driver per open hold | the loop's `JoinSet` | leaves, writes nothing | the loop stops all drivers, the run ends with the error |
//! | one driver per placed iteration | the loop's `JoinSet` | leaves, writes nothing | the same |
//!
//! Nothing else is spawned. Loop and drivers talk by bounded channels only; what is to happen next
//! is decided by [`schedule::next`](crate::schedule::next), a pure function.

mod blame;
mod caller;
mod control;
mod driver;
mod error;
mod gate;
mod notice;
mod order;
mod performer;
mod ports;
mod run;
mod session;
mod stream;

pub use control::{Control, EngineEvent, EventKind, WhenPaused};
pub use error::EngineError;
pub use gate::Gate;
pub use order::Order;
pub use ports::{Engine, EngineBuilder};

#[cfg(test)]
mod tests;
