//! A unit that answers what tests tell it to.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use em_core::fault::Fault;
use em_core::observe::Window;
use em_core::plan::{DatasourceKind, InstanaSpec, MetricKind, SecretRef};
use em_core::port::{Answer, Clock, Datasource as _};
use em_datasource::InstanaDatasource;
use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::NamedTempFile;
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::asking::{asked, at, context, plain, window};

pub(crate) const INFRASTRUCTURE: &str = "/api/infrastructure-monitoring/metrics";
pub(crate) const GROUPS: &str = "/api/infrastructure-monitoring/analyze/entity-groups";
pub(crate) const SERVICES: &str = "/api/application-monitoring/metrics/services";
pub(crate) const OVERALL: &str = "/api/application-monitoring/v2/metrics";
pub(crate) const TOKEN: &str = "t0k3n-of-a-test";
/// The start of a minute.
pub(crate) const START: i64 = 1_700_000_040;

/// A clock that stands still.
#[derive(Debug)]
struct Still(Timestamp);

impl Clock for Still {
    fn now(&self) -> Timestamp {
        self.0
    }
}

/// A unit, and whoever asks it, an hour after [`START`].
#[derive(Debug)]
pub(crate) struct Unit {
    pub(crate) server: MockServer,
    pub(crate) source: InstanaDatasource,
    pub(crate) token: NamedTempFile,
}

impl Unit {
    pub(crate) async fn new() -> Self {
        let server = MockServer::start().await;
        let mut token = NamedTempFile::new().unwrap();
        writeln!(token, "{TOKEN}").unwrap();
        let source = source(&format!("{}/", server.uri()), token.path());
        Self {
            server,
            source,
            token,
        }
    }

    /// A unit that answers this to every question at `at`.
    pub(crate) async fn answering(at: &str, body: Value) -> Self {
        let unit = Self::new().await;
        unit.tells(at, ResponseTemplate::new(200).set_body_json(body))
            .await;
        unit
    }

    /// Answers this to the one who has the token.
    pub(crate) async fn tells(&self, at: &str, answer: ResponseTemplate) {
        Mock::given(method("POST"))
            .and(path(at))
            .and(header(
                "authorization",
                format!("apiToken {TOKEN}").as_str(),
            ))
            .and(header("content-type", "application/json"))
            .respond_with(answer)
            .mount(&self.server)
            .await;
    }

    /// The same for the next question only.
    pub(crate) async fn tells_once(&self, at: &str, answer: ResponseTemplate) {
        let mock = Mock::given(method("POST")).and(path(at));
        let mock = mock.respond_with(answer).up_to_n_times(1);
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

    /// What was sent so far.
    pub(crate) async fn bodies(&self) -> Vec<Value> {
        let requests = self.server.received_requests().await.unwrap();
        let bodies = requests.iter().map(|request| request.body_json().unwrap());
        bodies.collect()
    }
}

/// Whoever asks the unit at `url`.
pub(crate) fn source(url: &str, token: &Path) -> InstanaDatasource {
    let spec = InstanaSpec {
        url: url.to_owned(),
        token: SecretRef::FromFile(token.to_owned()),
    };
    let clock = Arc::new(Still(at(START + 3600)));
    let source = plain(DatasourceKind::Instana(spec.clone()));
    InstanaDatasource::new(clock, &spec, &source)
}

/// Seconds after [`START`].
pub(crate) fn after(start: i64, end: i64) -> Window {
    window(START + start, START + end)
}

/// A point this many seconds after [`START`].
pub(crate) fn point(second: i64, value: impl Into<Value>) -> Value {
    json!([(START + second) * 1000, value.into()])
}

/// A time frame in the server's words.
pub(crate) fn frame(start: i64, end: i64) -> Value {
    json!({"to": (START + end) * 1000, "windowSize": (end - start) * 1000})
}
