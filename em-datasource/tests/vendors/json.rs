//! Datasource `json` against documents of several shapes.
#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod faults;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use em_core::fault::{Fault, FaultKind};
use em_core::plan::{
    DatasourceKind, DatasourceSpec, JsonSpec, JsonTime, MetricKind, QueryMethod, Text,
};
use em_core::port::{Answer, Asked, Clock as _, Datasource as _, SystemClock};
use em_core::read::TimeFormat;
use em_core::template::Template;
use em_core::testkit::conformance::{self, DatasourceScene};
use em_datasource::JsonDatasource;
use wiremock::matchers::{body_string, header, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::asking::{asked, at, context, plain, values, window};

/// Two pods with history, one value missing, one written as text.
const HISTORY: &str = r#"{"pods": [
    {"name": "a", "t": 1700000010000, "p99": 1.5},
    {"name": "b", "t": 1700000010000.0, "p99": "2.5"},
    {"name": "a", "t": 1700000000000, "p99": 0.5},
    {"name": "b", "t": 1700000020000, "p99": null},
    {"name": "a", "t": 1700000070000, "p99": 9}
]}"#;
const T0: i64 = 1_700_000_000;

fn constant(text: &str) -> Template {
    Template::parse(text).unwrap()
}

/// The document at `url`, about now.
fn about_now(url: &str) -> JsonSpec {
    JsonSpec {
        url: constant(url),
        method: QueryMethod::Get,
        body: None,
        time: None,
        labels: BTreeMap::new(),
    }
}

fn of_pods(path: &str) -> BTreeMap<String, String> {
    BTreeMap::from([("pod".to_owned(), path.to_owned())])
}

/// The document at `url`, which tells times.
fn with_history(url: &str) -> JsonSpec {
    JsonSpec {
        time: Some(JsonTime {
            path: "$.pods[*].t".to_owned(),
            format: TimeFormat::Milliseconds,
        }),
        labels: of_pods("$.pods[*].name"),
        ..about_now(url)
    }
}

fn source(json: &JsonSpec) -> JsonDatasource {
    source_of(json, &plain(DatasourceKind::Json(json.clone())))
}

fn source_of(json: &JsonSpec, spec: &DatasourceSpec) -> JsonDatasource {
    JsonDatasource::new(Arc::new(SystemClock), json, spec)
}

fn gauge(query: &str) -> Asked {
    asked(MetricKind::Gauge, query)
}

async fn serving(answer: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .respond_with(answer)
        .mount(&server)
        .await;
    server
}

fn ok(text: &str) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_raw(text, "application/json")
}

/// One look at a document about now.
async fn look(answer: ResponseTemplate, query: &str) -> Result<Answer, Fault> {
    let server = serving(answer).await;
    let source = source(&about_now(&server.uri()));
    source.sample(&context(), &gauge(query)).await
}

#[tokio::test]
async fn history_becomes_series_in_order_and_within_the_window() {
    let server = serving(ok(HISTORY)).await;
    let source = source(&with_history(&server.uri()));
    assert!(source.sampling().is_none());
    let answer = source
        .query(&context(), &gauge("$.pods[*].p99"), window(T0, T0 + 60))
        .await
        .unwrap();
    let a = vec![(T0, 0.5), (T0 + 10, 1.5)];
    assert_eq!(values(&answer), [a, vec![(T0 + 10, 2.5)]]);
    let pods: Vec<&str> = answer
        .series
        .iter()
        .map(|one| one.labels["pod"].as_str())
        .collect();
    assert_eq!(pods, ["a", "b"]);
    assert_eq!((answer.tries, answer.status), (1, Some(200)));
    assert!(answer.warnings.is_empty());
    let nothing = source
        .query(&context(), &gauge("$.pods[*].p99"), window(0, 60))
        .await
        .unwrap();
    assert!(nothing.series.is_empty());
    assert_eq!(server.received_requests().await.unwrap().len(), 2);
}

#[tokio::test]
async fn times_are_read_in_their_format_to_the_microsecond() {
    let text = r#"{"pods": [
        {"name": "a", "t": "2023-11-14T22:13:20.123456Z", "v": 1},
        {"name": "a", "t": "2023-11-14T23:13:21+01:00", "v": 2}
    ]}"#;
    let server = serving(ok(text)).await;
    let json = JsonSpec {
        time: Some(JsonTime {
            path: "$.pods[*].t".to_owned(),
            format: TimeFormat::Rfc3339,
        }),
        ..with_history(&server.uri())
    };
    let answer = source(&json)
        .query(&context(), &gauge("$.pods[*].v"), window(T0, T0 + 1))
        .await
        .unwrap();
    let times = answer.series[0]
        .points
        .iter()
        .map(|p| p.at.as_microsecond());
    let wanted = [T0 * 1_000_000 + 123_456, (T0 + 1) * 1_000_000];
    assert_eq!(times.collect::<Vec<_>>(), wanted);
}

#[tokio::test]
async fn a_document_about_now_is_looked_at() {
    let text =
        r#"{"latency": {"p99": "12.5", "off": null, "nan": "NaN"}, "queues": {"a": 1, "b": 2}}"#;
    let before = SystemClock.now();
    let answer = look(ok(text), "$.latency.p99").await.unwrap();
    let after = SystemClock.now();
    let point = answer.series[0].points[0];
    assert!(before <= point.at && point.at <= after);
    assert_eq!(
        (answer.window.start, answer.window.end),
        (point.at, point.at)
    );
    assert_eq!(point.value.to_string(), "12.5");

    let missing = look(ok(text), "$.latency.off").await.unwrap();
    assert!(missing.series.is_empty());
    let said = "the document has no number at $.latency.off (it has latency, queues)";
    assert_eq!(missing.warnings, [said]);
    let nan = look(ok(text), "$.latency.nan").await.unwrap();
    assert!(nan.series[0].points[0].value.is_nan());

    let several = look(ok(text), "$.queues.*").await.unwrap_err();
    assert_eq!(several.kind, FaultKind::Invalid);
    assert!(several.message.contains("give labels"), "{several}");
}

#[tokio::test]
async fn a_source_without_history_says_how_often_it_wants_to_be_looked_at() {
    let json = about_now("http://127.0.0.1:9/x");
    let every = |every| {
        let spec = DatasourceSpec {
            every,
            ..plain(DatasourceKind::Json(json.clone()))
        };
        source_of(&json, &spec).sampling().unwrap().every
    };
    assert_eq!(every(None), Duration::from_secs(1));
    let five = Duration::from_secs(5);
    assert_eq!(every(Some(five)), five);
}

#[tokio::test]
async fn metrics_that_are_asked_together_share_one_look() {
    let server = serving(ok(r#"{"x": 1, "y": 2}"#)).await;
    let (source, cx) = (source(&about_now(&server.uri())), context());
    for query in ["$.x", "$.y", "$.x"] {
        source.sample(&cx, &gauge(query)).await.unwrap();
    }
    assert_eq!(server.received_requests().await.unwrap().len(), 2);
    // Another body is another document.
    let other = Asked {
        endpoint: Some(server.uri()),
        body: Some("{}".to_owned()),
        ..gauge("$.z")
    };
    source.sample(&cx, &other).await.unwrap();
    assert_eq!(server.received_requests().await.unwrap().len(), 3);
}

#[tokio::test]
async fn what_was_filled_in_is_what_is_asked() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/series"))
        .and(query_param("since", "5"))
        .and(header("accept", "application/json"))
        .and(header("content-type", "application/json"))
        .and(header("x-iteration", "1/1"))
        .and(body_string(r#"{"until": 9}"#))
        .respond_with(ok(r#"{"x": 3}"#))
        .expect(1)
        .mount(&server)
        .await;
    let json = JsonSpec {
        method: QueryMethod::Post,
        url: constant("{{address}}/series?since={{start_s}}"),
        body: Some(constant(r#"{"until": {{end_s}}}"#)),
        ..about_now("")
    };
    let spec = DatasourceSpec {
        headers: BTreeMap::from([(
            "X-Iteration".to_owned(),
            Text::Template(constant("{{trial}}/{{iteration}}")),
        )]),
        ..plain(DatasourceKind::Json(json.clone()))
    };
    let source = source_of(&json, &spec);
    let filled_in = Asked {
        endpoint: Some(format!("{}/series?since=5", server.uri())),
        body: Some(r#"{"until": 9}"#.to_owned()),
        ..gauge("$.x")
    };
    let answer = source.sample(&context(), &filled_in).await.unwrap();
    assert_eq!(answer.series[0].points[0].value.to_string(), "3");

    // Before anything runs, nothing is known of it.
    let known = source.validate(&context(), &gauge("$.x")).await.unwrap();
    assert_eq!((known.series, known.warnings.len()), (None, 0));
    source.probe(&context()).await.unwrap();
    let refused = source.sample(&context(), &gauge("$.x")).await;
    assert_eq!(refused.unwrap_err().kind, FaultKind::Invalid);
}

#[tokio::test]
async fn a_post_may_say_nothing() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(body_string(""))
        .respond_with(ok(r#"{"x": 3}"#))
        .expect(1)
        .mount(&server)
        .await;
    let json = JsonSpec {
        method: QueryMethod::Post,
        ..about_now(&server.uri())
    };
    let found = source(&json).validate(&context(), &gauge("$.x")).await;
    assert_eq!(found.unwrap().series, Some(1));
}

#[tokio::test]
async fn a_query_is_validated_against_the_document() {
    let server = serving(ok(HISTORY)).await;
    let source = source(&with_history(&server.uri()));
    let validated = async |query: &str| source.validate(&context(), &gauge(query)).await;
    let found = validated("$.pods[*].p99").await.unwrap();
    assert_eq!((found.series, found.warnings.len()), (Some(2), 0));
    let kubectl = validated("{$.pods[*].p99}").await.unwrap();
    assert_eq!(kubectl.series, Some(2));
    let missing = validated("$.pods[*].p50").await.unwrap();
    assert_eq!(missing.series, Some(0));
    assert!(missing.warnings[0].contains("(it has pods)"));
    for (query, kind, reason) in [
        ("$..p99", FaultKind::Invalid, "is not supported"),
        ("pods", FaultKind::Invalid, "starts with"),
        ("$.pods[*].name", FaultKind::Malformed, "is not a number"),
        ("$.pods", FaultKind::Malformed, "do not match 1 values"),
    ] {
        let fault = validated(query).await.unwrap_err();
        assert_eq!(fault.kind, kind, "{query}");
        assert!(fault.chain().contains(reason), "{}", fault.chain());
    }
}

#[tokio::test]
async fn both_kinds_keep_the_rules_of_their_port() {
    conformance::datasource(async || {
        let server = serving(ok(HISTORY)).await;
        DatasourceScene {
            source: Arc::new(source(&with_history(&server.uri()))),
            asked: gauge("$.pods[*].p99"),
            broken: Some(gauge("$.pods[?@.p99]")),
            window: window(T0, T0 + 60),
            keep: Box::new(server),
        }
    })
    .await;
    conformance::datasource(async || {
        let server = serving(ok(HISTORY)).await;
        let json = JsonSpec {
            labels: of_pods("$.pods[1].name"),
            ..about_now(&server.uri())
        };
        DatasourceScene {
            source: Arc::new(source(&json)),
            asked: gauge("$.pods[1].p99"),
            broken: Some(gauge("$.pods[?@.p99]")),
            window: window(T0, T0),
            keep: Box::new(server),
        }
    })
    .await;
}

#[tokio::test]
async fn a_document_without_history_answers_a_window_with_what_it_says_now() {
    let server = serving(ok(r#"{"x": 1}"#)).await;
    let source = source(&about_now(&server.uri()));
    let answer = source.query(&context(), &gauge("$.x"), window(0, 60)).await;
    assert!(answer.unwrap().window.start > at(T0));
}
