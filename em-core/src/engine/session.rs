//! What all drivers of one run share.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::caller::Caller;
use super::notice::Notice;
use super::performer::Wanted;
use super::ports::Ports;
use super::stream::StreamWriter;
use crate::id::{Epoch, OpKey};
use crate::plan::Plan;
use crate::port::StreamId;

/// One owner's run of one experiment.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) ports: Arc<Ports>,
    pub(super) plan: Arc<Plan>,
    pub(super) epoch: Epoch,
    /// Fires when the process leaves.
    pub(super) stop: CancellationToken,
    pub(super) notices: mpsc::Sender<Notice>,
    /// What every result says beside its numbers.
    pub(super) remarks: Vec<String>,
    /// What is wanted of each metric.
    pub(super) wanted: Wanted,
}

impl Session {
    pub(super) fn caller(&self, key: OpKey) -> Caller {
        Caller::new(&self.ports.clock, key, &self.epoch, &self.stop)
    }

    /// A writer of a stream that has `entries` entries.
    pub(super) fn writer(&self, stream: StreamId, entries: u64) -> StreamWriter {
        let Ports { store, clock, .. } = &*self.ports;
        StreamWriter::new(store, clock, stream, self.epoch.clone(), entries)
    }
}
