use super::*;
use crate::plan::{During, Lag, Query};
use crate::template::Template;
use crate::value::Unit;

#[test]
fn two_series_under_the_rule_single_are_an_error_that_names_them() {
    let series = [
        series(&[("pod", "a")], &[(0, 1.0)]),
        series(&[("pod", "b")], &[(0, 2.0)]),
    ];
    let error = fold(
        &a_metric(MetricKind::Gauge, Fold::Single),
        &series,
        stretch(0, 10),
    );
    assert_eq!(
        error.unwrap_err().to_string(),
        "the query answers 2 series, such as {pod=\"a\"} and {pod=\"b\"}: narrow it down, or say how they become one \
         (fold: sum, mean, min, max)"
    );
}

#[test]
fn series_are_folded_at_each_instant_before_they_are_folded_over_time() {
    let series = [
        series(&[("pod", "a")], &[(0, 1.0), (5, 2.0), (10, 100.0)]),
        series(&[("pod", "b")], &[(0, 10.0), (5, 20.0)]),
    ];
    let folded = fold(
        &a_metric(MetricKind::Gauge, Fold::Sum),
        &series,
        stretch(0, 10),
    )
    .unwrap();
    assert_eq!(
        values(&folded),
        [11.0, 22.0],
        "the end of a window is not in it"
    );
    let folded = fold(
        &a_metric(MetricKind::Gauge, Fold::Mean),
        &series,
        stretch(0, 10),
    )
    .unwrap();
    assert_eq!(values(&folded), [5.5, 11.0]);
}

#[test]
fn series_with_the_same_instants_are_folded_as_those_without() {
    let aligned = [
        series(&[("pod", "a")], &[(0, 1.0), (5, f64::NAN), (9, 3.0)]),
        series(&[("pod", "b")], &[(0, 10.0), (5, 20.0), (9, 30.0)]),
    ];
    let mut metric = a_metric(MetricKind::Gauge, Fold::Sum);
    metric.on_nan = WhenMissing::Skip;
    let one = fold(&metric, &aligned, stretch(0, 10)).unwrap();
    assert_eq!((values(&one), one.non_finite), (vec![11.0, 20.0, 33.0], 1));
    // One more instant of one of them: no longer side by side.
    let mut apart = aligned.to_vec();
    apart[0] = series(
        &[("pod", "a")],
        &[(0, 1.0), (5, f64::NAN), (7, 7.0), (9, 3.0)],
    );
    let other = fold(&metric, &apart, stretch(0, 10)).unwrap();
    assert_eq!(values(&other), [11.0, 20.0, 7.0, 33.0]);
    assert_eq!(other.non_finite, 1);
}

#[test]
fn the_value_of_a_cycle_is_the_one_at_its_end() {
    let series = [series(&[], &[(0, 1.0), (5, 2.0), (10, 3.0), (15, 4.0)])];
    let folded = fold(
        &a_metric(MetricKind::Value, Fold::Single),
        &series,
        stretch(0, 10),
    )
    .unwrap();
    assert_eq!(values(&folded), [3.0]);
}

#[test]
fn a_counter_grows_by_its_differences_and_by_what_it_counted_since_a_reset() {
    let points = [(0, 100.0), (15, 110.0), (30, 120.0), (45, 5.0), (60, 15.0)];
    let series = [series(&[], &points)];
    let folded = fold(
        &a_metric(MetricKind::Counter, Fold::Single),
        &series,
        stretch(0, 60),
    );
    assert_eq!(folded.unwrap().observed, Some(counter_of(35.0, 60.0, 1)));
}

#[test]
fn neighbouring_cycles_lose_nothing_between_them() {
    let series = [series(&[], &[(1, 0.0), (4, 30.0), (7, 60.0), (9, 80.0)])];
    let metric = a_metric(MetricKind::Counter, Fold::Single);
    let first = fold(&metric, &series, stretch(0, 5)).unwrap();
    let next = Stretch {
        window: window(5, 10),
        reach_back: at(0),
    };
    let second = fold(&metric, &series, next).unwrap();
    assert_eq!(first.observed, Some(counter_of(30.0, 3.0, 0)));
    assert_eq!(second.observed, Some(counter_of(50.0, 5.0, 0)));
    let alone = fold(&metric, &series, stretch(5, 10)).unwrap();
    assert_eq!(alone.observed, Some(counter_of(20.0, 2.0, 0)));
}

#[test]
fn what_is_not_finite_is_judged_by_the_rule_of_the_metric() {
    let series = [series(&[], &[(0, 1.0), (5, f64::NAN)])];
    let with = |rule| Metric {
        on_nan: rule,
        ..a_metric(MetricKind::Gauge, Fold::Single)
    };
    let error = fold(&with(WhenMissing::Fail), &series, stretch(0, 10)).unwrap_err();
    assert!(error.to_string().contains("is NaN"), "{error}");
    let skipped = fold(&with(WhenMissing::Skip), &series, stretch(0, 10)).unwrap();
    assert_eq!((values(&skipped), skipped.non_finite), (vec![1.0], 1));
    let zero = fold(&with(WhenMissing::Zero), &series, stretch(0, 10)).unwrap();
    assert_eq!(values(&zero), [1.0, 0.0]);
}

#[test]
fn what_is_empty_is_judged_by_the_rule_of_the_metric() {
    let with = |rule| Metric {
        on_empty: rule,
        ..a_metric(MetricKind::Counter, Fold::Single)
    };
    let error = fold(&with(WhenMissing::Fail), &[], stretch(0, 10)).unwrap_err();
    assert!(
        error.to_string().starts_with("there is no value from"),
        "{error}"
    );
    let skipped = fold(&with(WhenMissing::Skip), &[], stretch(0, 10)).unwrap();
    assert_eq!(skipped.observed, None);
    let zero = fold(&with(WhenMissing::Zero), &[], stretch(0, 10)).unwrap();
    assert_eq!(zero.observed, Some(counter_of(0.0, 10.0, 0)));
}

#[test]
fn values_are_scaled_to_the_base_unit_before_they_are_judged() {
    let metric = Metric {
        scale: 1e-3,
        valid: Some((0.0, 1.0)),
        ..a_metric(MetricKind::Gauge, Fold::Single)
    };
    let good = [series(&[], &[(0, 900.0)])];
    assert_eq!(
        values(&fold(&metric, &good, stretch(0, 10)).unwrap()),
        [0.9]
    );
    let bad = [series(&[], &[(0, 1100.0)])];
    let error = fold(&metric, &bad, stretch(0, 10)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the value 1.1 is outside 0 to 1, which the file calls valid"
    );
}

#[test]
fn histograms_of_several_pods_are_merged_bucket_by_bucket() {
    let bucket = |pod, le, last| series(&[("pod", pod), ("le", le)], &[(0, 10.0), (10, last)]);
    let all = [
        bucket("a", "+Inf", 40.0),
        bucket("a", "0.1", 20.0),
        bucket("b", "0.1", 15.0),
        bucket("b", "+Inf", 20.0),
        series(
            &[("pod", "a"), ("__name__", "x_sum")],
            &[(0, 1.0), (10, 4.0)],
        ),
        series(
            &[("pod", "b"), ("__name__", "x_sum")],
            &[(0, 1.0), (10, 2.0)],
        ),
    ];
    let folded = fold(
        &a_metric(MetricKind::Histogram, Fold::Merge),
        &all,
        stretch(0, 10),
    );
    let expected = Observed::Buckets {
        bounds: vec![Some(0.1), None],
        counts: vec![15.0, 40.0],
        sum: Some(4.0),
        resets: 0,
    };
    assert_eq!(folded.unwrap().observed, Some(expected));
    let single = fold(
        &a_metric(MetricKind::Histogram, Fold::Single),
        &all,
        stretch(0, 10),
    );
    assert!(matches!(single, Err(FoldError::Several { count: 2, .. })));
}

#[test]
fn series_without_buckets_make_no_histogram() {
    let series = [series(&[("__name__", "x")], &[(0, 1.0), (5, 2.0)])];
    let error = fold(
        &a_metric(MetricKind::Histogram, Fold::Merge),
        &series,
        stretch(0, 10),
    );
    assert!(matches!(error, Err(FoldError::NoBuckets { .. })));
}

fn a_metric(kind: MetricKind, fold: Fold) -> Metric {
    Metric {
        name: "m".parse().unwrap(),
        datasource: "d".parse().unwrap(),
        query: Query {
            text: Template::parse("q").unwrap(),
        },
        kind,
        unit: Unit::Dimensionless,
        scale: 1.0,
        fold,
        during: During::Measure,
        on_empty: WhenMissing::Fail,
        on_nan: WhenMissing::Fail,
        valid: None,
        required: true,
        timeout: std::time::Duration::from_secs(1),
        attempts: 1,
        lag: Lag::Auto,
        compare: crate::plan::Compare::Neither,
        summarizer: "built-in".to_owned(),
    }
}

fn series(labels: &[(&str, &str)], points: &[(i64, f64)]) -> Series {
    let labels = labels
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let points = points.iter().map(|(second, value)| Point {
        at: at(*second),
        value: *value,
    });
    Series {
        labels: labels.collect(),
        points: points.collect(),
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn window(start: i64, end: i64) -> Window {
    Window {
        start: at(start),
        end: at(end),
    }
}

fn stretch(start: i64, end: i64) -> Stretch {
    Stretch::alone(window(start, end))
}

fn values(folded: &Folded) -> Vec<f64> {
    match &folded.observed {
        Some(Observed::Values { points }) => points.iter().map(|point| point.value).collect(),
        other => panic!("no values: {other:?}"),
    }
}

fn counter_of(increase: f64, seconds: f64, resets: u32) -> Observed {
    Observed::Counter {
        increase,
        seconds,
        resets,
    }
}
