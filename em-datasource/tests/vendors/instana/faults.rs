//! What goes wrong, and what is told of it.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::time::Duration;

use em_core::fault::{Fault, FaultKind, Retry};
use em_core::plan::MetricKind;
use em_core::port::{Datasource as _, Health};
use serde_json::{Value, json};
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, ResponseTemplate};

use super::scene::{INFRASTRUCTURE, OVERALL, SERVICES, START, TOKEN, Unit, after, point, source};
use crate::asking::{at, context};

const CPU: &str = r#"{"plugin": "host", "metrics": ["cpu.user"], "rollup": 60}"#;

async fn fault_of(answer: ResponseTemplate) -> Fault {
    let unit = Unit::new().await;
    unit.tells(INFRASTRUCTURE, answer).await;
    let answer = unit.query(MetricKind::Gauge, CPU, after(0, 600)).await;
    let fault = answer.unwrap_err();
    let shown = format!("{fault:?} {}", fault.chain());
    assert!(!shown.contains(TOKEN), "{shown}");
    fault
}

fn status(status: u16, body: &Value) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(body)
}

fn text(code: u16, body: &str) -> ResponseTemplate {
    ResponseTemplate::new(code).set_body_raw(body, "text/plain")
}

#[tokio::test]
async fn a_status_is_a_kind_of_fault_with_the_servers_words() {
    let words = json!({"errors": ["unknown plugin 'hosst'"]});
    for (code, kind, retry) in [
        (400, FaultKind::Invalid, Retry::Never),
        (422, FaultKind::Invalid, Retry::Never),
        (401, FaultKind::Denied, Retry::Never),
        (403, FaultKind::Denied, Retry::Never),
        (404, FaultKind::NotFound, Retry::Never),
        (429, FaultKind::Throttled, Retry::Later),
        (500, FaultKind::Unavailable, Retry::Later),
        (503, FaultKind::Unavailable, Retry::Later),
    ] {
        let fault = fault_of(status(code, &words)).await;
        assert_eq!((fault.kind, fault.retry), (kind, retry), "{code}");
        assert!(
            fault.message.contains("unknown plugin 'hosst'"),
            "{}",
            fault.message
        );
        let empty = fault_of(ResponseTemplate::new(code)).await;
        assert_eq!(empty.kind, kind);
        assert!(
            empty.message.ends_with(&code.to_string()),
            "{}",
            empty.message
        );
    }
    let objects = json!({"errors": [{"message": "one", "code": 3}, "two"]});
    let fault = fault_of(status(400, &objects)).await;
    assert!(fault.message.contains("one; two"), "{}", fault.message);
    let fault = fault_of(text(502, "\nbad gateway\nmore")).await;
    assert!(fault.message.ends_with("bad gateway"), "{}", fault.message);
}

#[tokio::test]
async fn what_repeats_the_token_is_told_without_it() {
    let words = json!({"errors": [format!("token {TOKEN} is unknown")]});
    for code in [401, 400, 200] {
        let fault = fault_of(status(code, &words)).await;
        assert!(
            fault.message.contains("token *** is unknown"),
            "{}",
            fault.message
        );
    }
    let unit = Unit::new().await;
    assert!(!format!("{unit:?}").contains(TOKEN));
}

#[tokio::test]
async fn success_with_errors_is_none() {
    let fault = fault_of(status(200, &json!({"errors": ["no"], "items": []}))).await;
    assert_eq!(fault.kind, FaultKind::Invalid);
    assert!(fault.message.ends_with("errors: no"), "{}", fault.message);
    let unit = Unit::answering(INFRASTRUCTURE, json!({"errors": [], "items": []})).await;
    let answer = unit.query(MetricKind::Gauge, CPU, after(0, 600)).await;
    assert!(answer.is_ok());
}

#[tokio::test]
async fn throttling_says_how_long_it_lasts() {
    let throttled = |name: &str, value: &str, words: &str| {
        let body = json!({"errors": [words]});
        status(429, &body).insert_header(name, value)
    };
    let retry = async |answer| {
        let fault = fault_of(answer).await;
        assert_eq!(fault.kind, FaultKind::Throttled);
        fault.retry
    };
    let after = |seconds| Retry::After(Duration::from_secs(seconds));
    let reset = (START + 3600 + 77).to_string();
    let name = "X-RateLimit-Reset";
    assert_eq!(retry(throttled(name, &reset, "limit")).await, after(77));
    assert_eq!(retry(throttled(name, "12", "limit")).await, after(12));
    assert_eq!(retry(throttled(name, "soon", "limit")).await, Retry::Later);
    let crowd = "too many Concurrent queries";
    assert_eq!(retry(throttled(name, &reset, crowd)).await, after(10));
    assert_eq!(retry(throttled("Retry-After", "5", crowd)).await, after(5));
    let both = throttled("Retry-After", "5", "limit").insert_header(name, reset.as_str());
    assert_eq!(retry(both).await, after(5));
}

#[tokio::test]
async fn pages_of_html_are_not_repeated() {
    let page = "\n<!DOCTYPE html><html><body>secret plans</body></html>";
    for code in [500, 404, 200] {
        let fault = fault_of(text(code, page)).await;
        assert!(
            fault.message.contains("a page of HTML"),
            "{}",
            fault.message
        );
        assert!(!fault.chain().contains("secret plans"), "{}", fault.chain());
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_malformed() {
    let series = |points: Value| json!({"items": [{"metrics": {"cpu.user": points}}]}).to_string();
    for body in [
        String::new(),
        "{\"items\": [{\"metrics\": {\"cpu".to_owned(),
        "[]".to_owned(),
        "{}".to_owned(),
        "{\"items\": {}}".to_owned(),
        "{\"items\": [{\"metrics\": {\"cpu.user\": [[1700000100000, 1e999]]}}]}".to_owned(),
        series(json!([[1_700_000_100_000_u64]])),
        series(json!([[1_700_000_100_000_u64, 1, 2]])),
        series(json!([["2023", 1]])),
        series(json!([[1_700_000_100_000_u64, "NaN"]])),
        series(json!([[1e18, 1]])),
        series(json!(7)),
    ] {
        let fault = fault_of(text(200, &body)).await;
        assert_eq!(fault.kind, FaultKind::Malformed, "{body}: {fault}");
        assert_eq!(fault.retry, Retry::Never);
    }
    let frame = json!({"items": [], "adjustedTimeframe": {"to": 1}});
    let unit = Unit::answering(SERVICES, frame).await;
    let query = r#"{"of": "services", "metrics": [{"metric": "calls"}]}"#;
    let fault = unit.query(MetricKind::Gauge, query, after(0, 60)).await;
    assert_eq!(fault.unwrap_err().kind, FaultKind::Malformed);
}

#[tokio::test]
async fn several_metrics_are_not_mixed_up() {
    let metrics = json!({"calls.sum": [point(0, 1)], "errors.mean": [point(0, 2)]});
    let unit = Unit::answering(OVERALL, json!({"metrics": metrics})).await;
    let wanted = r#"{"metrics": [{"metric": "errors", "aggregation": "MEAN"}]}"#;
    let answer = unit.query(MetricKind::Value, wanted, after(0, 60)).await;
    let value = answer.unwrap().series[0].points[0].value;
    assert!((value - 2.0).abs() < f64::EPSILON);
    let other = r#"{"metrics": [{"metric": "latency", "aggregation": "MEAN"}]}"#;
    let fault = unit.query(MetricKind::Value, other, after(0, 60)).await;
    let fault = fault.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Malformed);
    assert!(
        fault.message.contains("calls.sum, errors.mean"),
        "{}",
        fault.message
    );
}

#[tokio::test]
async fn a_query_that_cannot_be_asked_is_not() {
    let unit = Unit::new().await;
    for (kind, query) in [
        (MetricKind::Gauge, "cpu.user"),
        (MetricKind::Histogram, CPU),
        (MetricKind::Counter, CPU),
    ] {
        let fault = unit.query(kind, query, after(0, 600)).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Invalid, "{fault}");
    }
    let month = after(-32 * 86_400, 0);
    let fault = unit.query(MetricKind::Gauge, CPU, month).await.unwrap_err();
    assert!(fault.message.contains("31 days"), "{}", fault.message);
    assert!(unit.bodies().await.is_empty());
}

#[tokio::test]
async fn a_renewed_token_counts_at_once() {
    let unit = Unit::answering(INFRASTRUCTURE, json!({"items": []})).await;
    let ask = async || unit.query(MetricKind::Gauge, CPU, after(0, 600)).await;
    assert!(ask().await.is_ok());
    std::fs::write(unit.token.path(), "another").unwrap();
    assert_eq!(ask().await.unwrap_err().kind, FaultKind::NotFound);
    let requests = unit.server.received_requests().await.unwrap();
    assert_eq!(requests[1].headers["authorization"], "apiToken another");
    std::fs::remove_file(unit.token.path()).unwrap();
    assert!(
        ask()
            .await
            .unwrap_err()
            .message
            .contains("failed to read the secret")
    );
}

async fn probed(version: ResponseTemplate, health: ResponseTemplate) -> Result<Health, Fault> {
    let unit = Unit::new().await;
    for (at, answer) in [("version", version), ("health", health)] {
        Mock::given(method("GET"))
            .and(path(format!("/api/instana/{at}")))
            .and(header(
                "authorization",
                format!("apiToken {TOKEN}").as_str(),
            ))
            .respond_with(answer)
            .mount(&unit.server)
            .await;
    }
    unit.source.probe(&context()).await
}

#[tokio::test]
async fn a_probe_tells_the_version_and_the_clock() {
    let version = json!({"branch": "release-297", "commit": "c", "imageTag": "3.297.1"});
    let date = at(START + 3600 + 60)
        .strftime("%a, %d %b %Y %H:%M:%S GMT")
        .to_string();
    let version = status(200, &version).insert_header("Date", date.as_str());
    let red = json!({"health": "RED", "messages": ["a unit is down"]});
    let health = probed(version, status(200, &red)).await.unwrap();
    assert_eq!(health.version.as_deref(), Some("3.297.1"));
    assert_eq!(health.clock_skew_ms, Some(60_500));
}

#[tokio::test]
async fn a_probe_fails_where_nobody_or_somebody_else_answers() {
    let green = || status(200, &json!({"health": "GREEN"}));
    let denied = probed(status(401, &json!({"errors": ["no"]})), green()).await;
    assert_eq!(denied.unwrap_err().kind, FaultKind::Denied);
    let page = probed(text(200, "<html>log in</html>"), green()).await;
    assert_eq!(page.unwrap_err().kind, FaultKind::Malformed);
    let quiet = probed(status(200, &json!({})), green()).await.unwrap();
    assert_eq!(quiet.version, None);
    let unit = Unit::new().await;
    // Nobody listens there.
    let gone = source("http://127.0.0.1:9", unit.token.path());
    let gone = gone.probe(&context()).await.unwrap_err();
    assert_eq!(gone.kind, FaultKind::Unavailable);
}
