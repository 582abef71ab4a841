//! Where metrics come from.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Asked, Finding, OpContext, Severity};
use crate::fault::Fault;
use crate::id::DatasourceName;
use crate::observe::Window;
use crate::plan::{Fold, Metric, MetricKind, Secret};

/// A source of metric data.
#[cfg_attr(any(test, feature = "mock"), mockall::automock)]
#[async_trait]
pub trait Datasource: Debug + Send + Sync + 'static {
    /// Reach, credentials, version, clock skew. The default has nothing to find out.
    async fn probe(&self, cx: &OpContext) -> Result<Health, Fault> {
        let _ = cx;
        Ok(Health::default())
    }

    /// Whether the source accepts the query, and what it would answer now. The default only
    /// knows while the target runs.
    async fn validate(&self, cx: &OpContext, asked: &Asked) -> Result<Validation, Fault> {
        let _ = (cx, asked);
        Ok(Validation::default())
    }

    /// Labelled series over a window, as they are.
    async fn query(&self, cx: &OpContext, asked: &Asked, window: Window) -> Result<Answer, Fault>;

    /// Variables that a workload needs in order to report to this source, for the iteration of
    /// `cx`. Twice under one key answers the same. The default has none: the source asks itself.
    async fn environment(&self, cx: &OpContext) -> Result<BTreeMap<String, Secret>, Fault> {
        let _ = cx;
        Ok(BTreeMap::new())
    }

    /// How long after the end of a window its samples are complete. The default has no delay.
    async fn lag(&self, cx: &OpContext, asked: &Asked) -> Duration {
        let _ = (cx, asked);
        Duration::ZERO
    }

    /// How a source without history wants to be looked at. None: it has history.
    fn sampling(&self) -> Option<Sampling> {
        None
    }

    /// One look, now. Only sources without history are asked.
    async fn sample(&self, cx: &OpContext, asked: &Asked) -> Result<Answer, Fault> {
        let now = cx.deadline;
        self.query(
            cx,
            asked,
            Window {
                start: now,
                end: now,
            },
        )
        .await
    }
}

/// How a source without history is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sampling {
    /// Time between two looks.
    pub every: Duration,
}

/// What a probe found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// The source's version, where it tells.
    pub version: Option<String>,
    /// Its clock minus ours, in milliseconds, where it tells.
    pub clock_skew_ms: Option<i64>,
}

/// Clocks further apart make windows that miss what belongs to them.
const SKEW_TOLD_MS: i64 = 1_000;
/// Clocks further apart make results of something else.
const SKEW_REFUSED_MS: i64 = 30_000;

impl Health {
    /// What is worth knowing of the source's clock.
    pub fn finding(&self, name: &DatasourceName) -> Option<Finding> {
        let skew = self.clock_skew_ms?;
        let severity = match skew.abs() {
            skew if skew <= SKEW_TOLD_MS => return None,
            skew if skew <= SKEW_REFUSED_MS => Severity::Warning,
            _ => Severity::Error,
        };
        let direction = if skew > 0 { "ahead of" } else { "behind" };
        #[expect(clippy::cast_precision_loss, reason = "it is shown with one digit")]
        let seconds = skew.unsigned_abs() as f64 / 1e3;
        Some(Finding {
            severity,
            what: format!(
                "the clock of datasource {name} is {seconds:.1} s {direction} this machine's: windows would be cut elsewhere than they were measured"
            ),
            remedy: Some("let both be set by NTP".to_owned()),
        })
    }
}

/// What a source says about a query before it is used.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validation {
    /// Series it would answer now. None: only known while the target runs.
    pub series: Option<u64>,
    /// What is worth knowing.
    pub warnings: Vec<String>,
}

/// Answers with more series take long, and say little.
const SERIES_TOLD: u64 = 1_000;
/// Answers with more series are a mistake.
const SERIES_REFUSED: u64 = 20_000;

impl Validation {
    /// What an answer about the past tells; `nothing` is what to say of an empty one.
    pub fn of(answer: Answer, nothing: &str) -> Self {
        let mut warnings = answer.warnings;
        if answer.series.is_empty() {
            warnings.push(nothing.to_owned());
        }
        Self {
            series: Some(answer.series.len() as u64),
            warnings,
        }
    }

    /// What is worth knowing of the query of a metric.
    pub fn findings(&self, metric: &Metric) -> Vec<Finding> {
        let note = |severity, what: String, remedy: Option<&str>| Finding {
            severity,
            what: format!("metric {}: {what}", metric.name),
            remedy: remedy.map(str::to_owned),
        };
        let warnings = self.warnings.iter();
        let mut findings: Vec<Finding> = warnings
            .map(|warning| note(Severity::Note, warning.clone(), None))
            .collect();
        let count = self.series.unwrap_or_default();
        if count > SERIES_TOLD {
            let severity = if count > SERIES_REFUSED {
                Severity::Error
            } else {
                Severity::Warning
            };
            let what = format!("the query answers {count} series");
            findings.push(note(
                severity,
                what,
                Some("narrow it down, or sum up in the query"),
            ));
        } else if count > 1 && metric.fold == Fold::Single && metric.kind != MetricKind::Histogram {
            let what = format!("the query answers {count} series now, and fold: single takes one");
            let remedy = "narrow it down, or say how they become one (fold: sum, mean, min, max)";
            findings.push(note(Severity::Warning, what, Some(remedy)));
        }
        findings
    }
}

/// Labels of one series.
pub type Labels = BTreeMap<String, String>;

/// What a source answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The series as they are, gaps and all.
    pub series: Vec<Series>,
    /// The window that the answer is about.
    pub window: Window,
    /// What the source warned of.
    pub warnings: Vec<String>,
    /// Questions it took.
    pub tries: u32,
    /// Time from one point to the next, where the source keeps or was asked for such a distance.
    pub step: Option<Duration>,
    /// The status of the last answer, where the source speaks HTTP.
    pub status: Option<u16>,
}

impl Answer {
    /// One series without labels over `window`, from one question.
    pub fn series(points: Vec<Point>, window: Window) -> Self {
        let labels = Labels::new();
        Self {
            series: vec![Series { labels, points }],
            window,
            warnings: Vec::new(),
            tries: 1,
            step: None,
            status: None,
        }
    }

    /// One look: this value at this instant.
    pub fn look(at: Timestamp, value: f64) -> Self {
        let window = Window { start: at, end: at };
        Self::series(vec![Point { at, value }], window)
    }
}

/// One labelled series.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Its labels, the metric name among them as `__name__`.
    pub labels: Labels,
    /// Its points in order of time.
    pub points: Vec<Point>,
}

/// One point of a series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// When.
    pub at: Timestamp,
    /// What. May be NaN or infinite: that is for the fold to judge.
    pub value: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_that_are_apart_are_told_and_then_refused() {
        let found = |skew| {
            let health = Health {
                version: None,
                clock_skew_ms: Some(skew),
            };
            let finding = health.finding(&"prom".parse().unwrap());
            finding.map(|finding| (finding.severity, finding.what))
        };
        assert_eq!(found(1_000), None);
        let (severity, what) = found(-2_500).unwrap();
        assert_eq!(severity, Severity::Warning);
        assert!(what.contains("2.5 s behind"), "{what}");
        assert_eq!(found(30_001).unwrap().0, Severity::Error);
        assert_eq!(Health::default().finding(&"prom".parse().unwrap()), None);
    }
}
