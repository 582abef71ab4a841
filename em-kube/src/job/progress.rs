//! What a load has shown so far.

use std::sync::{Arc, Mutex, PoisonError};

use em_core::port::{LoadBatch, LoadStatus};
use tokio::sync::Notify;

/// What a load has shown so far.
#[derive(Debug, Clone)]
pub(super) struct Progress {
    pub(super) status: LoadStatus,
    pub(super) batches: Vec<LoadBatch>,
    pub(super) problems: Vec<String>,
}

/// Shared between the driver and the task that watches the load.
#[derive(Debug, Clone)]
pub(super) struct Shared {
    progress: Arc<Mutex<Progress>>,
    /// Told of every change.
    pub(super) changed: Arc<Notify>,
}

impl Shared {
    pub(super) fn new(status: LoadStatus) -> Self {
        let progress = Progress {
            status,
            batches: Vec::new(),
            problems: Vec::new(),
        };
        Self {
            progress: Arc::new(Mutex::new(progress)),
            changed: Arc::default(),
        }
    }

    pub(super) fn look<T>(&self, look: impl FnOnce(&Progress) -> T) -> T {
        look(&self.progress.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn change(&self, act: impl FnOnce(&mut Progress)) {
        act(&mut self.progress.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_one();
    }
}
