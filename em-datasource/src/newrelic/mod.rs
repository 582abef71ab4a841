//! Datasource `newrelic`: NRQL, asked through `NerdGraph`.
//!
//! | `as` | what is answered |
//! |---|---|
//! | gauge | one value per bucket of the window (`TIMESERIES`) |
//! | counter | the counts of the buckets, summed up |
//! | value | one number of the whole window per group |
//! | histogram | refused |
//!
//! The query is NRQL that gives one number; groups of its `FACET` are series. The window belongs to
//! the manager: it is added to the query, and a query that has its own is refused.

mod ask;
mod decode;
mod judge;
pub(crate) mod recorded;
mod statement;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use em_core::fault::{Fault, FaultKind};
use em_core::observe::Window;
use em_core::plan::{DatasourceSpec, MetricKind, NewRelicSpec};
use em_core::port::{Answer, Asked, Clock, Datasource, Health, OpContext, Validation};
use jiff::{SignedDuration, Timestamp};

use self::statement::Statement;
use crate::remote::{HostPolicy, Remote};

/// What agents send arrives within this time.
const LATE: Duration = Duration::from_mins(1);
/// How far back a query is tried out.
const LOOK_BACK: SignedDuration = SignedDuration::from_hours(1);

/// New Relic.
#[derive(Debug)]
pub struct NewRelicDatasource {
    remote: Remote,
    spec: NewRelicSpec,
    every: Option<Duration>,
}

impl NewRelicDatasource {
    /// The account that `spec` names, reached as `source` says.
    pub fn new(clock: Arc<dyn Clock>, spec: &NewRelicSpec, source: &DatasourceSpec) -> Self {
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

    /// The last hour, without what may still come late.
    fn recent(&self) -> Window {
        self.remote.lately(LOOK_BACK, LATE)
    }
}

#[async_trait]
impl Datasource for NewRelicDatasource {
    async fn probe(&self, cx: &OpContext) -> Result<Health, Fault> {
        Ok(Health {
            version: None,
            clock_skew_ms: self.look_around(cx).await?,
        })
    }

    async fn validate(&self, cx: &OpContext, asked: &Asked) -> Result<Validation, Fault> {
        let answer = self.query(cx, asked, self.recent()).await?;
        Ok(Validation::of(answer, "nothing was found in the last hour"))
    }

    async fn query(&self, cx: &OpContext, asked: &Asked, window: Window) -> Result<Answer, Fault> {
        let statement = Statement::parse(&asked.text)?;
        match asked.kind {
            MetricKind::Value => self.whole(cx, &statement, window).await,
            MetricKind::Gauge | MetricKind::Counter => {
                self.buckets(cx, &statement, asked.kind, window).await
            }
            MetricKind::Histogram => {
                let message = "New Relic has no buckets to make a histogram of (ask for a percentile of its own: percentile(NAME, 95), as: value)";
                Err(Fault::new(FaultKind::Invalid, message))
            }
        }
    }

    async fn lag(&self, _: &OpContext, _: &Asked) -> Duration {
        LATE
    }
}
