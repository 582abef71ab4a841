//! One number of a window, API v2.

use em_core::fault::FaultKind;
use em_core::plan::{DatadogApi, MetricKind};
use serde_json::{Value, json};

use super::{SCALAR, Scene, T0, columns, label, two_minutes, v2};
use crate::asking::values;

fn number(values: &Value) -> Value {
    json!({"type": "number", "name": "a", "values": values, "meta": {"unit": null}})
}

fn group(name: &str, values: &Value) -> Value {
    json!({"type": "group", "name": name, "values": values})
}

#[tokio::test]
async fn each_group_with_a_number_is_a_series_whose_point_is_the_end() {
    let scene = Scene::new(DatadogApi::V2).await;
    let body = columns(&json!([
        group("pod_name", &json!([["p1"], ["p2"], ["p3"]])),
        group("zone", &json!([["b", "a"], [], ["a"]])),
        number(&json!([6.36, null, 0])),
    ]));
    scene.answers(SCALAR, v2(&body)).await;
    let text = "avg:system.cpu.user{*} by {pod_name,zone}";
    let answer = scene
        .query(MetricKind::Value, text, two_minutes())
        .await
        .unwrap();
    assert_eq!(values(&answer), [[(T0 + 120, 6.36)], [(T0 + 120, 0.0)]]);
    assert_eq!(label(&answer, "pod_name"), ["p1", "p3"]);
    assert_eq!(label(&answer, "zone"), ["a,b", "a"]);
    assert_eq!((answer.step, answer.status), (None, Some(200)));
    let expected = json!({"data": {"type": "scalar_request", "attributes": {
        "from": T0 * 1000, "to": (T0 + 120) * 1000,
        "queries": [{"data_source": "metrics", "name": "a", "query": text, "aggregator": "avg"}],
        "formulas": [{"formula": "a"}]}}});
    assert_eq!(scene.only_body().await, expected);
}

#[tokio::test]
async fn one_number_without_groups_is_one_series_without_labels() {
    let scene = Scene::new(DatadogApi::V2).await;
    let unit = json!([{"family": "percentage", "name": "percent"}, null]);
    let body = columns(&json!([
        {"values": [0.012], "meta": {"unit": unit}, "name": "e / r", "type": "number"}
    ]));
    let answer = scene.told(MetricKind::Value, v2(&body)).await.unwrap();
    assert_eq!(values(&answer), [[(T0 + 120, 0.012)]]);
    assert!(answer.series[0].labels.is_empty());
    let body = scene.only_body().await;
    assert_eq!(
        body["data"]["attributes"]["queries"][0]["aggregator"],
        "sum"
    );
}

#[tokio::test]
async fn no_number_is_an_empty_answer_and_never_0() {
    let scene = Scene::new(DatadogApi::V2).await;
    for nothing in [
        json!([number(&json!([null]))]),
        json!([number(&json!([]))]),
        json!([group("a", &json!([])), number(&json!([]))]),
        json!([]),
        json!(null),
    ] {
        let answer = scene.told(MetricKind::Value, v2(&columns(&nothing))).await;
        assert!(answer.unwrap().series.is_empty(), "{nothing}");
    }
}

#[tokio::test]
async fn columns_that_do_not_fit_together_are_malformed() {
    let scene = Scene::new(DatadogApi::V2).await;
    let one = number(&json!([1, 2]));
    for (body, said) in [
        (
            json!([group("a", &json!([["x"]])), one]),
            "1 values of tag \"a\" for 2 numbers",
        ),
        (
            json!([group("a", &json!([["x"], ["x"]])), one]),
            "same tags",
        ),
        (json!([one]), "same tags"),
        (json!([one, one]), "2 columns of numbers"),
        (
            json!([group("a", &json!([["x"]]))]),
            "without a column of numbers",
        ),
        (
            json!([{"type": "text", "name": "a", "values": []}]),
            "unknown variant",
        ),
        (json!([{"type": "number", "values": ["1"]}]), "invalid type"),
        (json!({}), "invalid type"),
    ] {
        let fault = scene.told(MetricKind::Value, v2(&columns(&body))).await;
        let fault = fault.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Malformed, "{fault}");
        assert!(fault.chain().contains(said), "{said}: {}", fault.chain());
    }
    let missing = json!({"data": {"attributes": {}}});
    let fault = scene
        .told(MetricKind::Value, v2(&missing))
        .await
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::Malformed);
}

#[tokio::test]
async fn how_percentiles_become_one_number_is_not_guessed() {
    let scene = Scene::new(DatadogApi::V2).await;
    let fault = scene.query(MetricKind::Value, "p95:x{*}", two_minutes());
    let fault = fault.await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Invalid);
    assert!(fault.message.contains("\"aggregator\""), "{fault}");
    assert_eq!(scene.count().await, 0);
}
