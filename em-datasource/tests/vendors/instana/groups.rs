//! The infrastructure, grouped by tags.

use std::time::Duration;

use em_core::fault::FaultKind;
use em_core::plan::MetricKind;
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use super::scene::{GROUPS, START, Unit, after, frame, point};
use crate::asking::values;

const MEMORY: &str = r#"{"type": "jvmRuntimePlatform", "groupBy": ["host.name"],
    "tagFilterExpression": {"type": "EXPRESSION", "logicalOperator": "AND", "elements": []},
    "metrics": [{"metric": "memory.used", "aggregation": "MEAN"}]}"#;

fn group(host: &str, points: &Value) -> Value {
    json!({"count": 1, "pollRate": 1, "metrics": {"memory.used.MEAN.1000": points},
        "tags": {"host.name": host, "cores": 4, "zone": null}})
}

#[tokio::test]
async fn groups_are_read_with_their_tags_until_there_are_no_more() {
    let unit = Unit::new().await;
    let points = json!([point(0, 512.0), point(1, 514.5)]);
    let first = json!({"items": [group("h1", &points)], "canLoadMore": true, "next": "c-1",
        "totalHits": 2, "adjustedTimeframe": frame(0, 60)});
    let second = json!({"items": [group("h2", &points)], "canLoadMore": false, "totalHits": 2,
        "adjustedTimeframe": frame(0, 60)});
    for body in [first, second] {
        let answer = ResponseTemplate::new(200).set_body_json(body);
        unit.tells_once(GROUPS, answer).await;
    }
    let window = after(0, 60);
    let answer = unit.query(MetricKind::Gauge, MEMORY, window).await.unwrap();
    let expected = [(START, 512.0), (START + 1, 514.5)];
    assert_eq!(values(&answer), [expected, expected]);
    assert_eq!(answer.step, Some(Duration::from_secs(1)));
    assert!(answer.warnings.is_empty(), "{:?}", answer.warnings);
    let labels = &answer.series[1].labels;
    let label = |name: &str| labels.get(name).map(String::as_str);
    assert_eq!(
        (label("host.name"), label("cores")),
        (Some("h2"), Some("4"))
    );
    assert_eq!(label("zone"), None);
    let sent = unit.bodies().await;
    assert_eq!(sent[0]["pagination"], json!({"retrievalSize": 200}));
    assert_eq!(
        sent[1]["pagination"],
        json!({"retrievalSize": 200, "cursor": "c-1"})
    );
    let metric = json!([{"metric": "memory.used", "aggregation": "MEAN", "granularity": 1000}]);
    assert_eq!(sent[0]["metrics"], metric);
    assert_eq!(sent[1]["timeFrame"], frame(0, 60));
}

#[tokio::test]
async fn a_value_is_one_aggregate() {
    let item = group("h", &json!([point(0, 3)]));
    let body = json!({"items": [item], "canLoadMore": false, "adjustedTimeframe": frame(0, 60)});
    let unit = Unit::answering(GROUPS, body).await;
    let window = after(0, 65);
    let answer = unit.query(MetricKind::Value, MEMORY, window).await.unwrap();
    // At the end of what it is about.
    assert_eq!(values(&answer), [[(START + 60, 3.0)]]);
    assert_eq!(answer.window, after(0, 60));
    assert_eq!(answer.warnings.len(), 1, "{:?}", answer.warnings);
    let sent = &unit.bodies().await[0];
    assert_eq!(sent["metrics"][0].get("granularity"), None);
}

#[tokio::test]
async fn a_value_with_buckets_of_its_own_is_the_last_of_them() {
    let points = json!([point(0, 3), point(10, 4), point(20, 5)]);
    let body = json!({"items": [group("h", &points)], "canLoadMore": false});
    let unit = Unit::answering(GROUPS, body).await;
    let text = MEMORY.replace("\"MEAN\"", "\"MEAN\", \"granularity\": 10000");
    let answer = unit.query(MetricKind::Value, &text, after(0, 25)).await;
    assert_eq!(values(&answer.unwrap()), [[(START + 10, 4.0)]]);
}

#[tokio::test]
async fn more_without_a_way_to_it_is_a_fault() {
    for (next, expected) in [
        (json!(null), FaultKind::Malformed),
        (json!("always the same"), FaultKind::Invalid),
    ] {
        let item = group("h", &json!([point(0, 3)]));
        let body = json!({"items": [item], "canLoadMore": true, "next": next});
        let unit = Unit::answering(GROUPS, body).await;
        let fault = unit.query(MetricKind::Gauge, MEMORY, after(0, 60)).await;
        assert_eq!(fault.unwrap_err().kind, expected);
    }
}
