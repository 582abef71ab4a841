//! The machine's measuring lock as the engine's gate.

use std::any::Any;
use std::fmt::{self, Debug};
use std::path::Path;

use async_trait::async_trait;
use em_core::engine::Gate;
use em_core::fault::{Fault, FaultKind};
use em_core::id::ExperimentName;
use em_local::lock_file;
use em_local::measuring_lock::MeasuringLock;

/// Waits for this run's turn on this machine, and says for whom.
pub(super) struct Turn {
    lock: MeasuringLock,
    say: Box<dyn Fn(&str) + Send + Sync>,
}

impl Turn {
    pub(super) fn new(name: &ExperimentName, say: impl Fn(&str) + Send + Sync + 'static) -> Self {
        let who = format!("{name} (process {})", std::process::id());
        Self {
            lock: MeasuringLock::new(Path::new(lock_file::FOLDER), &who),
            say: Box::new(say),
        }
    }
}

impl Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turn")
            .field("lock", &self.lock)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Gate for Turn {
    async fn enter(&self) -> Result<Box<dyn Any + Send>, Fault> {
        let taken = self.lock.take(|other| {
            (self.say)(&format!("waits for {other}: one measures at a time"));
        });
        match taken.await {
            Ok(measuring) => Ok(Box::new(measuring)),
            Err(error) => {
                let what = "the machine's measuring lock could not be taken";
                Err(Fault::new(FaultKind::Unavailable, what).caused_by(error))
            }
        }
    }
}
