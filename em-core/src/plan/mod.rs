//! The resolved experiment: what a file means once every default, seed and drawn list is known.
//!
//! `Created` in the journal holds the whole plan; replay reads it and never derives it again.

mod datasource;
mod domain;
mod job;
mod known_metric;
mod kubernetes;
mod load;
mod measurement;
mod metric;
mod objective;
mod search;
mod secret;
mod target;
mod tunable;
mod vendor;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::configuration::Configuration;
use crate::id::{DatasourceName, Digest, ExperimentName, MetricName, TunableName};

pub use datasource::{
    Auth, ClientCertificate, DatasourceKind, DatasourceSpec, PrometheusSpec, QueryMethod, SigV4,
    Tls,
};
pub use job::{AcrossWorkers, JobLoad, PodResources};
pub use known_metric::KnownMetric;
pub use kubernetes::{
    Autoscaler, CloneSpec, ClusterPolicy, IN_CLUSTER, KubernetesSpec, ObjectRef, Placement,
    PodHooks, Prices, ReadyWhen, ServiceRef, is_dns_name,
};
pub use load::{
    Arrivals, CommandLoad, ExternalLoad, HttpLoad, LoadSpec, OutputPattern, OutputRules, Phase,
    RateSpec, RequestLog, RunMode,
};
pub use measurement::{Baseline, Design, Iterations, Measurement, Precision, Redeploy, Warmup};
pub use metric::{Compare, During, Fold, Lag, Metric, MetricKind, Query, WhenMissing};
pub use objective::{Constraint, Direction, Goal, Objective};
pub use search::{ListedTrial, Search, SearchMethod, Suggester};
pub use secret::{Secret, SecretRef, Text};
pub use target::{
    CommandSpec, CustomSpec, FileTemplate, Hooks, LimitFallback, ProcessSpec, Ready,
    SimulatedFailure, SimulatedSpec, StopSpec, TargetSpec, Workdir,
};
pub use tunable::{
    Apply, ChangeCost, Condition, Domain, PatchKind, Prior, ResourceKind, ResourceSide, Scale,
    Special, Tunable,
};
pub use vendor::{
    CloudWatchSpec, DatadogApi, DatadogSpec, DynatraceSpec, GraphiteSpec, InfluxDbSpec,
    InstanaSpec, JsonSpec, JsonTime, NewRelicSpec,
};

/// The format of plans that this build writes.
pub const PLAN_FORMAT: u32 = 1;

/// A whole experiment, resolved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Version of this structure, [`PLAN_FORMAT`].
    pub format: u32,
    /// Name of the experiment.
    pub name: ExperimentName,
    /// For people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Free labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// What is under test.
    pub target: TargetSpec,
    /// What may change, in file order; derived ones included.
    pub tunables: Vec<Tunable>,
    /// Where metrics come from.
    #[serde(default)]
    pub datasources: BTreeMap<DatasourceName, DatasourceSpec>,
    /// What is measured beside the load driver's own metrics.
    #[serde(default)]
    pub metrics: Vec<Metric>,
    /// What is optimised. None: every metric is compared with the baseline.
    pub objective: Option<Objective>,
    /// What must hold.
    #[serde(default)]
    pub constraints: Vec<Constraint>,
    /// The load under which it is measured.
    pub load: LoadSpec,
    /// How it is measured.
    pub measurement: Measurement,
    /// What everything is compared with.
    pub baseline: Baseline,
    /// Trials that the file lists.
    #[serde(default)]
    pub trials: Vec<ListedTrial>,
    /// Who proposes more trials. None: only the listed ones are measured.
    pub search: Option<Search>,
    /// When it ends at the latest.
    #[serde(default)]
    pub budget: Budget,
    /// How long each step may take.
    #[serde(default)]
    pub timeouts: Timeouts,
    /// How often what is tried again.
    #[serde(default)]
    pub retries: Retries,
    /// Globs of files kept from each iteration's working folder.
    #[serde(default)]
    pub artifacts: Vec<String>,
    /// What gives the numbers their meaning.
    pub identity: Identity,
}

impl Plan {
    /// The tunable of that name.
    pub fn tunable(&self, name: &TunableName) -> Option<&Tunable> {
        self.tunables.iter().find(|tunable| &tunable.name == name)
    }

    /// The metric of that name that the file defines.
    pub fn metric(&self, name: &MetricName) -> Option<&Metric> {
        self.metrics.iter().find(|metric| &metric.name == name)
    }

    /// Whether a trial 0 is the baseline.
    pub fn has_baseline(&self) -> bool {
        !matches!(self.baseline, Baseline::None)
    }

    /// The load levels of each block: one unnamed level where the file lists none.
    pub fn levels(&self) -> usize {
        self.load.levels().len().max(1)
    }
}

/// Digest of what gives numbers their meaning, with its parts, so that a difference can be named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Digest over all parts.
    pub digest: Digest,
    /// Digest of each part: `target`, `load`, `metrics`, `measurement`, `apply`, `file:PATH`, ...
    pub parts: BTreeMap<String, Digest>,
}

/// Limits of the experiment as a whole. An absent limit does not limit.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Budget {
    /// Time from the first start, pauses included.
    pub time: Option<Duration>,
    /// Proposed trials; verification and the baseline do not count.
    pub trials: Option<u32>,
    /// Sum of the trials' costs.
    pub cost: Option<f64>,
    /// Failed trials.
    pub failures: Option<u32>,
}

/// How long each step may take before it counts as failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeouts {
    /// From the deployment to ready.
    pub deploy: Duration,
    /// From the start of the load to steady load.
    pub load: Duration,
    /// One question to the outside: a look, a query.
    pub call: Duration,
    /// Taking down an iteration.
    pub withdraw: Duration,
    /// Putting the original back.
    pub restore: Duration,
    /// How long a hold stays open with nothing to place in it.
    pub idle_hold: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            deploy: Duration::from_mins(5),
            load: Duration::from_mins(5),
            call: Duration::from_secs(30),
            withdraw: Duration::from_mins(1),
            restore: Duration::from_mins(5),
            idle_hold: Duration::from_mins(1),
        }
    }
}

/// How often a failed call is tried again, by whom it is to blame on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retries {
    /// The cluster or the machine.
    pub cluster: u32,
    /// A datasource.
    pub datasource: u32,
    /// The recommender.
    pub recommender: u32,
}

impl Default for Retries {
    fn default() -> Self {
        Self {
            cluster: 2,
            datasource: 2,
            recommender: 5,
        }
    }
}

impl Baseline {
    /// The values that define it, where values do.
    pub fn configuration(&self) -> Option<&Configuration> {
        match self {
            Self::Values(configuration) | Self::Defaults(configuration) => Some(configuration),
            Self::Live | Self::None => None,
        }
    }
}
