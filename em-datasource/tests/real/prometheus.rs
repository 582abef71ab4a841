//! What Prometheus and VictoriaMetrics answer, of every type.

use std::fmt::Write as _;
use std::time::Duration;

use em_core::fault::{Fault, FaultKind};
use em_core::plan::MetricKind;
use em_core::plan::MetricKind::{Counter, Gauge, Value};
use em_core::port::{Datasource as _, Validation};
use em_datasource::PrometheusDatasource;

use crate::asking::{asked, cx, only, plain, query, source, window};
use crate::servers::{T0, prometheus, victoria_metrics};

/// Twenty minutes of a counter, a gauge with values that are none, and two pods.
fn data() -> String {
    let mut text = String::from("# TYPE hits counter\n");
    for step in 0..80 {
        writeln!(
            text,
            "hits_total{{pod=\"a\"}} {} {}",
            step * 30,
            T0 + step * 15
        )
        .unwrap();
    }
    text.push_str("# TYPE level gauge\n");
    for step in 0..80 {
        let value = match step {
            20 => "NaN".to_owned(),
            21 => "+Inf".to_owned(),
            22 => "-Inf".to_owned(),
            step => format!("{step}.5"),
        };
        writeln!(text, "level{{pod=\"a\"}} {value} {}", T0 + step * 15).unwrap();
    }
    text.push_str("# TYPE many gauge\n");
    for pod in 0..3 {
        for step in 0..80 {
            writeln!(text, "many{{pod=\"{pod}\"}} {pod} {}", T0 + step * 15).unwrap();
        }
    }
    // It ends after five minutes.
    text.push_str("# TYPE gone gauge\n");
    for step in 0..20 {
        writeln!(text, "gone {step} {}", T0 + step * 15).unwrap();
    }
    text
}

pub(crate) async fn validate(
    source: &PrometheusDatasource,
    kind: MetricKind,
    text: &str,
) -> Result<Validation, Fault> {
    let cx = cx(Duration::from_secs(5));
    source.validate(&cx, &asked(kind, text)).await
}

/// VictoriaMetrics wants milliseconds.
fn in_milliseconds(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let lines: Vec<&str> = lines.collect();
    lines.join("000\n") + "000\n"
}

#[tokio::test]
#[ignore = "needs prometheus: tests/run datasources"]
async fn raw_samples_are_those_of_the_window_and_no_others() {
    let server = prometheus(&data(), &[]);
    let source = source(&plain(&server.url));
    let answer = query(&source, Counter, "hits_total", window(60, 120))
        .await
        .unwrap();
    assert_eq!(only(&answer), [120.0, 150.0, 180.0, 210.0, 240.0]);
    assert_eq!(answer.series[0].labels["pod"], "a");
    // A target that is gone keeps no value, though the server looks back five minutes.
    let answer = query(&source, Gauge, "gone", window(400, 460))
        .await
        .unwrap();
    assert!(answer.series.is_empty(), "{answer:?}");
    let answer = query(&source, Value, "gone", window(240, 320))
        .await
        .unwrap();
    assert_eq!(only(&answer).last(), Some(&19.0));
}

#[tokio::test]
#[ignore = "needs prometheus: tests/run datasources"]
async fn values_that_are_no_numbers_come_as_they_are() {
    let server = prometheus(&data(), &[]);
    let source = source(&plain(&server.url));
    let answer = query(&source, Gauge, "level", window(285, 345))
        .await
        .unwrap();
    let values = only(&answer);
    assert!((values[0] - 19.5).abs() < 1e-9);
    assert!(values[1].is_nan());
    assert!(values[2].is_infinite() && values[2] > 0.0);
    assert!(values[3].is_infinite() && values[3] < 0.0);
    assert!((values[4] - 23.5).abs() < 1e-9);
}

#[tokio::test]
#[ignore = "needs prometheus: tests/run datasources"]
async fn all_result_types_are_told_apart() {
    let server = prometheus(&data(), &[]);
    let source = source(&plain(&server.url));
    // vector
    let answer = query(&source, Value, "sum(many)", window(0, 600))
        .await
        .unwrap();
    assert_eq!(only(&answer), [3.0]);
    assert_eq!(answer.series[0].points[0].at, window(0, 600).end);
    // scalar
    let answer = query(&source, Value, "scalar(sum(many)) * 2", window(0, 600))
        .await
        .unwrap();
    assert_eq!(only(&answer), [6.0]);
    // matrix: one value per step, the end included
    let answer = query(&source, Gauge, "sum(many)", window(0, 600))
        .await
        .unwrap();
    assert_eq!(only(&answer).len(), 41);
    let answer = query(&source, Gauge, "many", window(0, 600)).await.unwrap();
    assert_eq!(answer.series.len(), 3);
    // string
    let refused = validate(&source, Value, "\"text\"").await.unwrap_err();
    assert_eq!(refused.kind, FaultKind::Invalid);
    assert!(
        refused.chain().contains("answers a text"),
        "{}",
        refused.chain()
    );
    let refused = validate(&source, Gauge, "many[1m]").await.unwrap_err();
    assert!(
        refused.chain().contains("samples of a range"),
        "{}",
        refused.chain()
    );
    // nothing
    let answer = query(&source, Gauge, "no_such_metric", window(0, 60))
        .await
        .unwrap();
    assert!(answer.series.is_empty());
    let answer = query(&source, Gauge, "sum(no_such_metric)", window(0, 60))
        .await
        .unwrap();
    assert!(answer.series.is_empty());
}

#[tokio::test]
#[ignore = "needs prometheus: tests/run datasources"]
async fn a_broken_query_is_refused_with_its_place_before_anything_is_deployed() {
    let server = prometheus(&data(), &[]);
    let source = source(&plain(&server.url));
    let refused = validate(&source, Gauge, "sum(many").await.unwrap_err();
    assert_eq!(refused.kind, FaultKind::Invalid);
    assert!(
        refused.chain().contains("1:9: parse error"),
        "{}",
        refused.chain()
    );
    let refused = query(&source, Counter, "sum(hits_total)", window(0, 60))
        .await
        .unwrap_err();
    assert!(refused.chain().contains("fold: sum"), "{}", refused.chain());
    let two = query(
        &source,
        Value,
        "many + on() group_right() many",
        window(0, 60),
    )
    .await;
    let two = two.unwrap_err();
    assert!(two.chain().contains("422"), "{}", two.chain());
    let told = validate(&source, Gauge, "rate(hits_total[20s])")
        .await
        .unwrap();
    assert!(
        told.warnings[0].contains("less than two samples"),
        "{told:?}"
    );
}

#[tokio::test]
#[ignore = "needs prometheus: tests/run datasources"]
async fn a_probe_tells_the_version_and_the_clock() {
    let server = prometheus(&data(), &[]);
    let health = source(&plain(&server.url))
        .probe(&cx(Duration::from_secs(5)))
        .await;
    let health = health.unwrap();
    assert!(health.version.unwrap().starts_with(['2', '3']));
    assert!(health.clock_skew_ms.unwrap().abs() < 1_000);
}

#[tokio::test]
#[ignore = "needs prometheus: tests/run datasources"]
async fn a_long_window_is_asked_in_parts_that_do_not_overlap() {
    let server = prometheus(&data(), &[]);
    let mut spec = plain(&server.url);
    spec.every = Some(Duration::from_millis(100));
    let source = source(&spec);
    // 11,001 points are what the server answers at most; one more needs a second question.
    for (seconds, points) in [(1_100, 11_001), (1_101, 11_011), (2_300, 23_001)] {
        let answer = query(&source, Gauge, "vector(1)", window(0, seconds))
            .await
            .unwrap();
        let seen = &answer.series[0].points;
        assert_eq!(seen.len(), points);
        assert!(seen.windows(2).all(|pair| pair[0].at < pair[1].at));
    }
}

#[tokio::test]
#[ignore = "needs victoria-metrics: tests/run datasources"]
async fn victoria_metrics_answers_the_same() {
    let data = data();
    let (one, other) = (
        prometheus(&data, &[]),
        victoria_metrics(&in_milliseconds(&data)),
    );
    let (one, other) = (source(&plain(&one.url)), source(&plain(&other.url)));
    other.probe(&cx(Duration::from_secs(5))).await.unwrap();
    for (kind, text) in [
        (Counter, "hits_total"),
        (Gauge, "many"),
        (Gauge, "gone"),
        (Value, "sum(many)"),
        (Value, "sum by (pod) (max_over_time(many[5m]))"),
    ] {
        let window = window(60, 600);
        let [mut wanted, mut seen] = [
            query(&one, kind, text, window).await.unwrap().series,
            query(&other, kind, text, window).await.unwrap().series,
        ];
        wanted.sort_by(|a, b| a.labels.cmp(&b.labels));
        seen.sort_by(|a, b| a.labels.cmp(&b.labels));
        assert_eq!(seen, wanted, "{text}");
    }
    let refused = query(&other, Value, "sum(many", window(0, 60))
        .await
        .unwrap_err();
    assert_eq!(refused.kind, FaultKind::Invalid);
    assert!(refused.chain().contains("sum(many"), "{}", refused.chain());
}
