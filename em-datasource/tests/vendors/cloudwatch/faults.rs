//! Refusals, and answers that are none.

use std::time::Duration;

use em_core::fault::{FaultKind, Retry};
use em_core::plan::MetricKind::Gauge;
use em_core::port::Datasource as _;
use serde_json::json;
use wiremock::ResponseTemplate;

use super::{QUERY, Scene, ok, one, results, three_minutes, told};
use crate::asking::{asked, within};

#[tokio::test]
async fn refusals_have_the_kind_of_their_name() {
    let page = "<!DOCTYPE html>\n<html>secret stack trace</html>";
    let name = |name: &str| {
        json!({"__type": format!("com.amazonaws.monitoring#{name}"), "message": "no"}).to_string()
    };
    for (status, body, kind, words) in [
        (
            400,
            name("InvalidParameterValue"),
            FaultKind::Invalid,
            "400: InvalidParameterValue: no",
        ),
        (
            400,
            name("UnrecognizedClientException"),
            FaultKind::Denied,
            "UnrecognizedClientException: no",
        ),
        (
            400,
            name("ThrottlingException"),
            FaultKind::Throttled,
            "ThrottlingException: no",
        ),
        (
            400,
            r#"{"__type":"ExpiredTokenException","Message":"old"}"#.to_owned(),
            FaultKind::Denied,
            "ExpiredTokenException: old",
        ),
        (401, String::new(), FaultKind::Denied, "401"),
        (
            403,
            name("AccessDeniedException"),
            FaultKind::Denied,
            "AccessDeniedException",
        ),
        (404, page.to_owned(), FaultKind::NotFound, "a page of HTML"),
        (
            500,
            page.to_owned(),
            FaultKind::Unavailable,
            "500: a page of HTML",
        ),
        (
            500,
            name("InternalServiceFault"),
            FaultKind::Unavailable,
            "InternalServiceFault",
        ),
        (503, "busy".to_owned(), FaultKind::Unavailable, "503: busy"),
    ] {
        let reply = ResponseTemplate::new(status).set_body_string(&body);
        let fault = told(Gauge, reply).await.unwrap_err();
        assert_eq!(fault.kind, kind, "{status} {body}");
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
async fn a_series_that_is_refused_refuses_the_answer() {
    for (code, kind) in [
        ("Forbidden", FaultKind::Denied),
        ("InternalError", FaultKind::Unavailable),
        ("Odd", FaultKind::Malformed),
    ] {
        let mut bad = one("lost", &[], &json!([]));
        bad["StatusCode"] = json!(code);
        bad["Messages"] = json!([{"Code": "Why", "Value": "because"}]);
        let found = json!([one("sent", &[0], &json!([1])), bad]);
        let fault = told(Gauge, ok(&results(&found))).await.unwrap_err();
        assert_eq!(fault.kind, kind, "{code}");
        assert!(fault.message.ends_with("because"), "{fault}");
    }
    let alike = json!([
        one("sent", &[0], &json!([1])),
        one("sent", &[0], &json!([2]))
    ]);
    let fault = told(Gauge, ok(&results(&alike))).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Invalid);
    assert!(fault.message.contains("tell them apart"), "{fault}");
}

#[tokio::test]
async fn shapes_that_nobody_knows_are_malformed() {
    let whole = results(&json!([one("sent", &[0], &json!([1]))])).to_string();
    let bodies = [
        whole[..whole.len() - 9].to_owned(),
        results(&json!([one("sent", &[0, 60], &json!([1]))])).to_string(),
        results(&json!([one("sent", &[0], &json!(["1"]))])).to_string(),
        results(&json!([{"Label": "sent", "Timestamps": [1e300], "Values": [1], "StatusCode": "Complete"}])).to_string(),
        results(&json!([{"Label": "sent"}])).to_string(),
        results(&json!(null)).to_string(),
        r#"{"Output": {}}"#.to_owned(),
        "<GetMetricDataResponse/>".to_owned(),
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
}

#[tokio::test]
async fn who_does_not_answer_is_given_up_at_the_deadline() {
    let slow = ResponseTemplate::new(200).set_delay(Duration::from_secs(30));
    let scene = Scene::answering(slow).await;
    let (cx, asked) = (within(Duration::from_millis(100)), asked(Gauge, QUERY));
    let fault = scene.source.query(&cx, &asked, three_minutes()).await;
    assert_eq!(fault.unwrap_err().kind, FaultKind::Unavailable);
}

#[tokio::test]
async fn keys_are_never_told() {
    let refused = json!({"__type": "AccessDenied", "message": "no"});
    let scene = Scene::answering(ResponseTemplate::new(403).set_body_json(&refused)).await;
    let fault = scene.query(Gauge).await.unwrap_err();
    let said = format!("{fault:?} {} {:?}", fault.chain(), scene.source);
    assert!(!said.contains("hush"), "{said}");
    std::fs::write(scene.keys.path().join("session"), "hush\nsession").unwrap();
    let said = format!("{:?}", scene.query(Gauge).await.unwrap_err());
    assert!(!said.contains("hush"), "{said}");
}
