//! What is under test, and how one deployment of it is started, recognised as ready and ended.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::kubernetes::{ClusterPolicy, KubernetesSpec};
use super::secret::Text;
use crate::expression::Expression;
use crate::id::MetricName;
use crate::template::Template;
use crate::value::Quantity;

/// The system under test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum TargetSpec {
    /// A command per iteration, on this machine.
    Process(Box<ProcessSpec>),
    /// Any system: commands that take and print JSON.
    Command(CommandSpec),
    /// A workload of a cluster.
    Kubernetes(Box<KubernetesSpec>),
    /// Nothing is deployed.
    Observe,
    /// A formula instead of a system: rehearses a file in seconds.
    Simulated(SimulatedSpec),
    /// A target that the embedding program registered under this name.
    Custom(CustomSpec),
}

impl TargetSpec {
    /// The word that the file uses.
    pub fn kind(&self) -> &str {
        match self {
            Self::Process(_) => "process",
            Self::Command(_) => "command",
            Self::Kubernetes(_) => "kubernetes",
            Self::Observe => "observe",
            Self::Simulated(_) => "simulated",
            Self::Custom(custom) => &custom.name,
        }
    }

    /// How many iterations may run side by side.
    pub fn slots(&self) -> u32 {
        match self {
            Self::Process(process) => process.slots,
            Self::Kubernetes(kubernetes) => kubernetes.slots,
            Self::Simulated(simulated) => simulated.slots,
            Self::Custom(custom) => custom.slots,
            Self::Command(_) | Self::Observe => 1,
        }
    }

    /// Whether nothing is deployed: what runs already is measured.
    pub fn is_observed(&self) -> bool {
        match self {
            Self::Observe => true,
            Self::Kubernetes(kubernetes) => kubernetes.policy == ClusterPolicy::Observe,
            Self::Process(_) | Self::Command(_) | Self::Simulated(_) | Self::Custom(_) => false,
        }
    }

    /// Whether every iteration is a deployment of its own.
    pub fn deploys_afresh(&self) -> bool {
        let is_resized = |spec: &KubernetesSpec| spec.policy == ClusterPolicy::Resize;
        !self.is_observed() && !matches!(self, Self::Kubernetes(spec) if is_resized(spec))
    }
}

/// A command per iteration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProcessSpec {
    /// Program and arguments.
    pub command: Vec<Template>,
    /// Environment on top of the manager's own.
    #[serde(default)]
    pub env: BTreeMap<String, Text>,
    /// Files rendered into the run folder; `{{NAME}}` is then their path.
    #[serde(default)]
    pub files: BTreeMap<String, FileTemplate>,
    /// Working folder of the command.
    #[serde(default)]
    pub workdir: Workdir,
    /// User to run as. None: the manager's own.
    pub user: Option<String>,
    /// When it is ready to be loaded.
    pub ready: Ready,
    /// Commands before.
    #[serde(default)]
    pub setup: Hooks,
    /// Commands after.
    #[serde(default)]
    pub teardown: Hooks,
    /// How it is ended.
    #[serde(default)]
    pub stop: StopSpec,
    /// CPU limit in cores.
    pub cpu: Option<f64>,
    /// Memory limit.
    pub memory: Option<Quantity>,
    /// What to do where limits cannot be set.
    #[serde(default)]
    pub limits: LimitFallback,
    /// Iterations side by side, on disjoint core sets.
    pub slots: u32,
}

/// A file that is rendered for each iteration. Its text is part of the plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FileTemplate {
    /// Where it was read from.
    pub path: PathBuf,
    /// Its template.
    pub text: Template,
}

/// The working folder of a process.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Workdir {
    /// An empty folder per iteration.
    #[default]
    Fresh,
    /// A copy of this folder per iteration.
    CopyOf(PathBuf),
    /// This folder itself, never removed.
    At(PathBuf),
}

/// When a deployment is ready.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ready {
    /// A GET of this path on the address answers 2xx or 3xx.
    Http(Template),
    /// The address accepts connections.
    Tcp(Option<Template>),
    /// This command exits with 0.
    Command(Vec<Template>),
    /// A line of its output contains this text.
    Log(String),
    /// The process runs.
    Started,
}

/// Commands around the iterations of a hold.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Hooks {
    /// Once per hold.
    #[serde(default)]
    pub once: Vec<Vec<Template>>,
    /// Around each iteration.
    #[serde(default)]
    pub each: Vec<Vec<Template>>,
}

/// How a process is ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopSpec {
    /// Name of the signal, without `SIG`.
    pub signal: String,
    /// How long it may take before KILL.
    pub grace: Duration,
}

impl Default for StopSpec {
    fn default() -> Self {
        Self {
            signal: "TERM".to_owned(),
            grace: Duration::from_secs(10),
        }
    }
}

/// What to do where a limit is asked for and the machine does not permit it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LimitFallback {
    /// Refuse, saying what is missing and which command gives it.
    #[default]
    Require,
    /// Run without the limit; every summary says so.
    BestEffort,
}

/// Any system, through commands. Each gets JSON on stdin and may print JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CommandSpec {
    /// Prints the original: the undo record.
    pub snapshot: Vec<Template>,
    /// Applies one configuration.
    pub apply: Vec<Template>,
    /// Exits with 0 when ready. Empty: ready when applied.
    #[serde(default)]
    pub ready: Vec<Template>,
    /// Prints what really runs: `{"NAME": VALUE}`. Empty: nothing is read back.
    #[serde(default)]
    pub facts: Vec<Template>,
    /// Puts the original back; gets the undo record.
    pub restore: Vec<Template>,
    /// Environment of all of them.
    #[serde(default)]
    pub env: BTreeMap<String, Text>,
    /// Name of the lock; default: the digest of the snapshot command.
    pub lock: Option<String>,
    /// Address for `{{address}}` in the load, as `HOST:PORT`.
    pub address: Option<String>,
}

/// A formula instead of a system.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SimulatedSpec {
    /// Each metric's true value, an expression over `values.NAME`.
    pub model: BTreeMap<MetricName, Expression>,
    /// Relative standard deviation of the noise, per metric.
    #[serde(default)]
    pub noise: BTreeMap<MetricName, f64>,
    /// Relative drift per hour of the target's own time.
    #[serde(default)]
    pub drift: f64,
    /// Relative standard deviation from one deployment to the next.
    #[serde(default)]
    pub deployment_noise: f64,
    /// Share of iterations that fail, by what fails.
    #[serde(default)]
    pub failures: BTreeMap<SimulatedFailure, f64>,
    /// Seed of noise and failures.
    pub seed: u64,
    /// Iterations side by side.
    pub slots: u32,
}

/// How a simulated iteration can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SimulatedFailure {
    /// The deployment is refused.
    Deploy,
    /// It never becomes ready.
    Ready,
    /// It dies while it is measured.
    Health,
}

/// A target that the embedding program brings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomSpec {
    /// The name it was registered under.
    pub name: String,
    /// Iterations side by side.
    pub slots: u32,
}
