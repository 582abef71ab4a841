//! Taking turns with others that measure on the same machine.

use std::any::Any;
use std::fmt::Debug;

use async_trait::async_trait;

use crate::fault::Fault;

/// Whoever gives leave to measure.
///
/// A run asks before it places the first iteration of each block (and of the search for the
/// capacity), and lets go when the block has ended: so two runs on one machine take turns, and no
/// block is measured beside another.
#[async_trait]
pub trait Gate: Debug + Send + Sync + 'static {
    /// Returns when it is this run's turn. Dropping the answer lets the next one in; dropping the
    /// wait leaves the queue.
    async fn enter(&self) -> Result<Box<dyn Any + Send>, Fault>;
}
