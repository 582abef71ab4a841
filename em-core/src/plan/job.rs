//! Load that is made by pods of a cluster.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::load::{OutputRules, RunMode};
use super::secret::Text;
use crate::id::MetricName;
use crate::template::Template;
use crate::value::Quantity;

/// Any image that makes load and prints what it saw, as a Job of a cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobLoad {
    /// Context of the kubeconfig, or [`IN_CLUSTER`](super::IN_CLUSTER).
    pub context: String,
    /// Namespace. None: the context's own.
    pub namespace: Option<String>,
    /// Image.
    pub image: String,
    /// Program in it. Empty: the image's own.
    #[serde(default)]
    pub command: Vec<Template>,
    /// Arguments.
    #[serde(default)]
    pub args: Vec<Template>,
    /// Environment.
    #[serde(default)]
    pub env: BTreeMap<String, Text>,
    /// Pods that make the load together.
    pub workers: u32,
    /// Whether it runs once per cycle or once for all.
    pub run: RunMode,
    /// How what a pod prints is read. Files of a pod are not read: they are gone with it.
    pub output: OutputRules,
    /// How the workers' values of a metric become one; each metric has an entry where there are several workers.
    #[serde(default)]
    pub across: BTreeMap<MetricName, AcrossWorkers>,
    /// What each pod asks for and may use.
    #[serde(default)]
    pub resources: PodResources,
    /// What is merged into the pod's spec: where it runs, as whom, with which volumes.
    pub pod: Option<Json>,
    /// What is merged into the container: its mounts and security context.
    pub container: Option<Json>,
    /// Exit codes that mean success.
    pub success_exit_codes: Vec<i32>,
    /// How long one run may take; the cluster ends it then. None: four times as long as it is planned, and ten
    /// minutes.
    pub timeout: Option<Duration>,
}

/// What a pod asks for and may use, by resource: `cpu`, `memory`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodResources {
    /// What is set aside for it.
    #[serde(default)]
    pub requests: BTreeMap<String, Quantity>,
    /// What it may use.
    #[serde(default)]
    pub limits: BTreeMap<String, Quantity>,
}

/// How the values that several workers print of one metric become the load's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AcrossWorkers {
    /// They are parts of a whole: requests per second.
    Sum,
    /// Each speaks for all.
    Mean,
    /// The least.
    Min,
    /// The greatest: a percentile of no worker was greater.
    Max,
    /// All are values of one distribution.
    All,
}

impl AcrossWorkers {
    /// Every way and its word in the file.
    pub const ALL: [(&str, Self); 5] = [
        ("sum", Self::Sum),
        ("mean", Self::Mean),
        ("min", Self::Min),
        ("max", Self::Max),
        ("all", Self::All),
    ];
}
