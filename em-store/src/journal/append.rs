//! Entries on their way into the journal.

use std::sync::Arc;

use em_core::id::{Epoch, ExperimentName};
use em_core::port::{Entry, StreamId};
use sqlx::Arguments as _;
use sqlx::error::BoxDynError;
use sqlx::sqlite::SqliteArguments;
use tokio::sync::oneshot;

use super::key::{StreamKey, nanoseconds};
use crate::StoreError;

/// Entries to be written behind one another, all or none.
#[derive(Debug)]
pub(crate) struct Append {
    pub(crate) experiment: ExperimentName,
    pub(crate) key: StreamKey,
    /// Sequence number of the first entry.
    pub(crate) seq: u64,
    /// Counter of the epoch under which they are written.
    pub(crate) counter: u64,
    rows: Vec<Row>,
    reply: oneshot::Sender<Result<(), StoreError>>,
}

#[derive(Debug)]
struct Row {
    at: i64,
    body: Arc<str>,
}

impl Append {
    pub(crate) fn new(
        stream: &StreamId,
        seq: u64,
        epoch: &Epoch,
        entries: &[Entry],
        reply: oneshot::Sender<Result<(), StoreError>>,
    ) -> Result<Self, StoreError> {
        let row = |entry: &Entry| {
            Ok(Row {
                at: nanoseconds(entry.at)?,
                body: Arc::from(entry.body.as_str()),
            })
        };
        Ok(Self {
            experiment: stream.experiment().clone(),
            key: StreamKey::from(stream),
            seq,
            counter: epoch.counter,
            rows: entries.iter().map(row).collect::<Result<_, StoreError>>()?,
            reply,
        })
    }

    /// Number of entries.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Answers whoever waits. Nobody waits any more when the call was given up; then what was
    /// written stays written.
    pub(crate) fn answer(self, written: Result<(), StoreError>) {
        let _ = self.reply.send(written);
    }

    /// The claim of this append is over.
    pub(crate) fn lost(&self) -> StoreError {
        StoreError::Lost {
            experiment: self.experiment.to_string(),
            counter: self.counter,
        }
    }

    /// The stream goes on elsewhere.
    pub(crate) fn out_of_order(&self, expected: u64) -> StoreError {
        let stream = self.key.stream(&self.experiment);
        let stream = stream.map_or_else(|_| self.experiment.to_string(), |id| id.to_string());
        StoreError::Order {
            stream,
            seq: self.seq,
            expected,
        }
    }

    /// Binds the columns of the entry `index` for an experiment stored as row `experiment`.
    pub(crate) fn bind(
        &self,
        experiment: i64,
        index: usize,
        arguments: &mut SqliteArguments,
    ) -> Result<(), BoxDynError> {
        let row = &self.rows[index];
        arguments.add(experiment)?;
        arguments.add(self.key.kind)?;
        arguments.add(self.key.major)?;
        arguments.add(self.key.minor)?;
        arguments.add(i64::try_from(self.seq + index as u64)?)?;
        arguments.add(row.at)?;
        arguments.add(i64::try_from(self.counter)?)?;
        arguments.add(Arc::clone(&row.body))
    }
}
