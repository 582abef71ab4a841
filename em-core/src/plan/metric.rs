//! What is measured.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::id::{DatasourceName, MetricName};
use crate::template::Template;
use crate::value::Unit;

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
