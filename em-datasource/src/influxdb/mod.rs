//! Datasource `influxdb`: `InfluxDB` 1.x, and later ones that answer `InfluxQL`.
//!
//! The query is one `SELECT` of one field; tags in its `GROUP BY` are labels. It names its window
//! itself, as `time >= {{start_ms}}ms AND time <= {{end_ms}}ms`. What comes from outside the window is
//! left out, and so are buckets of `GROUP BY time(...)` that the window cuts.
//!
//! Counters are fields that count up, read as they are.

mod decode;
mod judge;
mod mask;
mod place;
mod statement;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use em_core::fault::Fault;
use em_core::observe::Window;
use em_core::plan::{DatasourceSpec, InfluxDbSpec, MetricKind};
use em_core::port::{Answer, Asked, Clock, Datasource, Health, OpContext, Series, Validation};
use reqwest::StatusCode;

use self::judge::judge;
use self::place::{CONDITION, place};
pub(crate) use self::statement::Statement;
use crate::remote::{Content, HostPolicy, Remote, Reply, fault_of_status};

/// Who writes collects what it writes for about as long where nobody says so.
const USUAL_FLUSH: Duration = Duration::from_secs(10);
/// What was sent can be asked for at the latest this long after.
const STORED: Duration = Duration::from_secs(1);
/// Finds nothing, and needs the database and the right to read it.
const HARMLESS: &str = "SELECT * FROM experiment_manager_probe LIMIT 1";

/// A server that answers `InfluxQL`.
#[derive(Debug)]
pub struct InfluxDbDatasource {
    remote: Remote,
    spec: InfluxDbSpec,
    every: Option<Duration>,
}

impl InfluxDbDatasource {
    /// The server that `spec` names, reached as `source` says.
    pub fn new(clock: Arc<dyn Clock>, spec: &InfluxDbSpec, source: &DatasourceSpec) -> Self {
        Self {
            remote: Remote::new(clock, &spec.url, source),
            spec: spec.clone(),
            every: source.every,
        }
    }

    /// The same, where only some hosts may be asked.
    #[must_use]
    pub fn with_hosts(self, hosts: HostPolicy) -> Self {
        let remote = self.remote.with_hosts(hosts);
        Self { remote, ..self }
    }

    async fn ask(&self, cx: &OpContext, query: &str) -> Result<Reply, Fault> {
        let mut form = vec![("db", self.spec.database.clone())];
        if let Some(policy) = &self.spec.retention_policy {
            form.push(("rp", policy.clone()));
        }
        // Finer than what a window needs: two points within a millisecond are two.
        form.push(("epoch", "ns".to_owned()));
        form.push(("q", query.to_owned()));
        self.remote.ask(cx, "/query", Content::Form(&form)).await
    }

    /// Its version and how far its clock is off, where it tells.
    async fn ping(&self, cx: &OpContext) -> Result<Health, Fault> {
        let before = self.remote.clock().now();
        let reply = self.remote.ask(cx, "/ping", Content::Query(&[])).await?;
        let after = self.remote.clock().now();
        // What stands between may let nothing through but questions.
        let is_unknown = reply.status == StatusCode::NOT_FOUND;
        if !reply.status.is_success() && !is_unknown {
            let (said, server) = (reply.first_line(), self.remote.shown());
            return Err(fault_of_status(server, reply.status, &reply.headers, &said));
        }
        let version = reply.headers.get("x-influxdb-version");
        let version = version.and_then(|version| version.to_str().ok());
        Ok(Health {
            version: version.map(str::to_owned),
            clock_skew_ms: reply.skew(before, after),
        })
    }
}

/// What a metric sees of an answer.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) series: Vec<Series>,
    warnings: Vec<String>,
}

/// What a metric of this kind sees of the answer to a statement.
pub(crate) fn seen(
    server: &str,
    reply: &Reply,
    statement: Statement,
    kind: MetricKind,
    window: Window,
) -> Result<Seen, Fault> {
    let judged = judge(server, reply)?;
    let (mut series, mut warnings) = (Vec::new(), judged.warnings);
    for rows in judged.series {
        let placed = place(statement, kind, rows, window);
        series.extend(placed.series);
        warnings.extend(placed.warning);
    }
    warnings.sort();
    warnings.dedup();
    Ok(Seen { series, warnings })
}

#[async_trait]
impl Datasource for InfluxDbDatasource {
    async fn probe(&self, cx: &OpContext) -> Result<Health, Fault> {
        let health = self.ping(cx).await?;
        let reply = self.ask(cx, HARMLESS).await?;
        let server = self.remote.shown();
        match judge::outcome(server, &reply)?.error {
            None => Ok(health),
            Some(error) => Err(judge::told(server, &error)),
        }
    }

    async fn validate(&self, cx: &OpContext, asked: &Asked) -> Result<Validation, Fault> {
        let statement = Statement::parse(&asked.text)?;
        let reply = self.ask(cx, &asked.text).await?;
        let judged = judge(self.remote.shown(), &reply)?;
        let mut warnings = judged.warnings;
        if !statement.has_start {
            warnings.push(format!(
                "the query asks for everything there is: {CONDITION}"
            ));
        }
        if judged.series.is_empty() {
            warnings.push("it finds nothing now".to_owned());
        }
        Ok(Validation {
            series: Some(judged.series.len() as u64),
            warnings,
        })
    }

    async fn query(&self, cx: &OpContext, asked: &Asked, window: Window) -> Result<Answer, Fault> {
        let statement = Statement::parse(&asked.text)?;
        let reply = self.ask(cx, &asked.text).await?;
        let server = self.remote.shown();
        let seen = seen(server, &reply, statement, asked.kind, window)?;
        Ok(Answer {
            series: seen.series,
            window,
            warnings: seen.warnings,
            tries: cx.attempt,
            step: statement.bucket,
            status: Some(reply.status.as_u16()),
        })
    }

    async fn lag(&self, _cx: &OpContext, _asked: &Asked) -> Duration {
        self.every.unwrap_or(USUAL_FLUSH) + STORED
    }
}
