//! Streams and times as the numbers that the database knows them by.

use em_core::id::{ExperimentName, IterationNo, SlotId, TrialId};
use em_core::port::StreamId;
use jiff::Timestamp;

use crate::StoreError;

/// A stream within its experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct StreamKey {
    pub(crate) kind: u32,
    pub(crate) major: u32,
    pub(crate) minor: u32,
}

const EXPERIMENT: u32 = 0;
const HOLD: u32 = 1;
const ITERATION: u32 = 2;
const DELIVERY: u32 = 3;

impl From<&StreamId> for StreamKey {
    fn from(stream: &StreamId) -> Self {
        let (kind, major, minor) = match stream {
            StreamId::Experiment(_) => (EXPERIMENT, 0, 0),
            StreamId::Hold(_, slot, n) => (HOLD, slot.0, *n),
            StreamId::Iteration(_, trial, n) => (ITERATION, trial.0, n.0),
            StreamId::Delivery(_, n) => (DELIVERY, *n, 0),
        };
        Self { kind, major, minor }
    }
}

impl StreamKey {
    /// The stream of this key in `experiment`.
    pub(crate) fn stream(self, experiment: &ExperimentName) -> Result<StreamId, StoreError> {
        let name = experiment.clone();
        match self.kind {
            EXPERIMENT => Ok(StreamId::Experiment(name)),
            HOLD => Ok(StreamId::Hold(name, SlotId(self.major), self.minor)),
            ITERATION => Ok(StreamId::Iteration(
                name,
                TrialId(self.major),
                IterationNo(self.minor),
            )),
            DELIVERY => Ok(StreamId::Delivery(name, self.major)),
            _ => Err(StoreError::Damaged {
                what: "the kind of a stream",
                found: self.kind.to_string(),
            }),
        }
    }
}

/// Nanoseconds since 1970, as stored.
pub(crate) fn nanoseconds(at: Timestamp) -> Result<i64, StoreError> {
    i64::try_from(at.as_nanosecond()).map_err(|_| StoreError::Range { what: "a time" })
}

/// The time of stored nanoseconds.
pub(crate) fn timestamp(nanoseconds: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_nanosecond(i128::from(nanoseconds)).map_err(|_| StoreError::Damaged {
        what: "a time",
        found: nanoseconds.to_string(),
    })
}
