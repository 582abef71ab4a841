//! The datasource `dynatrace` against servers that answer in the shapes of its documentation.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod faults;
mod probing;

use std::sync::Arc;
use std::time::Duration;

use em_core::fault::{Fault, FaultKind};
use em_core::observe::Window;
use em_core::plan::MetricKind::{self, Counter, Gauge, Histogram};
use em_core::plan::{DatasourceKind, DatasourceSpec, DynatraceSpec, SecretRef};
use em_core::port::{Answer, Datasource as _, SystemClock};
use em_datasource::DynatraceDatasource;
use serde_json::{Value, json};
use tempfile::TempDir;
use wiremock::matchers::{any, header, method, path, query_param, query_param_is_missing};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::asking::{asked, context, plain, values, window};

pub(crate) const TOKEN: &str = "hush-token";
/// A whole minute.
pub(crate) const T0: i64 = 1_700_000_400;
const SELECTOR: &str = r#"builtin:host.cpu.usage:filter(eq("dt.entity.host","HOST-1")):splitBy()"#;

/// A server, the source that asks it, and where its token lies.
pub(crate) struct Scene {
    pub(crate) server: MockServer,
    pub(crate) source: Arc<DynatraceDatasource>,
    pub(crate) keys: TempDir,
}

impl Scene {
    pub(crate) async fn every(every: Option<Duration>) -> Self {
        let server = MockServer::start().await;
        let keys = TempDir::new().unwrap();
        let token = keys.path().join("token");
        std::fs::write(&token, TOKEN).unwrap();
        let spec = DynatraceSpec {
            url: format!("{}/e/env", server.uri()),
            token: SecretRef::FromFile(token),
        };
        let source = DatasourceSpec {
            every,
            ..plain(DatasourceKind::Dynatrace(spec.clone()))
        };
        let source = DynatraceDatasource::new(Arc::new(SystemClock), &spec, &source);
        Self {
            server,
            source: Arc::new(source),
            keys,
        }
    }

    /// A server that answers everything like this.
    pub(crate) async fn answering(answer: ResponseTemplate) -> Self {
        let scene = Self::every(None).await;
        let mock = Mock::given(any()).respond_with(answer);
        mock.mount(&scene.server).await;
        scene
    }

    pub(crate) async fn query(&self, kind: MetricKind, window: Window) -> Result<Answer, Fault> {
        let asked = asked(kind, SELECTOR);
        self.source.query(&context(), &asked, window).await
    }
}

/// What is said about three minutes from [`T0`] on.
pub(crate) async fn told(kind: MetricKind, answer: ResponseTemplate) -> Result<Answer, Fault> {
    let scene = Scene::answering(answer).await;
    scene.query(kind, three_minutes()).await
}

pub(crate) fn three_minutes() -> Window {
    window(T0, T0 + 180)
}

pub(crate) fn ok(body: &Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(body)
}

/// A series: its host, the ends of its slots in seconds after [`T0`], and their values.
pub(crate) fn row(host: &str, ends: &[i64], values: &Value) -> Value {
    let ends: Vec<i64> = ends.iter().map(|second| (T0 + second) * 1000).collect();
    json!({"dimensions": [host], "dimensionMap": {"dt.entity.host": host},
        "timestamps": ends, "values": values})
}

pub(crate) fn answer(resolution: &str, rows: &Value) -> Value {
    json!({"totalCount": 2, "nextPageKey": null, "resolution": resolution, "result": [
        {"metricId": "cpu:avg", "dataPointCountRatio": 1.8e-5, "data": rows}]})
}

#[tokio::test]
async fn slots_are_asked_for_and_begin_where_the_one_before_ends() {
    let scene = Scene::every(None).await;
    let rows = json!([
        row(
            "HOST-1",
            &[0, 60, 120, 180, 240],
            &json!([9, 1, null, 2.5, 9])
        ),
        row("HOST-2", &[60, 120], &json!([3, 4])),
    ]);
    Mock::given(method("GET"))
        .and(path("/e/env/api/v2/metrics/query"))
        .and(query_param("metricSelector", SELECTOR))
        .and(query_param("from", "1700000400000"))
        .and(query_param("to", "1700000579999"))
        .and(query_param("resolution", "1m"))
        .and(header("authorization", "Api-Token hush-token"))
        .respond_with(ok(&answer("1m", &rows)))
        .expect(1)
        .mount(&scene.server)
        .await;
    let answer = scene.query(Gauge, three_minutes()).await.unwrap();
    let expected = [
        vec![(T0, 1.0), (T0 + 120, 2.5)],
        vec![(T0, 3.0), (T0 + 60, 4.0)],
    ];
    assert_eq!(values(&answer), expected);
    assert_eq!(answer.series[0].labels["dt.entity.host"], "HOST-1");
    assert_eq!(answer.series[0].labels["__name__"], "cpu:avg");
    assert_eq!(answer.step, Some(Duration::from_mins(1)));
    assert_eq!((answer.status, answer.tries), (Some(200), 1));
    assert!(answer.warnings.is_empty(), "{:?}", answer.warnings);
}

#[tokio::test]
async fn slots_that_the_window_cuts_are_left_out() {
    let rows = json!([row("HOST-1", &[60, 120, 180, 240], &json!([1, 2, 3, 4]))]);
    let scene = Scene::answering(ok(&answer("1m", &rows))).await;
    let answer = scene.query(Gauge, window(T0 + 10, T0 + 200)).await.unwrap();
    assert_eq!(values(&answer), [[(T0 + 60, 2.0), (T0 + 120, 3.0)]]);
}

#[tokio::test]
async fn counts_of_slots_are_summed_up() {
    let rows = json!([row("HOST-1", &[60, 120, 180], &json!([5, null, 7]))]);
    let answer = told(Counter, ok(&answer("1m", &rows))).await.unwrap();
    assert_eq!(
        values(&answer),
        [[(T0, 0.0), (T0 + 60, 5.0), (T0 + 180, 12.0)]]
    );
}

#[tokio::test]
async fn longer_slots_than_asked_for_are_told() {
    let rows = json!([row("HOST-1", &[300, 600], &json!([1, 2]))]);
    let scene = Scene::answering(ok(&answer("5m", &rows))).await;
    let answer = scene.query(Gauge, window(T0, T0 + 600)).await.unwrap();
    assert_eq!(values(&answer), [[(T0, 1.0), (T0 + 300, 2.0)]]);
    assert_eq!(answer.step, Some(Duration::from_mins(5)));
    assert_eq!(
        answer.warnings,
        ["one value per 300s was answered, not one per 60s as asked"]
    );
}

#[tokio::test]
async fn the_file_may_want_longer_slots() {
    let scene = Scene::every(Some(Duration::from_secs(90))).await;
    let rows = json!([row("HOST-1", &[120], &json!([1]))]);
    let mock = Mock::given(query_param("resolution", "2m"));
    mock.respond_with(ok(&answer("2m", &rows)))
        .mount(&scene.server)
        .await;
    let answer = scene.query(Gauge, three_minutes()).await.unwrap();
    assert_eq!(values(&answer), [[(T0, 1.0)]]);
}

#[tokio::test]
async fn a_value_is_one_number_of_the_whole_minutes() {
    let scene = Scene::every(None).await;
    let rows = json!([
        row("HOST-1", &[180], &json!([42.5])),
        row("HOST-2", &[180], &json!([null])),
        row("HOST-3", &[], &json!([])),
    ]);
    Mock::given(query_param("resolution", "Inf"))
        .and(query_param("from", "1700000460000"))
        .and(query_param("to", "1700000579999"))
        .respond_with(ok(&answer("Inf", &rows)))
        .mount(&scene.server)
        .await;
    let asked = window(T0 + 1, T0 + 239);
    let answer = scene.query(MetricKind::Value, asked).await.unwrap();
    assert_eq!(values(&answer), [[(T0 + 180, 42.5)]]);
    assert_eq!(answer.window, window(T0 + 60, T0 + 180));
    assert_eq!(answer.step, None);
    let short = scene.query(MetricKind::Value, window(T0 + 1, T0 + 119));
    let fault = short.await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Invalid);
    assert!(fault.message.contains("no whole minute"), "{fault}");
}

#[tokio::test]
async fn times_may_have_a_fraction() {
    let body = json!({"resolution": "1m", "result": [{"metricId": "m", "data": [
        {"dimensionMap": {}, "timestamps": [1_700_000_460_000.0], "values": [1]}]}]});
    let answer = told(Gauge, ok(&body)).await.unwrap();
    assert_eq!(values(&answer), [[(T0, 1.0)]]);
}

#[tokio::test]
async fn all_pages_are_read() {
    let scene = Scene::every(None).await;
    let mut first = answer("1m", &json!([row("HOST-1", &[60], &json!([1]))]));
    first["nextPageKey"] = json!("AQ=");
    first["warnings"] = json!(["odd"]);
    let mut second = answer("1m", &json!([row("HOST-2", &[60], &json!([2]))]));
    second["result"][0]["warnings"] = json!(["odd", "no such dimension"]);
    Mock::given(query_param_is_missing("nextPageKey"))
        .respond_with(ok(&first))
        .mount(&scene.server)
        .await;
    Mock::given(query_param("nextPageKey", "AQ="))
        .and(query_param_is_missing("metricSelector"))
        .respond_with(ok(&second))
        .mount(&scene.server)
        .await;
    let answer = scene.query(Gauge, three_minutes()).await.unwrap();
    assert_eq!(values(&answer), [[(T0, 1.0)], [(T0, 2.0)]]);
    assert_eq!(answer.warnings, ["odd", "no such dimension"]);
}

#[tokio::test]
async fn an_answer_without_end_is_given_up() {
    let body = json!({"nextPageKey": "AQ=", "result": []});
    let fault = told(Gauge, ok(&body)).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Invalid);
    assert!(fault.message.contains("narrow the query down"), "{fault}");
}

#[tokio::test]
async fn nothing_is_no_series() {
    for body in [
        json!({"resolution": "1m", "result": []}),
        answer("1m", &json!([])),
        answer(
            "1m",
            &json!([row("HOST-1", &[60, 120], &json!([null, null]))]),
        ),
    ] {
        for kind in [Gauge, Counter] {
            let answer = told(kind, ok(&body)).await.unwrap();
            assert!(answer.series.is_empty(), "{body}");
        }
    }
}

#[tokio::test]
async fn a_histogram_is_refused_before_anybody_is_asked() {
    let scene = Scene::every(None).await;
    let fault = scene.query(Histogram, three_minutes()).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Invalid);
    let questions = scene.server.received_requests().await.unwrap();
    assert!(questions.is_empty());
}
