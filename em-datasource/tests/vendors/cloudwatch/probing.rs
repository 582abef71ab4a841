//! Whether the keys are good, what queries would answer, and the rules of the port.

use std::sync::Arc;
use std::time::Duration;

use em_core::fault::FaultKind;
use em_core::plan::MetricKind::{Counter, Gauge};
use em_core::port::{Clock as _, Datasource as _, SystemClock};
use em_core::testkit::conformance::{self, DatasourceScene};
use serde_json::{Value, json};
use wiremock::matchers::any;
use wiremock::{Mock, Request, ResponseTemplate};

use super::{QUERY, Scene, ok, results, start};
use crate::asking::{asked, context, window};

#[tokio::test]
async fn a_probe_asks_for_what_nobody_sends() {
    let nothing = ok(&results(&json!([])));
    let date = nothing.insert_header("Date", "Tue, 14 Nov 2023 22:13:20 GMT");
    let scene = Scene::answering(date).await;
    let health = scene.source.probe(&context()).await.unwrap();
    assert_eq!(health.version, None);
    let expected = 1_700_000_000_000 - SystemClock.now().as_millisecond();
    let off = health.clock_skew_ms.unwrap() - expected;
    assert!((-1_000..=2_000).contains(&off), "{off}");
    let questions = scene.server.received_requests().await.unwrap();
    assert_eq!(questions.len(), 1);
}

#[tokio::test]
async fn a_probe_fails_where_nothing_may_be_read() {
    for (reply, kind) in [
        (ResponseTemplate::new(403), FaultKind::Denied),
        (ok(&json!({"hello": "world"})), FaultKind::Malformed),
    ] {
        let scene = Scene::answering(reply).await;
        let fault = scene.source.probe(&context()).await.unwrap_err();
        assert_eq!(fault.kind, kind);
    }
}

#[tokio::test]
async fn a_query_is_tried_out_over_the_last_hour() {
    let scene = Scene::answering(ok(&results(&json!([])))).await;
    let gauge = asked(Gauge, QUERY);
    let found = scene.source.validate(&context(), &gauge).await.unwrap();
    assert_eq!(found.series, Some(0));
    assert!(found.warnings[0].contains("in the last hour"), "{found:?}");
    let questions = scene.server.received_requests().await.unwrap();
    let body: Value = serde_json::from_slice(&questions[0].body).unwrap();
    let time = |name: &str| body[name].as_i64().unwrap();
    assert!((3_600..=3_601).contains(&(time("EndTime") - time("StartTime"))));
    // What is not complete yet is not looked at.
    let behind = SystemClock.now().as_second() - time("EndTime");
    assert!((179..=185).contains(&behind), "{behind}");
    assert_eq!(
        scene.source.lag(&context(), &gauge).await,
        Duration::from_mins(3)
    );
    let scene = Scene::every(Some(Duration::from_mins(5))).await;
    assert_eq!(
        scene.source.lag(&context(), &gauge).await,
        Duration::from_mins(5)
    );
}

/// One value per period of whatever window is asked for.
fn sound(request: &Request) -> ResponseTemplate {
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    let (begin, end) = (
        body["StartTime"].as_i64().unwrap(),
        body["EndTime"].as_i64().unwrap(),
    );
    let times: Vec<i64> = (begin - begin % 60..end).step_by(60).collect();
    let series = |label: &str| json!({"Id": "m0", "Label": label, "Timestamps": times, "Values": times, "StatusCode": "Complete"});
    ok(&results(&json!([series("a"), series("b")])))
}

#[tokio::test]
async fn it_keeps_the_rules_of_a_datasource() {
    for kind in [Gauge, Counter] {
        conformance::datasource(async || {
            let scene = Scene::every(None).await;
            let mock = Mock::given(any()).respond_with(sound);
            mock.mount(&scene.server).await;
            DatasourceScene {
                source: Arc::clone(&scene.source) as Arc<_>,
                asked: asked(kind, QUERY),
                broken: Some(asked(kind, "{")),
                window: window(start() + 7, start() + 607),
                keep: Box::new(scene),
            }
        })
        .await;
    }
}
