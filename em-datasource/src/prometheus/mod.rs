//! Datasource `prometheus`: a server with history, and all that answer like it (Thanos, Mimir,
//! VictoriaMetrics, OpenShift's querier).
//!
//! | `as` | query | what is asked |
//! |---|---|---|
//! | counter | a selector | the raw samples of the window: exact differences, no extrapolation |
//! | histogram | a selector of its buckets | the same, and the same of its sum |
//! | gauge, value | a selector | the same |
//! | gauge | an expression | a range query, one step per scrape |
//! | value | an expression | an instant query at the end of the window |
//!
//! Raw samples never come from outside the window: a server that looks back for the last value of a
//! target that is gone is not asked to.

mod ask;
mod decode;
mod judge;
mod native;
mod spacing;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use em_core::fault::{Fault, FaultKind};
use em_core::observe::Window;
use em_core::plan::{DatasourceSpec, MetricKind, PrometheusSpec};
use em_core::port::{Answer, Asked, Clock, Datasource, Health, OpContext, Series, Validation};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::OnceCell;

use self::judge::Judged;
pub(crate) use self::judge::judge;
use crate::remote::{HostPolicy, Remote};
use crate::selector::{is_selector, sums_of};

/// How often a target is scraped where nobody says so.
const USUAL_INTERVAL: Duration = Duration::from_secs(15);
/// A scrape that began within the window is stored at the latest this long after the next is due.
const STORED: Duration = Duration::from_secs(1);
/// How far back the spacing of samples is looked for.
const LOOK_BACK: SignedDuration = SignedDuration::from_mins(5);

/// A server that answers PromQL.
#[derive(Debug)]
pub struct PrometheusDatasource {
    remote: Remote,
    spec: PrometheusSpec,
    every: Option<Duration>,
    /// How often the server scrapes, where it tells.
    interval: OnceCell<Option<Duration>>,
}

impl PrometheusDatasource {
    /// The server that `spec` names, reached as `source` says.
    pub fn new(clock: Arc<dyn Clock>, spec: &PrometheusSpec, source: &DatasourceSpec) -> Self {
        Self {
            remote: Remote::new(clock, &spec.url, source),
            spec: spec.clone(),
            every: source.every,
            interval: OnceCell::new(),
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

    /// The raw samples of a selector from start to end of the window, both included.
    async fn raw(&self, cx: &OpContext, text: &str, window: Window) -> Result<Judged, Fault> {
        // Since 3.0 a range does not hold its start: one millisecond more does.
        let length = window.milliseconds().max(0) + 1;
        let query = format!("{}[{length}ms]", text.trim());
        let mut judged = self.instant(cx, &query, window.end).await?;
        if judged.result_type != "matrix" && !judged.series.is_empty() {
            let message = format!("{query} answers a {}, no samples", judged.result_type);
            return Err(Fault::new(FaultKind::Malformed, message));
        }
        for series in &mut judged.series {
            series.points.retain(|point| window.reaches(point.at));
        }
        judged.series.retain(|series| !series.points.is_empty());
        Ok(judged)
    }

    /// Whole histograms, with their sums where there are such: without, there is no mean.
    async fn histograms(
        &self,
        cx: &OpContext,
        text: &str,
        window: Window,
    ) -> Result<Judged, Fault> {
        let mut judged = self.raw(cx, text, window).await?;
        let Some(text) = sums_of(text).filter(|_| !judged.series.is_empty()) else {
            return Ok(judged);
        };
        let sums = self.raw(cx, &text, window).await?;
        let points = judged.series.iter().flat_map(|series| &series.points);
        let times: BTreeSet<Timestamp> = points.map(|point| point.at).collect();
        for mut series in sums.series {
            // What arrives between both questions is in the sums only.
            series.points.retain(|point| times.contains(&point.at));
            if !series.points.is_empty() {
                judged.series.push(series);
            }
        }
        judged.warn(sums.warnings);
        judged.status = sums.status;
        Ok(judged)
    }

    /// How far apart the samples are that a query sees.
    async fn spacing(&self, cx: &OpContext, asked: &Asked) -> Duration {
        if let Some(every) = self.every {
            return every;
        }
        let lately = Window::until(self.now(), LOOK_BACK);
        if is_selector(&asked.text)
            && let Ok(judged) = self.raw(cx, &asked.text, lately).await
            && let Some(spacing) = spacing::of(&judged.series)
        {
            return spacing;
        }
        let told = self.interval.get_or_try_init(|| self.scrape_interval(cx));
        // Whoever may not look at the targets gets the usual.
        told.await.ok().copied().flatten().unwrap_or(USUAL_INTERVAL)
    }

    async fn answer(&self, cx: &OpContext, asked: &Asked, window: Window) -> Result<Judged, Fault> {
        if is_selector(&asked.text) {
            return match asked.kind {
                MetricKind::Histogram => self.histograms(cx, &asked.text, window).await,
                MetricKind::Counter | MetricKind::Gauge | MetricKind::Value => {
                    self.raw(cx, &asked.text, window).await
                }
            };
        }
        match asked.kind {
            MetricKind::Counter | MetricKind::Histogram => Err(no_selector(asked)),
            MetricKind::Gauge => {
                let step = self.spacing(cx, asked).await;
                self.range(cx, &asked.text, window, step).await
            }
            MetricKind::Value => {
                let mut judged = self.instant(cx, &asked.text, window.end).await?;
                judge_type(&judged)?;
                for point in judged.series.iter_mut().flat_map(|one| &mut one.points) {
                    // It is told in milliseconds, and belongs to the end of the window.
                    point.at = window.end;
                }
                Ok(judged)
            }
        }
    }
}

/// Exact differences are taken from raw samples, which only a selector gives.
fn no_selector(asked: &Asked) -> Fault {
    let (kind, remedy) = match asked.kind {
        MetricKind::Histogram => ("histogram", "NAME_bucket{...} and fold: merge"),
        MetricKind::Gauge | MetricKind::Counter | MetricKind::Value => {
            ("counter", "NAME_total{...} and fold: sum")
        }
    };
    let message = format!(
        "a {kind} is read from its own samples, so its query is a selector without functions: write {remedy}"
    );
    Fault::new(FaultKind::Invalid, message)
}

/// One number is not made of a native histogram's buckets.
fn judge_natives(judged: &Judged, asked: &Asked) -> Result<(), Fault> {
    if judged.has_natives && asked.kind != MetricKind::Histogram {
        let message = "the query answers native histograms, and the metric is a number: write as: histogram, or ask for one number of them, such as histogram_avg(rate(NAME[1m]))";
        return Err(Fault::new(FaultKind::Invalid, message));
    }
    Ok(())
}

/// What can be a number of a metric.
fn judge_type(judged: &Judged) -> Result<(), Fault> {
    if judged.text.is_some() || judged.result_type == "string" {
        let message = "the query answers a text, and a metric is a number";
        return Err(Fault::new(FaultKind::Invalid, message));
    }
    if judged.result_type == "matrix" {
        let message = "the query answers samples of a range: leave out the [...] of a plain selector, or fold them by a function such as avg_over_time";
        return Err(Fault::new(FaultKind::Invalid, message));
    }
    Ok(())
}

#[async_trait]
impl Datasource for PrometheusDatasource {
    async fn probe(&self, cx: &OpContext) -> Result<Health, Fault> {
        let before = self.now();
        // Whatever it is that answers there: an agent has the version and no data.
        let one = self.instant(cx, "vector(1)", before).await?;
        let value = one.series.first().and_then(|series| series.points.first());
        if value.is_none_or(|point| (point.value - 1.0).abs() > f64::EPSILON) {
            let message = format!(
                "{} answers, but not as Prometheus does: vector(1) is not 1",
                self.remote.shown()
            );
            return Err(Fault::new(FaultKind::Malformed, message));
        }
        Ok(Health {
            version: self.version(cx).await,
            clock_skew_ms: self.skew(cx).await,
        })
    }

    async fn validate(&self, cx: &OpContext, asked: &Asked) -> Result<Validation, Fault> {
        let is_exact = matches!(asked.kind, MetricKind::Counter | MetricKind::Histogram);
        if is_exact && !is_selector(&asked.text) {
            return Err(no_selector(asked));
        }
        let judged = self.instant(cx, &asked.text, self.now()).await?;
        judge_type(&judged)?;
        judge_natives(&judged, asked)?;
        let is_bucket = |series: &&Series| series.labels.contains_key("le");
        let count = if judged.has_natives {
            judged.series.iter().filter(is_bucket).count()
        } else {
            judged.series.len()
        };
        let mut warnings = judged.warnings;
        if let Some(short) = spacing::shortest_range(&asked.text) {
            let spacing = self.spacing(cx, asked).await;
            if short < spacing * 2 {
                warnings.push(format!(
                    "a range of {short:?} holds less than two samples that are {spacing:?} apart: \
                     make it four times as long as they are apart"
                ));
            }
        }
        Ok(Validation {
            series: Some(count as u64),
            warnings,
        })
    }

    async fn query(&self, cx: &OpContext, asked: &Asked, window: Window) -> Result<Answer, Fault> {
        let judged = self.answer(cx, asked, window).await?;
        judge_natives(&judged, asked)?;
        Ok(Answer {
            series: judged.series,
            window,
            warnings: judged.warnings,
            tries: cx.attempt,
            step: judged.step,
            status: Some(judged.status),
        })
    }

    async fn lag(&self, cx: &OpContext, asked: &Asked) -> Duration {
        self.spacing(cx, asked).await + STORED
    }
}
