//! Whether the token is good, what queries would answer, and the rules of the port.

use std::sync::Arc;
use std::time::Duration;

use em_core::fault::{FaultKind, Retry};
use em_core::plan::MetricKind::{Counter, Gauge, Value};
use em_core::port::{Clock as _, Datasource as _, SystemClock};
use em_core::testkit::conformance::{self, DatasourceScene};
use serde_json::json;
use wiremock::matchers::{header, path, query_param};
use wiremock::{Mock, Request, ResponseTemplate};

use super::{Scene, T0, TOKEN, answer, ok, row};
use crate::asking::{asked, context, window};

const METRICS: &str = "/e/env/api/v2/metrics";

fn metrics() -> ResponseTemplate {
    ok(&json!({"totalCount": 1, "nextPageKey": "AQ=", "metrics": [{"metricId": "a"}]}))
}

#[tokio::test]
async fn a_probe_asks_for_one_metric() {
    let scene = Scene::every(None).await;
    Mock::given(path(METRICS))
        .and(query_param("pageSize", "1"))
        .and(header("authorization", format!("Api-Token {TOKEN}")))
        .respond_with(metrics().insert_header("Date", "Tue, 14 Nov 2023 22:13:20 GMT"))
        .expect(1)
        .mount(&scene.server)
        .await;
    let health = scene.source.probe(&context()).await.unwrap();
    assert_eq!(health.version, None);
    let expected = 1_700_000_000_000 - SystemClock.now().as_millisecond();
    let off = health.clock_skew_ms.unwrap() - expected;
    assert!((-1_000..=2_000).contains(&off), "{off}");
}

#[tokio::test]
async fn a_probe_fails_where_no_metric_can_be_read() {
    for (reply, kind) in [
        (ResponseTemplate::new(401), FaultKind::Denied),
        (ok(&json!({"hello": "world"})), FaultKind::Malformed),
        (
            ResponseTemplate::new(200).set_body_string("<html>"),
            FaultKind::Malformed,
        ),
    ] {
        let scene = Scene::answering(reply).await;
        let fault = scene.source.probe(&context()).await.unwrap_err();
        assert_eq!(fault.kind, kind);
    }
}

#[tokio::test]
async fn a_query_is_tried_out_over_the_last_hour() {
    let scene = Scene::answering(ok(&answer("1m", &json!([])))).await;
    let found = scene.source.validate(&context(), &asked(Gauge, "m")).await;
    let found = found.unwrap();
    assert_eq!(found.series, Some(0));
    assert!(found.warnings[0].contains("in the last hour"), "{found:?}");
    let questions = scene.server.received_requests().await.unwrap();
    let time = |name: &str| {
        let mut pairs = questions[0].url.query_pairs();
        let (_, value) = pairs.find(|(key, _)| key == name).unwrap();
        value.parse::<i64>().unwrap()
    };
    assert_eq!(time("to") - time("from"), 3_599_999);
    // What is not complete yet is not looked at.
    let behind = SystemClock.now().as_millisecond() - time("to");
    assert!((120_000..=125_000).contains(&behind), "{behind}");
}

#[tokio::test]
async fn data_is_complete_after_two_minutes_or_a_slot() {
    let lag = async |every: Option<u64>| {
        let scene = Scene::every(every.map(Duration::from_secs)).await;
        let lag = scene.source.lag(&context(), &asked(Gauge, "m")).await;
        lag.as_secs()
    };
    assert_eq!(lag(None).await, 120);
    assert_eq!(lag(Some(60)).await, 120);
    assert_eq!(lag(Some(300)).await, 300);
}

/// One slot per minute of whatever window is asked for.
fn sound(request: &Request) -> ResponseTemplate {
    let parameter = |name: &str| {
        let mut pairs = request.url.query_pairs();
        pairs
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    };
    if parameter("pageSize").is_some() {
        return metrics();
    }
    if parameter("metricSelector").unwrap() == "m(" {
        return ResponseTemplate::new(400)
            .set_body_json(json!({"error": {"code": 400, "message": "syntax"}}));
    }
    let time = |name: &str| parameter(name).unwrap().parse::<i64>().unwrap();
    let (from, to) = (time("from") / 1000, time("to") / 1000);
    if parameter("resolution").unwrap() == "Inf" {
        let rows = json!([
            row("a", &[to - T0], &json!([7])),
            row("b", &[to - T0], &json!([8]))
        ]);
        return ok(&answer("Inf", &rows));
    }
    let ends = (from.div_euclid(60)..=to.div_euclid(60)).map(|minute| (minute + 1) * 60 - T0);
    let ends: Vec<i64> = ends.collect();
    let values: Vec<i64> = ends.clone();
    let rows = json!([
        row("a", &ends, &json!(values)),
        row("b", &ends, &json!(values))
    ]);
    ok(&answer("1m", &rows))
}

#[tokio::test]
async fn it_keeps_the_rules_of_a_datasource() {
    for kind in [Gauge, Counter, Value] {
        conformance::datasource(async || {
            let scene = Scene::every(None).await;
            let mock = Mock::given(wiremock::matchers::any()).respond_with(sound);
            mock.mount(&scene.server).await;
            DatasourceScene {
                source: Arc::clone(&scene.source) as Arc<_>,
                asked: asked(kind, "m"),
                broken: Some(asked(kind, "m(")),
                window: window(T0 + 7, T0 + 607),
                keep: Box::new(scene),
            }
        })
        .await;
    }
    let broken = Scene::every(None).await;
    let mock = Mock::given(wiremock::matchers::any()).respond_with(sound);
    mock.mount(&broken.server).await;
    let refused = broken
        .source
        .validate(&context(), &asked(Gauge, "m("))
        .await;
    assert_eq!(refused.unwrap_err().retry, Retry::Never);
}
