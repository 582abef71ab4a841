//! Datasource `datadog`: a service that keeps one value per bucket of time and series.
//!
//! | `as` | API v1 | API v2 |
//! |---|---|---|
//! | gauge | the buckets of the window | the same, formulas too |
//! | counter | the counts of the buckets, summed up | the same, formulas too |
//! | value | refused | one number of the whole window per group |
//! | histogram | refused | refused |
//!
//! A query is the text of one metric query, or a JSON object of several and a formula. Keys are
//! read anew for each request. Nobody but the server knows how long its buckets are, so that is
//! read from what it answers.

mod ask;
mod budget;
mod graph;
mod judge;
mod keys;
mod query;
pub(crate) mod recorded;
mod scalar;
mod step;
mod tags;
mod timeseries;
mod v1;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use em_core::fault::Fault;
use em_core::observe::Window;
use em_core::plan::{DatadogApi, DatadogSpec, DatasourceSpec, MetricKind};
use em_core::port::{Answer, Asked, Clock, Datasource, Health, OpContext, Validation};
use jiff::{SignedDuration, Timestamp};

use self::query::Query;
use crate::remote::{HostPolicy, Remote};

/// What agents send arrives within this time.
const LATE: Duration = Duration::from_mins(1);
/// How far back a query is tried out.
const LOOK_BACK: SignedDuration = SignedDuration::from_hours(1);

/// Datadog.
#[derive(Debug)]
pub struct DatadogDatasource {
    remote: Remote,
    spec: DatadogSpec,
    every: Option<Duration>,
}

impl DatadogDatasource {
    /// The service that `spec` names, reached as `source` says.
    pub fn new(clock: Arc<dyn Clock>, spec: &DatadogSpec, source: &DatasourceSpec) -> Self {
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

    fn now(&self) -> Timestamp {
        self.remote.clock().now()
    }

    /// How long after its end a bucket is complete.
    fn late(&self) -> Duration {
        self.every.unwrap_or_default().max(LATE)
    }

    /// So long until now, without what may still come late.
    fn recent(&self, length: SignedDuration) -> Window {
        self.remote.lately(length, self.late())
    }
}

#[async_trait]
impl Datasource for DatadogDatasource {
    async fn probe(&self, cx: &OpContext) -> Result<Health, Fault> {
        let clock_skew_ms = self.check_api_key(cx).await?;
        self.check_application_key(cx).await?;
        Ok(Health {
            version: None,
            clock_skew_ms,
        })
    }

    async fn validate(&self, cx: &OpContext, asked: &Asked) -> Result<Validation, Fault> {
        let answer = self.query(cx, asked, self.recent(LOOK_BACK)).await?;
        let nothing = "nothing was found in the last hour: is the metric sent under this name, with these tags?";
        Ok(Validation::of(answer, nothing))
    }

    async fn query(&self, cx: &OpContext, asked: &Asked, window: Window) -> Result<Answer, Fault> {
        let query = Query::parse(&asked.text)?;
        query.check(asked.kind, self.spec.api)?;
        match (asked.kind, self.spec.api) {
            (MetricKind::Value, _) => self.scalar(cx, &query, window).await,
            (kind, DatadogApi::V1) => self.v1(cx, &query, kind, window).await,
            (kind, DatadogApi::V2) => self.timeseries(cx, &query, kind, window).await,
        }
    }

    async fn lag(&self, _: &OpContext, _: &Asked) -> Duration {
        self.late()
    }
}
