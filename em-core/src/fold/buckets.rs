//! Histograms: increases of cumulative buckets.

use std::collections::BTreeMap;

use super::{Finite, FoldError, Growth, Stretch, near, one_or_rule, spelled};
use crate::observe::Observed;
use crate::plan::Metric;
use crate::port::{Labels, Series};
use crate::value::Finite as FiniteNumber;

/// A bucket's upper bound; the infinite one sorts last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Bound {
    Finite(FiniteNumber),
    Infinite,
}

/// Increases of one histogram by bound.
#[derive(Debug, Default)]
struct Histogram {
    buckets: BTreeMap<Bound, f64>,
    sum: Option<f64>,
    resets: u32,
}

pub(super) fn fold(
    metric: &Metric,
    series: &[Series],
    stretch: Stretch,
    finite: &mut Finite,
) -> Result<Option<Observed>, FoldError> {
    let mut histograms: BTreeMap<Labels, Histogram> = BTreeMap::new();
    for one in series {
        let place = place(&one.labels)?;
        let Some(growth) = Growth::of(&finite.points(near(&one.points, stretch))?, stretch) else {
            continue;
        };
        let histogram = histograms.entry(identity(&one.labels)).or_default();
        // A restart resets all buckets at once: one reset.
        histogram.resets = histogram.resets.max(growth.resets);
        match place {
            Place::Bucket(bound) => {
                histogram.buckets.insert(bound, growth.increase);
            }
            Place::Sum => histogram.sum = Some(growth.increase),
            Place::Count => {}
        }
    }
    one_or_rule(metric, histograms.keys())?;
    merge(histograms.into_values())
}

enum Place {
    Bucket(Bound),
    Sum,
    Count,
}

fn place(labels: &Labels) -> Result<Place, FoldError> {
    let name = labels.get("__name__").map_or("", String::as_str);
    let Some(le) = labels.get("le") else {
        return match name {
            name if name.ends_with("_sum") => Ok(Place::Sum),
            name if name.ends_with("_count") => Ok(Place::Count),
            _ => Err(FoldError::NoBuckets {
                labels: spelled(labels),
            }),
        };
    };
    let bound = match le.parse::<f64>() {
        Ok(bound) if bound == f64::INFINITY => Some(Bound::Infinite),
        Ok(bound) => FiniteNumber::try_from(bound).ok().map(Bound::Finite),
        Err(_) => None,
    };
    bound
        .map(Place::Bucket)
        .ok_or_else(|| FoldError::NoBuckets {
            labels: spelled(labels),
        })
}

/// What tells one histogram from another.
fn identity(labels: &Labels) -> Labels {
    let rest = labels
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "le" | "__name__"));
    rest.map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn merge(histograms: impl Iterator<Item = Histogram>) -> Result<Option<Observed>, FoldError> {
    let mut histograms = histograms.filter(|histogram| !histogram.buckets.is_empty());
    let Some(mut all) = histograms.next() else {
        return Ok(None);
    };
    for next in histograms {
        if !all.buckets.keys().eq(next.buckets.keys()) {
            return Err(FoldError::Bounds);
        }
        for (count, more) in all.buckets.values_mut().zip(next.buckets.values()) {
            *count += more;
        }
        all.sum = all.sum.zip(next.sum).map(|(sum, more)| sum + more);
        all.resets += next.resets;
    }
    let bounds = all.buckets.keys().map(|bound| match bound {
        Bound::Finite(bound) => Some(bound.get()),
        Bound::Infinite => None,
    });
    Ok(Some(Observed::Buckets {
        bounds: bounds.collect(),
        counts: all.buckets.values().copied().collect(),
        sum: all.sum,
        resets: all.resets,
    }))
}
