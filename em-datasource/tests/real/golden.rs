//! Known answers: through raw samples, and through the server's own functions.

use std::fmt::Write as _;
use std::sync::Arc;

use em_core::fold::{Stretch, fold};
use em_core::observe::{Observed, Window};
use em_core::plan::MetricKind::{self, Counter, Value};
use em_core::plan::{Compare, During, Fold, Lag, Metric, Query, WhenMissing};
use em_core::port::{Clock as _, SystemClock};
use em_core::testkit::conformance::{self, DatasourceScene};
use em_core::value::Unit;
use em_datasource::PrometheusDatasource;

use crate::asking::{asked, only, plain, query, source, window};
use crate::servers::{T0, prometheus};
use crate::writing::{STALE, Sample, TimeSeries, labels, write};

/// The series of the golden values: a steady counter, one that is reset, a histogram.
fn data() -> String {
    let mut text = String::from("# TYPE c counter\n");
    for step in 0..=10 {
        writeln!(text, "c_total {} {}", 5 + step * 10, T0 + step * 15).unwrap();
    }
    text.push_str("# TYPE r counter\n");
    for (step, value) in (0..).zip([100, 110, 120, 5, 15, 25, 35, 45, 55]) {
        writeln!(text, "r_total {value} {}", T0 + step * 15).unwrap();
    }
    text.push_str("# TYPE h histogram\n");
    for step in 0..=8 {
        for (le, count) in [("0.1", 50), ("0.25", 95), ("+Inf", 100)] {
            let at = T0 + step * 15;
            writeln!(text, "h_bucket{{le=\"{le}\"}} {} {at}", step * count).unwrap();
        }
        let at = T0 + step * 15;
        writeln!(
            text,
            "h_count {} {at}\nh_sum {} {at}",
            step * 100,
            step * 12
        )
        .unwrap();
    }
    text
}

pub(crate) fn metric(kind: MetricKind, fold: Fold) -> Metric {
    Metric {
        name: "m".parse().unwrap(),
        datasource: "prom".parse().unwrap(),
        query: Query {
            text: em_core::template::Template::parse("m").unwrap(),
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
        timeout: std::time::Duration::from_secs(10),
        attempts: 1,
        lag: Lag::Auto,
        compare: Compare::Neither,
        summarizer: "built-in".to_owned(),
    }
}

pub(crate) async fn folded(
    source: &PrometheusDatasource,
    text: &str,
    how: &Metric,
    over: Window,
) -> Observed {
    let answer = query(source, how.kind, text, over).await.unwrap();
    let folded = fold(how, &answer.series, Stretch::alone(over)).unwrap();
    folded.observed.unwrap()
}

#[tokio::test]
#[ignore = "needs prometheus: tests/run datasources"]
async fn exact_increases_need_no_extrapolation() {
    let server = prometheus(&data(), &[]);
    let source = source(&plain(&server.url));
    let counter = metric(Counter, Fold::Single);
    // 15 s, ..., 105 s: six steps of 10.
    let seen = folded(&source, "c_total", &counter, window(15, 105)).await;
    let wanted = Observed::Counter {
        increase: 60.0,
        seconds: 90.0,
        resets: 0,
    };
    assert_eq!(seen, wanted);
    // 100 110 120 5 15 ... 55: 10 + 10 + (reset, then 5) + 5 x 10.
    let seen = folded(&source, "r_total", &counter, window(0, 120)).await;
    let wanted = Observed::Counter {
        increase: 75.0,
        seconds: 120.0,
        resets: 1,
    };
    assert_eq!(seen, wanted);
    // Between two scrapes nothing is made up.
    let none = query(&source, Counter, "c_total", window(16, 29))
        .await
        .unwrap();
    assert!(none.series.is_empty());
}

#[tokio::test]
#[ignore = "needs prometheus: tests/run datasources"]
async fn buckets_keep_what_quantiles_are_made_of() {
    let server = prometheus(&data(), &[]);
    let source = source(&plain(&server.url));
    let histogram = metric(MetricKind::Histogram, Fold::Merge);
    let Observed::Buckets {
        bounds,
        counts,
        sum,
        ..
    } = folded(&source, "h_bucket", &histogram, window(0, 120)).await
    else {
        panic!("it is no histogram");
    };
    assert_eq!(bounds, [Some(0.1), Some(0.25), None]);
    // 50, 95 and 100 more in each of eight steps.
    let wanted = [400.0, 760.0, 800.0];
    let close = counts
        .iter()
        .zip(wanted)
        .all(|(seen, wanted)| (seen - wanted).abs() < 1e-9);
    assert!(close, "{counts:?}");
    // 12 more in each step of 100: the mean is 0.12.
    assert_eq!(sum, Some(96.0));
}

#[tokio::test]
#[ignore = "needs prometheus: tests/run datasources"]
async fn functions_of_the_server_have_their_known_values() {
    let server = prometheus(&data(), &[]);
    let source = source(&plain(&server.url));
    // No range begins at a sample, which is outside since 3.0.
    for (text, at, wanted) in [
        ("increase(c_total[1m])", 127, 40.0),
        // 75 within 120 s, a second more at each end.
        ("increase(r_total[122s])", 121, 75.0 * 122.0 / 120.0),
        (
            "histogram_quantile(0.9, h_bucket)",
            120,
            0.1 + 0.15 * (90.0 - 50.0) / 45.0,
        ),
        ("histogram_quantile(0.99, h_bucket)", 120, 0.25),
        ("quantile_over_time(0.9, c_total[62s])", 121, 81.0),
        (
            "stddev_over_time(c_total[62s])",
            121,
            14.142_135_623_730_951,
        ),
    ] {
        let answer = query(&source, Value, text, window(0, at)).await.unwrap();
        let seen = only(&answer)[0];
        assert!((seen - wanted).abs() < 1e-9, "{text}: {seen}, not {wanted}");
    }
}

#[tokio::test]
#[ignore = "needs prometheus: tests/run datasources"]
async fn prometheus_keeps_the_rules_of_its_port() {
    conformance::datasource(async || {
        let now = SystemClock.now().as_second();
        let mut data = String::from("# TYPE level gauge\n");
        for step in 0..20 {
            writeln!(data, "level {step} {}", now - 300 + step * 15).unwrap();
        }
        let server = prometheus(&data, &[]);
        let spec = plain(&server.url);
        let em_core::plan::DatasourceKind::Prometheus(prometheus) = &spec.kind else {
            panic!("it is of another kind");
        };
        let end = jiff::Timestamp::from_second(now - 30).unwrap();
        DatasourceScene {
            source: Arc::new(PrometheusDatasource::new(
                Arc::new(SystemClock),
                prometheus,
                &spec,
            )),
            asked: asked(MetricKind::Gauge, "level"),
            broken: Some(asked(MetricKind::Gauge, "sum(level")),
            window: Window {
                start: end - jiff::SignedDuration::from_secs(120),
                end,
            },
            keep: Box::new(server),
        }
    })
    .await;
}

#[tokio::test]
#[ignore = "needs prometheus: tests/run datasources"]
async fn a_target_that_is_marked_as_gone_has_no_value_any_more() {
    let server = prometheus("", &[]);
    let sample = |step: i64, value: f64| Sample {
        value,
        at: (T0 + step * 15) * 1000,
    };
    let mut samples: Vec<_> = (0..4).map(|step| sample(step, 7.0)).collect();
    samples.push(sample(4, f64::from_bits(STALE)));
    let series = TimeSeries {
        labels: labels("stopped", &[]),
        samples,
        histograms: Vec::new(),
    };
    write(&server.url, vec![series]).await;
    let source = source(&plain(&server.url));
    let answer = query(&source, MetricKind::Gauge, "stopped", window(0, 120))
        .await
        .unwrap();
    assert_eq!(only(&answer), [7.0; 4]);
    let answer = query(&source, Value, "sum(stopped)", window(0, 75))
        .await
        .unwrap();
    assert!(answer.series.is_empty(), "{answer:?}");
}
