//! Calls of ports: with a deadline, tried again where that can help.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use super::blame::Patience;
use crate::fault::{Fault, FaultKind, Retry};
use crate::id::{Epoch, OpKey};
use crate::port::{Clock, OpContext};

/// Calls ports on behalf of one act.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    clock: Arc<dyn Clock>,
    key: OpKey,
    epoch: Epoch,
    cancel: CancellationToken,
}

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

impl Caller {
    pub(super) fn new(
        clock: &Arc<dyn Clock>,
        key: OpKey,
        epoch: &Epoch,
        cancel: &CancellationToken,
    ) -> Self {
        Self {
            clock: Arc::clone(clock),
            key,
            epoch: epoch.clone(),
            cancel: cancel.clone(),
        }
    }

    /// A context for one call that may take this long.
    pub(super) fn context(&self, timeout: Duration) -> OpContext {
        let deadline = later(self.clock.now(), timeout);
        let cancel = self.cancel.child_token();
        OpContext::new(self.key.clone(), self.epoch.clone(), deadline, cancel)
    }

    /// The time now.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Calls until it succeeds, cannot succeed, or was tried often enough.
    pub(super) async fn call<T, F, Call>(
        &self,
        what: &str,
        patience: Patience,
        act: F,
    ) -> Result<T, Fault>
    where
        F: Fn(OpContext) -> Call + Send,
        Call: Future<Output = Result<T, Fault>> + Send,
    {
        let mut pause = FIRST_PAUSE;
        let mut attempt = 1;
        loop {
            let cx = self.context(patience.timeout).attempt(attempt);
            // Fires when the call is dropped before it answers; an answered call keeps what it started.
            let unanswered = cx.cancel.clone().drop_guard();
            let answer = tokio::time::timeout(patience.timeout, act(cx)).await;
            let fault = match answer {
                Ok(Ok(value)) => {
                    unanswered.disarm();
                    return Ok(value);
                }
                Ok(Err(fault)) => fault,
                Err(_) => too_slow(what, patience.timeout),
            };
            if attempt > patience.retries {
                return Err(fault);
            }
            let wait = match fault.retry {
                Retry::Never => return Err(fault),
                Retry::Later => pause,
                Retry::After(asked) => asked.max(pause),
            };
            tracing::warn!(key = %self.key, attempt, "failed to {what}, trying again: {}", fault.chain());
            tokio::time::sleep(wait).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
            attempt += 1;
        }
    }
}

fn too_slow(what: &str, limit: Duration) -> Fault {
    let limit = crate::value::duration::spell(limit);
    let message = format!("there was no answer within {limit} to the attempt to {what}");
    Fault::new(FaultKind::Unavailable, message)
}

/// A stamp this much later; the last there is where that is beyond.
pub(super) fn later(at: Timestamp, by: Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
    at.saturating_add(by).unwrap_or(Timestamp::MAX)
}

/// The time from one stamp to another, none where it is negative.
pub(super) fn between(start: Timestamp, end: Timestamp) -> Duration {
    Duration::try_from(end.duration_since(start)).unwrap_or_default()
}
