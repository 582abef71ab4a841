//! Metrics of applications, services and endpoints, and over all calls.

use std::time::Duration;

use em_core::fault::FaultKind;
use em_core::plan::MetricKind;
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use super::scene::{OVERALL, SERVICES, START, Unit, after, frame, point};
use crate::asking::values;

const CALLS: &str = r#"{"of": "services", "applicationBoundaryScope": "INBOUND",
    "metrics": [{"metric": "calls", "aggregation": "SUM", "granularity": 60}]}"#;
const LATENCY: &str = r#"{"of": "services",
    "metrics": [{"metric": "latency", "aggregation": "P95"}]}"#;

fn service(name: &str, metrics: &Value) -> Value {
    json!({"service": {"id": format!("id-{name}"), "label": name, "entityType": "SERVICE"},
        "metrics": metrics})
}

fn page(items: &[Value], number: u64, size: u64, total: u64) -> Value {
    json!({"items": items, "page": number, "pageSize": size, "totalHits": total})
}

#[tokio::test]
async fn calls_become_a_total_of_whole_buckets() {
    let points = json!({"calls.sum.60": [point(0, 5), point(60, Value::Null), point(120, 7), point(180, 9)]});
    let mut body = page(&[service("cart", &points)], 1, 200, 1);
    body["adjustedTimeframe"] = frame(0, 180);
    let unit = Unit::answering(SERVICES, body).await;
    let window = after(-5, 190);
    let answer = unit
        .query(MetricKind::Counter, CALLS, window)
        .await
        .unwrap();
    let expected = [(START, 0.0), (START + 60, 5.0), (START + 180, 12.0)];
    assert_eq!(values(&answer), [expected]);
    assert_eq!(answer.window, after(0, 180));
    assert!(answer.warnings.is_empty(), "{:?}", answer.warnings);
    let labels = &answer.series[0].labels;
    let label = |name: &str| labels.get(name).map(String::as_str);
    assert_eq!(
        (label("service"), label("serviceId")),
        (Some("cart"), Some("id-cart"))
    );
    assert_eq!(label("__name__"), Some("calls"));
    let sent = json!({"applicationBoundaryScope": "INBOUND",
        "metrics": [{"metric": "calls", "aggregation": "SUM", "granularity": 60}],
        "timeFrame": frame(0, 180), "pagination": {"pageSize": 200, "page": 1}});
    assert_eq!(unit.bodies().await, [sent]);
}

#[tokio::test]
async fn an_answer_about_less_than_was_asked_says_so() {
    let points = json!({"calls.sum.60": [point(0, 5), point(60, 6)]});
    let mut body = page(&[service("cart", &points)], 1, 200, 1);
    body["adjustedTimeframe"] = frame(60, 120);
    let unit = Unit::answering(SERVICES, body.clone()).await;
    let answer = unit.query(MetricKind::Gauge, CALLS, after(0, 180)).await;
    let answer = answer.unwrap();
    assert_eq!(answer.window, after(60, 120));
    assert_eq!(values(&answer), [[(START + 60, 6.0)]]);
    assert!(
        answer.warnings[0].contains("the server answers about"),
        "{:?}",
        answer.warnings
    );
    // Never more than was asked.
    body["adjustedTimeframe"] = frame(-60, 600);
    let unit = Unit::answering(SERVICES, body.clone()).await;
    let answer = unit.query(MetricKind::Gauge, CALLS, after(0, 180)).await;
    assert_eq!(answer.unwrap().window, after(0, 180));
    body["adjustedTimeframe"] = frame(600, 900);
    let unit = Unit::answering(SERVICES, body).await;
    let fault = unit.query(MetricKind::Gauge, CALLS, after(0, 180)).await;
    assert_eq!(fault.unwrap_err().kind, FaultKind::Malformed);
}

#[tokio::test]
async fn a_window_of_which_much_is_lost_says_so() {
    let unit = Unit::answering(SERVICES, page(&[], 1, 200, 0)).await;
    let answer = unit.query(MetricKind::Gauge, CALLS, after(-30, 150)).await;
    let answer = answer.unwrap();
    assert_eq!(answer.window, after(0, 120));
    assert!(answer.warnings[0].contains("only"), "{:?}", answer.warnings);
}

#[tokio::test]
async fn a_value_is_one_aggregate_at_the_end_of_the_window() {
    let aggregate = json!({"latency.p95": [point(0, 12.5)]});
    let none = json!({"latency.p95": [point(0, Value::Null)]});
    let body = page(&[service("a", &aggregate), service("b", &none)], 1, 200, 2);
    let unit = Unit::answering(SERVICES, body).await;
    let window = after(3, 95);
    let answer = unit
        .query(MetricKind::Value, LATENCY, window)
        .await
        .unwrap();
    assert_eq!(values(&answer), [[(START + 95, 12.5)]]);
    assert_eq!((answer.window, answer.step), (window, None));
    let sent = &unit.bodies().await[0];
    assert_eq!(
        sent["metrics"],
        json!([{"metric": "latency", "aggregation": "P95"}])
    );
    assert_eq!(sent["timeFrame"], frame(3, 95));
    let two = json!({"latency.p95": [point(0, 1), point(60, 2)]});
    let unit = Unit::answering(SERVICES, page(&[service("a", &two)], 1, 200, 1)).await;
    let fault = unit
        .query(MetricKind::Value, LATENCY, window)
        .await
        .unwrap_err();
    assert!(
        fault.message.contains("2 values where one"),
        "{}",
        fault.message
    );
}

#[tokio::test]
async fn all_pages_are_read() {
    let unit = Unit::new().await;
    let points = json!({"latency.p95.1": [point(0, 1)]});
    let names = [["a", "b"], ["c", "d"], ["b", "e"]];
    for (number, names) in (1..).zip(names) {
        let services = names.map(|name| service(name, &points));
        let body = page(&services, number, 2, 6);
        unit.tells_once(SERVICES, ResponseTemplate::new(200).set_body_json(body))
            .await;
    }
    let window = after(0, 60);
    let answer = unit
        .query(MetricKind::Gauge, LATENCY, window)
        .await
        .unwrap();
    // One that moved from page to page is told twice and is one.
    assert_eq!(answer.series.len(), 5);
    let sent = unit.bodies().await;
    let pages: Vec<&Value> = sent
        .iter()
        .map(|body| &body["pagination"]["page"])
        .collect();
    assert_eq!(pages, [1, 2, 3]);
    assert_eq!(answer.step, Some(Duration::from_secs(1)));
}

#[tokio::test]
async fn pages_that_do_not_end_are_a_fault() {
    let points = json!({"latency.p95.1": [point(0, 1)]});
    let endless = page(&[service("a", &points)], 1, 1, 99_999);
    let unit = Unit::answering(SERVICES, endless).await;
    let fault = unit.query(MetricKind::Gauge, LATENCY, after(0, 60)).await;
    let fault = fault.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Invalid);
    assert!(
        fault.message.contains("narrow the query down"),
        "{}",
        fault.message
    );
    assert_eq!(unit.bodies().await.len(), 50);
    let unit = Unit::answering(SERVICES, page(&[], 1, 200, 300)).await;
    let fault = unit.query(MetricKind::Gauge, LATENCY, after(0, 60)).await;
    assert_eq!(fault.unwrap_err().kind, FaultKind::Malformed);
}

#[tokio::test]
async fn two_things_of_one_name_are_not_mixed() {
    let one = service("a", &json!({"latency.p95.1": [point(0, 1)]}));
    let two = service("a", &json!({"latency.p95.1": [point(0, 2)]}));
    let unit = Unit::answering(SERVICES, page(&[one, two], 1, 200, 2)).await;
    let fault = unit.query(MetricKind::Gauge, LATENCY, after(0, 60)).await;
    let fault = fault.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Malformed);
    assert!(fault.message.contains("two series"), "{}", fault.message);
}

#[tokio::test]
async fn all_calls_are_one_series() {
    let body = json!({"metrics": {"calls.sum.10": [point(0, 4), point(10, 6.5)]},
        "adjustedTimeframe": frame(0, 600)});
    let unit = Unit::answering(OVERALL, body).await;
    let text = r#"{"metrics": [{"metric": "calls", "aggregation": "SUM", "granularity": 10}],
        "tagFilterExpression": {"type": "TAG_FILTER", "name": "service.name",
            "operator": "EQUALS", "entity": "DESTINATION", "value": "cart"}}"#;
    let answer = unit.query(MetricKind::Gauge, text, after(0, 600)).await;
    let answer = answer.unwrap();
    assert_eq!(values(&answer), [[(START, 4.0), (START + 10, 6.5)]]);
    assert_eq!(answer.series[0].labels.len(), 1);
    assert!(answer.warnings.is_empty(), "{:?}", answer.warnings);
    let sent = &unit.bodies().await[0];
    assert_eq!(sent["tagFilterExpression"]["value"], "cart");
    assert_eq!(sent.get("pagination"), None);
}

#[tokio::test]
async fn applications_and_endpoints_have_paths_of_their_own() {
    for (of, entity) in [("applications", "application"), ("endpoints", "endpoint")] {
        let item = json!({entity: {"id": "i", "label": "l"},
            "metrics": {"latency.p95.1": [point(0, 1)]}});
        let path = format!("/api/application-monitoring/metrics/{of}");
        let unit = Unit::answering(&path, page(&[item], 1, 200, 1)).await;
        let text = LATENCY.replace("services", of);
        let answer = unit.query(MetricKind::Gauge, &text, after(0, 60)).await;
        let labels = &answer.unwrap().series[0].labels;
        assert_eq!(labels.get(entity).map(String::as_str), Some("l"));
        let id = format!("{entity}Id");
        assert_eq!(labels.get(&id).map(String::as_str), Some("i"));
    }
}
