//! The built-in summarizer over each form of observation.

use em_core::id::CycleNo;
use em_core::observe::{
    HistogramBlob, Kept, MetricSummary, Observations, Observed, Replication, Statistic, TimedValue,
    Window,
};
use em_core::port::Summarizer;
use em_summarize::BuiltIn;
use hdrhistogram::serialization::{Serializer, V2Serializer};
use jiff::Timestamp;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).expect("a time of this century")
}

fn stretches(observed: impl IntoIterator<Item = Observed>) -> Observations {
    let kept = observed
        .into_iter()
        .zip(0_u32..)
        .map(|(observed, batch)| Kept {
            cycle: CycleNo(batch / 2),
            batch,
            window: Window {
                start: at(i64::from(batch)),
                end: at(i64::from(batch) + 1),
            },
            observed,
        });
    Observations {
        kept: kept.collect(),
        replication: Replication::Window,
    }
}

fn values(values: &[f64]) -> Observed {
    let points = values.iter().zip(0..).map(|(value, i)| TimedValue {
        at: at(i),
        value: *value,
    });
    Observed::Values {
        points: points.collect(),
    }
}

fn histogram(microseconds: &[u64]) -> Observed {
    let mut histogram = hdrhistogram::Histogram::<u64>::new(3).expect("three digits are allowed");
    for value in microseconds {
        histogram
            .record(*value)
            .expect("histograms of tests grow by themselves");
    }
    let mut encoded = Vec::new();
    V2Serializer::new()
        .serialize(&histogram, &mut encoded)
        .expect("memory takes all bytes");
    let seconds = microseconds
        .iter()
        .map(|v| f64::from(u32::try_from(*v).expect("small")) * 1e-6);
    let seconds: Vec<f64> = seconds.collect();
    Observed::Histogram(HistogramBlob {
        unit: 1e-6,
        count: microseconds.len() as u64,
        min: seconds.iter().copied().reduce(f64::min),
        max: seconds.iter().copied().reduce(f64::max),
        sum: seconds.iter().sum(),
        sum_of_squares: seconds.iter().map(|s| s * s).sum(),
        encoded,
    })
}

fn summary(seen: &Observations, wanted: &[&str]) -> MetricSummary {
    let wanted: Vec<Statistic> = wanted
        .iter()
        .map(|name| name.parse().expect("a statistic"))
        .collect();
    BuiltIn.summarize(seen, &wanted)
}

fn number(summary: &MetricSummary, name: &str) -> f64 {
    summary
        .estimates
        .get(name)
        .unwrap_or_else(|| panic!("{name}: {:?}", summary.problems))
        .value
}

fn assert_near(got: f64, want: f64, relative: f64) {
    assert!(
        (got / want - 1.0).abs() < relative,
        "got {got}, want {want}"
    );
}

#[test]
fn values_have_everything_but_what_only_a_counter_has() {
    let seen = stretches([values(&[3.0, 1.0]), values(&[2.0, 4.0]), values(&[5.0])]);
    let all = summary(
        &seen,
        &[
            "count", "min", "max", "mean", "median", "sd", "last", "p75", "rate",
        ],
    );
    let wanted = [
        ("count", 5.0),
        ("min", 1.0),
        ("max", 5.0),
        ("mean", 3.0),
        ("median", 3.0),
    ];
    for (name, want) in wanted.into_iter().chain([("last", 5.0), ("p75", 4.0)]) {
        assert_near(number(&all, name), want, 1e-12);
    }
    assert_near(number(&all, "sd"), 2.5_f64.sqrt(), 1e-12);
    assert_eq!(all.estimates["p75"].quantile_type, Some(7));
    assert_eq!(all.problems, ["rate: only a counter has it (as: counter)"]);
    assert_eq!(
        (all.cycles, all.window),
        (
            2,
            Some(Window {
                start: at(0),
                end: at(3)
            })
        )
    );
}

#[test]
fn value_is_the_last_of_each_cycle_and_its_interval_is_over_cycles() {
    let seen = stretches([
        values(&[9.0]),
        values(&[1.0]),
        values(&[7.0]),
        values(&[3.0]),
    ]);
    let all = summary(&seen, &["value"]);
    let value = &all.estimates["value"];
    assert_near(value.value, 2.0, 1e-12);
    assert_eq!((value.n, value.replication), (2, Replication::Window));
    assert_eq!(
        value.interval.as_ref().map(|i| i.method.as_str()),
        Some("Student t over 2 cycles")
    );
}

#[test]
fn a_short_series_has_a_mean_without_interval_and_says_why() {
    let all = summary(&stretches([values(&[1.0, 2.0, 1.5])]), &["mean"]);
    let mean = &all.estimates["mean"];
    assert_eq!(mean.interval, None);
    assert!(
        mean.estimator.contains("insufficient"),
        "{}",
        mean.estimator
    );
}

#[test]
fn a_counter_is_the_sum_of_its_increases_over_the_time_they_took() {
    let stretch = |increase, resets| Observed::Counter {
        increase,
        seconds: 2.0,
        resets,
    };
    let all = summary(
        &stretches([stretch(10.0, 0), stretch(30.0, 1)]),
        &["rate", "total", "mean"],
    );
    assert_near(number(&all, "rate"), 10.0, 1e-12);
    assert_near(number(&all, "total"), 40.0, 1e-12);
    assert_eq!((all.resets, all.problems.len()), (1, 1));
}

#[test]
fn a_rate_over_ten_stretches_has_an_interval_around_the_pooled_rate() {
    let stretch = |i: u32| Observed::Counter {
        increase: 100.0 + f64::from(i * 7 % 5),
        seconds: 1.0,
        resets: 0,
    };
    let all = summary(&stretches((0..12).map(stretch)), &["rate"]);
    let rate = &all.estimates["rate"];
    let interval = rate.interval.clone().expect("twelve groups");
    assert!(interval.low < Some(rate.value) && interval.high > Some(rate.value));
    assert_eq!(rate.effective_n, Some(12.0));
}

#[test]
fn percentiles_come_from_merged_histograms() {
    let quiet: Vec<u64> = (0..900).map(|i| 1000 + i % 10).collect();
    let bad = vec![50_000; 100];
    let all = summary(
        &stretches([histogram(&quiet), histogram(&bad)]),
        &[
            "p50", "p99", "mean", "min", "max", "count", "sd", "cv", "total", "value",
        ],
    );
    assert_near(number(&all, "p50"), 1.004e-3, 2e-3);
    assert_near(number(&all, "p99"), 0.05, 1e-3);
    assert_near(number(&all, "max"), 0.05, 1e-12);
    assert_near(number(&all, "min"), 1e-3, 1e-12);
    assert_near(
        number(&all, "mean"),
        (900.0 * 1.0045e-3 + 100.0 * 0.05) / 1000.0,
        1e-9,
    );
    assert_eq!(all.estimates["p99"].quantile_type, Some(1));
    assert_eq!(all.problems.len(), 1);
}

#[test]
fn a_p99_of_few_requests_has_one_bound_and_ten_full_windows_make_it_an_interval() {
    let window = |i: u64, n: u64| {
        histogram(
            &(0..n)
                .map(|k| 1000 + (k * 37 + i * 11) % 500)
                .collect::<Vec<_>>(),
        )
    };
    let few = summary(&stretches([window(0, 100)]), &["p99"]);
    let bound = few.estimates["p99"].interval.clone().expect("one side");
    assert!(bound.low.is_some() && bound.high.is_none());
    let many = summary(&stretches((0..12).map(|i| window(i, 500))), &["p99"]);
    let p99 = &many.estimates["p99"];
    let interval = p99.interval.clone().expect("twelve windows of 500");
    assert!(interval.method.contains("12 groups"), "{}", interval.method);
    assert_eq!(p99.effective_n, Some(12.0));
}

#[test]
fn buckets_are_added_and_a_percentile_knows_its_bucket() {
    let bounds = vec![Some(0.1), Some(0.25), None];
    let stretch = |counts: [f64; 3]| Observed::Buckets {
        bounds: bounds.clone(),
        counts: counts.to_vec(),
        sum: Some(5.0),
        resets: 0,
    };
    let seen = stretches([stretch([20.0, 45.0, 50.0]), stretch([30.0, 50.0, 50.0])]);
    let all = summary(&seen, &["p90", "mean", "count", "max"]);
    assert_near(number(&all, "p90"), 0.233_333_333_333_333_34, 1e-12);
    assert_near(number(&all, "mean"), 0.1, 1e-12);
    let interval = all.estimates["p90"].interval.clone().expect("a bucket");
    assert_eq!((interval.low, interval.high), (Some(0.1), Some(0.25)));
    assert_eq!(all.problems.len(), 1);
}

#[test]
fn nothing_kept_mixed_forms_and_broken_blobs_give_reasons_and_no_numbers() {
    let nothing = summary(&stretches([]), &["mean"]);
    assert!(nothing.estimates.is_empty() && nothing.problems.len() == 1);
    let counter = Observed::Counter {
        increase: 1.0,
        seconds: 1.0,
        resets: 0,
    };
    let mixed = summary(&stretches([values(&[1.0]), counter]), &["mean"]);
    assert!(
        mixed.problems[0].contains("different forms"),
        "{:?}",
        mixed.problems
    );
    let Observed::Histogram(blob) = histogram(&[1]) else {
        panic!("a histogram")
    };
    let broken = Observed::Histogram(HistogramBlob {
        encoded: vec![1, 2],
        ..blob
    });
    let broken = summary(&stretches([broken]), &["p50"]);
    assert!(
        broken.problems[0].contains("HDR V2"),
        "{:?}",
        broken.problems
    );
}

#[test]
fn values_that_are_not_finite_are_left_out_and_counted() {
    let all = summary(&stretches([values(&[1.0, f64::NAN, 3.0])]), &["mean"]);
    assert_near(number(&all, "mean"), 2.0, 1e-12);
    assert_eq!(all.non_finite, 1);
}
