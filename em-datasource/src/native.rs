//! Native histograms: as the cumulative buckets of which a classic one is made.
//!
//! Empty buckets are left out, so that which there are differs from time to time and from series to
//! series. All series of a query get the same boundaries, each with a value at every time: so they
//! can be merged. A boundary that a histogram does not know was crossed by as many as the next lower
//! one that it knows.

use em_core::port::{Labels, Point, Series};
use jiff::Timestamp;

use crate::spelled::spelled;

/// What lies in one bucket, and in no other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Bucket {
    pub(crate) lower: f64,
    pub(crate) upper: f64,
    pub(crate) count: f64,
}

/// What a native histogram had counted at one time.
#[derive(Debug, Clone)]
pub(crate) struct Counted {
    /// In order of their ends; the last one may have none.
    pub(crate) buckets: Vec<Bucket>,
    /// All that was measured: what is no number is in no bucket.
    count: f64,
}

impl Counted {
    pub(crate) fn new(mut buckets: Vec<Bucket>, count: f64) -> Self {
        buckets.sort_by(|one, other| one.upper.total_cmp(&other.upper));
        Self { buckets, count }
    }
}

/// One native histogram over time.
#[derive(Debug)]
pub(crate) struct Course<'c> {
    /// Its name, to which `_bucket` is added.
    pub(crate) family: &'c str,
    pub(crate) labels: &'c Labels,
    pub(crate) counted: Vec<(Timestamp, &'c Counted)>,
}

/// One series per histogram and boundary.
pub(crate) fn classic(courses: &[Course<'_>]) -> Vec<Series> {
    let bounds = bounds(courses);
    let series = courses.iter().flat_map(|course| course.cumulative(&bounds));
    series.collect()
}

/// The boundaries that all know, the infinite one the last.
///
/// Buckets may be of several widths: whoever has too many doubles their width. A boundary inside a
/// wider bucket of another says nothing about what lies there, so it is left out. Wide boundaries
/// are narrow ones too: what stays is exact.
fn bounds(courses: &[Course<'_>]) -> Vec<f64> {
    let buckets = || {
        let counted = courses.iter().flat_map(|course| &course.counted);
        counted.flat_map(|(_, one)| &one.buckets)
    };
    let mut bounds: Vec<f64> = buckets().map(|bucket| bucket.upper).collect();
    bounds.push(f64::INFINITY);
    bounds.sort_by(f64::total_cmp);
    bounds.dedup();
    let mut is_inside = vec![false; bounds.len()];
    for Bucket {
        lower,
        upper,
        count,
    } in buckets()
    {
        let from = bounds.partition_point(|bound| bound <= lower);
        let to = bounds.partition_point(|bound| bound < upper);
        if *count > 0.0 {
            let inside = is_inside.get_mut(from..to).unwrap_or_default();
            inside.fill(true);
        }
    }
    let known = bounds.into_iter().zip(is_inside);
    let known = known.filter(|(_, is_inside)| !is_inside);
    known.map(|(bound, _)| bound).collect()
}

impl Course<'_> {
    fn cumulative(&self, bounds: &[f64]) -> Vec<Series> {
        let mut series: Vec<Series> = bounds
            .iter()
            .map(|bound| {
                let mut labels = self.labels.clone();
                labels.insert("__name__".to_owned(), format!("{}_bucket", self.family));
                labels.insert("le".to_owned(), spelled(*bound));
                let points = Vec::with_capacity(self.counted.len());
                Series { labels, points }
            })
            .collect();
        for (at, one) in &self.counted {
            let mut buckets = one.buckets.iter().peekable();
            let mut below = 0.0;
            for (bound, series) in bounds.iter().zip(&mut series) {
                while let Some(bucket) = buckets.next_if(|next| next.upper <= *bound) {
                    below += bucket.count;
                }
                let value = if bound.is_finite() { below } else { one.count };
                series.points.push(Point { at: *at, value });
            }
        }
        series
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(buckets: &[(f64, f64, f64)], count: f64) -> Counted {
        let buckets = buckets.iter().map(|(lower, upper, count)| Bucket {
            lower: *lower,
            upper: *upper,
            count: *count,
        });
        Counted::new(buckets.collect(), count)
    }

    /// The last value of each histogram by boundary.
    fn told(histograms: &[&Counted]) -> Vec<(String, f64)> {
        let labels = Labels::new();
        let course = |one| Course {
            family: "x",
            labels: &labels,
            counted: vec![(Timestamp::UNIX_EPOCH, one)],
        };
        let courses: Vec<_> = histograms.iter().copied().map(course).collect();
        let series = classic(&courses);
        let told = series
            .iter()
            .map(|one| (one.labels["le"].clone(), one.points[0].value));
        told.collect()
    }

    fn wanted(values: &[(&str, f64)]) -> Vec<(String, f64)> {
        let values = values.iter();
        values
            .map(|(le, value)| ((*le).to_owned(), *value))
            .collect()
    }

    #[test]
    fn histograms_of_different_ranges_have_the_same_boundaries() {
        let low = counted(&[(0.5, 1.0, 3.0), (1.0, 2.0, 4.0)], 7.0);
        let high = counted(&[(1e6, 2e6, 5.0)], 6.0);
        let all = [
            ("1", 3.0),
            ("2", 7.0),
            ("2e+06", 7.0),
            ("+Inf", 7.0),
            ("1", 0.0),
            ("2", 0.0),
            ("2e+06", 5.0),
            ("+Inf", 6.0),
        ];
        assert_eq!(told(&[&low, &high]), wanted(&all));
    }

    #[test]
    fn of_wide_and_narrow_buckets_the_wide_ones_count() {
        let narrow = counted(&[(1.0, 1.5, 3.0), (1.5, 2.0, 4.0), (4.0, 5.0, 1.0)], 8.0);
        let wide = counted(&[(1.0, 2.0, 10.0), (2.0, 4.0, 0.0)], 10.0);
        // Nobody has anything around 5 but the narrow one: it stays.
        let all = [
            ("2", 7.0),
            ("4", 7.0),
            ("5", 8.0),
            ("+Inf", 8.0),
            ("2", 10.0),
            ("4", 10.0),
            ("5", 10.0),
            ("+Inf", 10.0),
        ];
        assert_eq!(told(&[&narrow, &wide]), wanted(&all));
    }

    #[test]
    fn a_bucket_without_an_end_is_what_is_left() {
        let one = counted(&[(0.0, 1.0, 2.0), (1.0, f64::INFINITY, 3.0)], 5.0);
        assert_eq!(told(&[&one]), wanted(&[("1", 2.0), ("+Inf", 5.0)]));
        // Above its start nothing is told apart.
        let other = counted(&[(2.0, 3.0, 1.0)], 1.0);
        let all = [("1", 2.0), ("+Inf", 5.0), ("1", 0.0), ("+Inf", 1.0)];
        assert_eq!(told(&[&one, &other]), wanted(&all));
    }
}
