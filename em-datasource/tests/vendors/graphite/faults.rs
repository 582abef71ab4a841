//! Refusals, and answers that are none.

use std::time::Duration;

use em_core::fault::{FaultKind, Retry};
use em_core::plan::MetricKind::Gauge;
use em_core::port::Datasource as _;
use wiremock::ResponseTemplate;

use super::{answered, json, server, source, spec};
use crate::asking::{asked, window, within};

#[tokio::test]
async fn refusals_have_their_kind_and_no_page_for_people() {
    let page = "<!DOCTYPE html>\n<html>secret stack trace</html>";
    for (status, body, kind, words) in [
        (
            400,
            "Invalid target",
            FaultKind::Invalid,
            "400: Invalid target",
        ),
        (401, "", FaultKind::Denied, "401"),
        (403, page, FaultKind::Denied, "a page of HTML"),
        (404, page, FaultKind::NotFound, "a page of HTML"),
        (500, page, FaultKind::Unavailable, "a page of HTML"),
        (503, "busy", FaultKind::Unavailable, "503: busy"),
        (302, "", FaultKind::Invalid, "redirects are not followed"),
    ] {
        let answer = ResponseTemplate::new(status).set_body_string(body);
        let fault = answered(answer).await.unwrap_err();
        assert_eq!(fault.kind, kind, "{status}");
        let said = fault.chain();
        assert!(said.contains(words) && !said.contains("stack"), "{said}");
    }
    let throttled = ResponseTemplate::new(429).insert_header("Retry-After", "7");
    let fault = answered(throttled).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Throttled);
    assert_eq!(fault.retry, Retry::After(Duration::from_secs(7)));
    let fault = answered(ResponseTemplate::new(429)).await.unwrap_err();
    assert_eq!(fault.retry, Retry::Later);
}

#[tokio::test]
async fn shapes_that_nobody_knows_are_malformed() {
    for body in [
        r#"[{"target":"x","datapoints":[[1,100]"#,
        r#"[{"target":"x","datapoints":[[1]]}]"#,
        r#"[{"target":"x","datapoints":[[1,100,2]]}]"#,
        r#"[{"target":"x","datapoints":[["a",100]]}]"#,
        r#"[{"target":"x","datapoints":[[1,100],[2,100]]}]"#,
        r#"[{"target":"x"}]"#,
        r#"{"error":"no"}"#,
        "<html></html>",
        "",
    ] {
        let fault = answered(json(body)).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Malformed, "{body}");
    }
}

#[tokio::test]
async fn who_does_not_answer_is_given_up_at_the_deadline() {
    let slow = server(json("[]").set_delay(Duration::from_secs(30))).await;
    let source = source(&spec(&slow.uri()));
    let limit = within(Duration::from_millis(100));
    let fault = source
        .query(&limit, &asked(Gauge, "x"), window(0, 60))
        .await
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::Unavailable);
}
