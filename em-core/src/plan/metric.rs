//! What is measured, and where it comes from.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::load::OutputRules;
use super::secret::Text;
use crate::id::{DatasourceName, MetricName};
use crate::template::{Escape, Template};
use crate::value::Unit;

/// Where metrics come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DatasourceSpec {
    /// What it is.
    pub kind: DatasourceKind,
    /// Headers of each request.
    #[serde(default)]
    pub headers: BTreeMap<String, Text>,
    /// How often a source without history is looked at. None: its own rule.
    pub every: Option<Duration>,
}

/// Kinds of datasources.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum DatasourceKind {
    /// The target's own Prometheus text page.
    Scrape {
        /// Address of the page.
        url: Template,
    },
    /// A command whose output is read.
    Command {
        /// Program and arguments.
        command: Vec<Template>,
        /// How its output is read.
        output: OutputRules,
    },
    /// A file of comma-separated values that the target or a tool writes.
    Csv {
        /// The file; relative to the working folder of the iteration.
        path: PathBuf,
        /// Column of the time, seconds since 1970. None: read as a whole, at the end.
        time: Option<String>,
    },
    /// What the target reports of itself (CPU seconds, memory): always there as `target`.
    Target,
    /// A datasource that the embedding program registered under this name.
    Custom {
        /// The name.
        name: String,
    },
}

impl DatasourceKind {
    /// How values are escaped in its queries.
    pub fn escape(&self) -> Escape {
        match self {
            Self::Scrape { .. } => Escape::PromQl,
            Self::Command { .. } | Self::Csv { .. } | Self::Target | Self::Custom { .. } => {
                Escape::None
            }
        }
    }
}

/// One metric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// Its name.
    pub name: MetricName,
    /// Where it comes from.
    pub datasource: DatasourceName,
    /// What is asked.
    pub query: Query,
    /// What its values mean.
    #[serde(rename = "as")]
    pub kind: MetricKind,
    /// Unit of its values after scaling to the base unit.
    pub unit: Unit,
    /// Factor from the source's unit to the base unit.
    pub scale: f64,
    /// How several series become one.
    pub fold: Fold,
    /// Over which part of the iteration.
    pub during: During,
    /// What an empty answer means.
    pub on_empty: WhenMissing,
    /// What values that are not finite mean.
    pub on_nan: WhenMissing,
    /// Values outside make the metric failed, not the result bad.
    pub valid: Option<(f64, f64)>,
    /// Whether a trial without it is invalid.
    pub required: bool,
    /// Time for one question.
    pub timeout: Duration,
    /// Questions until it counts as failed.
    pub attempts: u32,
    /// How long after the end of a window its samples are complete.
    pub lag: Lag,
    /// Whether more or less of it is better, where everything is compared.
    pub compare: Compare,
    /// Name of the summarizer.
    pub summarizer: String,
}

/// What is asked of a datasource.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Query {
    /// The query in the source's own language.
    pub text: Template,
}

/// What a metric's values mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MetricKind {
    /// A level that goes up and down.
    Gauge,
    /// A total that only grows; resets are recognised.
    Counter,
    /// A distribution.
    Histogram,
    /// One number per cycle, at its end.
    Value,
}

/// How several series at one instant become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fold {
    /// There is one; two are an error.
    Single,
    /// Sum.
    Sum,
    /// Mean.
    Mean,
    /// Least.
    Min,
    /// Greatest.
    Max,
    /// Histograms: counts added.
    Merge,
}

/// Over which part of an iteration a metric is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum During {
    /// The kept cycles.
    Measure,
    /// From the deployment to ready.
    Deploy,
    /// From the deployment to the end of the load.
    Iteration,
}

/// What to do about a missing value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenMissing {
    /// The metric failed.
    Fail,
    /// It is left out, and counted.
    Skip,
    /// It is 0: the source leaves zeros out.
    Zero,
}

/// How long after the end of a window its samples are complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lag {
    /// The source knows.
    Auto,
    /// This long.
    Fixed(Duration),
}

/// Whether more or less of a metric is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compare {
    /// Less is better.
    LowerIsBetter,
    /// More is better.
    HigherIsBetter,
    /// A difference is reported without judgement.
    Neither,
}
