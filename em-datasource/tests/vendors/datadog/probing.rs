//! Whether the keys are good, and what queries would answer.

use std::time::Duration;

use em_core::fault::{FaultKind, Retry};
use em_core::plan::{DatadogApi, MetricKind};
use em_core::port::{Clock as _, Datasource as _, SystemClock};
use serde_json::json;
use wiremock::ResponseTemplate;

use super::{API_KEY, APPLICATION_KEY, SCALAR, Scene, TIMESERIES, V1, columns, over_time, v2};
use crate::asking::{asked, context};

const VALIDATE: &str = "/api/v1/validate";

fn valid() -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(json!({"valid": true}))
}

fn forbidden() -> ResponseTemplate {
    ResponseTemplate::new(403).set_body_json(json!({"errors": ["Forbidden"]}))
}

async fn also(scene: &Scene, path: &str, answer: ResponseTemplate) {
    let mock = wiremock::Mock::given(wiremock::matchers::path(path));
    mock.respond_with(answer).mount(&scene.server).await;
}

#[tokio::test]
async fn both_keys_are_tried() {
    let nothing = json!({"status": "ok", "series": []});
    let nothing = ResponseTemplate::new(200).set_body_json(nothing);
    for (api, path, cheap) in [
        (DatadogApi::V1, V1, nothing),
        (DatadogApi::V2, SCALAR, v2(&columns(&json!([])))),
    ] {
        let scene = Scene::new(api).await;
        super::get(&scene, VALIDATE, valid()).await;
        also(&scene, path, cheap).await;
        let health = scene.source.probe(&context()).await.unwrap();
        assert_eq!(health.version, None);
        let questions = scene.server.received_requests().await.unwrap();
        let paths: Vec<&str> = questions.iter().map(|one| one.url.path()).collect();
        assert_eq!(paths, [VALIDATE, path]);
        assert!(
            questions
                .iter()
                .all(|one| one.headers["DD-API-KEY"] == API_KEY)
        );
        assert_eq!(questions[1].headers["DD-APPLICATION-KEY"], APPLICATION_KEY);
    }
}

#[tokio::test]
async fn the_clock_of_the_server_is_compared_where_it_tells() {
    let scene = Scene::new(DatadogApi::V2).await;
    let date = valid().insert_header("Date", "Tue, 14 Nov 2023 22:20:00 GMT");
    also(&scene, VALIDATE, date).await;
    also(&scene, SCALAR, v2(&columns(&json!([])))).await;
    let health = scene.source.probe(&context()).await.unwrap();
    let expected = 1_700_000_400_500 - SystemClock.now().as_millisecond();
    let off = health.clock_skew_ms.unwrap() - expected;
    assert!((0..2_000).contains(&off), "{health:?}");
}

#[tokio::test]
async fn a_key_that_is_refused_fails_the_probe() {
    let scene = Scene::new(DatadogApi::V2).await;
    let kind = async || scene.source.probe(&context()).await.unwrap_err().kind;
    scene.answers(VALIDATE, forbidden()).await;
    assert_eq!(kind().await, FaultKind::Denied);
    let not_valid = ResponseTemplate::new(200).set_body_json(json!({"valid": false}));
    scene.answers(VALIDATE, not_valid).await;
    assert_eq!(kind().await, FaultKind::Denied);
    // The first key is good, the second is not.
    scene.answers(VALIDATE, valid()).await;
    also(&scene, SCALAR, forbidden()).await;
    assert_eq!(kind().await, FaultKind::Denied);
    let page = ResponseTemplate::new(200).set_body_string("<html>");
    scene.answers(VALIDATE, page).await;
    assert_eq!(kind().await, FaultKind::Malformed);
}

#[tokio::test]
async fn a_query_is_tried_out_over_the_last_hour() {
    let scene = Scene::new(DatadogApi::V2).await;
    let now = SystemClock.now().as_second();
    let times: Vec<i64> = [600, 580]
        .map(|ago| now - now % 20 - ago - super::T0)
        .to_vec();
    let body = over_time(&json!([["a:1"], ["a:2"]]), &times, &json!([[1, 2], [3, 4]]));
    scene.answers(TIMESERIES, v2(&body)).await;
    let gauge = asked(MetricKind::Gauge, "avg:x{*} by {a}");
    let found = scene.source.validate(&context(), &gauge).await.unwrap();
    assert_eq!((found.series, found.warnings.len()), (Some(2), 0));
    let sent = scene.only_body().await;
    let time = |name: &str| sent["data"]["attributes"][name].as_i64().unwrap();
    assert!((3_600_000..=3_600_001).contains(&(time("to") - time("from"))));
    // What is not complete yet is not looked at.
    let behind = (now + 1) * 1000 - time("to");
    assert!((60_000..=62_000).contains(&behind), "{behind}");
}

#[tokio::test]
async fn nothing_in_the_last_hour_is_worth_a_warning() {
    let scene = Scene::new(DatadogApi::V2).await;
    let nothing = columns(&json!([{"type": "number", "name": "a", "values": [null]}]));
    scene.answers(SCALAR, v2(&nothing)).await;
    let value = asked(MetricKind::Value, "avg:x{*}");
    let found = scene.source.validate(&context(), &value).await.unwrap();
    assert_eq!(found.series, Some(0));
    assert!(found.warnings[0].contains("in the last hour"), "{found:?}");
}

#[tokio::test]
async fn a_query_that_cannot_be_read_is_refused_for_good() {
    let scene = Scene::new(DatadogApi::V2).await;
    let bad = ResponseTemplate::new(400).set_body_json(json!({"errors": ["Error parsing query"]}));
    scene.answers(TIMESERIES, bad).await;
    let gauge = asked(MetricKind::Gauge, "avg:x{");
    let fault = scene.source.validate(&context(), &gauge).await.unwrap_err();
    assert_eq!(
        (fault.kind, fault.retry),
        (FaultKind::Invalid, Retry::Never)
    );
    assert!(fault.message.contains("Error parsing query"), "{fault}");
}

#[tokio::test]
async fn data_is_complete_after_a_minute_or_a_bucket() {
    let lag = async |every: Option<u64>| {
        let every = every.map(Duration::from_secs);
        let scene = Scene::every(DatadogApi::V2, every).await;
        let gauge = asked(MetricKind::Gauge, "avg:x{*}");
        scene.source.lag(&context(), &gauge).await.as_secs()
    };
    assert_eq!(lag(None).await, 60);
    assert_eq!(lag(Some(30)).await, 60);
    assert_eq!(lag(Some(300)).await, 300);
}
