//! The datasource `newrelic` against servers that answer in the shapes of `NerdGraph`.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod faults;
mod probing;

use std::sync::Arc;
use std::time::Duration;

use em_core::fault::{Fault, FaultKind};
use em_core::observe::Window;
use em_core::plan::MetricKind::{self, Counter, Gauge, Histogram};
use em_core::plan::{DatasourceKind, DatasourceSpec, NewRelicSpec, SecretRef};
use em_core::port::{Answer, Datasource as _, SystemClock};
use em_datasource::NewRelicDatasource;
use serde_json::{Value, json};
use tempfile::TempDir;
use wiremock::matchers::{any, header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::asking::{asked, context, plain, values, window};

pub(crate) const KEY: &str = "NRAK-hush";
pub(crate) const T0: i64 = 1_700_000_407;
const NRQL: &str = "SELECT average(duration) FROM Transaction WHERE name = 'a\"b' FACET host";

/// A server, the source that asks it, and where its key lies.
pub(crate) struct Scene {
    pub(crate) server: MockServer,
    pub(crate) source: Arc<NewRelicDatasource>,
    pub(crate) keys: TempDir,
}

impl Scene {
    pub(crate) async fn every(every: Option<Duration>) -> Self {
        let server = MockServer::start().await;
        let keys = TempDir::new().unwrap();
        let key = keys.path().join("key");
        std::fs::write(&key, KEY).unwrap();
        let spec = NewRelicSpec {
            url: server.uri(),
            account: 42,
            key: SecretRef::FromFile(key),
        };
        let source = DatasourceSpec {
            every,
            ..plain(DatasourceKind::NewRelic(spec.clone()))
        };
        let source = NewRelicDatasource::new(Arc::new(SystemClock), &spec, &source);
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
        let asked = asked(kind, NRQL);
        self.source.query(&context(), &asked, window).await
    }

    /// The variables of the only question.
    async fn variables(&self) -> Value {
        let questions = self.server.received_requests().await.unwrap();
        assert_eq!(questions.len(), 1);
        let body: Value = serde_json::from_slice(&questions[0].body).unwrap();
        let query = body["query"].as_str().unwrap();
        assert!(!query.contains("SELECT"), "{query}");
        body["variables"].clone()
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

pub(crate) fn rows(facets: &Value, rows: &Value) -> Value {
    let metadata = json!({"facets": facets, "messages": []});
    let nrql = json!({"results": rows, "metadata": metadata});
    json!({"data": {"actor": {"account": {"nrql": nrql}}}})
}

/// A row of a bucket that begins and ends so many seconds after [`T0`].
pub(crate) fn row(host: &str, begin: i64, end: i64, value: &Value) -> Value {
    json!({"beginTimeSeconds": T0 + begin, "endTimeSeconds": T0 + end, "facet": host,
        "host": host, "average.duration": value})
}

#[tokio::test]
async fn the_window_is_added_and_groups_are_series() {
    let scene = Scene::every(None).await;
    let found = json!([
        row("a", 60, 120, &json!(2)),
        row("a", 0, 60, &json!(1.5)),
        row("a", 120, 180, &json!(null)),
        row("b", 0, 60, &json!(null)),
        row("b", 60, 120, &json!(null)),
        row("c", 120, 180, &json!(4)),
    ]);
    Mock::given(method("POST"))
        .and(path("/graphql"))
        .and(header("api-key", KEY))
        .and(header("content-type", "application/json"))
        .respond_with(ok(&rows(&json!(["host"]), &found)))
        .expect(1)
        .mount(&scene.server)
        .await;
    let answer = scene.query(Gauge, three_minutes()).await.unwrap();
    let expected = [vec![(T0, 1.5), (T0 + 60, 2.0)], vec![(T0 + 120, 4.0)]];
    assert_eq!(values(&answer), expected);
    let labels = &answer.series[0].labels;
    let pairs: Vec<(&str, &str)> = labels.iter().map(|(k, v)| (&**k, &**v)).collect();
    assert_eq!(pairs, [("__name__", "average.duration"), ("host", "a")]);
    assert_eq!(answer.step, Some(Duration::from_mins(1)));
    assert_eq!((answer.status, answer.tries), (Some(200), 1));
    assert!(answer.warnings.is_empty(), "{:?}", answer.warnings);
    let variables = scene.variables().await;
    assert_eq!(variables["id"], 42);
    let timeout = variables["timeout"].as_u64().unwrap();
    assert!((8..=10).contains(&timeout), "{timeout}");
    let nrql = format!("{NRQL}\nSINCE 1700000407000 UNTIL 1700000587000 TIMESERIES 60 seconds");
    assert_eq!(variables["nrql"], nrql);
}

#[tokio::test]
async fn buckets_that_the_window_cuts_are_left_out() {
    let found = json!([
        row("a", -60, 0, &json!(9)),
        row("a", 0, 60, &json!(1)),
        row("a", 60, 120, &json!(2)),
        row("a", 120, 160, &json!(9)),
        row("a", 160, 220, &json!(9)),
    ]);
    let found = ok(&rows(&json!(["host"]), &found));
    let answer = told(Gauge, found).await.unwrap();
    assert_eq!(values(&answer), [[(T0, 1.0), (T0 + 60, 2.0)]]);
}

#[tokio::test]
async fn counts_of_buckets_are_summed_up() {
    let one = |begin: i64, count: u64| json!({"beginTimeSeconds": T0 + begin, "endTimeSeconds": T0 + begin + 60, "count": count});
    let found = json!([one(0, 5), one(60, 0), one(120, 7)]);
    let answer = told(Counter, ok(&rows(&json!(null), &found)))
        .await
        .unwrap();
    let expected = [[(T0, 0.0), (T0 + 60, 5.0), (T0 + 120, 5.0), (T0 + 180, 12.0)]];
    assert_eq!(values(&answer), expected);
}

#[tokio::test]
async fn buckets_are_as_long_as_the_file_wants_and_others_are_told() {
    let scene = Scene::every(Some(Duration::from_secs(15))).await;
    let found = json!([row("a", 0, 30, &json!(1)), row("a", 30, 60, &json!(2))]);
    let mock = Mock::given(any()).respond_with(ok(&rows(&json!(["host"]), &found)));
    mock.mount(&scene.server).await;
    let answer = scene.query(Gauge, three_minutes()).await.unwrap();
    assert_eq!(values(&answer), [[(T0, 1.0), (T0 + 30, 2.0)]]);
    assert_eq!(answer.step, Some(Duration::from_secs(30)));
    assert_eq!(
        answer.warnings,
        ["one value per 30s was answered, not one per 15s as asked"]
    );
    let nrql = scene.variables().await["nrql"].clone();
    assert!(nrql.as_str().unwrap().ends_with(" TIMESERIES 15 seconds"));
}

#[tokio::test]
async fn a_value_is_one_number_of_the_whole_window() {
    let found = json!([
        {"facet": ["a", "eu"], "host": "a", "region": "eu", "percentile.duration": {"95": 1.25}},
        {"facet": ["b", "eu"], "host": "b", "region": "eu", "percentile.duration": {"95": null}},
    ]);
    let found = ok(&rows(&json!(["host", "region"]), &found));
    let scene = Scene::answering(found).await;
    let answer = scene.query(MetricKind::Value, three_minutes()).await;
    let answer = answer.unwrap();
    assert_eq!(values(&answer), [[(T0 + 180, 1.25)]]);
    let labels = &answer.series[0].labels;
    assert_eq!(labels["__name__"], "percentile.duration.95");
    assert_eq!((&*labels["host"], &*labels["region"]), ("a", "eu"));
    assert_eq!(answer.step, None);
    let nrql = scene.variables().await["nrql"].clone();
    assert!(nrql.as_str().unwrap().ends_with("UNTIL 1700000587000"));
}

#[tokio::test]
async fn ten_groups_may_not_be_all() {
    let found = |count: i64| {
        let group = |n: i64| row(&n.to_string(), 0, 60, &json!(n));
        let groups: Vec<Value> = (0..count).map(group).collect();
        ok(&rows(&json!(["host"]), &json!(groups)))
    };
    let answer = told(Gauge, found(9)).await.unwrap();
    assert!(answer.warnings.is_empty());
    for kind in [Gauge, Counter] {
        let answer = told(kind, found(10)).await.unwrap();
        assert_eq!(answer.series.len(), 10);
        assert!(answer.warnings[0].contains("no LIMIT"), "{answer:?}");
    }
}

#[tokio::test]
async fn nothing_is_no_series() {
    for kind in [Gauge, Counter, MetricKind::Value] {
        let answer = told(kind, ok(&rows(&json!(["host"]), &json!([])))).await;
        assert!(answer.unwrap().series.is_empty());
        let mut empty = json!({"average.duration": null});
        if kind != MetricKind::Value {
            empty["beginTimeSeconds"] = json!(T0);
            empty["endTimeSeconds"] = json!(T0 + 60);
        }
        let answer = told(kind, ok(&rows(&json!(null), &json!([empty])))).await;
        assert!(answer.unwrap().series.is_empty());
    }
}

#[tokio::test]
async fn what_the_server_says_beside_is_told_without_the_key() {
    let mut body = rows(&json!(null), &json!([]));
    body["data"]["actor"]["account"]["nrql"]["metadata"]["messages"] =
        json!(["sampled", format!("{KEY} runs out")]);
    let answer = told(Gauge, ok(&body)).await.unwrap();
    assert_eq!(answer.warnings, ["sampled", "*** runs out"]);
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused_before_anybody_is_asked() {
    let scene = Scene::every(None).await;
    for (kind, nrql) in [
        (Histogram, "SELECT histogram(duration) FROM Transaction"),
        (Gauge, "SELECT count(*) FROM Transaction SINCE 1 hour ago"),
        (Gauge, "SELECT count(*) FROM Transaction TIMESERIES"),
    ] {
        let (cx, asked) = (context(), asked(kind, nrql));
        let fault = scene.source.query(&cx, &asked, three_minutes());
        assert_eq!(fault.await.unwrap_err().kind, FaultKind::Invalid, "{nrql}");
    }
    let questions = scene.server.received_requests().await.unwrap();
    assert!(questions.is_empty());
}
