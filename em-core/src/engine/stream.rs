//! Writing one stream: check, then journal.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use super::error::EngineError;
use crate::id::Epoch;
use crate::journal;
use crate::machine::IllegalTransition;
use crate::port::{Clock, Entry, Store, StreamId};

/// The one writer of a stream.
#[derive(Debug)]
pub(super) struct StreamWriter {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    stream: StreamId,
    epoch: Epoch,
    seq: u64,
    /// Events that are decided and not yet durable.
    pending: Vec<Entry>,
}

impl StreamWriter {
    /// A writer that goes on after `seq` entries.
    pub(super) fn new(
        store: &Arc<dyn Store>,
        clock: &Arc<dyn Clock>,
        stream: StreamId,
        epoch: Epoch,
        seq: u64,
    ) -> Self {
        Self {
            store: Arc::clone(store),
            clock: Arc::clone(clock),
            stream,
            epoch,
            seq,
            pending: Vec::new(),
        }
    }

    /// Number of the next entry.
    pub(super) fn next(&self) -> u64 {
        self.seq + self.pending.len() as u64
    }

    /// Adds an event to the next append, and stamps it.
    pub(super) fn push<E: Serialize>(&mut self, event: &E) -> Timestamp {
        let at = self.clock.now();
        self.pending.push(journal::encode(event, at));
        at
    }

    /// Makes durable what was pushed, all of it or nothing.
    pub(super) async fn flush(&mut self) -> Result<(), EngineError> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let written = self
            .store
            .append(&self.stream, self.seq, &self.epoch, &self.pending)
            .await;
        written.map_err(EngineError::failed(format!("append to {}", self.stream)))?;
        self.seq = self.next();
        self.pending.clear();
        Ok(())
    }

    /// Whether everything is durable.
    pub(super) fn is_flushed(&self) -> bool {
        self.pending.is_empty()
    }

    /// The error of an event that may not be the next one.
    pub(super) fn damaged(&self, source: IllegalTransition) -> EngineError {
        EngineError::Damaged {
            stream: self.stream.to_string(),
            seq: self.next(),
            source,
        }
    }
}
