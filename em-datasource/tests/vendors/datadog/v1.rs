//! API v1.

use std::time::Duration;

use em_core::fault::{Fault, FaultKind};
use em_core::plan::{DatadogApi, MetricKind};
use em_core::port::Answer;
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use super::{API_KEY, APPLICATION_KEY, Scene, T0, V1, label, two_minutes};
use crate::asking::{values, window};

/// One series with values every so many seconds from [`T0`] on.
fn series(tags: &[&str], interval: i64, values: &[Option<f64>]) -> Value {
    let points = (0..)
        .map(|number| (T0 + interval * number) * 1000)
        .zip(values);
    let points: Vec<Value> = points.map(|(at, value)| json!([at, value])).collect();
    json!({"metric": "x", "display_name": "x", "expression": "x{*}", "scope": tags.join(","),
        "tag_set": tags, "aggr": null, "interval": interval, "length": values.len(),
        "start": T0 * 1000, "end": (T0 + 3600) * 1000 - 1, "query_index": 0, "attributes": {},
        "unit": [{"family": "percentage", "name": "percent"}, null], "pointlist": points})
}

fn whole(series: &[Value]) -> Value {
    json!({"status": "ok", "res_type": "time_series", "resp_version": 1, "query": "x{*}",
        "from_date": T0 * 1000, "to_date": (T0 + 120) * 1000, "message": "", "group_by": [],
        "values": [], "times": [], "series": series})
}

async fn told(scene: &Scene, kind: MetricKind, body: &Value) -> Result<Answer, Fault> {
    let answer = ResponseTemplate::new(200).set_body_json(body);
    scene.answers(V1, answer).await;
    scene
        .query(kind, "sum:x{*}.as_count()", two_minutes())
        .await
}

#[tokio::test]
async fn a_query_goes_out_in_seconds_and_each_series_has_its_tags() {
    let scene = Scene::new(DatadogApi::V1).await;
    let body = whole(&[
        series(
            &["url:http://a:80", "canary", "zone:b", "zone:a"],
            20,
            &[Some(91.45), None, Some(0.0)],
        ),
        series(&[], 20, &[Some(1.0)]),
        series(&["host:idle"], 20, &[None]),
    ]);
    scene
        .answers(V1, ResponseTemplate::new(200).set_body_json(&body))
        .await;
    let mut asked = window(T0, T0 + 120);
    asked.end += Duration::from_millis(1);
    let text = "avg:x{a:b} by {url}";
    let answer = scene.query(MetricKind::Gauge, text, asked).await.unwrap();
    assert_eq!(
        values(&answer),
        [vec![(T0, 91.45), (T0 + 40, 0.0)], vec![(T0, 1.0)]]
    );
    let labels = &answer.series[0].labels;
    assert_eq!(labels["url"], "http://a:80");
    assert_eq!(
        (labels["canary"].as_str(), labels["zone"].as_str()),
        ("", "a,b")
    );
    assert!(answer.series[1].labels.is_empty());
    assert_eq!(answer.step, Some(Duration::from_secs(20)));
    assert_eq!(answer.status, Some(200));
    assert!(answer.warnings.is_empty(), "{:?}", answer.warnings);

    let questions = scene.server.received_requests().await.unwrap();
    assert_eq!(questions.len(), 1);
    assert_eq!(questions[0].method.as_str(), "GET");
    assert_eq!(questions[0].headers["DD-API-KEY"], API_KEY);
    assert_eq!(questions[0].headers["DD-APPLICATION-KEY"], APPLICATION_KEY);
    let pairs: Vec<(String, String)> = questions[0].url.query_pairs().into_owned().collect();
    let (from, to) = (T0.to_string(), (T0 + 121).to_string());
    let expected = [("from", &*from), ("to", &*to), ("query", text)];
    assert_eq!(
        pairs,
        expected.map(|(name, value)| (name.to_owned(), value.to_owned()))
    );
}

#[tokio::test]
async fn a_counter_is_the_running_total_of_whole_buckets() {
    let scene = Scene::new(DatadogApi::V1).await;
    let counts = [1.0, 2.0, 4.0, 8.0, 16.0].map(Some);
    let body = whole(&[series(&["pod:a"], 30, &counts)]);
    let answer = told(&scene, MetricKind::Counter, &body).await.unwrap();
    // The last one begins with the end of the window.
    let totals = [(0, 0.0), (30, 1.0), (60, 3.0), (90, 7.0), (120, 15.0)];
    assert_eq!(
        values(&answer),
        [totals.map(|(second, total)| (T0 + second, total))]
    );
    assert_eq!(label(&answer, "pod"), ["a"]);
    assert_eq!(answer.step, Some(Duration::from_secs(30)));
}

#[tokio::test]
async fn times_may_be_floats() {
    let scene = Scene::new(DatadogApi::V1).await;
    let mut body = whole(&[series(&[], 20, &[None, None])]);
    let text = format!("[[{}000.0, 5.5], [{}000.0, null]]", T0 + 20, T0 + 40);
    body["series"][0]["pointlist"] = serde_json::from_str(&text).unwrap();
    assert!(body.to_string().contains("000.0,5.5"));
    let answer = told(&scene, MetricKind::Gauge, &body).await.unwrap();
    assert_eq!(values(&answer), [[(T0 + 20, 5.5)]]);
}

#[tokio::test]
async fn a_step_that_the_datasource_does_not_say_is_told() {
    let scene = Scene::every(DatadogApi::V1, Some(Duration::from_secs(30))).await;
    let body = whole(&[series(&[], 10, &[Some(1.0), Some(2.0)])]);
    let answer = told(&scene, MetricKind::Gauge, &body).await.unwrap();
    assert_eq!(answer.step, Some(Duration::from_secs(10)));
    assert!(
        answer.warnings[0].contains(".rollup("),
        "{:?}",
        answer.warnings
    );
}

#[tokio::test]
async fn nothing_found_is_an_empty_answer() {
    let scene = Scene::new(DatadogApi::V1).await;
    let answer = told(&scene, MetricKind::Gauge, &whole(&[])).await.unwrap();
    assert!(answer.series.is_empty());
    let idle = whole(&[series(&[], 20, &[None, None])]);
    let answer = told(&scene, MetricKind::Gauge, &idle).await.unwrap();
    assert!(answer.series.is_empty());
}

#[tokio::test]
async fn an_error_with_status_200_is_an_error() {
    let scene = Scene::new(DatadogApi::V1).await;
    for body in [
        json!({"status": "error", "error": "Rule 'x' did not parse", "series": []}),
        json!({"status": "ok", "error": "Rule 'x' did not parse", "series": []}),
        json!({"status": "ok", "errors": ["Rule 'x' did not parse"], "series": []}),
    ] {
        let fault = told(&scene, MetricKind::Gauge, &body).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Invalid);
        assert!(fault.message.contains("did not parse"), "{fault}");
    }
}

#[tokio::test]
async fn what_the_server_wants_to_say_is_a_warning() {
    let scene = Scene::new(DatadogApi::V1).await;
    let mut body = whole(&[]);
    body["message"] = json!("data of an hour is missing");
    let answer = told(&scene, MetricKind::Gauge, &body).await.unwrap();
    assert_eq!(answer.warnings, ["data of an hour is missing"]);
    body["message"] = json!(format!("{API_KEY} asks often"));
    let answer = told(&scene, MetricKind::Gauge, &body).await.unwrap();
    assert_eq!(answer.warnings, ["*** asks often"]);
}

#[tokio::test]
async fn shapes_that_cannot_be_are_refused() {
    let scene = Scene::new(DatadogApi::V1).await;
    let one = series(&["a:1"], 20, &[Some(1.0)]);
    let mut other = series(&["a:2"], 20, &[Some(1.0)]);
    other["query_index"] = json!(1);
    let mut triple = one.clone();
    triple["pointlist"] = json!([[T0, 1, 2]]);
    let mut seconds = one.clone();
    seconds["pointlist"] = json!([[T0, 1]]);
    for (body, kind, said) in [
        (
            whole(&[one.clone(), one.clone()]),
            FaultKind::Malformed,
            "same tags",
        ),
        (whole(&[one, other]), FaultKind::Invalid, "without commas"),
        (whole(&[triple]), FaultKind::Malformed, "failed to read"),
        (
            whole(&[seconds]),
            FaultKind::Malformed,
            "it was asked about",
        ),
        (
            json!({"status": "ok"}),
            FaultKind::Malformed,
            "missing field `series`",
        ),
    ] {
        let fault = told(&scene, MetricKind::Gauge, &body).await.unwrap_err();
        assert_eq!(fault.kind, kind, "{fault}");
        assert!(fault.chain().contains(said), "{said}: {}", fault.chain());
    }
}

#[tokio::test]
async fn one_number_of_a_window_is_not_made_up() {
    let scene = Scene::new(DatadogApi::V1).await;
    let fault = scene.query(MetricKind::Value, "avg:x{*}", two_minutes());
    let fault = fault.await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Invalid);
    assert!(fault.message.contains("api: v2"), "{fault}");
    assert_eq!(scene.count().await, 0);
}
