//! Datasource `graphite`: `/render` of Graphite, and of those that answer like it.
//!
//! The query is a target. Its points come as they are kept: nothing is averaged to fit a picture, and
//! what has no value yet is left out. Counters are series that count up, read as they are.

mod decode;
mod judge;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use em_core::fault::Fault;
use em_core::observe::Window;
use em_core::plan::{DatasourceSpec, GraphiteSpec};
use em_core::port::{Answer, Asked, Clock, Datasource, Health, OpContext, Validation};
use jiff::{SignedDuration, Timestamp};
use reqwest::StatusCode;

pub(crate) use self::judge::judge;
use crate::remote::{Content, HostPolicy, Remote, Reply, fault_of_status};

/// The usual finest step: a point has its last value one step after its time.
const USUAL_STEP: Duration = Duration::from_mins(1);
/// What a query is tried on before anything runs.
const LOOK_BACK: SignedDuration = SignedDuration::from_hours(1);
/// A series that nobody has.
const NOTHING: &str = "experiment_manager.probe.no_such_series";

/// A server that renders series.
#[derive(Debug)]
pub struct GraphiteDatasource {
    remote: Remote,
    every: Option<Duration>,
}

impl GraphiteDatasource {
    /// The server that `spec` names, reached as `source` says.
    pub fn new(clock: Arc<dyn Clock>, spec: &GraphiteSpec, source: &DatasourceSpec) -> Self {
        Self {
            remote: Remote::new(clock, &spec.url, source),
            every: source.every,
        }
    }

    /// The same, where only some hosts may be asked.
    #[must_use]
    pub fn with_hosts(self, hosts: HostPolicy) -> Self {
        let remote = self.remote.with_hosts(hosts);
        Self { remote, ..self }
    }

    fn now(&self) -> Timestamp {
        self.remote.clock().now()
    }

    fn lately(&self) -> Window {
        Window::until(self.now(), LOOK_BACK)
    }

    async fn render(&self, cx: &OpContext, target: &str, window: Window) -> Result<Reply, Fault> {
        // The start itself is left out by most; what is too much is dropped after.
        let from = window.start.as_millisecond().div_euclid(1_000) - 1;
        let until = -(-window.end.as_millisecond()).div_euclid(1_000);
        let query = [
            ("target", target.to_owned()),
            ("from", from.to_string()),
            ("until", until.to_string()),
            ("format", "json".to_owned()),
            // An answer that was given before may lack what came since.
            ("noCache", "1".to_owned()),
        ];
        self.remote.ask(cx, "/render", Content::Query(&query)).await
    }

    /// Its version, where it tells; not all that answer like it do.
    async fn version(&self, cx: &OpContext) -> Result<Option<String>, Fault> {
        let reply = self.remote.ask(cx, "/version", Content::Query(&[])).await?;
        if matches!(
            reply.status,
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN
        ) {
            let (said, server) = (reply.first_line(), self.remote.shown());
            return Err(fault_of_status(server, reply.status, &reply.headers, &said));
        }
        let line = reply.first_line();
        let version = line.trim_matches('"');
        let is_version = reply.status.is_success()
            && version.len() < 40
            && version.contains(|c: char| c.is_ascii_digit())
            && !version.contains(['{', '[', ' ']);
        Ok(is_version.then(|| version.to_owned()))
    }
}

#[async_trait]
impl Datasource for GraphiteDatasource {
    async fn probe(&self, cx: &OpContext) -> Result<Health, Fault> {
        let version = self.version(cx).await?;
        let before = self.now();
        let reply = self.render(cx, NOTHING, self.lately()).await?;
        let after = self.now();
        judge(self.remote.shown(), &reply, self.lately())?;
        Ok(Health {
            version,
            clock_skew_ms: reply.skew(before, after),
        })
    }

    async fn validate(&self, cx: &OpContext, asked: &Asked) -> Result<Validation, Fault> {
        let answer = self.query(cx, asked, self.lately()).await?;
        Ok(Validation::of(
            answer,
            "no series has a value of the last hour",
        ))
    }

    async fn query(&self, cx: &OpContext, asked: &Asked, window: Window) -> Result<Answer, Fault> {
        let reply = self.render(cx, &asked.text, window).await?;
        let judged = judge(self.remote.shown(), &reply, window)?;
        Ok(Answer {
            series: judged.series,
            window,
            warnings: judged.warnings,
            tries: cx.attempt,
            step: judged.step,
            status: Some(reply.status.as_u16()),
        })
    }

    async fn lag(&self, _cx: &OpContext, _asked: &Asked) -> Duration {
        self.every.unwrap_or(USUAL_STEP)
    }
}
