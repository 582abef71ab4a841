//! Answers that do not count.

use std::time::Duration;

use em_core::fault::{FaultKind, Retry};
use em_core::plan::{DatadogApi, MetricKind};
use em_core::port::Datasource as _;
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use super::{API_KEY, APPLICATION_KEY, Scene, TIMESERIES, V1, over_time, two_minutes, v2};
use crate::asking::{asked, context, within};

/// What the same answer means to either API.
async fn meaning(answer: &ResponseTemplate) -> (FaultKind, Retry, String) {
    let mut faults = Vec::new();
    for (api, path) in [(DatadogApi::V1, V1), (DatadogApi::V2, TIMESERIES)] {
        let scene = Scene::new(api).await;
        scene.answers(path, answer.clone()).await;
        let fault = scene.query(MetricKind::Gauge, "avg:x{*}", two_minutes());
        let fault = fault.await.unwrap_err();
        let said = fault.chain().replace(&scene.server.uri(), "SERVER");
        faults.push((fault.kind, fault.retry, said));
    }
    let last = faults.pop().unwrap();
    assert!(
        faults.iter().all(|fault| *fault == last),
        "{faults:?} and {last:?}"
    );
    last
}

fn answer(status: u16, body: &Value) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(body)
}

#[tokio::test]
async fn a_status_says_what_went_wrong_in_the_words_of_the_server() {
    let words = json!({"errors": ["API input validation failed: {'query': ['bad']}"]});
    let (kind, retry, said) = meaning(&answer(400, &words)).await;
    assert_eq!((kind, retry), (FaultKind::Invalid, Retry::Never));
    assert_eq!(
        said,
        "SERVER answers 400: API input validation failed: {'query': ['bad']}"
    );

    let objects =
        json!({"errors": [{"status": "400", "title": "Generic Error", "detail": "no such scope"}]});
    let (_, _, said) = meaning(&answer(400, &objects)).await;
    assert_eq!(said, "SERVER answers 400: Generic Error: no such scope");

    let (kind, retry, _) = meaning(&answer(401, &json!({"errors": ["Unauthorized"]}))).await;
    assert_eq!((kind, retry), (FaultKind::Denied, Retry::Never));

    let forbidden =
        json!({"status": "error", "code": 403, "errors": ["Forbidden"], "statuspage": "http://s"});
    let (kind, retry, said) = meaning(&answer(403, &forbidden)).await;
    assert_eq!((kind, retry), (FaultKind::Denied, Retry::Never));
    assert!(said.contains("Forbidden (check both keys"), "{said}");

    let (kind, _, said) = meaning(&answer(404, &json!({"errors": ["Not found"]}))).await;
    assert_eq!(kind, FaultKind::NotFound);
    assert_eq!(said, "SERVER answers 404: Not found");
}

#[tokio::test]
async fn whoever_asks_too_often_waits_as_long_as_told() {
    let busy = answer(
        429,
        &json!({"errors": ["Rate limit of 1600 requests in 3600 seconds reached"]}),
    );
    let (kind, retry, said) = meaning(&busy).await;
    assert_eq!((kind, retry), (FaultKind::Throttled, Retry::Later));
    assert!(said.contains("Rate limit of 1600"), "{said}");
    let reset = busy.clone().insert_header("X-RateLimit-Reset", "17");
    let (_, retry, _) = meaning(&reset).await;
    assert_eq!(retry, Retry::After(Duration::from_secs(17)));
    let after = busy.insert_header("Retry-After", "9");
    let (_, retry, _) = meaning(&after).await;
    assert_eq!(retry, Retry::After(Duration::from_secs(9)));
    let both = after.insert_header("X-RateLimit-Reset", "4");
    let (_, retry, _) = meaning(&both).await;
    assert_eq!(retry, Retry::After(Duration::from_secs(9)));
}

#[tokio::test]
async fn a_server_in_trouble_may_be_better_later_and_its_page_is_not_repeated() {
    let page = "<!DOCTYPE html>\n<html>something <b>broke</b></html>";
    let page = ResponseTemplate::new(500).set_body_raw(page, "text/html");
    let (kind, retry, said) = meaning(&page).await;
    assert_eq!((kind, retry), (FaultKind::Unavailable, Retry::Later));
    assert_eq!(said, "SERVER answers 500: a page of HTML");
    let (kind, ..) = meaning(&answer(503, &json!({}))).await;
    assert_eq!(kind, FaultKind::Unavailable);
}

#[tokio::test]
async fn an_answer_that_breaks_off_or_is_no_json_is_malformed() {
    let whole = over_time(&json!([["a:1"]]), &[0, 20], &json!([[1, 2]])).to_string();
    let cut = whole.as_bytes()[..whole.len() - 9].to_vec();
    for body in [cut, b"<html></html>".to_vec(), Vec::new()] {
        let body = ResponseTemplate::new(200).set_body_bytes(body);
        let (kind, retry, _) = meaning(&body).await;
        assert_eq!((kind, retry), (FaultKind::Malformed, Retry::Never));
    }
}

#[tokio::test]
async fn an_error_with_status_200_is_an_error() {
    for errors in [
        json!("too many groups"),
        json!(["too many groups"]),
        json!([{"detail": "too many groups"}]),
    ] {
        let mut body = over_time(&json!([]), &[], &json!([]));
        body["errors"] = errors;
        body["series"] = json!([]);
        let (kind, _, said) = meaning(&v2(&body)).await;
        assert_eq!(kind, FaultKind::Invalid);
        assert!(said.ends_with("too many groups"), "{said}");
    }
}

#[tokio::test]
async fn few_questions_left_are_told() {
    let scene = Scene::new(DatadogApi::V2).await;
    let with = |left: &str| {
        let body = over_time(&json!([["a:1"]]), &[0, 20], &json!([[1, 2]]));
        let answer = v2(&body).insert_header("X-RateLimit-Limit", "2000");
        let answer = answer.insert_header("X-RateLimit-Remaining", left);
        answer.insert_header("X-RateLimit-Reset", "42")
    };
    let plenty = scene.told(MetricKind::Gauge, with("100")).await.unwrap();
    assert!(plenty.warnings.is_empty(), "{:?}", plenty.warnings);
    for few in ["99", "0"] {
        let few = scene.told(MetricKind::Gauge, with(few)).await.unwrap();
        assert!(
            few.warnings[0].contains("for the next 42 s"),
            "{:?}",
            few.warnings
        );
    }
}

#[tokio::test]
async fn who_does_not_answer_in_time_is_given_up() {
    let scene = Scene::new(DatadogApi::V2).await;
    let late = ResponseTemplate::new(200).set_delay(Duration::from_secs(5));
    scene.answers(TIMESERIES, late).await;
    let (cx, asked) = (
        within(Duration::from_millis(100)),
        asked(MetricKind::Gauge, "avg:x{*}"),
    );
    let fault = scene.source.query(&cx, &asked, two_minutes()).await;
    assert_eq!(fault.unwrap_err().kind, FaultKind::Unavailable);
}

#[tokio::test]
async fn keys_are_never_told() {
    let scene = Scene::new(DatadogApi::V2).await;
    let tells = |text: &str| text.contains(API_KEY) || text.contains(APPLICATION_KEY);
    let echo = format!("keys {API_KEY} and {APPLICATION_KEY} are not known");
    let mut typed = over_time(&json!([]), &[], &json!([]));
    typed["data"]["attributes"]["series"] = json!(API_KEY);
    for answer in [
        answer(403, &json!({"errors": [echo]})),
        answer(200, &json!({"errors": echo})),
        ResponseTemplate::new(500).set_body_string(&echo),
        v2(&typed),
    ] {
        let fault = scene.told(MetricKind::Gauge, answer).await.unwrap_err();
        assert!(fault.chain().contains("***"), "{}", fault.chain());
        assert!(!tells(&format!("{fault:?} {}", fault.chain())), "{fault:?}");
    }
    // HTTP forbids what is in it, and that is told without it.
    std::fs::write(scene.key_file("api"), format!("{API_KEY}\u{7}")).unwrap();
    let fault = scene.query(MetricKind::Gauge, "avg:x{*}", two_minutes());
    let fault = fault.await.unwrap_err();
    assert!(fault.message.contains("DD-API-KEY"), "{fault}");
    assert!(!tells(&format!("{fault:?}")), "{fault:?}");
    let fault = scene.source.probe(&context()).await.unwrap_err();
    assert!(!tells(&format!("{fault:?}")), "{fault:?}");
    assert!(!tells(&format!("{:?}", scene.source)));
}
