//! What a target holds in memory, by the key of the act that made it.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

use em_core::id::OpKey;
use tokio::sync::Mutex;

/// Things by the key of the act that made them; acts of one key wait for each other.
#[derive(Debug)]
pub(crate) struct Held<T> {
    cells: std::sync::Mutex<HashMap<OpKey, Arc<Mutex<Option<T>>>>>,
}

impl<T> Held<T> {
    pub(crate) fn new() -> Self {
        Self {
            cells: std::sync::Mutex::new(HashMap::new()),
        }
    }

    pub(crate) fn cell(&self, key: &OpKey) -> Arc<Mutex<Option<T>>> {
        let mut cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(
            cells
                .entry(key.clone())
                .or_insert_with(|| Arc::new(Mutex::new(None))),
        )
    }

    pub(crate) fn all(&self) -> Vec<(OpKey, Arc<Mutex<Option<T>>>)> {
        let cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
        cells
            .iter()
            .map(|(key, cell)| (key.clone(), Arc::clone(cell)))
            .collect()
    }

    pub(crate) fn forget(&self, key: &OpKey) {
        self.cells
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(key);
    }
}
