//! Refusals, and answers that are none.

use std::time::Duration;

use em_core::fault::{FaultKind, Retry};
use em_core::plan::MetricKind::{Gauge, Value};
use em_core::port::Datasource as _;
use serde_json::json;
use wiremock::ResponseTemplate;

use super::{KEY, Scene, T0, ok, row, rows, three_minutes, told};
use crate::asking::{asked, within};

#[tokio::test]
async fn refusals_have_their_kind_and_no_page_for_people() {
    let page = "<!DOCTYPE html>\n<html>secret stack trace</html>";
    let errors = r#"{"errors":[{"message":"bad variables"}]}"#;
    for (status, body, kind, words) in [
        (400, errors, FaultKind::Invalid, "400: bad variables"),
        (
            401,
            r#"{"errors":[{"message":"invalid key"}]}"#,
            FaultKind::Denied,
            "invalid key (check the key",
        ),
        (403, page, FaultKind::Denied, "a page of HTML"),
        (404, page, FaultKind::NotFound, "a page of HTML"),
        (500, page, FaultKind::Unavailable, "500: a page of HTML"),
        (503, "busy", FaultKind::Unavailable, "503: busy"),
    ] {
        let reply = ResponseTemplate::new(status).set_body_string(body);
        let fault = told(Gauge, reply).await.unwrap_err();
        assert_eq!(fault.kind, kind, "{status}");
        let said = fault.chain();
        assert!(said.contains(words) && !said.contains("stack"), "{said}");
    }
    let busy = ResponseTemplate::new(429);
    let fault = told(Gauge, busy.clone()).await.unwrap_err();
    assert_eq!(
        (fault.kind, fault.retry),
        (FaultKind::Throttled, Retry::Later)
    );
    let fault = told(Gauge, busy.insert_header("Retry-After", "7")).await;
    assert_eq!(
        fault.unwrap_err().retry,
        Retry::After(Duration::from_secs(7))
    );
}

#[tokio::test]
async fn errors_with_status_200_are_errors_even_beside_data() {
    for (class, message, kind) in [
        (
            "FAILURE",
            "NRQL Syntax Error: Error at line 1",
            FaultKind::Invalid,
        ),
        (
            "TIMEOUT",
            "NRDB query duration exceeded the set timeout",
            FaultKind::Unavailable,
        ),
        ("TOO_MANY_REQUESTS", "slow down", FaultKind::Throttled),
        (
            "ACCESS_DENIED",
            "no access to account 42",
            FaultKind::Denied,
        ),
    ] {
        let found = json!([row("a", 0, 60, &json!(1))]);
        let mut body = rows(&json!(["host"]), &found);
        body["errors"] = json!([{"message": message, "path": ["actor", "account", "nrql"],
            "extensions": {"errorClass": class}, "locations": [{"line": 1, "column": 9}]}]);
        let fault = told(Gauge, ok(&body)).await.unwrap_err();
        assert_eq!(fault.kind, kind, "{class}");
        assert!(fault.message.contains(message), "{fault}");
        body["data"] = json!({"actor": {"account": {"nrql": null}}});
        assert_eq!(told(Gauge, ok(&body)).await.unwrap_err().kind, kind);
    }
}

#[tokio::test]
async fn answers_that_are_no_single_number_are_refused() {
    let two = json!([{"beginTimeSeconds": T0, "endTimeSeconds": T0 + 60, "count": 1, "average.duration": 2}]);
    let events = json!([{"timestamp": 1, "duration": 1, "name": "a"}]);
    let words = json!([{"latest.name": "a"}]);
    for found in [two, events, words] {
        let fault = told(Gauge, ok(&rows(&json!(null), &found))).await;
        assert_eq!(fault.unwrap_err().kind, FaultKind::Invalid, "{found}");
    }
    let twice = json!([{"duration": 1}, {"duration": 2}]);
    let fault = told(Value, ok(&rows(&json!(null), &twice))).await;
    let fault = fault.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Invalid);
    assert!(fault.message.contains("several rows"), "{fault}");
}

#[tokio::test]
async fn shapes_that_nobody_knows_are_malformed() {
    let found = json!([row("a", 0, 60, &json!(1))]);
    let whole = rows(&json!(["host"]), &found).to_string();
    let twice = json!([row("a", 0, 60, &json!(1)), row("a", 0, 60, &json!(2))]);
    let bodies = [
        whole[..whole.len() - 9].to_owned(),
        rows(&json!(["host"]), &twice).to_string(),
        rows(&json!(["host"]), &json!([row("a", 60, 0, &json!(1))])).to_string(),
        rows(&json!(["host", "region"]), &found).to_string(),
        rows(&json!(null), &json!([{"count": 1}])).to_string(),
        rows(&json!(null), &json!([[1]])).to_string(),
        rows(&json!(null), &json!(null)).to_string(),
        r#"{"data": {"actor": {"account": {"nrql": null}}}}"#.to_owned(),
        r#"{"data": null}"#.to_owned(),
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
    let closed = json!({"data": {"actor": {"account": null}}});
    let fault = told(Gauge, ok(&closed)).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Denied);
}

#[tokio::test]
async fn who_does_not_answer_is_given_up_at_the_deadline() {
    let slow = ResponseTemplate::new(200).set_delay(Duration::from_secs(30));
    let scene = Scene::answering(slow).await;
    let cx = within(Duration::from_millis(100));
    let asked = asked(Gauge, "SELECT count(*) FROM T");
    let fault = scene.source.query(&cx, &asked, three_minutes()).await;
    assert_eq!(fault.unwrap_err().kind, FaultKind::Unavailable);
}

#[tokio::test]
async fn the_key_is_never_told() {
    let echo = json!({"errors": [{"message": format!("key {KEY} is unknown")}]});
    let typed = json!({"data": KEY});
    for reply in [
        ResponseTemplate::new(401).set_body_json(&echo),
        ResponseTemplate::new(500).set_body_string(KEY),
        ok(&echo),
        ok(&typed),
    ] {
        let fault = told(Gauge, reply).await.unwrap_err();
        let said = format!("{fault:?} {}", fault.chain());
        assert!(said.contains("***") && !said.contains(KEY), "{said}");
    }
    let scene = Scene::answering(ok(&echo)).await;
    let shown = format!("{:?}", scene.source);
    assert!(!shown.contains(KEY), "{shown}");
    // HTTP forbids what is in it, and that is told without it.
    std::fs::write(scene.keys.path().join("key"), "hush\nkey").unwrap();
    let fault = scene.query(Gauge, three_minutes()).await.unwrap_err();
    let said = format!("{fault:?}");
    assert!(!said.contains("hush"), "{said}");
}
