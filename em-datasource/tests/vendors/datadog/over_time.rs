//! Gauges and counters, API v2.

use std::time::Duration;

use em_core::fault::FaultKind;
use em_core::plan::{DatadogApi, MetricKind};
use serde_json::json;

use super::{API_KEY, APPLICATION_KEY, Scene, T0, TIMESERIES, label, over_time, two_minutes, v2};
use crate::asking::{values, window};

#[tokio::test]
async fn a_gauge_is_asked_for_as_the_server_reads_it_and_nulls_are_no_points() {
    let scene = Scene::new(DatadogApi::V2).await;
    let body = over_time(
        &json!([
            ["pod_name:p1", "zone:a"],
            ["pod_name:p2", "zone:a"],
            ["pod_name:p3", "zone:a"]
        ]),
        &[0, 20, 40],
        &json!([[1.5, null, 2], [0, 3.5, null], [null, null, null]]),
    );
    scene.answers(TIMESERIES, v2(&body)).await;
    let text = "avg:system.cpu.user{service:x} by {pod_name}";
    let answer = scene
        .query(MetricKind::Gauge, text, two_minutes())
        .await
        .unwrap();
    let expected = [
        vec![(T0, 1.5), (T0 + 40, 2.0)],
        vec![(T0, 0.0), (T0 + 20, 3.5)],
    ];
    assert_eq!(values(&answer), expected);
    assert_eq!(label(&answer, "pod_name"), ["p1", "p2"]);
    assert_eq!(answer.step, Some(Duration::from_secs(20)));
    assert_eq!(answer.status, Some(200));
    assert_eq!(answer.tries, 1);
    assert!(answer.warnings.is_empty(), "{:?}", answer.warnings);

    let questions = scene.server.received_requests().await.unwrap();
    let question = &questions[0];
    assert_eq!(question.method.as_str(), "POST");
    assert_eq!(question.url.path(), TIMESERIES);
    assert_eq!(question.url.query(), None);
    assert_eq!(question.headers["DD-API-KEY"], API_KEY);
    assert_eq!(question.headers["DD-APPLICATION-KEY"], APPLICATION_KEY);
    assert_eq!(question.headers["content-type"], "application/json");
    let expected = json!({"data": {"type": "timeseries_request", "attributes": {
        "from": T0 * 1000, "to": (T0 + 120) * 1000, "interval": 20_000,
        "queries": [{"data_source": "metrics", "name": "a", "query": text}],
        "formulas": [{"formula": "a"}]}}});
    assert_eq!(scene.only_body().await, expected);
}

#[tokio::test]
async fn keys_are_read_anew_for_each_question() {
    let scene = Scene::new(DatadogApi::V2).await;
    let nothing = over_time(&json!([]), &[], &json!([]));
    scene.answers(TIMESERIES, v2(&nothing)).await;
    for key in ["first", "second"] {
        std::fs::write(scene.key_file("api"), format!("{key}\n")).unwrap();
        let asked = scene.query(MetricKind::Gauge, "avg:x{*}", two_minutes());
        asked.await.unwrap();
    }
    let questions = scene.server.received_requests().await.unwrap();
    let keys: Vec<&str> = questions
        .iter()
        .map(|question| question.headers["DD-API-KEY"].to_str().unwrap())
        .collect();
    assert_eq!(keys, ["first", "second"]);
    std::fs::remove_file(scene.key_file("application")).unwrap();
    let asked = scene.query(MetricKind::Gauge, "avg:x{*}", two_minutes());
    assert_eq!(asked.await.unwrap_err().kind, FaultKind::NotFound);
    assert_eq!(scene.count().await, 2);
}

#[tokio::test]
async fn a_bucket_that_the_window_cuts_is_left_out() {
    let scene = Scene::new(DatadogApi::V2).await;
    let body = over_time(&json!([[]]), &[0, 20, 40, 60], &json!([[1, 2, 4, 8]]));
    scene.answers(TIMESERIES, v2(&body)).await;
    let cut = window(T0 + 5, T0 + 79);
    let answer = scene
        .query(MetricKind::Gauge, "avg:x{*}", cut)
        .await
        .unwrap();
    assert_eq!(values(&answer), [[(T0 + 20, 2.0), (T0 + 40, 4.0)]]);
    assert_eq!(answer.window, cut);
}

#[tokio::test]
async fn a_counter_is_the_running_total_of_whole_buckets() {
    let scene = Scene::new(DatadogApi::V2).await;
    let body = over_time(
        &json!([[]]),
        &[0, 20, 40, 60, 80, 100],
        &json!([[1, 2, 4, 0, 16, 32]]),
    );
    scene.answers(TIMESERIES, v2(&body)).await;
    let text = "sum:requests{*}.as_count()";
    let inner = window(T0 + 10, T0 + 110);
    let answer = scene.query(MetricKind::Counter, text, inner).await.unwrap();
    let totals = [(20, 0.0), (40, 2.0), (60, 6.0), (80, 6.0), (100, 22.0)];
    let totals = totals.map(|(second, total)| (T0 + second, total));
    assert_eq!(values(&answer), [totals]);
    assert!(answer.warnings.is_empty(), "{:?}", answer.warnings);
}

#[tokio::test]
async fn counts_that_are_missing_are_told() {
    let scene = Scene::new(DatadogApi::V2).await;
    let body = over_time(
        &json!([[]]),
        &[0, 20, 40, 60, 80, 100],
        &json!([[null, null, 4, null, 1, null]]),
    );
    let answer = scene.told(MetricKind::Counter, v2(&body)).await.unwrap();
    let totals = [(40, 0.0), (60, 4.0), (100, 5.0)];
    assert_eq!(
        values(&answer),
        [totals.map(|(second, total)| (T0 + second, total))]
    );
    assert!(
        answer.warnings[0].contains(".fill(zero)"),
        "{:?}",
        answer.warnings
    );
}

#[tokio::test]
async fn what_is_no_count_is_not_summed_up() {
    let scene = Scene::new(DatadogApi::V2).await;
    let fault = scene.query(MetricKind::Counter, "avg:x{*}", two_minutes());
    let fault = fault.await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Invalid);
    assert!(fault.message.contains(".as_count()"), "{fault}");
    let fault = scene.query(MetricKind::Histogram, "p95:x{*}", two_minutes());
    assert_eq!(fault.await.unwrap_err().kind, FaultKind::Invalid);
    assert_eq!(scene.count().await, 0);
}

#[tokio::test]
async fn the_step_is_that_of_the_answer_and_another_one_is_told() {
    let scene = Scene::every(DatadogApi::V2, Some(Duration::from_secs(30))).await;
    let body = over_time(&json!([[]]), &[0, 60, 120, 180], &json!([[1, 2, 3, 4]]));
    scene.answers(TIMESERIES, v2(&body)).await;
    let cut = window(T0, T0 + 200);
    let answer = scene
        .query(MetricKind::Gauge, "avg:x{*}", cut)
        .await
        .unwrap();
    assert_eq!(values(&answer)[0].len(), 3);
    assert_eq!(answer.step, Some(Duration::from_mins(1)));
    assert_eq!(
        answer.warnings,
        ["one value per 60s was answered, not one per 30s as asked"]
    );
    let body = scene.only_body().await;
    assert_eq!(body["data"]["attributes"]["interval"], 30_000);
}

#[tokio::test]
async fn long_windows_are_asked_for_coarsely_and_no_part_of_a_millisecond_is_lost() {
    let scene = Scene::new(DatadogApi::V2).await;
    let nothing = over_time(&json!([]), &[], &json!([]));
    scene.answers(TIMESERIES, v2(&nothing)).await;
    let mut long = window(T0, T0 + 7 * 24 * 3600);
    long.end += Duration::from_micros(1);
    scene
        .query(MetricKind::Gauge, "avg:x{*}", long)
        .await
        .unwrap();
    let body = scene.only_body().await;
    let attributes = &body["data"]["attributes"];
    assert_eq!(attributes["interval"], 404_000);
    assert_eq!(attributes["to"], (T0 + 7 * 24 * 3600) * 1000 + 1);
}

#[tokio::test]
async fn times_may_be_floats_and_buckets_may_be_left_out() {
    let scene = Scene::new(DatadogApi::V2).await;
    let mut body = over_time(&json!([[]]), &[], &json!([[1, 2, 3]]));
    #[expect(clippy::cast_precision_loss, reason = "it is below 2^53")]
    let float = |second: i64| ((T0 + second) * 1000) as f64;
    body["data"]["attributes"]["times"] = json!([float(0), float(60), float(80)]);
    assert!(body.to_string().contains("000.0"));
    let answer = scene.told(MetricKind::Gauge, v2(&body)).await.unwrap();
    assert_eq!(
        values(&answer),
        [[(T0, 1.0), (T0 + 60, 2.0), (T0 + 80, 3.0)]]
    );
    assert_eq!(answer.step, Some(Duration::from_secs(20)));
}

#[tokio::test]
async fn nothing_found_is_an_empty_answer() {
    let scene = Scene::new(DatadogApi::V2).await;
    for nothing in [
        over_time(&json!([]), &[], &json!([])),
        over_time(&json!([]), &[0, 20], &json!(null)),
        over_time(&json!([[]]), &[0, 20], &json!([[null, null]])),
        over_time(&json!([[]]), &[], &json!([[]])),
    ] {
        let answer = scene.told(MetricKind::Gauge, v2(&nothing)).await.unwrap();
        assert!(answer.series.is_empty(), "{answer:?}");
        assert_eq!(answer.step, Some(Duration::from_secs(20)));
        assert!(answer.warnings.is_empty(), "{:?}", answer.warnings);
    }
}

#[tokio::test]
async fn shapes_that_do_not_fit_together_are_malformed() {
    let scene = Scene::new(DatadogApi::V2).await;
    let two = json!([["a:1"], ["a:2"]]);
    let mut indices = over_time(&two, &[0], &json!([[1], [2]]));
    indices["data"]["attributes"]["series"][1]["query_index"] = json!(1);
    let in_seconds = json!({"data": {"attributes": {
        "series": [{"group_tags": []}], "times": [T0, T0 + 20], "values": [[1, 2]]}}});
    for (body, said) in [
        (over_time(&two, &[0], &json!([[1]])), "2 series and 1 rows"),
        (
            over_time(&two, &[0], &json!([[1], [1, 2]])),
            "a row of 2 values for 1 times",
        ),
        (
            over_time(&json!([["a:1"], ["a:1"]]), &[0], &json!([[1], [2]])),
            "same tags",
        ),
        (indices, "ambiguous"),
        (in_seconds, "when it was asked about"),
        (
            over_time(&two, &[0], &json!([["1"], ["2"]])),
            "invalid type",
        ),
        (json!({"data": {"attributes": {}}}), "missing field"),
        (json!({"data": null}), "invalid type"),
        (json!({}), "missing field `data`"),
        (json!([]), "failed to read"),
    ] {
        let fault = scene.told(MetricKind::Gauge, v2(&body)).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Malformed, "{fault}");
        assert!(fault.chain().contains(said), "{said}: {}", fault.chain());
    }
}
