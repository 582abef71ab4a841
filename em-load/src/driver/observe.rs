//! From batches of the engine to observations of the domain.

use std::collections::BTreeMap;
use std::time::Duration;

use em_core::id::MetricName;
use em_core::observe::{HistogramBlob, Observed, TimedValue, Window};
use em_core::port::LoadBatch;
use em_core::value::Unit;
use jiff::{SignedDuration, Timestamp};

use crate::batch::Batch;
use crate::recording::Packed;
use crate::report::Stretch;
use crate::run::Run;

/// The metrics of a load of kind `http`.
pub(super) fn metrics() -> BTreeMap<MetricName, Unit> {
    let units = [
        ("response_time", Unit::Seconds),
        ("service_time", Unit::Seconds),
        ("send_lag", Unit::Seconds),
        ("offered", Unit::Count),
        ("achieved", Unit::Count),
        ("throughput", Unit::Count),
        ("dropped", Unit::Count),
        ("errors", Unit::Count),
        ("error_share", Unit::Ratio),
        ("in_flight", Unit::Count),
        ("client_cpu", Unit::Cores),
    ];
    units
        .into_iter()
        .map(|(metric, unit)| (name(metric), unit))
        .collect()
}

/// The finished batches from number `from` on, as far as they follow each other without a gap.
pub(super) fn batches(run: &Run, origin: Timestamp, from: u32) -> Vec<LoadBatch> {
    let numbered = run.batches_from(usize::try_from(from).unwrap_or(usize::MAX));
    let in_sequence = numbered
        .iter()
        .zip(from..)
        .take_while(|(batch, index)| u32::try_from(batch.index) == Ok(*index));
    in_sequence
        .map(|(batch, index)| observed(batch, index, origin))
        .collect()
}

/// The wall-clock time of an offset into the run.
pub(super) fn at(origin: Timestamp, offset: Duration) -> Timestamp {
    let offset = SignedDuration::try_from(offset).unwrap_or(SignedDuration::MAX);
    origin.saturating_add(offset).unwrap_or(origin)
}

fn observed(batch: &Batch, index: u32, origin: Timestamp) -> LoadBatch {
    let window = Window {
        start: at(origin, batch.from),
        end: at(origin, batch.to),
    };
    let counts = &batch.counts;
    let span = counts.span.as_secs_f64();
    let mut seen = BTreeMap::new();
    for (metric, times) in [
        ("response_time", &batch.times.response_time),
        ("service_time", &batch.times.service_time),
        ("send_lag", &batch.times.send_lag),
    ] {
        if let Some(histogram) = histogram(times) {
            seen.insert(name(metric), Observed::Histogram(histogram));
        }
    }
    for (metric, count) in [
        ("offered", counts.offered),
        ("achieved", counts.achieved),
        ("throughput", counts.throughput),
        ("dropped", counts.dropped),
        ("errors", counts.errors()),
    ] {
        #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 requests")]
        let increase = count as f64;
        seen.insert(
            name(metric),
            Observed::Counter {
                increase,
                seconds: span,
                resets: 0,
            },
        );
    }
    let over_span = |time: Duration| (span > 0.0).then(|| time.as_secs_f64() / span);
    for (metric, value) in [
        ("error_share", counts.error_share()),
        ("in_flight", over_span(counts.in_flight_time)),
        ("client_cpu", over_span(counts.client_cpu)),
    ] {
        if let Some(value) = value {
            let points = vec![TimedValue {
                at: window.start,
                value,
            }];
            seen.insert(name(metric), Observed::Values { points });
        }
    }
    LoadBatch {
        index,
        window,
        complete: at(origin, batch.complete),
        observed: seen,
    }
}

/// `None` when nothing was recorded: a distribution of nothing is no distribution.
fn histogram(times: &Packed) -> Option<HistogramBlob> {
    const NANOSECOND: f64 = 1e-9;
    let exact = times.exact()?;
    #[expect(
        clippy::cast_precision_loss,
        reason = "a sum of squares needs no 38 digits"
    )]
    let square_nanos = exact.sum_of_squares as f64;
    Some(HistogramBlob {
        unit: NANOSECOND,
        count: times.count(),
        min: Some(exact.min.as_secs_f64()),
        max: Some(exact.max.as_secs_f64()),
        sum: exact.sum.as_secs_f64(),
        sum_of_squares: square_nanos * NANOSECOND * NANOSECOND,
        encoded: times.histogram().to_vec(),
    })
}

fn name(metric: &str) -> MetricName {
    metric
        .parse()
        .expect("these names are lower case letters and underscores")
}

/// The steady part of a run so far, for its self checks. Every batch is taken in once.
#[derive(Debug, Default)]
pub(super) struct Pooled {
    next: usize,
    steady: Stretch,
}

impl Pooled {
    pub(super) fn take_in(&mut self, run: &Run) {
        for batch in run.batches_from(self.next) {
            if batch.index != self.next {
                break;
            }
            self.next += 1;
            if batch.is_steady {
                self.steady.counts.followed_by(&batch.counts);
                self.steady.times.merge(&batch.times.unpack());
            }
        }
    }

    /// How many batches it holds.
    pub(super) fn count(&self) -> usize {
        self.next
    }

    pub(super) fn problems(&self) -> Vec<String> {
        self.steady.checks().problems()
    }

    pub(super) fn notes(&self) -> Vec<String> {
        self.steady.checks().notes()
    }
}
