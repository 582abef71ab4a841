//! Several metric queries and a formula.

use em_core::fault::FaultKind;
use em_core::plan::{DatadogApi, MetricKind};
use serde_json::json;

use super::{SCALAR, Scene, T0, TIMESERIES, columns, over_time, two_minutes, v2};
use crate::asking::values;

const RATIO: &str = r#"{"queries": {
    "e": "sum:req.errors{service:x}.as_count()",
    "r": {"query": "sum:req{service:x}", "aggregator": "sum"}}, "formula": "e / r"}"#;

#[tokio::test]
async fn a_formula_of_a_whole_window_gives_each_query_its_aggregator() {
    let scene = Scene::new(DatadogApi::V2).await;
    let body = columns(&json!([{"name": "e / r", "type": "number", "values": [0.012]}]));
    scene.answers(SCALAR, v2(&body)).await;
    let answer = scene
        .query(MetricKind::Value, RATIO, two_minutes())
        .await
        .unwrap();
    assert_eq!(values(&answer), [[(T0 + 120, 0.012)]]);
    assert!(answer.warnings.is_empty(), "{:?}", answer.warnings);
    let sent = scene.only_body().await;
    let expected = json!([
        {"data_source": "metrics", "name": "e", "aggregator": "sum",
         "query": "sum:req.errors{service:x}.as_count()"},
        {"data_source": "metrics", "name": "r", "aggregator": "sum", "query": "sum:req{service:x}"}]);
    assert_eq!(sent["data"]["attributes"]["queries"], expected);
    let formulas = &sent["data"]["attributes"]["formulas"];
    assert_eq!(formulas, &json!([{"formula": "e / r"}]));
}

#[tokio::test]
async fn a_formula_over_time_has_no_aggregators_and_says_so() {
    let scene = Scene::new(DatadogApi::V2).await;
    let body = over_time(&json!([[]]), &[0, 20], &json!([[0.5, 0.25]]));
    scene.answers(TIMESERIES, v2(&body)).await;
    let answer = scene
        .query(MetricKind::Gauge, RATIO, two_minutes())
        .await
        .unwrap();
    assert_eq!(values(&answer), [[(T0, 0.5), (T0 + 20, 0.25)]]);
    assert!(
        answer.warnings[0].contains("as: value"),
        "{:?}",
        answer.warnings
    );
    let sent = scene.only_body().await;
    let queries = sent["data"]["attributes"]["queries"].as_array().unwrap();
    assert_eq!(queries.len(), 2);
    assert!(
        queries
            .iter()
            .all(|query| query.get("aggregator").is_none())
    );
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused_before_anyone_is_asked() {
    let old = Scene::new(DatadogApi::V1).await;
    let new = Scene::new(DatadogApi::V2).await;
    for (scene, kind, text, said) in [
        (&old, MetricKind::Gauge, RATIO, "api: v2"),
        (&new, MetricKind::Counter, RATIO, "is no count per bucket"),
        (
            &new,
            MetricKind::Gauge,
            r#"{"queries": {"a": "avg:x{*}"}, "limit": 5}"#,
            "`limit`",
        ),
        (&new, MetricKind::Gauge, "{", "failed to read the query as"),
        (&new, MetricKind::Gauge, "", "is empty"),
    ] {
        let fault = scene.query(kind, text, two_minutes()).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Invalid, "{fault}");
        assert!(fault.chain().contains(said), "{said}: {}", fault.chain());
        assert_eq!(scene.count().await, 0);
    }
}
