//! A stretch of load with its distributions: the unit in which results leave the driver.

use std::time::Duration;

use crate::counts::Counts;
use crate::recording::{Packed, Recording};

/// The three times of every request.
///
/// `response = service + send lag`, for each request. In the distributions are the successful
/// requests. Time-outs and dropped requests are in `response_time` with at least the time-out:
/// they certainly took that long, and leaving them out would make an overloaded target look
/// fast. Other failures are counted only: a refusal in 50 us is not a fast answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Times {
    /// From the due time to the end of the answer: what a user waits.
    pub response_time: Recording,
    /// From the send to the end of the answer: what the target takes.
    pub service_time: Recording,
    /// From the due time to the send, of every request that was sent: how late the driver was.
    pub send_lag: Recording,
}

impl Times {
    /// Pools the times of another stretch or another driver into these.
    pub fn merge(&mut self, other: &Self) {
        self.response_time.merge(&other.response_time);
        self.service_time.merge(&other.service_time);
        self.send_lag.merge(&other.send_lag);
    }

    pub(crate) fn pack(&self) -> PackedTimes {
        PackedTimes {
            response_time: self.response_time.pack(),
            service_time: self.service_time.pack(),
            send_lag: self.send_lag.pack(),
        }
    }
}

/// [`Times`] in their compact form: a few kilobytes instead of 800.
#[derive(Debug, Clone, PartialEq)]
pub struct PackedTimes {
    /// See [`Times::response_time`].
    pub response_time: Packed,
    /// See [`Times::service_time`].
    pub service_time: Packed,
    /// See [`Times::send_lag`].
    pub send_lag: Packed,
}

impl PackedTimes {
    /// The distributions again, unchanged.
    pub fn unpack(&self) -> Times {
        Times {
            response_time: self.response_time.unpack(),
            service_time: self.service_time.unpack(),
            send_lag: self.send_lag.unpack(),
        }
    }
}

/// Results of one stretch of a run. Batches follow each other without a gap, the first starts
/// with the run, and one starts exactly where the load becomes steady.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// Position in the run, from 0.
    pub index: usize,
    /// Start, from the start of the run.
    pub from: Duration,
    /// End, from the start of the run.
    pub to: Duration,
    /// When its last request came to its end, from the start of the run; not before `to`.
    pub complete: Duration,
    /// Whether the load was steady.
    pub is_steady: bool,
    /// What was counted.
    pub counts: Counts,
    /// What was timed.
    pub times: PackedTimes,
}
