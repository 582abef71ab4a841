//! Where the journal and raw data live.

use std::any::Any;
use std::fmt::{self, Debug};
use std::str::FromStr;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::id::{Digest, Epoch, ExperimentName, IterationNo, NameError, SlotId, TrialId};

/// Streams of entries with one writer each, an inbox with many, and raw data by digest.
#[cfg_attr(any(test, feature = "mock"), mockall::automock)]
#[async_trait]
pub trait Store: Debug + Send + Sync + 'static {
    /// Makes the caller the owner of the experiment. `Conflict` names the owner there is.
    async fn claim(&self, experiment: &ExperimentName) -> Result<Claim, Fault>;

    /// Appends entries to a stream. `seq` is the number of the first, from 0. All or nothing,
    /// durable before it returns. A gap, a repetition or a stale epoch is `Conflict`.
    async fn append(
        &self,
        stream: &StreamId,
        seq: u64,
        epoch: &Epoch,
        entries: &[Entry],
    ) -> Result<(), Fault>;

    /// All entries of a stream, in order; empty where there is none.
    async fn read(&self, stream: &StreamId) -> Result<Vec<Entry>, Fault>;

    /// All streams of an experiment with their entries, in one pass.
    async fn read_all(
        &self,
        experiment: &ExperimentName,
    ) -> Result<Vec<(StreamId, Vec<Entry>)>, Fault>;

    /// Streams there are.
    async fn list(&self, filter: &StreamFilter) -> Result<Vec<StreamHead>, Fault>;

    /// Keeps bytes, durable before it returns; a second `put` renews them.
    async fn put(&self, bytes: &[u8]) -> Result<Digest, Fault>;

    /// The bytes of a digest.
    async fn get(&self, digest: &Digest) -> Result<Vec<u8>, Fault>;

    /// Why nothing new should be begun: what room there is must do for finishing what was begun.
    /// None: there is enough of it.
    async fn shortage(&self) -> Option<String> {
        None
    }

    /// Leaves a request for the owner of an experiment; anybody may.
    async fn submit(&self, experiment: &ExperimentName, body: &str) -> Result<u64, Fault>;

    /// Requests with a number greater than `after`, in order.
    async fn requests(
        &self,
        experiment: &ExperimentName,
        after: u64,
    ) -> Result<Vec<Request>, Fault>;
}

/// The grip of an owner on an experiment; dropping it lets go.
pub struct Claim {
    /// The new epoch; greater than every earlier one.
    pub epoch: Epoch,
    /// Whatever keeps the claim alive.
    pub guard: Box<dyn Any + Send + Sync>,
}

impl Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claim")
            .field("epoch", &self.epoch)
            .finish_non_exhaustive()
    }
}

/// One entry of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When it was written.
    pub at: Timestamp,
    /// The event, as JSON text.
    pub body: String,
}

/// A stream of one experiment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum StreamId {
    /// The experiment's own.
    Experiment(ExperimentName),
    /// One hold.
    Hold(ExperimentName, SlotId, u32),
    /// One iteration.
    Iteration(ExperimentName, TrialId, IterationNo),
    /// One delivery.
    Delivery(ExperimentName, u32),
}

impl StreamId {
    /// The experiment it belongs to.
    pub fn experiment(&self) -> &ExperimentName {
        match self {
            Self::Experiment(name)
            | Self::Hold(name, ..)
            | Self::Iteration(name, ..)
            | Self::Delivery(name, _) => name,
        }
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Experiment(name) => write!(f, "experiment/{name}"),
            Self::Hold(name, slot, n) => write!(f, "hold/{name}/{}/{n}", slot.0),
            Self::Iteration(name, trial, n) => write!(f, "iteration/{name}/{}/{}", trial.0, n.0),
            Self::Delivery(name, n) => write!(f, "delivery/{name}/{n}"),
        }
    }
}

impl FromStr for StreamId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let parts: Vec<&str> = text.split('/').collect();
        let number = |text: &str| text.parse::<u32>().ok();
        let stream = match parts.as_slice() {
            ["experiment", name] => Some(Self::Experiment(name.parse()?)),
            ["hold", name, slot, n] => number(slot)
                .zip(number(n))
                .map(|(slot, n)| name.parse().map(|name| Self::Hold(name, SlotId(slot), n)))
                .transpose()?,
            ["iteration", name, trial, n] => number(trial)
                .zip(number(n))
                .map(|(trial, n)| {
                    name.parse()
                        .map(|name| Self::Iteration(name, TrialId(trial), IterationNo(n)))
                })
                .transpose()?,
            ["delivery", name, n] => number(n)
                .map(|n| name.parse().map(|name| Self::Delivery(name, n)))
                .transpose()?,
            _ => None,
        };
        stream.ok_or_else(|| NameError {
            name: text.to_owned(),
            kind: "a stream",
            rule: "experiment/E, hold/E/SLOT/N, iteration/E/TRIAL/N or delivery/E/N",
        })
    }
}

impl TryFrom<String> for StreamId {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<StreamId> for String {
    fn from(stream: StreamId) -> Self {
        stream.to_string()
    }
}

/// Which streams to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StreamFilter {
    /// Only of this experiment.
    pub experiment: Option<ExperimentName>,
    /// Only `experiment/E` streams.
    pub experiments_only: bool,
}

/// A stream and how long it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamHead {
    /// The stream.
    pub stream: StreamId,
    /// Number of entries.
    pub entries: u64,
}

/// A request that somebody left for the owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Number within the experiment, growing.
    pub number: u64,
    /// When it was left.
    pub at: Timestamp,
    /// What is asked, as JSON text.
    pub body: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stream_names_survive_their_text() {
        for text in [
            "experiment/a",
            "hold/a/2/1",
            "iteration/a#2/7/3",
            "delivery/a/9",
        ] {
            let stream: StreamId = text.parse().unwrap();
            assert_eq!(stream.to_string(), text);
        }
        assert!("hold/a/x/1".parse::<StreamId>().is_err());
        assert!("experiment/a/b".parse::<StreamId>().is_err());
    }
}
