//! Raw data of one iteration, in records of a few seconds.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use crate::engine::caller::later;
use crate::fault::Fault;
use crate::id::{Digest, MetricName};
use crate::observe::Batch;
use crate::port::{Labels, Series, Store};

/// What is seen reaches the store within this time.
const EVERY: Duration = Duration::from_secs(5);

/// Writes records, each durable before anything names it.
#[derive(Debug, Default)]
pub(super) struct RawWriter {
    pub(super) digests: Vec<Digest>,
    written: Option<Timestamp>,
    batches: usize,
}

/// One record: all that was seen since the one before.
#[derive(Debug, Serialize)]
struct Record<'r> {
    batches: &'r [Batch],
    series: Vec<RawSeries>,
}

/// Points of one series. A value that is not finite is none.
#[derive(Debug, Serialize)]
struct RawSeries {
    metric: MetricName,
    labels: Labels,
    at: Vec<Timestamp>,
    value: Vec<Option<f64>>,
}

impl RawWriter {
    /// Whether the last record is old enough.
    pub(super) fn is_due(&mut self, now: Timestamp) -> bool {
        let written = *self.written.get_or_insert(now);
        now >= later(written, EVERY)
    }

    /// Writes what is new; nothing where nothing is.
    pub(super) async fn keep(
        &mut self,
        store: &dyn Store,
        now: Timestamp,
        batches: &[Batch],
        fresh: Vec<(MetricName, Series)>,
    ) -> Result<(), Fault> {
        let batches = batches.get(self.batches..).unwrap_or_default();
        self.written = Some(now);
        if batches.is_empty() && fresh.is_empty() {
            return Ok(());
        }
        let series = fresh.into_iter().map(|(metric, series)| RawSeries {
            metric,
            labels: series.labels,
            at: series.points.iter().map(|point| point.at).collect(),
            value: series
                .points
                .iter()
                .map(|point| Some(point.value).filter(|value| value.is_finite()))
                .collect(),
        });
        let record = Record {
            batches,
            series: series.collect(),
        };
        let bytes = serde_json::to_vec(&record).expect("records hold only finite numbers and text");
        self.digests.push(store.put(&bytes).await?);
        self.batches += batches.len();
        Ok(())
    }
}
