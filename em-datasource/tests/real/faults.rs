//! Servers that are slow, full, restarted, or say that parts are missing.

use std::time::Duration;

use em_core::fault::{FaultKind, Retry};
use em_core::plan::MetricKind::{Counter, Gauge, Histogram, Value};
use em_core::plan::{DatasourceKind, DatasourceSpec};
use em_core::port::Datasource as _;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::asking::{asked, cx, only, plain, query, source, window};
use crate::servers::{T0, prometheus};
use crate::writing::{Native, Sample, Span, TimeSeries, labels, write};

fn data() -> String {
    let line = |step: i64| format!("level {step} {}\n", T0 + step * 15);
    format!(
        "# TYPE level gauge\n{}",
        (0..40).map(line).collect::<String>()
    )
}

#[tokio::test]
#[ignore = "needs prometheus: tests/run datasources"]
async fn a_server_that_stands_still_costs_the_deadline_and_no_more() {
    let server = prometheus(&data(), &[]);
    let source = source(&plain(&server.url));
    server.signal("STOP");
    let begun = std::time::Instant::now();
    let limit = cx(Duration::from_millis(600));
    let fault = source
        .query(&limit, &asked(Gauge, "level"), window(0, 60))
        .await;
    let fault = fault.unwrap_err();
    assert_eq!(
        (fault.kind, fault.retry),
        (FaultKind::Unavailable, Retry::Later)
    );
    assert!(begun.elapsed() < Duration::from_secs(5));
    server.signal("CONT");
    query(&source, Gauge, "level", window(0, 60)).await.unwrap();
}

/// When fresh series begin: in no stretch of time of which there is a block.
const FRESH: i64 = 4 * 3600;

/// Series that were just written: a server has them in memory and in its log, in no block yet.
async fn write_fresh(url: &str) {
    let at = |step: i64| (T0 + FRESH + step * 15) * 1000;
    let sample = |step: i32| Sample {
        value: f64::from(step) / 3.0,
        at: at(step.into()),
    };
    let native = |step: i32| Native {
        count: 2 * u64::from(step.unsigned_abs()),
        sum: f64::from(step) / 7.0,
        schema: 3,
        zero_threshold: 0.001,
        zero_count: 0,
        spans: vec![Span {
            offset: -5,
            length: 2,
        }],
        deltas: vec![step.into(), 0],
        at: at(step.into()),
    };
    let series = |name: &str| TimeSeries {
        labels: labels(name, &[("pod", "a")]),
        samples: Vec::new(),
        histograms: Vec::new(),
    };
    let fresh = TimeSeries {
        samples: (0..40).map(sample).collect(),
        ..series("fresh")
    };
    let native = TimeSeries {
        histograms: (1..40).map(native).collect(),
        ..series("native")
    };
    write(url, vec![fresh, native]).await;
}

#[tokio::test]
#[ignore = "needs prometheus: tests/run datasources"]
async fn the_same_window_has_the_same_answer_before_and_after_the_server_is_killed() {
    let mut server = prometheus(&data(), &[]);
    write_fresh(&server.url).await;
    let source = source(&plain(&server.url));
    let asked = [
        (Gauge, "level", 0),
        (Counter, "fresh", FRESH),
        (Gauge, "sum(fresh) / 7", FRESH),
        (Histogram, "native", FRESH),
        (Value, "histogram_quantile(0.9, native)", FRESH),
    ];
    let all = async || {
        let mut told = Vec::new();
        for (kind, text, begin) in asked {
            let window = window(begin + 30, begin + 300);
            let answer = query(&source, kind, text, window).await.unwrap();
            assert!(!answer.series.is_empty(), "{text}");
            // Numbers are written so that they are read back as they were.
            told.push(format!("{text}: {:?}", answer.series));
        }
        told
    };
    let before = all().await;
    assert_eq!(all().await, before);
    // With KILL, so that it closes nothing.
    server.restart(&[]);
    assert_eq!(all().await, before);
    let level = query(&source, Gauge, "level", window(30, 300)).await;
    assert_eq!(only(&level.unwrap()).len(), 19);
}

#[tokio::test]
#[ignore = "needs prometheus: tests/run datasources"]
async fn limits_of_the_server_are_told_in_its_own_words() {
    let server = prometheus(&data(), &["--query.max-samples=10"]);
    let source = source(&plain(&server.url));
    let fault = query(&source, Counter, "level", window(0, 600))
        .await
        .unwrap_err();
    assert_eq!(
        (fault.kind, fault.retry),
        (FaultKind::Invalid, Retry::Never)
    );
    assert!(
        fault.chain().contains("too many samples"),
        "{}",
        fault.chain()
    );
    let server = prometheus(&data(), &[]);
    let mut spec = plain(&server.url);
    if let DatasourceKind::Prometheus(prometheus) = &mut spec.kind {
        prometheus
            .params
            .insert("timeout".to_owned(), "1ms".to_owned());
    }
    let slow = crate::asking::source(&spec);
    let heavy = "count(count_over_time(vector(1)[3h:1ms]))";
    let fault = query(&slow, Value, heavy, window(0, 600))
        .await
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::Unavailable, "{}", fault.chain());
}

#[tokio::test]
#[ignore = "needs prometheus: tests/run datasources"]
async fn an_agent_has_a_version_and_answers_nothing() {
    // An agent refuses the flags of a server; its answer is what counts.
    let server = answering(ResponseTemplate::new(422).set_body_raw(
        r#"{"status":"error","errorType":"execution","error":"unavailable with Prometheus Agent"}"#,
        "application/json",
    ))
    .await;
    let probed = source(&plain(&server.uri()))
        .probe(&cx(Duration::from_secs(5)))
        .await;
    assert!(probed.unwrap_err().chain().contains("Prometheus Agent"));
}

async fn answering(answer: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(answer).mount(&server).await;
    server
}

async fn faced_with(answer: ResponseTemplate) -> (DatasourceSpec, MockServer) {
    let server = answering(answer).await;
    (plain(&server.uri()), server)
}

#[tokio::test]
async fn parts_of_an_answer_count_only_where_the_file_says_so() {
    let body = r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1700000060,"7"]}]},"warnings":["No StoreAPIs matched for this query"]}"#;
    let answer = ResponseTemplate::new(200).set_body_raw(body, "application/json");
    let (mut spec, _server) = faced_with(answer).await;
    let fault = query(&source(&spec), Value, "sum(x)", window(0, 60))
        .await
        .unwrap_err();
    assert!(fault.chain().contains("only in part"), "{}", fault.chain());
    assert!(fault.chain().contains("No StoreAPIs"), "{}", fault.chain());
    if let DatasourceKind::Prometheus(prometheus) = &mut spec.kind {
        prometheus.allow_partial = true;
    }
    let answer = query(&source(&spec), Value, "sum(x)", window(0, 60))
        .await
        .unwrap();
    assert_eq!((only(&answer), answer.warnings.len()), (vec![7.0], 1));
}

#[tokio::test]
async fn whatever_stands_between_is_told_by_its_status() {
    for (status, body, kind) in [
        (503, "Service Unavailable", FaultKind::Unavailable),
        (
            502,
            "<html><body>Bad Gateway</body></html>",
            FaultKind::Unavailable,
        ),
        (401, "Unauthorized", FaultKind::Denied),
        (403, "", FaultKind::Denied),
        (404, "404 page not found", FaultKind::NotFound),
        (429, "too many outstanding requests", FaultKind::Throttled),
        (
            400,
            "Client sent an HTTP request to an HTTPS server.",
            FaultKind::Invalid,
        ),
        (200, "{\"status\":\"success\"}", FaultKind::Malformed),
        (200, "not even JSON", FaultKind::Malformed),
        (
            200,
            "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[{\"metric\":{},\"value\":[1,\"x\"]}]}}",
            FaultKind::Malformed,
        ),
        (302, "", FaultKind::Invalid),
    ] {
        let answer = ResponseTemplate::new(status).set_body_string(body);
        let (spec, _server) = faced_with(answer).await;
        let fault = query(&source(&spec), Value, "sum(x)", window(0, 60))
            .await
            .unwrap_err();
        assert_eq!(fault.kind, kind, "{status} {body}: {}", fault.chain());
        assert!(!fault.chain().contains("<html>"));
    }
    let answer = ResponseTemplate::new(429).insert_header("Retry-After", "7");
    let (spec, _server) = faced_with(answer).await;
    let fault = query(&source(&spec), Value, "sum(x)", window(0, 60))
        .await
        .unwrap_err();
    assert_eq!(fault.retry, Retry::After(Duration::from_secs(7)));
}
