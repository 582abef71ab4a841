//! From a page to the series that a selector means. Pure.

use std::collections::BTreeMap;

use em_core::expression::closest;
use em_core::port::{Labels, Point, Series};
use em_core::read::ReadSample;
use em_core::read::exposition::{Exposition, MetricKind};
use jiff::Timestamp;

use super::form::Page;
use super::native::Native;
use crate::instant::instant;
use crate::selector::Selector;

/// The selected series, each with one point: at the page's own time where it says one, else at `now`.
pub(super) fn select(page: &Exposition, selector: &Selector, now: Timestamp) -> Vec<Series> {
    let names = names(page, selector);
    let mut series: BTreeMap<Labels, Point> = BTreeMap::new();
    for sample in &page.samples {
        if names.contains(&sample.name.as_str()) && selector.accepts(sample) {
            let mut labels = sample.labels.clone();
            labels.insert("__name__".to_owned(), sample.name.clone());
            let at = sample.at.and_then(instant).unwrap_or(now);
            let value = sample.value;
            series.insert(labels, Point { at, value });
        }
    }
    let series = series.into_iter().map(|(labels, point)| Series {
        labels,
        points: vec![point],
    });
    series.collect()
}

/// The samples that a name means. Whole histograms come with their sums.
fn names<'n>(page: &'n Exposition, selector: &'n Selector) -> Vec<&'n str> {
    let name = selector.name.as_str();
    let is_family = page.families.get(name).is_some_and(|family| {
        matches!(
            family.kind,
            MetricKind::Histogram | MetricKind::GaugeHistogram
        )
    });
    let stem = if is_family {
        Some(name)
    } else {
        name.strip_suffix("_bucket")
    };
    let mut names = vec![name];
    // One bucket by its bound is a counter like any other.
    if let Some(stem) = stem.filter(|_| !selector.names("le")) {
        let parts = ["_bucket", "_sum"];
        let of_stem = |sample: &&ReadSample| {
            let part = sample.name.strip_prefix(stem);
            part.is_some_and(|part| parts.contains(&part))
        };
        names.extend(
            page.samples
                .iter()
                .filter(of_stem)
                .map(|sample| sample.name.as_str()),
        );
        names.sort_unstable();
        names.dedup();
    }
    names
}

/// The native histograms that a selector means, whatever it says of their boundaries.
pub(super) fn natives(page: &Page, selector: &Selector) -> Vec<Native> {
    let name = selector.name.as_str();
    let stem = name.strip_suffix("_bucket").unwrap_or(name);
    let natives = page.natives.iter();
    natives
        .filter(|one| one.family == stem || one.family == name)
        .cloned()
        .collect()
}

/// What to say of a selector that selects nothing.
pub(super) fn nothing(page: &Page, selector: &Selector) -> String {
    let (page, name) = (&page.exposition, &selector.name);
    if page.samples.iter().any(|sample| sample.name == *name) {
        return format!("no series of {name} has such labels");
    }
    let known = page.samples.iter().map(|sample| sample.name.as_str());
    match closest(name, known) {
        Some(near) => format!("the page has no {name} (did you mean {near}?)"),
        None => format!("the page has no {name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use em_core::read::exposition::ExpositionFormat;

    const PAGE: &str = "\
# TYPE http_requests_total counter
http_requests_total{code=\"200\"} 1027
http_requests_total{code=\"500\"} 3 1395066363000
# TYPE latency_seconds histogram
latency_seconds_bucket{le=\"0.1\"} 5
latency_seconds_bucket{le=\"+Inf\"} 9
latency_seconds_sum 2.5
latency_seconds_count 9
";

    fn selected(query: &str) -> Vec<Series> {
        let page = Exposition::parse(PAGE, ExpositionFormat::Prometheus).unwrap();
        let selector = Selector::parse(query).unwrap();
        select(&page, &selector, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn a_sample_is_of_the_pages_time_where_it_says_one() {
        let series = selected("http_requests_total");
        let seen: Vec<(f64, i64)> = series
            .iter()
            .map(|one| (one.points[0].value, one.points[0].at.as_second()))
            .collect();
        assert_eq!(seen, [(1027.0, 0), (3.0, 1_395_066_363)]);
        assert_eq!(selected("http_requests_total{code=\"500\"}").len(), 1);
        assert_eq!(selected("http_requests").len(), 0);
    }

    #[test]
    fn a_histogram_is_its_buckets_and_its_sum_whichever_name_is_used() {
        for query in ["latency_seconds", "latency_seconds_bucket"] {
            let names: Vec<String> = selected(query)
                .iter()
                .map(|one| one.labels["__name__"].clone())
                .collect();
            let (bucket, sum) = ("latency_seconds_bucket", "latency_seconds_sum");
            assert_eq!(names, [bucket, bucket, sum], "{query}");
        }
        assert_eq!(selected("latency_seconds_bucket{le=\"0.1\"}").len(), 1);
        assert_eq!(selected("latency_seconds_count").len(), 1);
    }

    #[test]
    fn what_is_not_there_is_said_with_what_is_near() {
        let page = Page {
            exposition: Exposition::parse(PAGE, ExpositionFormat::Prometheus).unwrap(),
            natives: Vec::new(),
        };
        let said = |query: &str| nothing(&page, &Selector::parse(query).unwrap());
        assert_eq!(
            said("http_request_total"),
            "the page has no http_request_total (did you mean http_requests_total?)"
        );
        assert_eq!(
            said("http_requests_total{code=\"1\"}"),
            "no series of http_requests_total has such labels"
        );
    }
}
