//! The datasource `datadog` against servers that answer in the shapes that were recorded of it.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod faults;
mod formulas;
mod over_time;
mod probing;
mod rules;
mod scalar;
mod v1;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use em_core::fault::Fault;
use em_core::observe::Window;
use em_core::plan::{
    DatadogApi, DatadogSpec, DatasourceKind, DatasourceSpec, MetricKind, SecretRef,
};
use em_core::port::{Answer, Datasource as _, SystemClock};
use em_datasource::DatadogDatasource;
use serde_json::{Value, json};
use tempfile::TempDir;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::asking::{asked, context, plain, window};

/// A multiple of every length of buckets here.
pub(crate) const T0: i64 = 1_700_000_400;
pub(crate) const API_KEY: &str = "hush-api";
pub(crate) const APPLICATION_KEY: &str = "hush-application";

/// A server, the source that asks it, and where its keys lie.
pub(crate) struct Scene {
    pub(crate) server: MockServer,
    pub(crate) source: DatadogDatasource,
    keys: TempDir,
}

impl Scene {
    pub(crate) async fn new(api: DatadogApi) -> Self {
        Self::every(api, None).await
    }

    /// One whose datasource says how far apart values are.
    pub(crate) async fn every(api: DatadogApi, every: Option<Duration>) -> Self {
        let server = MockServer::start().await;
        let keys = TempDir::new().unwrap();
        let key = |name: &str, text: &str| {
            let path = keys.path().join(name);
            std::fs::write(&path, text).unwrap();
            SecretRef::FromFile(path)
        };
        let spec = DatadogSpec {
            url: server.uri(),
            api_key: key("api", API_KEY),
            application_key: key("application", APPLICATION_KEY),
            api,
        };
        let source = DatasourceSpec {
            every,
            ..plain(DatasourceKind::Datadog(spec.clone()))
        };
        let source = DatadogDatasource::new(Arc::new(SystemClock), &spec, &source);
        Self {
            server,
            source,
            keys,
        }
    }

    /// From now on, every question to this path has this answer.
    pub(crate) async fn answers(&self, to: &str, answer: ResponseTemplate) {
        self.server.reset().await;
        let mock = Mock::given(path(to)).respond_with(answer);
        mock.mount(&self.server).await;
    }

    pub(crate) async fn query(
        &self,
        kind: MetricKind,
        text: &str,
        window: Window,
    ) -> Result<Answer, Fault> {
        let asked = asked(kind, text);
        self.source.query(&context(), &asked, window).await
    }

    /// What a query means that the server answers like this, over two minutes from [`T0`] on.
    pub(crate) async fn told(
        &self,
        kind: MetricKind,
        answer: ResponseTemplate,
    ) -> Result<Answer, Fault> {
        let path = match kind {
            MetricKind::Value => SCALAR,
            MetricKind::Gauge | MetricKind::Counter | MetricKind::Histogram => TIMESERIES,
        };
        self.answers(path, answer).await;
        self.query(kind, "sum:x{*}.as_count()", two_minutes()).await
    }

    /// The JSON body of the only question.
    pub(crate) async fn only_body(&self) -> Value {
        let questions = self.server.received_requests().await.unwrap();
        assert_eq!(questions.len(), 1);
        serde_json::from_slice(&questions[0].body).unwrap()
    }

    pub(crate) async fn count(&self) -> usize {
        self.server.received_requests().await.unwrap().len()
    }

    pub(crate) fn key_file(&self, name: &str) -> PathBuf {
        self.keys.path().join(name)
    }
}

pub(crate) const TIMESERIES: &str = "/api/v2/query/timeseries";
pub(crate) const SCALAR: &str = "/api/v2/query/scalar";
pub(crate) const V1: &str = "/api/v1/query";

pub(crate) fn two_minutes() -> Window {
    window(T0, T0 + 120)
}

/// An answer of API v2, in its own type of JSON.
pub(crate) fn v2(body: &Value) -> ResponseTemplate {
    let body = body.to_string().into_bytes();
    ResponseTemplate::new(200).set_body_raw(body, "application/vnd.api+json")
}

/// Series over time: tags of each, times in seconds after [`T0`], values of each.
pub(crate) fn over_time(tags: &Value, times: &[i64], values: &Value) -> Value {
    let times: Vec<i64> = times.iter().map(|second| (T0 + second) * 1000).collect();
    let one = |tags: &Value| json!({"group_tags": tags, "query_index": 0, "unit": null});
    let series: Vec<Value> = tags.as_array().unwrap().iter().map(one).collect();
    json!({"data": {"id": "0", "type": "timeseries_response", "attributes": {
        "series": series, "times": times, "values": values}}})
}

/// Numbers of a whole window, in columns.
pub(crate) fn columns(columns: &Value) -> Value {
    json!({"data": {"id": "0", "type": "scalar_response", "attributes": {"columns": columns}}})
}

/// The value of a label of each series.
pub(crate) fn label<'a>(answer: &'a Answer, name: &str) -> Vec<&'a str> {
    let series = answer.series.iter();
    series.map(|one| one.labels[name].as_str()).collect()
}

/// Answers a question only where it is asked like this.
pub(crate) async fn get(scene: &Scene, to: &str, answer: ResponseTemplate) {
    let mock = Mock::given(method("GET")).and(path(to));
    mock.respond_with(answer).mount(&scene.server).await;
}
