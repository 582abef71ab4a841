//! Datasource `dynatrace`: the Metrics API v2, which keeps one value per slot of time and series.
//!
//! | `as` | what is answered |
//! |---|---|
//! | gauge | the slots of the window |
//! | counter | the counts of the slots, summed up |
//! | value | one number of the whole minutes of the window per series |
//! | histogram | refused |
//!
//! The query is a metric selector. Dynatrace marks each slot with the time of its end; here a slot
//! has the time of its start, as everywhere. No slot is shorter than a minute.

mod ask;
mod decode;
mod judge;
pub(crate) mod recorded;
mod resolution;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use em_core::fault::{Fault, FaultKind};
use em_core::observe::Window;
use em_core::plan::{DatasourceSpec, DynatraceSpec, MetricKind, SecretRef};
use em_core::port::{Answer, Asked, Clock, Datasource, Health, OpContext, Validation};
use jiff::{SignedDuration, Timestamp};

use crate::remote::{HostPolicy, Remote};

/// What agents send arrives within this time.
const LATE: Duration = Duration::from_mins(2);
/// How far back a query is tried out.
const LOOK_BACK: SignedDuration = SignedDuration::from_hours(1);

/// Dynatrace.
#[derive(Debug)]
pub struct DynatraceDatasource {
    remote: Remote,
    token: SecretRef,
    every: Option<Duration>,
}

impl DynatraceDatasource {
    /// The environment that `spec` names, reached as `source` says.
    pub fn new(clock: Arc<dyn Clock>, spec: &DynatraceSpec, source: &DatasourceSpec) -> Self {
        Self {
            remote: Remote::new(clock, &spec.url, source),
            token: spec.token.clone(),
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
impl Datasource for DynatraceDatasource {
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
        match asked.kind {
            MetricKind::Value => self.whole(cx, &asked.text, window).await,
            MetricKind::Gauge | MetricKind::Counter => self.slots(cx, asked, window).await,
            MetricKind::Histogram => {
                let message = "Dynatrace has no buckets to make a histogram of (ask for a percentile of its own: METRIC:percentile(95), as: value)";
                Err(Fault::new(FaultKind::Invalid, message))
            }
        }
    }

    async fn lag(&self, _: &OpContext, _: &Asked) -> Duration {
        // A slot is complete some time after its end.
        self.every.unwrap_or_default().max(LATE)
    }
}
