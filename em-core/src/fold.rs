//! From labelled series to one observation, by the rules that a metric names.
//!
//! A series is folded with the others at each instant first, then over time. Nothing is made up:
//! what is missing or not finite is an error, left out and counted, or 0, as the metric says.

mod buckets;

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::observe::{Observed, TimedValue, Window};
use crate::plan::{Fold, Metric, MetricKind, WhenMissing};
use crate::port::{Labels, Point, Series};

/// What a stretch of series says.
#[derive(Debug, Clone, PartialEq)]
pub struct Folded {
    /// The observation; none where there is nothing and the metric says to leave it out.
    pub observed: Option<Observed>,
    /// Values that were not finite, and left out.
    pub non_finite: u64,
}

/// A stretch of time that is folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// The stretch.
    pub window: Window,
    /// How far back the first difference of a counter may reach: the start of the stretch, or of
    /// those that precede it without a gap. So neighbours lose nothing between them.
    pub reach_back: Timestamp,
}

impl Stretch {
    /// A stretch with nothing before it.
    pub fn alone(window: Window) -> Self {
        Self {
            window,
            reach_back: window.start,
        }
    }

    /// Points whose difference to the one before belongs to the stretch, with that one.
    fn steps<'s>(&self, points: &'s [Point]) -> impl Iterator<Item = (Point, Point)> + use<'s> {
        let Self { window, reach_back } = *self;
        points
            .windows(2)
            .filter_map(|pair| Some((*pair.first()?, *pair.last()?)))
            .filter(move |(before, after)| {
                before.at >= reach_back && window.start < after.at && after.at <= window.end
            })
    }
}

/// Why series cannot be folded into one observation.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FoldError {
    /// The metric has no rule for several series.
    #[error(
        "the query answers {count} series, such as {first} and {second}: narrow it down, or say \
         how they become one (fold: sum, mean, min, max{merge})"
    )]
    Several {
        /// How many.
        count: usize,
        /// Labels of one of them.
        first: String,
        /// Labels of another.
        second: String,
        /// `, merge` for histograms.
        merge: &'static str,
    },
    /// There is nothing.
    #[error("there is no value from {window} (on_empty says what that means)")]
    Empty {
        /// The stretch.
        window: Window,
    },
    /// Something is not a number.
    #[error("the value at {at} is {value} (on_nan says what that means)")]
    NotFinite {
        /// When.
        at: Timestamp,
        /// What, as text.
        value: String,
    },
    /// A value is outside what can be true.
    #[error("the value {value} is outside {low} to {high}, which the file calls valid")]
    Outside {
        /// The value, in the base unit.
        value: f64,
        /// Least valid value.
        low: f64,
        /// Greatest valid value.
        high: f64,
    },
    /// A histogram is asked for, and the series are no buckets.
    #[error("series {labels} has no label le: a histogram is made of its _bucket series")]
    NoBuckets {
        /// Its labels.
        labels: String,
    },
    /// Histograms with different buckets cannot be merged.
    #[error("the histograms have different buckets, so their counts cannot be added")]
    Bounds,
}

/// Folds the series over one stretch.
pub fn fold(metric: &Metric, series: &[Series], stretch: Stretch) -> Result<Folded, FoldError> {
    let mut finite = Finite::new(metric.on_nan);
    let observed = match metric.kind {
        MetricKind::Gauge => levels(metric, series, stretch.window, &mut finite)?,
        MetricKind::Value => {
            let all = levels(metric, series, inclusive(stretch.window), &mut finite)?;
            last_of(all)
        }
        MetricKind::Counter => counter(metric, series, stretch, &mut finite)?,
        MetricKind::Histogram => buckets::fold(metric, series, stretch, &mut finite)?,
    };
    let observed = match (observed, metric.on_empty) {
        (Some(observed), _) => Some(observed),
        (None, WhenMissing::Fail) => {
            let window = stretch.window;
            return Err(FoldError::Empty { window });
        }
        (None, WhenMissing::Skip) => None,
        (None, WhenMissing::Zero) => zero(metric.kind, stretch.window),
    };
    let observed = observed.map(|observed| scaled(observed, metric.scale));
    if let Some(observed) = &observed {
        valid(metric, observed)?;
    }
    Ok(Folded {
        observed,
        non_finite: finite.left_out,
    })
}

/// The end of a cycle belongs to its one number.
fn inclusive(window: Window) -> Window {
    let instant = jiff::SignedDuration::from_nanos(1);
    Window {
        start: window.start,
        end: window.end.saturating_add(instant).unwrap_or(window.end),
    }
}

/// Judges values that are not finite, as the metric says.
struct Finite {
    rule: WhenMissing,
    left_out: u64,
}

impl Finite {
    fn new(rule: WhenMissing) -> Self {
        Self { rule, left_out: 0 }
    }

    fn take(&mut self, point: Point) -> Result<Option<f64>, FoldError> {
        if point.value.is_finite() {
            return Ok(Some(point.value));
        }
        match self.rule {
            WhenMissing::Fail => Err(FoldError::NotFinite {
                at: point.at,
                value: point.value.to_string(),
            }),
            WhenMissing::Skip => {
                self.left_out += 1;
                Ok(None)
            }
            WhenMissing::Zero => {
                self.left_out += 1;
                Ok(Some(0.0))
            }
        }
    }

    /// The points that count.
    fn points(&mut self, points: &[Point]) -> Result<Vec<Point>, FoldError> {
        let mut kept = Vec::with_capacity(points.len());
        for point in points {
            if let Some(value) = self.take(*point)? {
                kept.push(Point { value, ..*point });
            }
        }
        Ok(kept)
    }
}

fn levels(
    metric: &Metric,
    series: &[Series],
    window: Window,
    finite: &mut Finite,
) -> Result<Option<Observed>, FoldError> {
    let inside: Vec<(&Labels, &[Point])> = series
        .iter()
        .map(|series| (&series.labels, within(&series.points, window)))
        .filter(|(_, points)| !points.is_empty())
        .collect();
    one_or_rule(metric, inside.iter().map(|(labels, _)| *labels))?;
    let inside: Vec<&[Point]> = inside.into_iter().map(|(_, points)| points).collect();
    let points = if are_aligned(&inside) {
        side_by_side(metric.fold, &inside, finite)?
    } else {
        at_each_instant(metric.fold, &inside, finite)?
    };
    Ok((!points.is_empty()).then_some(Observed::Values { points }))
}

/// Series with the same instants, as answers with a step are: column by column, without a
/// map of instants.
fn side_by_side(
    fold: Fold,
    series: &[&[Point]],
    finite: &mut Finite,
) -> Result<Vec<TimedValue>, FoldError> {
    let instants = series.first().copied().unwrap_or_default();
    let mut folded = Vec::with_capacity(instants.len());
    let mut values = Vec::with_capacity(series.len());
    for (row, Point { at, .. }) in instants.iter().enumerate() {
        values.clear();
        for point in series.iter().filter_map(|points| points.get(row)) {
            values.extend(finite.take(*point)?);
        }
        let value = across(fold, &values);
        folded.extend(value.map(|value| TimedValue { at: *at, value }));
    }
    Ok(folded)
}

/// Series of which each has its own instants.
fn at_each_instant(
    fold: Fold,
    series: &[&[Point]],
    finite: &mut Finite,
) -> Result<Vec<TimedValue>, FoldError> {
    let mut instants: BTreeMap<Timestamp, Vec<f64>> = BTreeMap::new();
    for point in series.iter().copied().flatten() {
        if let Some(value) = finite.take(*point)? {
            instants.entry(point.at).or_default().push(value);
        }
    }
    let folded = instants.into_iter().filter_map(|(at, values)| {
        let value = across(fold, &values)?;
        Some(TimedValue { at, value })
    });
    Ok(folded.collect())
}

/// The points of a series, which are in order of time, within a window.
fn within(points: &[Point], window: Window) -> &[Point] {
    let from = points.partition_point(|point| point.at < window.start);
    let rest = points.get(from..).unwrap_or_default();
    let until = rest.partition_point(|point| point.at < window.end);
    rest.get(..until).unwrap_or_default()
}

/// Whether all series have values at the same instants, as answers with a step do.
fn are_aligned(series: &[&[Point]]) -> bool {
    let Some((first, others)) = series.split_first() else {
        return true;
    };
    let is_like_first = |other: &&[Point]| {
        other.len() == first.len() && other.iter().zip(*first).all(|(a, b)| a.at == b.at)
    };
    others.iter().all(is_like_first)
}

fn last_of(observed: Option<Observed>) -> Option<Observed> {
    match observed {
        Some(Observed::Values { mut points }) => {
            let points = points.split_off(points.len().saturating_sub(1));
            Some(Observed::Values { points })
        }
        other => other,
    }
}

/// How much one series grew.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Growth {
    increase: f64,
    seconds: f64,
    resets: u32,
}

impl Growth {
    /// Positive differences; after a reset what was counted since. None without a difference.
    fn of(points: &[Point], stretch: Stretch) -> Option<Self> {
        let mut growth = None;
        for (before, after) in stretch.steps(points) {
            let growth: &mut Self = growth.get_or_insert_default();
            let is_reset = after.value < before.value;
            growth.increase += if is_reset {
                after.value
            } else {
                after.value - before.value
            };
            growth.seconds += after.at.duration_since(before.at).as_secs_f64();
            growth.resets += u32::from(is_reset);
        }
        growth
    }
}

fn counter(
    metric: &Metric,
    series: &[Series],
    stretch: Stretch,
    finite: &mut Finite,
) -> Result<Option<Observed>, FoldError> {
    let mut growths = Vec::new();
    let mut labels = Vec::new();
    for one in series {
        // Only what lies in the stretch is judged: a NaN long before it says nothing about it.
        let near = near(&one.points, stretch);
        if let Some(growth) = Growth::of(&finite.points(near)?, stretch) {
            growths.push(growth);
            labels.push(&one.labels);
        }
    }
    one_or_rule(metric, labels.into_iter())?;
    let increases: Vec<f64> = growths.iter().map(|growth| growth.increase).collect();
    let seconds = growths.iter().map(|growth| growth.seconds);
    Ok(
        across(metric.fold, &increases).map(|increase| Observed::Counter {
            increase,
            seconds: seconds.fold(0.0, f64::max),
            resets: growths.iter().map(|growth| growth.resets).sum(),
        }),
    )
}

/// The points that a stretch may need, the one it reaches back to included.
fn near(points: &[Point], stretch: Stretch) -> &[Point] {
    let start = points.partition_point(|point| point.at < stretch.reach_back);
    let inside = points.partition_point(|point| point.at <= stretch.window.start);
    let end = points.partition_point(|point| point.at <= stretch.window.end);
    points
        .get(start.max(inside.saturating_sub(1))..end)
        .unwrap_or_default()
}

/// Several series under the rule `single` are an error.
fn one_or_rule<'l>(
    metric: &Metric,
    mut labels: impl Iterator<Item = &'l Labels>,
) -> Result<(), FoldError> {
    if metric.fold != Fold::Single {
        return Ok(());
    }
    let (Some(first), Some(second)) = (labels.next(), labels.next()) else {
        return Ok(());
    };
    let is_histogram = metric.kind == MetricKind::Histogram;
    Err(FoldError::Several {
        count: 2 + labels.count(),
        first: spelled(first),
        second: spelled(second),
        merge: if is_histogram { ", merge" } else { "" },
    })
}

fn spelled(labels: &Labels) -> String {
    let pairs = labels
        .iter()
        .map(|(name, value)| format!("{name}={value:?}"));
    format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
}

fn across(fold: Fold, values: &[f64]) -> Option<f64> {
    let first = *values.first()?;
    #[expect(
        clippy::cast_precision_loss,
        reason = "there are fewer than 2^53 series"
    )]
    let count = values.len() as f64;
    Some(match fold {
        Fold::Single => first,
        Fold::Sum | Fold::Merge => values.iter().sum(),
        Fold::Mean => values.iter().sum::<f64>() / count,
        Fold::Min => values.iter().copied().fold(first, f64::min),
        Fold::Max => values.iter().copied().fold(first, f64::max),
    })
}

fn zero(kind: MetricKind, window: Window) -> Option<Observed> {
    let points = vec![TimedValue {
        at: window.start,
        value: 0.0,
    }];
    match kind {
        MetricKind::Gauge | MetricKind::Value => Some(Observed::Values { points }),
        MetricKind::Counter => Some(Observed::Counter {
            increase: 0.0,
            seconds: window.seconds(),
            resets: 0,
        }),
        // A distribution of nothing is no distribution.
        MetricKind::Histogram => None,
    }
}

#[expect(clippy::float_cmp, reason = "a factor of exactly 1 changes nothing")]
fn scaled(mut observed: Observed, scale: f64) -> Observed {
    if scale == 1.0 {
        return observed;
    }
    match &mut observed {
        Observed::Values { points } => {
            for point in points {
                point.value *= scale;
            }
        }
        Observed::Counter { increase, .. } => *increase *= scale,
        Observed::Buckets { bounds, sum, .. } => {
            for bound in bounds.iter_mut().flatten() {
                *bound *= scale;
            }
            *sum = sum.map(|sum| sum * scale);
        }
        Observed::Histogram(blob) => {
            blob.unit *= scale;
            blob.min = blob.min.map(|min| min * scale);
            blob.max = blob.max.map(|max| max * scale);
            blob.sum *= scale;
            blob.sum_of_squares *= scale * scale;
        }
    }
    observed
}

fn valid(metric: &Metric, observed: &Observed) -> Result<(), FoldError> {
    let Some((low, high)) = metric.valid else {
        return Ok(());
    };
    let outside = match observed {
        Observed::Values { points } => points
            .iter()
            .map(|point| point.value)
            .find(|value| !(low..=high).contains(value)),
        Observed::Counter {
            increase, seconds, ..
        } => Some(increase / seconds).filter(|rate| !(low..=high).contains(rate)),
        Observed::Histogram(_) | Observed::Buckets { .. } => None,
    };
    match outside {
        Some(value) => Err(FoldError::Outside { value, low, high }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
