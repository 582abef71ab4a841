//! From one run's output to batches of observations.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use em_core::id::MetricName;
use em_core::observe::{Observed, TimedValue, Window};
use em_core::port::LoadBatch;
use em_core::read::ReadSample;
use jiff::{SignedDuration, Timestamp};

use crate::distribution;
use crate::output::Output;
use crate::rules::{Rule, RuleError, Rules};

/// What one run printed and logged.
#[derive(Debug)]
pub(super) struct Seen {
    window: Window,
    points: BTreeMap<MetricName, Points>,
    logged: BTreeMap<MetricName, (Vec<f64>, em_core::value::Unit)>,
    /// Metrics of which nothing was found.
    pub(super) missing: Vec<String>,
}

#[derive(Debug)]
enum Points {
    /// One number about the whole run.
    Once(f64),
    /// A series.
    Series(Vec<TimedValue>),
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
            match points(rule, &text, &pieces, &window)? {
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
        let step = SignedDuration::try_from(length).unwrap_or(SignedDuration::MAX);
        let whole = self.window.seconds();
        let mut batches = Vec::new();
        let mut window = Window {
            start: self.window.start,
            end: self.window.start,
        };
        for index in 0.. {
            window.start = window.end;
            window.end = window.start.saturating_add(step).unwrap_or(Timestamp::MAX);
            if window.end > self.window.end {
                break;
            }
            let share = |at: Timestamp| at.duration_since(self.window.start).as_secs_f64() / whole;
            batches.push(self.batch(index, window, share(window.start), share(window.end)));
        }
        batches
    }

    fn batch(&self, index: u32, window: Window, from: f64, to: f64) -> LoadBatch {
        let mut observed = BTreeMap::new();
        for (metric, points) in &self.points {
            let points = match points {
                Points::Once(value) => vec![TimedValue {
                    at: window.start,
                    value: *value,
                }],
                Points::Series(series) => {
                    let within = series.iter().filter(|point| window.contains(point.at));
                    within.copied().collect()
                }
            };
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

fn points(
    rule: &Rule,
    text: &str,
    pieces: &[(Timestamp, String)],
    window: &Window,
) -> Result<Option<Points>, RuleError> {
    let samples = rule.read(text)?;
    match samples.as_slice() {
        [] => Ok(None),
        [only] if only.at.is_none() => Ok(Some(Points::Once(only.value))),
        many => {
            let series = match in_pieces(rule, pieces)? {
                Some(series) if series.len() == many.len() => series,
                _ => spread(many, window),
            };
            Ok(Some(Points::Series(series)))
        }
    }
}

/// A series whose points came line by line, each at its time: its own, or that of its line.
fn in_pieces(
    rule: &Rule,
    pieces: &[(Timestamp, String)],
) -> Result<Option<Vec<TimedValue>>, RuleError> {
    if !rule.reads_parts() {
        return Ok(None);
    }
    let mut series = Vec::new();
    for (come, text) in pieces {
        for sample in rule.read(text)? {
            let at = own_time(&sample).unwrap_or(*come);
            series.push(TimedValue {
                at,
                value: sample.value,
            });
        }
    }
    Ok(Some(series))
}

/// A series of which no times are known: evenly over the run.
fn spread(samples: &[ReadSample], window: &Window) -> Vec<TimedValue> {
    let count = u32::try_from(samples.len()).unwrap_or(u32::MAX).max(1);
    let step = window.end.duration_since(window.start) / i32::try_from(count).unwrap_or(i32::MAX);
    let timed = samples.iter().zip(0..).map(|(sample, index)| {
        let evenly = window
            .start
            .saturating_add(step.saturating_mul(index))
            .unwrap_or(window.start);
        TimedValue {
            at: own_time(sample).unwrap_or(evenly),
            value: sample.value,
        }
    });
    timed.collect()
}

fn own_time(sample: &ReadSample) -> Option<Timestamp> {
    let time = SignedDuration::try_from_secs_f64(sample.at?).ok()?;
    Timestamp::from_duration(time).ok()
}
