//! From one run's output to batches of observations.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use em_core::id::MetricName;
use em_core::observe::{Observed, Window};
use em_core::port::LoadBatch;
use em_core::read::printed::Points;
use jiff::Timestamp;

use crate::distribution;
use crate::output::Output;
use crate::rules::{RuleError, Rules};

/// What one run printed and logged.
#[derive(Debug)]
pub(super) struct Seen {
    window: Window,
    points: BTreeMap<MetricName, Points>,
    logged: BTreeMap<MetricName, (Vec<f64>, em_core::value::Unit)>,
    /// Metrics of which nothing was found.
    pub(super) missing: Vec<String>,
}

impl Seen {
    /// Reads the output and the logs of a run over `window`.
    pub(super) fn read(
        rules: &Rules,
        output: &Output,
        folder: &Path,
        window: Window,
    ) -> Result<Self, RuleError> {
        let text = output.text();
        let pieces = output.arrivals();
        let mut seen = Self {
            window,
            points: BTreeMap::new(),
            logged: rules.logged(folder)?,
            missing: Vec::new(),
        };
        for rule in rules.printed() {
            match rule.points(&text, &pieces, &window)? {
                Some(points) => {
                    seen.points.insert(rule.metric.clone(), points);
                }
                None => seen.missing.push(rule.metric.to_string()),
            }
        }
        let empty = seen
            .logged
            .iter()
            .filter(|(_, (values, _))| values.is_empty());
        seen.missing
            .extend(empty.map(|(metric, _)| metric.to_string()));
        Ok(seen)
    }

    /// The whole run as one batch.
    pub(super) fn as_one(&self, index: u32) -> LoadBatch {
        self.batch(index, self.window, 0.0, 1.0)
    }

    /// The run in batches of this length; what is left over at its end is in none.
    pub(super) fn in_batches(&self, length: Duration) -> Vec<LoadBatch> {
        let whole = self.window.seconds();
        let share = |at: Timestamp| at.duration_since(self.window.start).as_secs_f64() / whole;
        let stretches = self.window.stretches(length).into_iter();
        let numbered = stretches.zip(0..);
        numbered
            .map(|(window, index)| {
                self.batch(index, window, share(window.start), share(window.end))
            })
            .collect()
    }

    fn batch(&self, index: u32, window: Window, from: f64, to: f64) -> LoadBatch {
        let mut observed = BTreeMap::new();
        for (metric, points) in &self.points {
            let points = points.within(&window);
            if !points.is_empty() {
                observed.insert(metric.clone(), Observed::Values { points });
            }
        }
        for (metric, (values, unit)) in &self.logged {
            let part = values.get(place(from, values.len())..place(to, values.len()));
            if let Some(histogram) = distribution::of(part.unwrap_or_default(), unit) {
                observed.insert(metric.clone(), Observed::Histogram(histogram));
            }
        }
        LoadBatch::new(index, window, observed)
    }
}

/// The place in a list of `count` that a share of it makes.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a share between 0 and 1 of a length"
)]
fn place(share: f64, count: usize) -> usize {
    ((share.clamp(0.0, 1.0) * count as f64).round() as usize).min(count)
}
