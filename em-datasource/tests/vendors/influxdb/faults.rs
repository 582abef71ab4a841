//! Refusals, and answers that are none.

use std::time::Duration;

use em_core::fault::{FaultKind, Retry};
use em_core::plan::MetricKind::Gauge;
use em_core::port::Datasource as _;
use wiremock::ResponseTemplate;

use super::{QUERY, answered, json, series, server, source, spec};
use crate::asking::{asked, context, values, window, within};

#[tokio::test]
async fn only_one_select_is_sent() {
    let server = server(json("{}")).await;
    let source = source(&spec(&server.uri()));
    for text in [
        "DROP DATABASE em",
        "SHOW DATABASES",
        "SELECT v FROM m; DROP DATABASE em",
        "SELECT v INTO w FROM m",
    ] {
        let asked = asked(Gauge, text);
        let fault = source.validate(&context(), &asked).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Invalid, "{text}");
        let fault = source.query(&context(), &asked, window(100, 160)).await;
        assert_eq!(fault.unwrap_err().kind, FaultKind::Invalid, "{text}");
    }
    let requests = server.received_requests().await.unwrap();
    assert!(requests.is_empty(), "{requests:?}");
}

#[tokio::test]
async fn an_answer_in_part_is_none() {
    let whole = r#"{"name":"m","columns":["time","v"],"values":[[100000000000,1]]"#;
    for body in [
        series(&format!(r#"{whole},"partial":true}}"#)),
        json(&format!(
            r#"{{"results":[{{"statement_id":0,"series":[{whole}}}],"partial":true}}]}}"#
        )),
    ] {
        let fault = answered(body).await.unwrap_err();
        assert_eq!(
            (fault.kind, fault.retry),
            (FaultKind::Malformed, Retry::Never)
        );
        assert!(fault.message.contains("max-row-limit"), "{fault}");
    }
    let answer = answered(series(&format!("{whole}}}"))).await.unwrap();
    assert_eq!(values(&answer), [[(100, 1.0)]]);
}

#[tokio::test]
async fn errors_within_a_success_are_errors() {
    for (body, kind, words) in [
        (
            r#"{"results":[{"statement_id":0,"error":"database not found: em"}]}"#,
            FaultKind::NotFound,
            "database not found: em",
        ),
        (
            r#"{"results":[{"statement_id":0,"error":"undefined function nofunc()"}]}"#,
            FaultKind::Invalid,
            "undefined function",
        ),
        (
            r#"{"results":[{"statement_id":0,"error":"query-timeout limit exceeded"}]}"#,
            FaultKind::Unavailable,
            "query-timeout",
        ),
        (r#"{"error":"timeout"}"#, FaultKind::Unavailable, "timeout"),
        ("{}", FaultKind::Malformed, "one result"),
        (r#"{"results":[]}"#, FaultKind::Malformed, "one result"),
        (r#"{"results":[{},{}]}"#, FaultKind::Malformed, "one result"),
        (
            r#"{"results":[{"series":[{"name":"m","colu"#,
            FaultKind::Malformed,
            "failed to read",
        ),
        (
            r#"{"results":[{"series":[{"name":"m","columns":"v"}]}]}"#,
            FaultKind::Malformed,
            "failed to read",
        ),
        (
            "{\"results\":[{}]}\n{\"results\":[{}]}",
            FaultKind::Malformed,
            "failed to read",
        ),
        ("<html>", FaultKind::Malformed, "failed to read"),
    ] {
        let fault = answered(json(body)).await.unwrap_err();
        assert_eq!(fault.kind, kind, "{body}");
        let said = fault.chain();
        assert!(said.contains(words), "{said}");
    }
}

#[tokio::test]
async fn refusals_have_their_kind_and_no_page_for_people() {
    let page = "<!DOCTYPE html>\n<html>secret stack trace</html>";
    for (status, body, kind, words) in [
        (
            400,
            r#"{"error":"error parsing query: found FRM"}"#,
            FaultKind::Invalid,
            "400: error parsing query",
        ),
        (
            401,
            r#"{"error":"authorization failed"}"#,
            FaultKind::Denied,
            "authorization failed",
        ),
        (401, "Unauthorized", FaultKind::Denied, "401: Unauthorized"),
        (
            403,
            r#"{"error":"error authorizing query"}"#,
            FaultKind::Denied,
            "403: error authorizing",
        ),
        (
            404,
            r#"{"code":"not found","message":"no dbrp mapping found"}"#,
            FaultKind::NotFound,
            "no dbrp mapping",
        ),
        (500, page, FaultKind::Unavailable, "a page of HTML"),
        (503, "", FaultKind::Unavailable, "503"),
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
async fn rows_that_are_no_series_of_numbers_are_refused() {
    for (table, kind) in [
        (
            r#"{"name":"m","columns":["time","v"],"values":[[100000000000]]}"#,
            FaultKind::Malformed,
        ),
        (
            r#"{"name":"m","columns":["time","v"],"values":[[100000000000,"x"]]}"#,
            FaultKind::Invalid,
        ),
        (
            r#"{"name":"m","columns":["time","v","w"],"values":[[100000000000,1,2]]}"#,
            FaultKind::Invalid,
        ),
        (
            r#"{"name":"m","columns":["v"],"values":[[1]]}"#,
            FaultKind::Malformed,
        ),
        (
            r#"{"name":"m","columns":["time","v"]},{"name":"m","columns":["time","v"]}"#,
            FaultKind::Malformed,
        ),
    ] {
        let fault = answered(series(table)).await.unwrap_err();
        assert_eq!(fault.kind, kind, "{table}");
    }
}

#[tokio::test]
async fn who_does_not_answer_is_given_up_at_the_deadline() {
    let slow = server(json("{}").set_delay(Duration::from_secs(30))).await;
    let source = source(&spec(&slow.uri()));
    let limit = within(Duration::from_millis(100));
    let fault = source
        .query(&limit, &asked(Gauge, QUERY), window(0, 60))
        .await
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::Unavailable);
}
