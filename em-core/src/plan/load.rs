//! The load under which a target is measured.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::job::JobLoad;
use super::metric::MetricKind;
use super::secret::Text;
use crate::id::MetricName;
use crate::template::Template;
use crate::value::Unit;

/// The load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum LoadSpec {
    /// Open-model HTTP requests, made by the manager.
    Http(Box<HttpLoad>),
    /// Any tool.
    Command(Box<CommandLoad>),
    /// Any image, as a Job of a cluster.
    Job(Box<JobLoad>),
    /// Somebody else makes it; the manager waits until it is there and steady.
    External(ExternalLoad),
    /// None: measuring starts when the target is ready.
    None,
    /// A driver that the embedding program registered under this name.
    Custom {
        /// The name.
        name: String,
    },
}

impl LoadSpec {
    /// The word that the file uses.
    pub fn kind(&self) -> &str {
        match self {
            Self::Http(_) => "http",
            Self::Command(_) => "command",
            Self::Job(_) => "job",
            Self::External(_) => "external",
            Self::None => "none",
            Self::Custom { name } => name,
        }
    }

    /// Rates that each block runs one after the other; empty where there is one.
    pub fn levels(&self) -> &[f64] {
        match self {
            Self::Http(http) => &http.levels,
            Self::Command(_)
            | Self::Job(_)
            | Self::External(_)
            | Self::None
            | Self::Custom { .. } => &[],
        }
    }

    /// The share of the baseline's capacity that has to be found first, if any.
    pub fn of_capacity(&self) -> Option<f64> {
        match self {
            Self::Http(http) => match http.rate {
                RateSpec::OfCapacity(share) => Some(share),
                RateSpec::PerSecond(_) => None,
            },
            Self::Command(_)
            | Self::Job(_)
            | Self::External(_)
            | Self::None
            | Self::Custom { .. } => None,
        }
    }
}

/// Open-model HTTP requests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HttpLoad {
    /// What is requested.
    pub url: Template,
    /// Method.
    pub method: String,
    /// Headers.
    #[serde(default)]
    pub headers: BTreeMap<String, Text>,
    /// Body.
    pub body: Option<Text>,
    /// Offered rate of the measured phase.
    pub rate: RateSpec,
    /// How arrivals are spread.
    pub arrivals: Arrivals,
    /// What comes before, and the measured phase last. Empty: constant from the start.
    #[serde(default)]
    pub phases: Vec<Phase>,
    /// Rates in requests per second, one after the other in each block.
    #[serde(default)]
    pub levels: Vec<f64>,
    /// Keep-alive connections.
    pub connections: u32,
    /// Requests under way at once; a due request beyond is dropped and counted.
    pub in_flight: u32,
    /// Time for one request.
    pub timeout: Duration,
}

/// The offered rate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RateSpec {
    /// Requests per second.
    PerSecond(f64),
    /// This share of the baseline's capacity, which is found once.
    OfCapacity(f64),
}

/// How arrivals are spread over time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arrivals {
    /// Independent of one another: what many users do.
    #[default]
    Poisson,
    /// Evenly.
    Constant,
}

/// One phase of a load.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The rate changes evenly. Shares of the measured rate.
    Ramp {
        /// Share at its start.
        from: f64,
        /// Share at its end.
        to: f64,
        /// How long it lasts.
        lasts: Duration,
    },
    /// The rate stays. The last phase lasts as long as needed.
    Constant {
        /// Share of the measured rate.
        share: f64,
        /// How long it lasts; none: as long as needed.
        lasts: Option<Duration>,
    },
}

/// Any tool that makes load and prints what it saw.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CommandLoad {
    /// Program and arguments.
    pub command: Vec<Template>,
    /// Environment on top of the manager's own.
    #[serde(default)]
    pub env: BTreeMap<String, Text>,
    /// How its output is read.
    pub output: OutputRules,
    /// Whether it runs once per cycle or once for all.
    pub run: RunMode,
    /// Exit codes that mean success.
    pub success_exit_codes: Vec<i32>,
}

/// Whether a load tool runs once per cycle or once for all cycles.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunMode {
    /// One run is one cycle.
    #[default]
    PerCycle,
    /// One run covers warm-up and all cycles.
    Whole,
}

/// How a tool's output becomes metrics.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct OutputRules {
    /// Regular expressions with a group `value`, by metric. Many matches are a series.
    #[serde(default)]
    pub patterns: BTreeMap<MetricName, OutputPattern>,
    /// JSON paths into output that is one JSON text, by metric.
    #[serde(default)]
    pub json: BTreeMap<MetricName, OutputPattern>,
    /// Files with one line per request, by metric.
    #[serde(default)]
    pub samples: BTreeMap<MetricName, RequestLog>,
}

/// One rule of reading a metric from output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutputPattern {
    /// Regular expression or JSON path.
    pub find: String,
    /// Unit of the metric after scaling.
    pub unit: Unit,
    /// Factor to the base unit.
    pub scale: f64,
    /// What the values mean.
    #[serde(rename = "as")]
    pub kind: MetricKind,
}

/// Files with one line per request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RequestLog {
    /// Glob of the files, relative to the tool's working folder.
    pub files: String,
    /// Column, counted from 1, white space between columns.
    pub column: u32,
    /// Unit after scaling.
    pub unit: Unit,
    /// Factor to the base unit.
    pub scale: f64,
}

/// Load that somebody else makes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExternalLoad {
    /// The counter metric whose increase is the load.
    pub metric: MetricName,
    /// Its known rate per second, if it is known.
    pub rate: Option<f64>,
    /// How long to wait for it.
    pub timeout: Duration,
    /// Relative change of level that voids a cycle.
    pub shift: f64,
}
