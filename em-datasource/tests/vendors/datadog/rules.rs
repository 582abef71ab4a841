//! The source keeps the rules of its port, with either API.

use std::sync::Arc;

use em_core::plan::{DatadogApi, MetricKind};
use em_core::testkit::conformance::{self, DatasourceScene};
use serde_json::{Value, json};
use wiremock::{Mock, Request, ResponseTemplate};

use super::{Scene, T0, V1, columns, v2};
use crate::asking::{asked, window};

const BUCKET: i64 = 20_000;

/// Answers what is asked of it, with two pods and buckets over whatever window it is.
fn answer(request: &Request) -> ResponseTemplate {
    let said = String::from_utf8_lossy(&request.body).into_owned();
    let asked = format!("{said}{}", request.url);
    if asked.contains("broken") {
        let errors = json!({"errors": ["Error parsing query: unable to parse"]});
        return ResponseTemplate::new(400).set_body_json(errors);
    }
    match request.url.path() {
        "/api/v1/validate" => ResponseTemplate::new(200).set_body_json(json!({"valid": true})),
        V1 => {
            let bound = |name: &str| {
                let mut pairs = request.url.query_pairs();
                let (_, value) = pairs.find(|(key, _)| key == name).unwrap();
                value.parse::<i64>().unwrap() * 1000
            };
            let times = times(bound("from"), bound("to"));
            let points: Vec<Value> = times.iter().map(|at| json!([at, at % 7])).collect();
            let one = |pod: &str| json!({"tag_set": [pod], "interval": 20, "pointlist": points});
            let series = [one("pod:a"), one("pod:b")];
            ResponseTemplate::new(200).set_body_json(json!({"status": "ok", "series": series}))
        }
        "/api/v2/query/scalar" => v2(&columns(&json!([
            {"type": "group", "name": "pod", "values": [["a"], ["b"]]},
            {"type": "number", "name": "a", "values": [1.5, 0]}]))),
        _ => {
            let body: Value = serde_json::from_str(&said).unwrap();
            let bound = |name: &str| body["data"]["attributes"][name].as_i64().unwrap();
            let times = times(bound("from"), bound("to"));
            let row: Vec<i64> = times.iter().map(|at| at % 7).collect();
            let series = [
                json!({"group_tags": ["pod:a"]}),
                json!({"group_tags": ["pod:b"]}),
            ];
            v2(&json!({"data": {"attributes": {
                "series": series, "times": times, "values": [row, row]}}}))
        }
    }
}

/// Starts of all buckets that a window touches.
fn times(from: i64, to: i64) -> Vec<i64> {
    let first = from.div_euclid(BUCKET);
    let starts = (first..).map(|number| number * BUCKET);
    starts.take_while(|start| *start < to).collect()
}

async fn keeps_the_rules(api: DatadogApi, kind: MetricKind) {
    conformance::datasource(async || {
        let scene = Scene::new(api).await;
        let mock = Mock::given(wiremock::matchers::any()).respond_with(answer);
        mock.mount(&scene.server).await;
        let Scene {
            server,
            source,
            keys,
        } = scene;
        DatasourceScene {
            source: Arc::new(source),
            asked: asked(kind, "sum:requests{*} by {pod}.as_count()"),
            broken: Some(asked(kind, "sum:broken{*}.as_count()")),
            window: window(T0 + 7, T0 + 307),
            keep: Box::new((server, keys)),
        }
    })
    .await;
}

#[tokio::test]
async fn gauges_of_api_v2_keep_the_rules() {
    keeps_the_rules(DatadogApi::V2, MetricKind::Gauge).await;
}

#[tokio::test]
async fn counters_of_api_v2_keep_the_rules() {
    keeps_the_rules(DatadogApi::V2, MetricKind::Counter).await;
}

#[tokio::test]
async fn values_of_api_v2_keep_the_rules() {
    keeps_the_rules(DatadogApi::V2, MetricKind::Value).await;
}

#[tokio::test]
async fn gauges_of_api_v1_keep_the_rules() {
    keeps_the_rules(DatadogApi::V1, MetricKind::Gauge).await;
}

#[tokio::test]
async fn counters_of_api_v1_keep_the_rules() {
    keeps_the_rules(DatadogApi::V1, MetricKind::Counter).await;
}
