//! Stretches of one metric pooled into one, form by form.

use em_core::observe::{HistogramBlob, Kept, Observed};

use crate::buckets::Buckets;
use crate::histogram::{Encoded, Merged};
use crate::moments::compensated_sum;

/// All kept stretches of a metric that has one form.
#[derive(Debug)]
pub(crate) enum Pooled {
    /// Finite values, with the number of the stretch each comes from and the last of each cycle.
    Values {
        values: Vec<f64>,
        per_cycle: Vec<f64>,
        non_finite: u64,
    },
    /// Increase and seconds per stretch.
    Counter {
        stretches: Vec<(f64, f64)>,
        resets: u32,
    },
    /// A merged histogram, with the stretches it was merged from.
    Histogram {
        merged: Box<Merged>,
        stretches: Vec<Distribution>,
    },
    /// Added buckets.
    Buckets {
        buckets: Buckets,
        sum: Option<f64>,
        resets: u32,
    },
}

/// One histogram and the exact sums that its cells do not keep.
#[derive(Debug)]
pub(crate) struct Distribution {
    pub(crate) histogram: Merged,
    pub(crate) sum: f64,
    pub(crate) sum_of_squares: f64,
}

impl Pooled {
    /// Pools stretches, or says why they do not go together.
    pub(crate) fn of(kept: &[Kept]) -> Result<Self, String> {
        match kept.first().map(|first| &first.observed) {
            None => Err("nothing was kept: no stretch of the measurement counts".to_owned()),
            Some(Observed::Values { .. }) => values(kept),
            Some(Observed::Counter { .. }) => counter(kept),
            Some(Observed::Histogram(_)) => histogram(kept),
            Some(Observed::Buckets { .. }) => buckets(kept),
        }
    }

    /// Counter resets in all stretches.
    pub(crate) fn resets(&self) -> u32 {
        match self {
            Self::Counter { resets, .. } | Self::Buckets { resets, .. } => *resets,
            Self::Values { .. } | Self::Histogram { .. } => 0,
        }
    }
}

fn values(kept: &[Kept]) -> Result<Pooled, String> {
    let mut values = Vec::new();
    let mut per_cycle: Vec<(u64, f64)> = Vec::new();
    let mut non_finite = 0;
    for stretch in kept {
        let Observed::Values { points } = &stretch.observed else {
            return Err(mixed());
        };
        for point in points {
            if !point.value.is_finite() {
                non_finite += 1;
                continue;
            }
            values.push(point.value);
            let cycle = u64::from(stretch.cycle.0);
            match per_cycle.last_mut().filter(|(last, _)| *last == cycle) {
                Some((_, value)) => *value = point.value,
                None => per_cycle.push((cycle, point.value)),
            }
        }
    }
    if values.is_empty() {
        return Err(format!(
            "no finite value among the kept stretches ({non_finite} were not)"
        ));
    }
    let per_cycle = per_cycle.into_iter().map(|(_, value)| value).collect();
    Ok(Pooled::Values {
        values,
        per_cycle,
        non_finite,
    })
}

fn counter(kept: &[Kept]) -> Result<Pooled, String> {
    let mut stretches = Vec::with_capacity(kept.len());
    let mut all_resets = 0;
    for stretch in kept {
        let Observed::Counter {
            increase,
            seconds,
            resets,
        } = &stretch.observed
        else {
            return Err(mixed());
        };
        stretches.push((*increase, *seconds));
        all_resets += resets;
    }
    Ok(Pooled::Counter {
        stretches,
        resets: all_resets,
    })
}

fn histogram(kept: &[Kept]) -> Result<Pooled, String> {
    let mut stretches = Vec::with_capacity(kept.len());
    let mut merged: Option<Merged> = None;
    for stretch in kept {
        let Observed::Histogram(blob) = &stretch.observed else {
            return Err(mixed());
        };
        let one = decode(blob)?;
        match &mut merged {
            Some(merged) => merged
                .merge(&one.histogram)
                .map_err(|error| error.to_string())?,
            None => merged = Some(one.histogram.clone()),
        }
        stretches.push(one);
    }
    let merged = merged.filter(|merged| merged.count() > 0);
    let merged = merged.ok_or("no value was recorded in the kept stretches")?;
    Ok(Pooled::Histogram {
        merged: Box::new(merged),
        stretches,
    })
}

fn decode(blob: &HistogramBlob) -> Result<Distribution, String> {
    let encoded = Encoded {
        blob: &blob.encoded,
        unit: blob.unit,
        exact: blob.min.zip(blob.max),
    };
    let histogram = Merged::decode(&encoded).map_err(|error| error.to_string())?;
    Ok(Distribution {
        histogram,
        sum: blob.sum,
        sum_of_squares: blob.sum_of_squares,
    })
}

fn buckets(kept: &[Kept]) -> Result<Pooled, String> {
    let mut total: Vec<(f64, f64)> = Vec::new();
    let mut sums: Option<Vec<f64>> = Some(Vec::new());
    let mut all_resets = 0;
    for stretch in kept {
        let Observed::Buckets {
            bounds,
            counts,
            sum,
            resets,
        } = &stretch.observed
        else {
            return Err(mixed());
        };
        let edges = bounds.iter().map(|bound| bound.unwrap_or(f64::INFINITY));
        let pairs: Vec<(f64, f64)> = edges.zip(counts.iter().copied()).collect();
        if total.is_empty() {
            total = pairs;
        } else {
            add(&mut total, &pairs)?;
        }
        sums = sums.zip(*sum).map(|(mut sums, sum)| {
            sums.push(sum);
            sums
        });
        all_resets += resets;
    }
    let buckets = Buckets::new(total).map_err(|error| error.to_string())?;
    Ok(Pooled::Buckets {
        buckets,
        sum: sums.map(compensated_sum),
        resets: all_resets,
    })
}

fn add(total: &mut [(f64, f64)], more: &[(f64, f64)]) -> Result<(), String> {
    let same = total.len() == more.len()
        && total
            .iter()
            .zip(more)
            .all(|(a, b)| a.0.to_bits() == b.0.to_bits());
    if !same {
        return Err("the buckets changed their bounds during the measurement".to_owned());
    }
    for (sum, one) in total.iter_mut().zip(more) {
        sum.1 += one.1;
    }
    Ok(())
}

fn mixed() -> String {
    "stretches of different forms (values, counter, histogram, buckets) cannot be pooled".to_owned()
}
