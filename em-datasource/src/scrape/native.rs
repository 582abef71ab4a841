//! Native histograms of a page.
//!
//! A boundary may turn up late: its series begins where the others do, so all looks of an iteration
//! are told with the last one.

use std::collections::BTreeMap;

use em_core::id::OpKey;
use em_core::port::{Labels, OpContext, Series};
use jiff::Timestamp;

use super::protobuf::either;
use super::wire::{Histogram, Span};
use crate::instant::instant;
use crate::native::{Bucket, Counted, Course, classic};
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
    counted: Counted,
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
        let layout = Layout {
            schema,
            zero_threshold: histogram.zero_threshold,
        };
        let negative = placed(
            &histogram.negative_spans,
            &counts(&histogram.negative_deltas, &histogram.negative_counts)?,
        )?;
        let positive = placed(
            &histogram.positive_spans,
            &counts(&histogram.positive_deltas, &histogram.positive_counts)?,
        )?;
        let positive = positive
            .into_iter()
            .map(|(index, count)| layout.bucket(index, count));
        let below = negative.into_iter().map(|(index, count)| {
            let mirrored = layout.bucket(index, count);
            Bucket {
                lower: -mirrored.upper,
                upper: -mirrored.lower,
                count,
            }
        });
        let zero = Bucket {
            lower: -layout.zero_threshold,
            upper: layout.zero_threshold,
            count: either(histogram.float_zero_count, histogram.zero_count),
        };
        let zero = Some(zero).filter(|zero| zero.count > 0.0);
        let buckets = below.chain(zero).chain(positive).collect();
        Ok(Self {
            family,
            labels,
            at,
            layout,
            counted: Counted::new(buckets, histogram.total()),
        })
    }
}

impl Layout {
    /// What lies on the positive side at this index.
    fn bucket(self, index: f64, count: f64) -> Bucket {
        // 2^(index / 2^schema): each boundary is the last one times the same factor.
        let bound = |index: f64| (index * f64::from(-self.schema).exp2()).exp2();
        let upper = bound(index);
        Bucket {
            // What is near zero lies in a bucket of its own.
            lower: bound(index - 1.0).max(self.zero_threshold).min(upper),
            upper,
            count,
        }
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
    let mut courses: BTreeMap<&Labels, Course<'_>> = BTreeMap::new();
    for seen in looks {
        for one in &seen.natives {
            let at = one.at.and_then(instant).unwrap_or(seen.at);
            let course = courses.entry(&one.labels).or_insert_with(|| Course {
                family: &one.family,
                labels: &one.labels,
                counted: Vec::new(),
            });
            // A page that tells its own times may not have moved on.
            if course.counted.last().is_none_or(|(last, _)| *last < at) {
                course.counted.push((at, &one.counted));
            }
        }
    }
    let courses: Vec<_> = courses.into_values().collect();
    let mut series = classic(&courses);
    series.retain(|series| selector.accepts_labels(&series.labels));
    Ok(series)
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
