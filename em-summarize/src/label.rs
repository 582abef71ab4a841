//! Labels on one collection: where warm-up ends, which cycles count, and whether that is enough.

use std::time::Duration;

use em_core::id::CycleNo;
use em_core::observe::{Collected, Cycle, CycleState, Labelled, Observed, Steadiness, Window};
use em_core::plan::Warmup;
use jiff::Timestamp;

use crate::buckets::Buckets;
use crate::interval::ar1;
use crate::moments::to_f64;
use crate::warmup::{BATCH, Truncation, mser};
use crate::{Moments, Sample};

/// Fewer values of the leading metric say nothing of a warm-up.
const FEWEST_VALUES: usize = 12;

/// A part differs from another when their means do by more than this share, and by more than
/// three standard errors.
const SHARE_THAT_MATTERS: f64 = 0.01;

/// One value of the leading metric.
#[derive(Debug, Clone, Copy)]
struct Reading {
    at: Timestamp,
    value: f64,
}

/// Where warm-up ends, and how that was found.
#[derive(Debug)]
struct WarmupEnd {
    end: Timestamp,
    method: String,
    /// Why the series has not settled yet.
    drifting: Option<String>,
}

/// Labels a collection: warm-up is found after the fact, cycles follow it without a gap, and a
/// cycle that touches a void stretch is void itself and has a successor.
pub fn label(collected: &Collected) -> Labelled {
    let readings = readings(collected);
    let mut warmup = warmup_end(collected, &readings);
    warmup.end = aligned(collected, warmup.end);
    let cycles = cycles(collected, warmup.end);
    let steadiness = steadiness(collected, &readings, &warmup, &cycles);
    Labelled {
        warmup_end: warmup.end,
        method: warmup.method,
        cycles,
        steadiness,
    }
}

fn warmup_end(collected: &Collected, readings: &[Reading]) -> WarmupEnd {
    let (expected, at_most) = match collected.warmup {
        Warmup::Fixed(length) => {
            let end = after(collected.steady_since, length);
            return WarmupEnd {
                end,
                method: "fixed".to_owned(),
                drifting: None,
            };
        }
        Warmup::Auto { expected, at_most } => (expected, at_most),
    };
    let earliest = after(collected.steady_since, expected);
    let n = readings.len();
    let leading = collected
        .leading
        .as_ref()
        .map_or("no metric", |name| name.as_str());
    if n < FEWEST_VALUES {
        let method = format!("expected warm-up ({n} values of {leading} are too few for MSER-5)");
        return WarmupEnd {
            end: earliest,
            method,
            drifting: None,
        };
    }
    // Whole batches of five need a long series; shorter ones get smaller batches.
    let batch = (n / FEWEST_VALUES).clamp(1, BATCH);
    let method = format!("MSER-{batch} over {n} values of {leading}");
    let values: Vec<f64> = readings.iter().map(|reading| reading.value).collect();
    let Ok(series) = Sample::try_from(values) else {
        return WarmupEnd {
            end: earliest,
            method,
            drifting: None,
        };
    };
    let (cut, is_open) = match mser(&series, batch) {
        Truncation::From { index } => (readings[index].at, false),
        Truncation::Extend => (readings[n / 2].at, true),
        Truncation::TooShort => (earliest, false),
    };
    let (before, kept): (Vec<Reading>, Vec<Reading>) = readings
        .iter()
        .filter(|r| r.at >= earliest)
        .partition(|r| r.at < cut);
    // On a steady series the rule may cut anywhere; a cut that changes nothing is not made.
    if cut <= earliest || !differ(&before, &kept) {
        return WarmupEnd {
            end: earliest,
            method,
            drifting: None,
        };
    }
    let too_late = is_open || cut > after(earliest, at_most);
    let drifting = too_late.then(|| format!("{leading} still changes in the second half"));
    WarmupEnd {
        end: cut,
        method,
        drifting,
    }
}

fn differ(a: &[Reading], b: &[Reading]) -> bool {
    let moments = |part: &[Reading]| {
        let values: Vec<f64> = part.iter().map(|reading| reading.value).collect();
        Sample::try_from(values)
            .ok()
            .map(|sample| Moments::of(&sample))
    };
    let (Some(a), Some(b)) = (moments(a), moments(b)) else {
        return false;
    };
    let error = |m: &Moments| m.sd.map_or(0.0, |sd| sd * sd / to_f64(m.n));
    let gap = (a.mean - b.mean).abs();
    gap > SHARE_THAT_MATTERS * b.mean.abs() && gap > 3.0 * (error(&a) + error(&b)).sqrt()
}

/// The start of the first batch that begins at `end` or less than its own length later: cycles
/// that begin with a batch lose nothing of it.
fn aligned(collected: &Collected, end: Timestamp) -> Timestamp {
    let batches = collected.batches.iter().map(|batch| batch.window);
    let next = batches
        .filter(|window| window.start >= end)
        .min_by_key(|window| window.start);
    match next {
        Some(window) if end.duration_until(window.start) <= length(&window) => window.start,
        _ => end,
    }
}

fn cycles(collected: &Collected, from: Timestamp) -> Vec<Cycle> {
    let end = collected_until(collected);
    let mut cycles = Vec::new();
    let mut kept = 0;
    let mut start = from;
    if collected.cycle_duration.is_zero() {
        return cycles;
    }
    while kept < collected.cycles || collected.precision.is_some() {
        let window = Window {
            start,
            end: cycle_end(collected, start),
        };
        if window.end > end {
            break;
        }
        let touched = collected
            .void
            .iter()
            .find(|(void, _)| void.start < window.end && window.start < void.end);
        let state = match touched {
            Some((_, why)) => CycleState::Void { why: why.clone() },
            None => CycleState::Kept,
        };
        kept += u32::from(state == CycleState::Kept);
        let number = u32::try_from(cycles.len()).unwrap_or(u32::MAX);
        cycles.push(Cycle {
            cycle: CycleNo(number),
            window,
            state,
        });
        start = window.end;
    }
    cycles
}

/// The planned end of a cycle, or the end of the batch around it that is nearest: only whole batches
/// count, and the runs of a tool, each a batch, last about as long as a cycle but never exactly.
fn cycle_end(collected: &Collected, start: Timestamp) -> Timestamp {
    let planned = after(start, collected.cycle_duration);
    let mut batches = collected.batches.iter().map(|batch| batch.window);
    let nearest = batches.find(|window| {
        let late = planned.duration_until(window.end);
        start < window.end && window.start < planned && late > -length(window) / 2
    });
    nearest.map_or(planned, |window| window.end)
}

fn steadiness(
    collected: &Collected,
    readings: &[Reading],
    warmup: &WarmupEnd,
    cycles: &[Cycle],
) -> Steadiness {
    let end = collected_until(collected);
    let measured = collected.cycle_duration.saturating_mul(collected.cycles);
    if let Some(why) = &warmup.drifting {
        let limit = match collected.warmup {
            Warmup::Fixed(length) => length,
            Warmup::Auto { expected, at_most } => expected + at_most,
        };
        let last = after(after(collected.steady_since, limit), measured);
        if end >= last {
            return Steadiness::Unstable { why: why.clone() };
        }
        return Steadiness::Extend {
            until: after(end, collected.cycle_duration).min(last),
        };
    }
    let kept = cycles
        .iter()
        .filter(|cycle| cycle.state == CycleState::Kept)
        .count();
    let wanted = usize::try_from(collected.cycles).unwrap_or(usize::MAX);
    let void = cycles.len() - kept;
    if void > wanted.saturating_add(3) {
        return Steadiness::Unstable {
            why: format!("{void} cycles are void, {kept} count"),
        };
    }
    let last = cycles.last().map_or(warmup.end, |cycle| cycle.window.end);
    if let Some(precision) = collected.precision {
        let longest = after(collected.steady_since, precision.max_iteration);
        let is_precise = kept > 0 && relative_half_width(readings, cycles) <= precision.relative;
        if is_precise || (kept >= wanted.max(1) && end >= longest) {
            return Steadiness::Enough;
        }
        return Steadiness::Extend {
            until: after(last, collected.cycle_duration),
        };
    }
    match u32::try_from(wanted.saturating_sub(kept)).unwrap_or(u32::MAX) {
        0 => Steadiness::Enough,
        missing => Steadiness::Extend {
            until: after(last, collected.cycle_duration.saturating_mul(missing)),
        },
    }
}

/// Half width of the mean's interval over the mean, within kept cycles; infinite where unknown.
fn relative_half_width(readings: &[Reading], cycles: &[Cycle]) -> f64 {
    let counts = |reading: &&Reading| {
        cycles
            .iter()
            .any(|cycle| cycle.state == CycleState::Kept && cycle.window.contains(reading.at))
    };
    let values: Vec<f64> = readings
        .iter()
        .filter(counts)
        .map(|reading| reading.value)
        .collect();
    let interval = Sample::try_from(values)
        .ok()
        .and_then(|series| ar1(&series, 0.95).ok());
    let bounds = interval.and_then(|interval| interval.low.zip(interval.high));
    bounds.map_or(f64::INFINITY, |(low, high)| {
        (high - low) / (high + low).abs()
    })
}

/// The leading metric over time: each value, or one per batch, from steady load on.
fn readings(collected: &Collected) -> Vec<Reading> {
    let Some(leading) = &collected.leading else {
        return Vec::new();
    };
    let of_batch = |batch: &em_core::observe::Batch| -> Vec<Reading> {
        let one = |value: Option<f64>| {
            let value = value.filter(|value| value.is_finite());
            value
                .map(|value| Reading {
                    at: batch.window.start,
                    value,
                })
                .into_iter()
                .collect()
        };
        match batch.observed.get(leading) {
            None => Vec::new(),
            Some(Observed::Values { points }) => {
                let finite = points.iter().filter(|point| point.value.is_finite());
                finite
                    .map(|point| Reading {
                        at: point.at,
                        value: point.value,
                    })
                    .collect()
            }
            Some(Observed::Counter {
                increase, seconds, ..
            }) => one((*seconds > 0.0).then(|| increase / seconds)),
            Some(Observed::Histogram(blob)) => one(mean_of(blob.sum, blob.count)),
            Some(Observed::Buckets {
                bounds,
                counts,
                sum,
                ..
            }) => one(level_of_buckets(bounds, counts, *sum)),
        }
    };
    let mut readings: Vec<Reading> = collected.batches.iter().flat_map(of_batch).collect();
    readings.retain(|reading| reading.at >= collected.steady_since);
    readings.sort_by_key(|reading| reading.at);
    readings
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of requests stay far below 2^53"
)]
fn mean_of(sum: f64, count: u64) -> Option<f64> {
    (count > 0).then(|| sum / count as f64)
}

fn level_of_buckets(bounds: &[Option<f64>], counts: &[f64], sum: Option<f64>) -> Option<f64> {
    let edges = bounds.iter().map(|bound| bound.unwrap_or(f64::INFINITY));
    let buckets = Buckets::new(edges.zip(counts.iter().copied()).collect()).ok()?;
    match sum {
        Some(sum) if buckets.count() > 0.0 => Some(sum / buckets.count()),
        _ => buckets.quantile(0.5).map(|median| median.value),
    }
}

fn collected_until(collected: &Collected) -> Timestamp {
    let ends = collected.batches.iter().map(|batch| batch.window.end);
    ends.max().unwrap_or(collected.steady_since)
}

fn after(instant: Timestamp, duration: Duration) -> Timestamp {
    instant.checked_add(duration).unwrap_or(Timestamp::MAX)
}

fn length(window: &Window) -> jiff::SignedDuration {
    window.start.duration_until(window.end)
}
