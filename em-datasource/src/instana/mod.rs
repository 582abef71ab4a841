//! Datasource `instana`: Instana's REST interface.
//!
//! A query is a JSON object, the body of the request without its `timeFrame`. Its keys say whom it
//! is for:
//!
//! | key | what is asked |
//! |---|---|
//! | `plugin` | metrics of the infrastructure, one series per snapshot |
//! | `type` | the infrastructure, grouped by tags |
//! | `of`: `applications`, `services` or `endpoints` | metrics of applications, one series each |
//! | `tagFilterExpression`, or `metrics` alone | one series over all calls that the filter lets through |
//!
//! It asks for one metric, because a metric of the file is one thing. What comes back is one value
//! per bucket of time; a `value` of applications or groups is one aggregate of the whole window.

mod answer;
mod ask;
mod decode;
mod inquiry;
mod judge;
pub(crate) mod recorded;
mod spacing;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use em_core::fault::{Fault, FaultKind};
use em_core::observe::Window;
use em_core::plan::{DatasourceSpec, InstanaSpec, MetricKind, SecretRef};
use em_core::port::{Answer, Asked, Clock, Datasource, Health, OpContext, Validation};
use jiff::{SignedDuration, Timestamp};

use self::inquiry::{Endpoint, Inquiry};
use self::spacing::Cut;
use crate::remote::{HostPolicy, Remote};

/// Calls are put together from traces, which come in pieces.
const TRACES: Duration = Duration::from_secs(90);
/// What an agent measures is there after this, once its bucket is full.
const AGENTS: Duration = Duration::from_secs(30);
/// The longest bucket that is chosen for a window of up to ten hours.
const USUAL_ROLLUP: Duration = Duration::from_mins(1);
/// Over how long a query is tried out.
const RECENT: Duration = Duration::from_mins(10);

/// Instana, as seen by the owner of an API token.
#[derive(Debug)]
pub struct InstanaDatasource {
    remote: Remote,
    token: SecretRef,
}

impl InstanaDatasource {
    /// The unit that `spec` names, reached as `source` says.
    pub fn new(clock: Arc<dyn Clock>, spec: &InstanaSpec, source: &DatasourceSpec) -> Self {
        Self {
            remote: Remote::new(clock, &spec.url, source),
            token: spec.token.clone(),
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

    async fn answer(
        &self,
        cx: &OpContext,
        inquiry: &Inquiry,
        kind: MetricKind,
        window: Window,
    ) -> Result<Answer, Fault> {
        let mut cut = Cut::of(inquiry, kind, window, self.now())?;
        let Some(mut frame) = cut.frame(window) else {
            return Ok(answer::without_a_bucket(cx, window, &cut));
        };
        let mut refused = None;
        let found = match self.found(cx, inquiry, frame, &cut).await {
            Err(fault) if is_too_fine(&fault) && inquiry.width.is_none() => {
                let coarser = cut.coarser(inquiry.endpoint, window);
                let framed = coarser.and_then(|cut| Some((cut, cut.frame(window)?)));
                let Some((coarser, longer)) = framed else {
                    return Err(fault);
                };
                refused = Some(cut);
                (cut, frame) = (coarser, longer);
                self.found(cx, inquiry, frame, &cut).await?
            }
            found => found?,
        };
        let asking = Asking { window, frame, cut };
        let told = answer::of(found, kind, &asking, cx.attempt);
        let mut answer = told.map_err(|why| {
            let message = format!("{} {why}", self.remote.shown());
            Fault::new(FaultKind::Malformed, message)
        })?;
        let refused = refused.map(|refused| {
            format!("the server refuses {refused} for such a window: the answer has {cut}")
        });
        answer.warnings.extend(refused);
        Ok(answer)
    }
}

/// What was asked, and about which part of the window.
#[derive(Debug, Clone, Copy)]
struct Asking {
    window: Window,
    frame: Window,
    cut: Cut,
}

/// The server keeps no buckets that short for such a window.
fn is_too_fine(fault: &Fault) -> bool {
    fault.kind == FaultKind::Invalid && fault.message.contains("cannot be combined")
}

#[async_trait]
impl Datasource for InstanaDatasource {
    async fn probe(&self, cx: &OpContext) -> Result<Health, Fault> {
        let (version, clock_skew_ms) = self.version(cx).await?;
        // Only whether it answers: what its colour says of a unit is not ours to judge.
        self.health(cx).await?;
        Ok(Health {
            version,
            clock_skew_ms,
        })
    }

    async fn validate(&self, cx: &OpContext, asked: &Asked) -> Result<Validation, Fault> {
        let inquiry = Inquiry::parse(&asked.text, asked.kind)?;
        let buckets = inquiry.width.unwrap_or_default().saturating_mul(2);
        let length = RECENT.max(buckets);
        let length = SignedDuration::try_from(length).unwrap_or(SignedDuration::MAX);
        let window = Window::until(self.now(), length);
        let answer = self.answer(cx, &inquiry, asked.kind, window).await?;
        let nothing =
            format!("the query finds nothing in {window}: what it asks for may not exist");
        Ok(Validation::of(answer, &nothing))
    }

    async fn query(&self, cx: &OpContext, asked: &Asked, window: Window) -> Result<Answer, Fault> {
        let inquiry = Inquiry::parse(&asked.text, asked.kind)?;
        self.answer(cx, &inquiry, asked.kind, window).await
    }

    /// Traces of the last calls take their time to be put together: 90 s. What agents measure is
    /// there 30 s after its bucket is full. How long buckets are is known only with the window:
    /// where the query does not say, a minute, which is not too short for ten hours.
    async fn lag(&self, _cx: &OpContext, asked: &Asked) -> Duration {
        match Inquiry::parse(&asked.text, asked.kind) {
            Ok(inquiry) => match inquiry.endpoint {
                Endpoint::Infrastructure | Endpoint::Groups => {
                    AGENTS.saturating_add(inquiry.width.unwrap_or(USUAL_ROLLUP))
                }
                Endpoint::Each(_) | Endpoint::Overall => TRACES,
            },
            // It will be refused when it is asked.
            Err(_) => Duration::ZERO,
        }
    }
}
