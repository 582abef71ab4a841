//! Everything about a stretch of load that is counted or added up.

use std::time::Duration;

use crate::outcome::ErrorClass;

/// What happened in a stretch of load (a batch, a window, a whole run).
///
/// Requests belong to the stretch in which they were *due*; for these,
/// `offered = answered + errors + dropped + unfinished`, exactly. `achieved`, `throughput`,
/// in-flight and CPU numbers belong to the stretch in which they *happened*.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Counts {
    /// Length of the stretch.
    pub span: Duration,
    /// Requests due in the stretch.
    pub offered: u64,
    /// Of these, answered successfully.
    pub answered: u64,
    /// Of these, failed, by class (see [`Counts::errors_of`]).
    pub(crate) errors: [u64; ErrorClass::ALL.len()],
    /// Of these, never sent, because too many others were in flight.
    pub dropped: u64,
    /// Of these, still in flight when the run ended.
    pub unfinished: u64,
    /// Answers that came in during the stretch, successful or not.
    pub achieved: u64,
    /// Successful answers that came in during the stretch.
    pub throughput: u64,
    /// Most requests in flight at once.
    pub in_flight_peak: u64,
    /// Requests in flight, integrated over the stretch (request-seconds).
    pub in_flight_time: Duration,
    /// Time from send to end, added up over the requests that ended in the stretch.
    pub service_time: Duration,
    /// CPU time of the driver's own threads.
    pub client_cpu: Duration,
}

impl Counts {
    /// Failed requests of one class.
    pub fn errors_of(&self, class: ErrorClass) -> u64 {
        self.errors[class.index()]
    }

    /// Failed requests of all classes.
    pub fn errors(&self) -> u64 {
        self.errors.iter().sum()
    }

    /// Failed and dropped requests over offered ones; `None` when nothing was offered.
    pub fn error_share(&self) -> Option<f64> {
        ratio(self.errors() + self.dropped, self.offered)
    }

    /// Requests that went out: all that were offered, less the dropped.
    pub fn sent(&self) -> u64 {
        self.offered - self.dropped
    }

    /// Adds the stretch that follows this one.
    pub fn followed_by(&mut self, next: &Self) {
        self.add(next);
        self.span += next.span;
        self.in_flight_peak = self.in_flight_peak.max(next.in_flight_peak);
    }

    /// Adds what another driver did at the same time. The common peak in flight is not known;
    /// the sum of both peaks is an upper bound.
    pub fn beside(&mut self, other: &Self) {
        self.add(other);
        self.span = self.span.max(other.span);
        self.in_flight_peak += other.in_flight_peak;
    }

    fn add(&mut self, other: &Self) {
        self.offered += other.offered;
        self.answered += other.answered;
        self.dropped += other.dropped;
        self.unfinished += other.unfinished;
        self.achieved += other.achieved;
        self.throughput += other.throughput;
        self.in_flight_time += other.in_flight_time;
        self.service_time += other.service_time;
        self.client_cpu += other.client_cpu;
        for (mine, theirs) in self.errors.iter_mut().zip(other.errors) {
            *mine += theirs;
        }
    }
}

/// `None` instead of a division by zero.
#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 requests")]
pub(crate) fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}
