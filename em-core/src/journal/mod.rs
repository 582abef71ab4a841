//! Events: everything that happened, in the order in which it was decided.
//!
//! One stream per experiment, hold, iteration and delivery, with one writer each. An event is
//! durable before anything follows from it; states are folds of events and are stored nowhere.

mod experiment;
mod iteration;
mod outcome;

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::fault::{Fault, FaultKind};
use crate::port::{Entry, StreamId};

pub use crate::machine::{DeliveryEvent, HoldEvent, IterationEvent};
pub use experiment::{ExperimentEvent, Origin, Purpose};
pub use iteration::{Collection, InterruptCause, IterationEnd, IterationResult, Stage, Timing};
pub use outcome::{Answer, Blame, Failure, Outcome, OutcomeKind, Stopped};

/// The format of events that this build writes. Newer ones are refused, older ones read.
pub const EVENT_FORMAT: u32 = 1;

/// An event with its format, as it is stored.
#[derive(Debug, Serialize, Deserialize)]
struct Envelope<E> {
    #[serde(rename = "v")]
    format: u32,
    #[serde(rename = "e")]
    event: E,
}

/// Writes an event.
pub fn encode<E: Serialize>(event: &E, at: Timestamp) -> Entry {
    let envelope = Envelope {
        format: EVENT_FORMAT,
        event,
    };
    let body = serde_json::to_string(&envelope).expect("events hold only finite numbers and text");
    Entry { at, body }
}

/// Reads an event. `Malformed` says which entry of which stream, and why.
pub fn decode<E: DeserializeOwned>(stream: &StreamId, seq: u64, entry: &Entry) -> Result<E, Fault> {
    #[derive(Deserialize)]
    struct Head {
        v: u32,
    }
    let malformed = |source: serde_json::Error| {
        Fault::new(
            FaultKind::Malformed,
            format!("failed to read entry {seq} of {stream}"),
        )
        .caused_by(source)
    };
    let head: Head = serde_json::from_str(&entry.body).map_err(malformed)?;
    if head.v > EVENT_FORMAT {
        let message = format!(
            "entry {seq} of {stream} has format {}, this build reads up to {EVENT_FORMAT}: use the \
             newer build that wrote it",
            head.v
        );
        return Err(Fault::new(FaultKind::Malformed, message));
    }
    let envelope: Envelope<E> = serde_json::from_str(&entry.body).map_err(malformed)?;
    Ok(envelope.event)
}
