//! The built-in summarizer: from what was seen of one metric in one iteration to statistics.

use std::collections::BTreeSet;

use em_core::observe::{
    Estimate, Interval as Shown, MetricSummary, Observations, Replication, Statistic, Window,
};
use em_core::port::Summarizer;
use em_core::value::Unit;

use crate::buckets::Buckets;
use crate::histogram::Merged;
use crate::interval::{Interval, IntervalMethod, ar1, student_t};
use crate::moments::{compensated_sum, to_f64};
use crate::pooled::{Distribution, Pooled};
use crate::quantile::{QuantileType, median};
use crate::{Moments, Sample};

/// Nominal coverage of every interval.
const CONFIDENCE: f64 = 0.95;

/// Contiguous groups of stretches whose statistics are taken as nearly independent.
const GROUPS: usize = 20;

/// With fewer groups their spread says too little.
const FEWEST_GROUPS: usize = 10;

/// Count, min, max, mean, median, sd, cv, percentiles, total, rate, value and last, each from the
/// forms that can answer it; percentiles come from merged distributions and are never averaged.
///
/// The unit of a summary is dimensionless here: an observation does not carry it, and whoever knows
/// the metric sets it.
#[derive(Debug, Clone, Copy, Default)]
pub struct BuiltIn;

impl Summarizer for BuiltIn {
    fn statistics(&self) -> Vec<String> {
        Vec::new()
    }

    fn summarize(&self, seen: &Observations, wanted: &[Statistic]) -> MetricSummary {
        let pooled = match Pooled::of(&seen.kept) {
            Ok(pooled) => pooled,
            Err(why) => return MetricSummary::missing(Unit::Dimensionless, why),
        };
        let mut summary = MetricSummary {
            unit: Unit::Dimensionless,
            window: window(seen),
            cycles: cycles(seen),
            estimates: std::collections::BTreeMap::new(),
            resets: pooled.resets(),
            non_finite: match &pooled {
                Pooled::Values { non_finite, .. } => *non_finite,
                Pooled::Counter { .. } | Pooled::Histogram { .. } | Pooled::Buckets { .. } => 0,
            },
            problems: Vec::new(),
            origin: None,
        };
        for statistic in wanted {
            match estimate(&pooled, statistic, seen.replication) {
                Ok(estimate) => {
                    summary.estimates.insert(statistic.to_string(), estimate);
                }
                Err(why) => summary.problems.push(format!("{statistic}: {why}")),
            }
        }
        summary
    }
}

fn window(seen: &Observations) -> Option<Window> {
    let start = seen.kept.iter().map(|kept| kept.window.start).min()?;
    let end = seen.kept.iter().map(|kept| kept.window.end).max()?;
    Some(Window { start, end })
}

fn cycles(seen: &Observations) -> u32 {
    let cycles: BTreeSet<_> = seen.kept.iter().map(|kept| kept.cycle).collect();
    u32::try_from(cycles.len()).unwrap_or(u32::MAX)
}

fn estimate(
    pooled: &Pooled,
    statistic: &Statistic,
    replication: Replication,
) -> Result<Estimate, String> {
    let estimate = match pooled {
        Pooled::Values {
            values, per_cycle, ..
        } => of_values(values, per_cycle, statistic, replication),
        Pooled::Counter { stretches, .. } => of_counter(stretches, statistic),
        Pooled::Histogram { merged, stretches } => of_histogram(merged, stretches, statistic),
        Pooled::Buckets { buckets, sum, .. } => of_buckets(buckets, *sum, statistic),
    }?;
    if estimate.value.is_finite() {
        Ok(estimate)
    } else {
        Err("the result is too large to be a number".to_owned())
    }
}

/// An estimate without interval, at the level of single samples.
fn plain(value: f64, n: u64, estimator: &str) -> Estimate {
    Estimate {
        value,
        interval: None,
        estimator: estimator.to_owned(),
        quantile_type: None,
        n,
        effective_n: None,
        replication: Replication::Sample,
    }
}

fn of_values(
    values: &[f64],
    per_cycle: &[f64],
    statistic: &Statistic,
    replication: Replication,
) -> Result<Estimate, String> {
    let sample = Sample::try_from(values).map_err(|error| error.to_string())?;
    let (n, sorted) = (values.len() as u64, sample.sorted());
    let moments = Moments::of(&sample);
    match statistic {
        Statistic::Count => Ok(plain(to_f64(values.len()), n, "number of values")),
        Statistic::Min => Ok(plain(sorted.min(), n, "least value")),
        Statistic::Max => Ok(plain(sorted.max(), n, "greatest value")),
        Statistic::Last => Ok(plain(sample.last(), n, "last value")),
        Statistic::Mean => Ok(mean_of_series(&sample, &moments)),
        Statistic::Sd => {
            let sd = moments.sd.ok_or("one value has no spread")?;
            Ok(plain(sd, n, "standard deviation with divisor n - 1"))
        }
        Statistic::Cv => {
            let cv = moments
                .cv()
                .ok_or("it needs two values and a mean that is not 0")?;
            Ok(plain(cv, n, "standard deviation over mean"))
        }
        Statistic::Value => value_per_cycle(per_cycle, replication),
        Statistic::Median => Ok(Estimate {
            quantile_type: Some(QuantileType::Linear.number()),
            ..plain(median(&sorted), n, "median of all values")
        }),
        Statistic::Percentile(percent) => Ok(Estimate {
            quantile_type: Some(QuantileType::Linear.number()),
            ..plain(
                QuantileType::Linear.quantile(&sorted, percent / 100.0),
                n,
                "interpolated between ordered values",
            )
        }),
        Statistic::Rate | Statistic::Total => Err("only a counter has it (as: counter)".to_owned()),
        Statistic::Custom(_) | _ => Err(unknown(statistic)),
    }
}

/// The mean of a series over time, whose neighbours resemble each other.
fn mean_of_series(sample: &Sample, moments: &Moments) -> Estimate {
    let n = sample.len() as u64;
    let (interval, effective_n, estimator) = match ar1(sample, CONFIDENCE) {
        Ok(interval) => {
            let effective = interval.effective_n;
            (
                Some(shown(&interval, "of one series")),
                effective,
                "mean over time".to_owned(),
            )
        }
        Err(error) => (None, error.effective_n, format!("mean over time ({error})")),
    };
    Estimate {
        interval,
        effective_n: (sample.len() > 1).then_some(effective_n),
        ..plain(moments.mean, n, &estimator)
    }
}

fn value_per_cycle(per_cycle: &[f64], replication: Replication) -> Result<Estimate, String> {
    let sample = Sample::try_from(per_cycle).map_err(|error| error.to_string())?;
    let interval = student_t(&sample, CONFIDENCE);
    let n = sample.len() as u64;
    Ok(Estimate {
        interval: interval.map(|interval| shown(&interval, &format!("over {n} cycles"))),
        effective_n: Some(to_f64(sample.len())),
        replication,
        ..plain(
            Moments::of(&sample).mean,
            n,
            "mean of the last value of each cycle",
        )
    })
}

fn of_counter(stretches: &[(f64, f64)], statistic: &Statistic) -> Result<Estimate, String> {
    let increase = compensated_sum(stretches.iter().map(|(increase, _)| *increase));
    let seconds = compensated_sum(stretches.iter().map(|(_, seconds)| *seconds));
    let n = stretches.len() as u64;
    match statistic {
        Statistic::Count => Ok(plain(increase, n, "events counted")),
        Statistic::Total => Ok(plain(increase, n, "sum of increases")),
        Statistic::Rate if seconds > 0.0 => {
            let rate = |group: &[(f64, f64)]| {
                let seconds: f64 = group.iter().map(|(_, seconds)| seconds).sum();
                (seconds > 0.0).then(|| group.iter().map(|(more, _)| more).sum::<f64>() / seconds)
            };
            let estimate = plain(increase / seconds, n, "increase over seconds");
            Ok(with_groups(estimate, stretches, rate))
        }
        Statistic::Rate => Err("the counter was watched for no time".to_owned()),
        Statistic::Min
        | Statistic::Max
        | Statistic::Mean
        | Statistic::Median
        | Statistic::Sd
        | Statistic::Cv
        | Statistic::Value
        | Statistic::Last
        | Statistic::Percentile(_) => Err("a counter has count, total and rate only".to_owned()),
        Statistic::Custom(_) | _ => Err(unknown(statistic)),
    }
}

fn of_histogram(
    merged: &Merged,
    stretches: &[Distribution],
    statistic: &Statistic,
) -> Result<Estimate, String> {
    let n = merged.count();
    let none = || "no value was recorded".to_owned();
    if let Some(p) = statistic.quantile() {
        return quantile_of_histogram(merged, stretches, p).ok_or_else(none);
    }
    let sum = compensated_sum(stretches.iter().map(|one| one.sum));
    match statistic {
        Statistic::Count => Ok(plain(events(n), n, "values recorded")),
        Statistic::Min => Ok(plain(merged.min().ok_or_else(none)?, n, "least value")),
        Statistic::Max => Ok(plain(merged.max().ok_or_else(none)?, n, "greatest value")),
        Statistic::Total => Ok(plain(sum, n, "exact sum of values")),
        Statistic::Mean => {
            let mean = |group: &[Distribution]| {
                let count: u64 = group.iter().map(|one| one.histogram.count()).sum();
                (count > 0).then(|| group.iter().map(|one| one.sum).sum::<f64>() / events(count))
            };
            let estimate = plain(sum / events(n), n, "exact sum over count");
            Ok(with_groups(estimate, stretches, mean))
        }
        Statistic::Sd => {
            let sd = spread(merged, stretches, sum).ok_or("one value has no spread")?;
            Ok(plain(sd, n, "standard deviation with divisor n - 1"))
        }
        Statistic::Cv => {
            let sd = spread(merged, stretches, sum).ok_or("one value has no spread")?;
            Ok(plain(
                sd / (sum / events(n)).abs(),
                n,
                "standard deviation over mean",
            ))
        }
        Statistic::Rate => Err("only a counter has it (as: counter)".to_owned()),
        Statistic::Value | Statistic::Last => {
            Err("a distribution has no single value: use mean or a percentile".to_owned())
        }
        Statistic::Median | Statistic::Percentile(_) | Statistic::Custom(_) | _ => {
            Err(unknown(statistic))
        }
    }
}

/// From the exact sums where they keep enough digits, else from the cells.
fn spread(merged: &Merged, stretches: &[Distribution], sum: f64) -> Option<f64> {
    let n = events(merged.count());
    let squares = compensated_sum(stretches.iter().map(|one| one.sum_of_squares));
    let rest = squares - sum * sum / n;
    if n > 1.0 && rest > 1e-9 * squares {
        Some((rest / (n - 1.0)).sqrt())
    } else {
        merged.sd()
    }
}

/// A percentile of requests. Requests of one run resemble their neighbours: where there are ten
/// groups that can carry the percentile themselves, their spread makes the interval; else the order
/// of all values does, as if they were independent.
fn quantile_of_histogram(merged: &Merged, stretches: &[Distribution], p: f64) -> Option<Estimate> {
    let value = merged.quantile(p)?;
    let estimate = Estimate {
        quantile_type: Some(QuantileType::NearestRank.number()),
        ..plain(value, merged.count(), "nearest rank of merged histograms")
    };
    let of_group = |group: &[Distribution]| {
        let (first, rest) = group.split_first()?;
        let mut all = first.histogram.clone();
        rest.iter()
            .try_for_each(|one| all.merge(&one.histogram))
            .ok()?;
        let bounds = all.quantile_interval(p, CONFIDENCE);
        (bounds.low.is_some() && bounds.high.is_some()).then(|| all.quantile(p))?
    };
    let grouped = with_groups(estimate.clone(), stretches, of_group);
    if grouped.interval.is_some() {
        return Some(grouped);
    }
    let interval = merged.quantile_interval(p, CONFIDENCE);
    Some(Estimate {
        interval: Some(shown(&interval, "as if requests were independent"))
            .filter(|shown| shown.low.is_some() || shown.high.is_some()),
        ..estimate
    })
}

fn of_buckets(
    buckets: &Buckets,
    sum: Option<f64>,
    statistic: &Statistic,
) -> Result<Estimate, String> {
    let count = buckets.count();
    let n = whole(count);
    if let Some(p) = statistic.quantile() {
        let found = buckets.quantile(p).ok_or("the buckets hold no value")?;
        let interval = Shown {
            low: Some(found.low).filter(|low| low.is_finite()),
            high: found.high,
            level: 1.0,
            method: "bounds of the bucket".to_owned(),
        };
        return Ok(Estimate {
            interval: Some(interval),
            ..plain(found.value, n, "linear within its bucket")
        });
    }
    let no_sum = "the buckets came without a sum";
    match statistic {
        Statistic::Count => Ok(plain(count, n, "events counted")),
        Statistic::Total => Ok(plain(sum.ok_or(no_sum)?, n, "sum of values")),
        Statistic::Mean if count > 0.0 => {
            Ok(plain(sum.ok_or(no_sum)? / count, n, "sum over count"))
        }
        Statistic::Mean => Err("the buckets hold no value".to_owned()),
        Statistic::Min
        | Statistic::Max
        | Statistic::Median
        | Statistic::Sd
        | Statistic::Cv
        | Statistic::Rate
        | Statistic::Value
        | Statistic::Last
        | Statistic::Percentile(_) => {
            Err("buckets have count, total, mean and percentiles only".to_owned())
        }
        Statistic::Custom(_) | _ => Err(unknown(statistic)),
    }
}

/// The estimate with Student's t over contiguous groups of stretches, where there are ten groups
/// and each has a value. Groups stand around the pooled estimate, which keeps all the data.
fn with_groups<T>(
    estimate: Estimate,
    stretches: &[T],
    of_group: impl Fn(&[T]) -> Option<f64>,
) -> Estimate {
    let groups = stretches.len().min(GROUPS);
    if groups < FEWEST_GROUPS {
        return estimate;
    }
    let edge = |group: usize| group * stretches.len() / groups;
    let values: Option<Vec<f64>> = (0..groups)
        .map(|group| of_group(&stretches[edge(group)..edge(group + 1)]))
        .collect();
    let interval = values
        .and_then(|values| Sample::try_from(values).ok())
        .and_then(|sample| student_t(&sample, CONFIDENCE));
    let Some(interval) = interval else {
        return estimate;
    };
    let half = interval
        .high
        .zip(interval.low)
        .map(|(high, low)| (high - low) / 2.0);
    let centered = Interval {
        low: half.map(|half| estimate.value - half),
        high: half.map(|half| estimate.value + half),
        ..interval
    };
    Estimate {
        interval: Some(shown(
            &centered,
            &format!("over {groups} groups of windows"),
        )),
        effective_n: Some(to_f64(groups)),
        ..estimate
    }
}

/// The interval as it is stored: what it was made over goes into its method.
pub(crate) fn shown(interval: &Interval, over: &str) -> Shown {
    let method = match interval.method {
        IntervalMethod::StudentT => "Student t",
        IntervalMethod::Ar1 => "Student t on the effective size of an AR(1)",
        IntervalMethod::OrderStatistics => "order statistics",
    };
    Shown {
        low: interval.low,
        high: interval.high,
        level: interval.confidence,
        method: format!("{method} {over}"),
    }
}

fn unknown(statistic: &Statistic) -> String {
    format!("the built-in summarizer does not know {statistic}: name the summarizer that does")
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of events stay far below 2^53"
)]
fn events(count: u64) -> f64 {
    count as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a count is not negative, and a float cast saturates"
)]
fn whole(count: f64) -> u64 {
    count.round() as u64
}
