//! Native histograms of a page: as the cumulative buckets of which a classic one is made.
//!
//! Empty buckets are left out, so that which there are changes from look to look. A boundary that
//! turns up late was crossed by as many as the next lower one until then: its series begins where
//! the others do.

use std::collections::BTreeMap;

use em_core::id::OpKey;
use em_core::port::{Labels, OpContext, Point, Series};
use jiff::Timestamp;

use super::protobuf::{either, spelled};
use super::wire::{Histogram, Span};
use crate::instant::instant;
use crate::selector::Selector;

/// A native histogram that says nothing that can be relied on.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum Unreadable {
    #[error("schema {0} is not known (known are -4 to 8)")]
    Schema(i32),
    #[error("there are not as many counts as buckets")]
    Counts,
    #[error("a count is negative or beyond all bounds")]
    Count,
}

/// Histograms whose buckets cannot be compared.
#[derive(Debug, thiserror::Error, PartialEq)]
#[error(
    "{name} has buckets of different widths (schema {first} and {second}): it changed them while it was looked at, or its series differ"
)]
pub(super) struct Mixed {
    name: String,
    first: Layout,
    second: Layout,
}

/// How wide buckets are.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Layout {
    schema: i32,
    zero_threshold: f64,
}

/// One native histogram at one look.
#[derive(Debug, Clone)]
pub(super) struct Native {
    pub(super) family: String,
    labels: Labels,
    at: Option<f64>,
    layout: Layout,
    /// Upper boundaries in order, each with what lies in its bucket.
    buckets: Vec<(f64, f64)>,
    count: f64,
}

impl Histogram {
    /// One with native buckets and no classic ones. An empty one says it with an empty span.
    pub(super) fn is_only_native(&self) -> bool {
        let spans = [&self.positive_spans, &self.negative_spans];
        let is_native = spans.iter().any(|spans| !spans.is_empty())
            || self.zero_threshold > 0.0
            || either(self.float_zero_count, self.zero_count) > 0.0;
        is_native && self.buckets.is_empty()
    }

    /// All that was measured.
    pub(super) fn total(&self) -> f64 {
        either(self.float_count, self.count)
    }
}

impl Native {
    pub(super) fn read(
        family: String,
        labels: Labels,
        at: Option<f64>,
        histogram: &Histogram,
    ) -> Result<Self, Unreadable> {
        let schema = histogram.schema;
        if !(-4..=8).contains(&schema) {
            return Err(Unreadable::Schema(schema));
        }
        // 2^(index / 2^schema): each boundary is the last one times the same factor.
        let bound = |index: f64| (index * f64::from(-schema).exp2()).exp2();
        let negative = placed(
            &histogram.negative_spans,
            &counts(&histogram.negative_deltas, &histogram.negative_counts)?,
        )?;
        let positive = placed(
            &histogram.positive_spans,
            &counts(&histogram.positive_deltas, &histogram.positive_counts)?,
        )?;
        let below = negative.iter().rev();
        let mut buckets: Vec<(f64, f64)> = below
            .map(|(index, count)| (-bound(index - 1.0), *count))
            .collect();
        let zero = either(histogram.float_zero_count, histogram.zero_count);
        if zero > 0.0 {
            buckets.push((histogram.zero_threshold, zero));
        }
        buckets.extend(
            positive
                .iter()
                .map(|(index, count)| (bound(*index), *count)),
        );
        buckets.retain(|(bound, _)| bound.is_finite());
        buckets.sort_by(|(one, _), (other, _)| one.total_cmp(other));
        Ok(Self {
            family,
            labels,
            at,
            layout: Layout {
                schema,
                zero_threshold: histogram.zero_threshold,
            },
            buckets,
            count: histogram.total(),
        })
    }
}

/// What lies in each bucket; told as numbers, or as differences to the one before.
fn counts(deltas: &[i64], counts: &[f64]) -> Result<Vec<f64>, Unreadable> {
    if !counts.is_empty() {
        let is_count = |count: &f64| count.is_finite() && *count >= 0.0;
        let all = counts.iter().all(is_count);
        return all.then(|| counts.to_vec()).ok_or(Unreadable::Count);
    }
    let mut last: i64 = 0;
    let counts = deltas.iter().map(|delta| {
        last = last.checked_add(*delta)?;
        u64::try_from(last).ok().map(super::protobuf::float)
    });
    counts.collect::<Option<_>>().ok_or(Unreadable::Count)
}

/// The index of each bucket with what lies in it.
fn placed(spans: &[Span], counts: &[f64]) -> Result<Vec<(f64, f64)>, Unreadable> {
    let mut counts = counts.iter();
    let mut placed = Vec::new();
    let mut index: i64 = 0;
    for span in spans {
        index = index.saturating_add(i64::from(span.offset));
        for _ in 0..span.length {
            let count = counts.next().ok_or(Unreadable::Counts)?;
            #[expect(
                clippy::cast_precision_loss,
                reason = "an index that is not exact is beyond all boundaries"
            )]
            placed.push((index as f64, *count));
            index = index.saturating_add(1);
        }
    }
    match counts.next() {
        None => Ok(placed),
        Some(_) => Err(Unreadable::Counts),
    }
}

/// What one query saw of native histograms at one look.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) at: Timestamp,
    pub(super) natives: Vec<Native>,
}

/// What the queries of one iteration saw of native histograms since it began.
#[derive(Debug, Default)]
pub(super) struct Past {
    of: Option<(OpKey, String)>,
    looks: BTreeMap<String, Vec<Seen>>,
}

impl Past {
    /// The series since the iteration began, this look the last.
    pub(super) fn add(
        &mut self,
        cx: &OpContext,
        place: &str,
        query: &str,
        selector: &Selector,
        seen: Seen,
    ) -> Result<Vec<Series>, Mixed> {
        let of = (cx.key.clone(), place.to_owned());
        if self.of.as_ref() != Some(&of) {
            self.of = Some(of);
            self.looks.clear();
        }
        let looks = self.looks.entry(query.to_owned()).or_default();
        looks.push(seen);
        series(looks, selector)
    }
}

/// One series per histogram and boundary, each with a value at every look.
pub(super) fn series(looks: &[Seen], selector: &Selector) -> Result<Vec<Series>, Mixed> {
    let all = || looks.iter().flat_map(|seen| &seen.natives);
    if let Some(first) = all().next()
        && let Some(other) = all().find(|one| one.layout != first.layout)
    {
        return Err(Mixed {
            name: first.family.clone(),
            first: first.layout,
            second: other.layout,
        });
    }
    let bounds = all().flat_map(|one| one.buckets.iter().map(|(bound, _)| *bound));
    let mut bounds: Vec<f64> = bounds.chain([f64::INFINITY]).collect();
    bounds.sort_by(f64::total_cmp);
    bounds.dedup();
    let mut by_labels: BTreeMap<&Labels, Vec<(Timestamp, &Native)>> = BTreeMap::new();
    for seen in looks {
        for one in &seen.natives {
            let at = one.at.and_then(instant).unwrap_or(seen.at);
            let known = by_labels.entry(&one.labels).or_default();
            // A page that tells its own times may not have moved on.
            if known.last().is_none_or(|(last, _)| *last < at) {
                known.push((at, one));
            }
        }
    }
    let series = by_labels
        .values()
        .flat_map(|histograms| cumulative(histograms, &bounds));
    Ok(series
        .filter(|series| selector.accepts_labels(&series.labels))
        .collect())
}

fn cumulative(histograms: &[(Timestamp, &Native)], bounds: &[f64]) -> Vec<Series> {
    let Some((_, first)) = histograms.first() else {
        return Vec::new();
    };
    let mut series: Vec<Series> = bounds
        .iter()
        .map(|bound| {
            let mut labels = first.labels.clone();
            labels.insert("__name__".to_owned(), format!("{}_bucket", first.family));
            labels.insert("le".to_owned(), spelled(*bound));
            let points = Vec::with_capacity(histograms.len());
            Series { labels, points }
        })
        .collect();
    for (at, one) in histograms {
        let mut buckets = one.buckets.iter().peekable();
        let mut below = 0.0;
        for (bound, series) in bounds.iter().zip(&mut series) {
            while let Some((_, count)) = buckets.next_if(|(upper, _)| upper <= bound) {
                below += count;
            }
            // What is no number is measured, too, and in no bucket.
            let value = if bound.is_finite() { below } else { one.count };
            series.points.push(Point { at: *at, value });
        }
    }
    series
}

impl std::fmt::Display for Layout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            schema,
            zero_threshold,
        } = self;
        write!(f, "{schema} with zero up to {zero_threshold}")
    }
}

#[cfg(test)]
mod tests;
