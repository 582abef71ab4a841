//! What every call of a port is told beside its arguments.

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::id::{Epoch, OpKey};

/// Key, attempt, owner and limits of one call.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct OpContext {
    /// Names the act.
    pub key: OpKey,
    /// From 1.
    pub attempt: u32,
    /// On whose behalf; goes into every mark left outside.
    pub epoch: Epoch,
    /// When the answer is no longer of use. The engine drops the call then, too.
    pub deadline: Timestamp,
    /// Fires when the answer is no longer wanted.
    pub cancel: CancellationToken,
}

impl OpContext {
    /// The context of a first attempt.
    pub fn new(key: OpKey, epoch: Epoch, deadline: Timestamp, cancel: CancellationToken) -> Self {
        Self {
            key,
            attempt: 1,
            epoch,
            deadline,
            cancel,
        }
    }

    /// The same for attempt `attempt`.
    #[must_use]
    pub fn attempt(mut self, attempt: u32) -> Self {
        self.attempt = attempt;
        self
    }
}
