//! Statistics of one iteration or of a trial, each with what gives it meaning.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Origin, Statistic, Window};
use crate::id::MetricName;
use crate::value::Unit;

/// Statistics of every metric.
pub type Summary = BTreeMap<MetricName, MetricSummary>;

/// Statistics of one metric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MetricSummary {
    /// Unit of the values.
    pub unit: Unit,
    /// From the start of the first kept stretch to the end of the last; none where none was kept.
    pub window: Option<Window>,
    /// Cycles that it is made of.
    pub cycles: u32,
    /// The statistics, by name.
    pub estimates: BTreeMap<String, Estimate>,
    /// Counter resets.
    #[serde(default)]
    pub resets: u32,
    /// Values that were not finite, and left out.
    #[serde(default)]
    pub non_finite: u64,
    /// Why something is missing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
    /// How the values were come by; none for those of the load, and for what is pooled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Box<Origin>>,
}

impl MetricSummary {
    /// A summary that says only why there is none.
    pub fn missing(unit: Unit, why: impl Into<String>) -> Self {
        Self {
            unit,
            window: None,
            cycles: 0,
            estimates: BTreeMap::new(),
            resets: 0,
            non_finite: 0,
            problems: vec![why.into()],
            origin: None,
        }
    }

    /// The estimate of a statistic.
    pub fn get(&self, statistic: &Statistic) -> Option<&Estimate> {
        self.estimates.get(&statistic.to_string())
    }
}

/// One number with what gives it meaning.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Estimate {
    /// The number, finite, in the metric's base unit (statistics such as `count` and `cv` in
    /// their own).
    pub value: f64,
    /// Where the true value lies. None where too little is known; the reason is beside.
    pub interval: Option<Interval>,
    /// How the number was made: `pooled mean`, `nearest rank of merged histograms`, ...
    pub estimator: String,
    /// Type of a quantile after Hyndman and Fan, 1 to 9.
    pub quantile_type: Option<u8>,
    /// Values behind it.
    pub n: u64,
    /// Independent values it is worth; none where that is not known.
    pub effective_n: Option<f64>,
    /// What was repeated.
    pub replication: Replication,
}

impl Estimate {
    /// A number made by `estimator` from `n` values, about which no more is known.
    pub fn plain(value: f64, estimator: &str, n: u64) -> Self {
        Self {
            value,
            interval: None,
            estimator: estimator.to_owned(),
            quantile_type: None,
            n,
            effective_n: None,
            replication: Replication::Sample,
        }
    }
}

/// Where a true value lies.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Interval {
    /// Lower end; none: open.
    pub low: Option<f64>,
    /// Upper end; none: open.
    pub high: Option<f64>,
    /// Share of intervals made this way that hold the true value: 0.95.
    pub level: f64,
    /// How it was made: `Student t over 7 blocks`, ...
    pub method: String,
}

/// What was repeated to get independent values.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Replication {
    /// Requests or scrapes within one window.
    Sample,
    /// Windows of one deployment.
    Window,
    /// Whole deployments.
    Deployment,
}

impl fmt::Display for Replication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sample => "sample",
            Self::Window => "window",
            Self::Deployment => "deployment",
        })
    }
}
