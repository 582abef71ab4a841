//! Refusals, and answers that are none.

use std::time::Duration;

use em_core::fault::{FaultKind, Retry};
use em_core::plan::MetricKind::{Gauge, Value};
use em_core::port::{Clock as _, Datasource as _, SystemClock};
use serde_json::json;
use wiremock::ResponseTemplate;

use super::{Scene, TOKEN, answer, ok, row, three_minutes, told};
use crate::asking::{asked, within};

#[tokio::test]
async fn refusals_have_their_kind_and_the_words_of_the_server() {
    let page = "<!DOCTYPE html>\n<html>secret stack trace</html>";
    let envelope = r#"{"error":{"code":400,"message":"Constraints violated.","constraintViolations":[{"path":"metricSelector","message":"no viable alternative at 'x('"}]}}"#;
    for (status, body, kind, words) in [
        (
            400,
            envelope,
            FaultKind::Invalid,
            "400: Constraints violated.; metricSelector: no viable alternative at 'x('",
        ),
        (
            401,
            r#"{"error":{"code":401,"message":"Token Authentication failed"}}"#,
            FaultKind::Denied,
            "Token Authentication failed (check the token",
        ),
        (403, page, FaultKind::Denied, "a page of HTML"),
        (
            404,
            r#"{"error":{"code":404,"message":"metric unknown"}}"#,
            FaultKind::NotFound,
            "metric unknown",
        ),
        (500, page, FaultKind::Unavailable, "500: a page of HTML"),
        (503, "busy", FaultKind::Unavailable, "503: busy"),
        (200, envelope, FaultKind::Invalid, "no viable alternative"),
    ] {
        let reply = ResponseTemplate::new(status).set_body_string(body);
        let fault = told(Gauge, reply).await.unwrap_err();
        assert_eq!(fault.kind, kind, "{status}");
        let said = fault.chain();
        assert!(said.contains(words) && !said.contains("stack"), "{said}");
    }
}

#[tokio::test]
async fn whoever_asks_too_often_waits_as_long_as_told() {
    let busy = ResponseTemplate::new(429);
    let fault = told(Gauge, busy.clone()).await.unwrap_err();
    assert_eq!(
        (fault.kind, fault.retry),
        (FaultKind::Throttled, Retry::Later)
    );
    let after = busy.clone().insert_header("Retry-After", "9");
    let fault = told(Gauge, after).await.unwrap_err();
    assert_eq!(fault.retry, Retry::After(Duration::from_secs(9)));
    let soon = SystemClock.now().as_microsecond() + 60_000_000;
    let reset = busy.insert_header("X-RateLimit-Reset", soon.to_string());
    let fault = told(Gauge, reset).await.unwrap_err();
    let Retry::After(wait) = fault.retry else {
        panic!("{fault:?}");
    };
    let seconds = wait.as_secs_f64();
    assert!((50.0..=60.0).contains(&seconds), "{seconds}");
}

#[tokio::test]
async fn shapes_that_nobody_knows_are_malformed() {
    let whole = answer("1m", &json!([row("HOST-1", &[60], &json!([1]))])).to_string();
    let twice = json!([
        row("HOST-1", &[60], &json!([1])),
        row("HOST-1", &[120], &json!([2]))
    ]);
    let bodies = [
        whole[..whole.len() - 9].to_owned(),
        answer("1m", &json!([row("HOST-1", &[60, 120], &json!([1]))])).to_string(),
        answer("1m", &json!([row("HOST-1", &[60], &json!(["1"]))])).to_string(),
        answer("1m", &json!([{"timestamps": [1e300], "values": [1]}])).to_string(),
        answer("1m", &twice).to_string(),
        r#"{"result": null}"#.to_owned(),
        r#"{"metrics": []}"#.to_owned(),
        "<html></html>".to_owned(),
        String::new(),
    ];
    for body in bodies {
        let reply = ResponseTemplate::new(200).set_body_string(&body);
        let fault = told(Gauge, reply).await.unwrap_err();
        assert_eq!(
            (fault.kind, fault.retry),
            (FaultKind::Malformed, Retry::Never),
            "{body}"
        );
    }
    let two = answer("Inf", &json!([row("HOST-1", &[60, 120], &json!([1, 2]))]));
    let fault = told(Value, ok(&two)).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Malformed);
}

#[tokio::test]
async fn who_does_not_answer_is_given_up_at_the_deadline() {
    let slow = ResponseTemplate::new(200).set_delay(Duration::from_secs(30));
    let scene = Scene::answering(slow).await;
    let cx = within(Duration::from_millis(100));
    let asked = asked(Gauge, "m");
    let fault = scene.source.query(&cx, &asked, three_minutes()).await;
    assert_eq!(fault.unwrap_err().kind, FaultKind::Unavailable);
}

#[tokio::test]
async fn the_token_is_never_told() {
    let echo = json!({"error": {"code": 401, "message": format!("Token {TOKEN} is unknown")}});
    let typed = json!({"result": TOKEN});
    for reply in [
        ResponseTemplate::new(401).set_body_json(&echo),
        ResponseTemplate::new(500).set_body_string(TOKEN),
        ok(&echo),
        ok(&typed),
    ] {
        let fault = told(Gauge, reply).await.unwrap_err();
        let said = format!("{fault:?} {}", fault.chain());
        assert!(said.contains("***") && !said.contains(TOKEN), "{said}");
    }
    let mut warned = answer("1m", &json!([]));
    warned["warnings"] = json!([format!("{TOKEN} runs out")]);
    let answer = told(Gauge, ok(&warned)).await.unwrap();
    assert_eq!(answer.warnings, ["*** runs out"]);
    let scene = Scene::answering(ok(&warned)).await;
    let shown = format!("{:?}", scene.source);
    assert!(!shown.contains(TOKEN), "{shown}");
    // HTTP forbids what is in it, and that is told without it.
    std::fs::write(scene.keys.path().join("token"), "hush\ntoken").unwrap();
    let fault = scene.query(Gauge, three_minutes()).await.unwrap_err();
    let said = format!("{fault:?}");
    assert!(!said.contains("hush"), "{said}");
}
