//! Whether the key opens the account, what queries would answer, and the rules of the port.

use std::sync::Arc;
use std::time::Duration;

use em_core::fault::FaultKind;
use em_core::plan::MetricKind::{Counter, Gauge, Value};
use em_core::port::{Clock as _, Datasource as _, SystemClock};
use em_core::testkit::conformance::{self, DatasourceScene};
use serde_json::json;
use wiremock::matchers::any;
use wiremock::{Mock, Request, ResponseTemplate};

use super::{KEY, Scene, T0, ok, rows};
use crate::asking::{asked, context, window};

fn account() -> ResponseTemplate {
    ok(&json!({"data": {"actor": {"account": {"id": 42}}}}))
}

#[tokio::test]
async fn a_probe_asks_for_the_account() {
    let date = account().insert_header("Date", "Tue, 14 Nov 2023 22:13:20 GMT");
    let scene = Scene::answering(date).await;
    let health = scene.source.probe(&context()).await.unwrap();
    assert_eq!(health.version, None);
    let expected = 1_700_000_000_000 - SystemClock.now().as_millisecond();
    let off = health.clock_skew_ms.unwrap() - expected;
    assert!((-1_000..=2_000).contains(&off), "{off}");
    let questions = scene.server.received_requests().await.unwrap();
    assert_eq!(questions.len(), 1);
    assert_eq!(questions[0].headers["api-key"], KEY);
    let body: serde_json::Value = serde_json::from_slice(&questions[0].body).unwrap();
    assert_eq!(body["variables"], json!({"id": 42}));
}

#[tokio::test]
async fn a_probe_fails_where_the_account_is_closed() {
    for (reply, kind) in [
        (ResponseTemplate::new(401), FaultKind::Denied),
        (
            ok(&json!({"data": {"actor": {"account": null}}})),
            FaultKind::Denied,
        ),
        (
            ok(&json!({"data": {"actor": null}, "errors": [{"message": "odd"}]})),
            FaultKind::Invalid,
        ),
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
async fn nothing_in_the_last_hour_is_worth_a_warning() {
    let scene = Scene::answering(ok(&rows(&json!(null), &json!([])))).await;
    let asked = asked(Gauge, "SELECT count(*) FROM T");
    let found = scene.source.validate(&context(), &asked).await.unwrap();
    assert_eq!(found.series, Some(0));
    assert!(found.warnings[0].contains("in the last hour"), "{found:?}");
    let lag = scene.source.lag(&context(), &asked).await;
    assert_eq!(lag, Duration::from_mins(1));
}

/// One bucket per minute of whatever window is asked for.
fn sound(request: &Request) -> ResponseTemplate {
    let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
    let Some(nrql) = body["variables"]["nrql"].as_str() else {
        return account();
    };
    if nrql.starts_with("SELEKT") {
        return ok(&json!({"data": {"actor": {"account": {"nrql": null}}},
            "errors": [{"message": "NRQL Syntax Error"}]}));
    }
    let words: Vec<&str> = nrql.split_whitespace().collect();
    let after = |word: &str| {
        let at = words.iter().position(|one| *one == word)?;
        words[at + 1].parse::<i64>().ok()
    };
    let (start, end) = (
        after("SINCE").unwrap() / 1000,
        after("UNTIL").unwrap() / 1000,
    );
    let Some(width) = after("TIMESERIES") else {
        let found = json!([{"facet": "a", "count": 1}, {"facet": "b", "count": 2}]);
        return ok(&rows(&json!(["host"]), &found));
    };
    let mut found = Vec::new();
    for host in ["a", "b"] {
        let mut at = start;
        while at < end {
            let until = (at + width).min(end);
            found.push(json!({"beginTimeSeconds": at, "endTimeSeconds": until, "facet": host, "count": at}));
            at = until;
        }
    }
    ok(&rows(&json!(["host"]), &json!(found)))
}

#[tokio::test]
async fn it_keeps_the_rules_of_a_datasource() {
    for kind in [Gauge, Counter, Value] {
        conformance::datasource(async || {
            let scene = Scene::every(None).await;
            let mock = Mock::given(any()).respond_with(sound);
            mock.mount(&scene.server).await;
            DatasourceScene {
                source: Arc::clone(&scene.source) as Arc<_>,
                asked: asked(kind, "SELECT count(*) FROM T FACET host LIMIT MAX"),
                broken: Some(asked(kind, "SELEKT count(*) FROM T")),
                window: window(T0, T0 + 607),
                keep: Box::new(scene),
            }
        })
        .await;
    }
}
