//! Datasource `cloudwatch`: `GetMetricData` of Amazon `CloudWatch`.
//!
//! | `as` | what is answered |
//! |---|---|
//! | gauge | one value per period of the window |
//! | counter | the counts of the periods, summed up |
//! | value, histogram | refused |
//!
//! The query is one entry of `MetricDataQueries` (`MetricStat` or `Expression`), or an object with
//! that list, of which one entry is returned. A series has its `Label`. Periods without data are
//! absent, which is not 0.

mod ask;
mod decode;
mod judge;
mod period;
mod query;
pub(crate) mod recorded;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use em_core::fault::{Fault, FaultKind};
use em_core::observe::Window;
use em_core::plan::{CloudWatchSpec, DatasourceSpec, MetricKind};
use em_core::port::{Answer, Asked, Clock, Datasource, Health, OpContext, Validation};
use jiff::{SignedDuration, Timestamp};

use self::query::Query;
use crate::remote::{HostPolicy, Remote};

/// What services send arrives within this time.
const LATE: Duration = Duration::from_mins(3);
/// How far back a query is tried out.
const LOOK_BACK: SignedDuration = SignedDuration::from_hours(1);
/// A metric that nobody sends: whoever may read, reads that there is none.
const NOTHING: &str = r#"{"MetricStat": {"Metric": {"Namespace": "ExperimentManager", "MetricName": "probe"}, "Stat": "Sum"}}"#;

/// Amazon `CloudWatch`.
#[derive(Debug)]
pub struct CloudWatchDatasource {
    remote: Remote,
    every: Option<Duration>,
}

impl CloudWatchDatasource {
    /// The region that `spec` names, reached as `source` says.
    pub fn new(clock: Arc<dyn Clock>, spec: &CloudWatchSpec, source: &DatasourceSpec) -> Self {
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

    /// The last hour, without what may still come late.
    fn recent(&self) -> Window {
        self.remote.lately(LOOK_BACK, LATE)
    }
}

#[async_trait]
impl Datasource for CloudWatchDatasource {
    async fn probe(&self, cx: &OpContext) -> Result<Health, Fault> {
        let query = Query::parse(NOTHING)?;
        let heard = self.found(cx, &query, self.recent()).await?;
        Ok(Health {
            version: None,
            clock_skew_ms: heard.skew,
        })
    }

    async fn validate(&self, cx: &OpContext, asked: &Asked) -> Result<Validation, Fault> {
        let answer = self.query(cx, asked, self.recent()).await?;
        Ok(Validation::of(answer, "nothing was found in the last hour"))
    }

    async fn query(&self, cx: &OpContext, asked: &Asked, window: Window) -> Result<Answer, Fault> {
        if matches!(asked.kind, MetricKind::Value | MetricKind::Histogram) {
            let message = "CloudWatch answers one value per period, neither one of a whole window nor a histogram (write as: gauge, or as: counter for counts)";
            return Err(Fault::new(FaultKind::Invalid, message));
        }
        let query = Query::parse(&asked.text)?;
        self.periods(cx, &query, asked.kind, window).await
    }

    async fn lag(&self, _: &OpContext, _: &Asked) -> Duration {
        self.every.unwrap_or_default().max(LATE)
    }
}
