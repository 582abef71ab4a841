//! Keeping a Lease while its hold lasts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use em_core::fault::FaultKind;
use em_core::port::Clock;
use tokio::task::JoinHandle;

use super::lease::{LASTS, Lease};
use crate::fault::KubeError;

/// Renews a Lease until it is dropped.
#[derive(Debug)]
pub struct Renewal {
    lost: Arc<AtomicBool>,
    task: JoinHandle<()>,
    lease: Lease,
}

impl Renewal {
    /// Renews `lease` from now on, three times while it lasts.
    pub fn of(lease: Lease, clock: Arc<dyn Clock>) -> Self {
        let lost = Arc::new(AtomicBool::new(false));
        let task = tokio::spawn(renew(lease.clone(), clock, Arc::clone(&lost)));
        Self { lost, task, lease }
    }

    /// The Lease.
    pub fn lease(&self) -> &Lease {
        &self.lease
    }

    /// An error where somebody else has taken the Lease: nothing may be written any more.
    pub fn check(&self) -> Result<(), KubeError> {
        if !self.lost.load(Ordering::Acquire) {
            return Ok(());
        }
        let what = format!(
            "Lease {} was taken over: the target belongs to somebody else now, and was put back by them",
            self.lease.name()
        );
        Err(KubeError::unfit(FaultKind::Conflict, what))
    }
}

impl Drop for Renewal {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn renew(lease: Lease, clock: Arc<dyn Clock>, lost: Arc<AtomicBool>) {
    loop {
        tokio::time::sleep(LASTS / 3).await;
        match lease.renew(&*clock).await {
            Ok(true) => {}
            Ok(false) => {
                tracing::warn!(lease = lease.name(), "the Lease was taken over");
                lost.store(true, Ordering::Release);
                return;
            }
            // A cluster that cannot be reached cannot be written to either.
            Err(error) => {
                tracing::debug!(lease = lease.name(), %error, "the Lease was not renewed");
            }
        }
    }
}
