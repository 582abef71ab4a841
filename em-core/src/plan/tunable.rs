//! Knobs: their domain, and how a value reaches the target.

use serde::{Deserialize, Serialize};

use super::kubernetes::ObjectRef;
use crate::expression::Expression;
use crate::id::TunableName;
use crate::template::Template;
use crate::value::{Quantity, Value};

/// One knob.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tunable {
    /// Its name.
    pub name: TunableName,
    /// Which values it may take.
    pub domain: Domain,
    /// Value of the baseline `defaults`.
    pub default: Option<Value>,
    /// Under which choices of other tunables it exists at all. Empty: always.
    #[serde(default)]
    pub when: Vec<Condition>,
    /// Values outside the range that deserve a share of the search of their own.
    #[serde(default)]
    pub special: Vec<Special>,
    /// What is believed about good values.
    pub prior: Option<Prior>,
    /// How a value reaches the target.
    #[serde(default)]
    pub apply: Vec<Apply>,
    /// What a change costs.
    #[serde(default)]
    pub takes: ChangeCost,
}

impl Tunable {
    /// Whether its value follows from others.
    pub fn is_derived(&self) -> bool {
        matches!(self.domain, Domain::Derived { .. })
    }
}

/// Which values a tunable may take.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Domain {
    /// Whole numbers, both ends included.
    Integer {
        /// Least value.
        low: i64,
        /// Greatest value.
        high: i64,
        /// Distance between neighbours, from `low`.
        step: i64,
        /// How distances are seen by a search.
        #[serde(default)]
        scale: Scale,
    },
    /// Real numbers, both ends included.
    Real {
        /// Least value.
        low: f64,
        /// Greatest value.
        high: f64,
        /// Distance between neighbours; none: any value.
        step: Option<f64>,
        /// How distances are seen by a search.
        #[serde(default)]
        scale: Scale,
    },
    /// Kubernetes quantities, both ends included.
    Quantity {
        /// Least value.
        low: Quantity,
        /// Greatest value.
        high: Quantity,
        /// Distance between neighbours; none: whole bytes or thousandths.
        step: Option<Quantity>,
        /// How distances are seen by a search.
        #[serde(default)]
        scale: Scale,
    },
    /// One of a list, without order.
    Categorical {
        /// The list, in file order, at least one.
        choices: Vec<Value>,
    },
    /// Not searched: follows from the others.
    Derived {
        /// Its value, an expression over `values.NAME`.
        value: Expression,
    },
}

/// How a search sees distances between values.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// By difference.
    #[default]
    Linear,
    /// By ratio.
    Log,
}

/// A tunable exists only while another one has one of these values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Condition {
    /// The other tunable.
    pub tunable: TunableName,
    /// Its values under which this one exists.
    pub is: Vec<Value>,
}

/// A value outside the range with a meaning of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Special {
    /// The value.
    pub value: Value,
    /// Its share of first samples, between 0 and 1.
    pub share: f64,
}

/// What is believed about good values before anything is measured.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prior {
    /// Near `mean`, with this spread, in the tunable's own unit.
    Normal {
        /// Most likely value.
        mean: f64,
        /// Standard deviation.
        sd: f64,
    },
}

/// How a value reaches the target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Apply {
    /// As an environment variable: whole, or as a piece of one.
    Env {
        /// Name of the variable.
        name: String,
        /// Template of the piece. None: the value is the whole variable.
        piece: Option<Template>,
        /// Regular expression of what the piece replaces in today's value.
        replaces: Option<String>,
    },
    /// As an argument of the command: appended, or instead of what `replaces` matches.
    Arg {
        /// Template of the argument.
        text: Template,
        /// Regular expression of arguments that it replaces.
        replaces: Option<String>,
    },
    /// As an amount of a resource that the deployment may use.
    Resource {
        /// Which.
        resource: ResourceKind,
        /// Its limit, what is set aside for it, or both.
        #[serde(default)]
        of: ResourceSide,
    },
    /// As the number of replicas.
    Replicas,
    /// As the image of the container.
    Image {
        /// Template of the whole reference: `registry/app:{{value}}`.
        reference: Template,
    },
    /// By a patch of an object of the cluster. Every string of the patch is a template; one that is a
    /// single placeholder becomes the value itself, with its type.
    Patch {
        /// How the patch is merged.
        kind: PatchKind,
        /// The object. None: the workload.
        object: Option<ObjectRef>,
        /// The patch.
        body: serde_json::Value,
    },
}

/// Which amount of a resource.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResourceSide {
    /// Limit and request.
    #[default]
    Both,
    /// What is set aside for it.
    Request,
    /// What it may use at most.
    Limit,
}

/// How a patch is merged into an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PatchKind {
    /// RFC 7396: lists are replaced.
    Merge,
    /// As Kubernetes merges: lists of containers, variables and ports by their keys.
    Strategic,
    /// RFC 6902: a list of operations.
    Json,
}

/// A resource with a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResourceKind {
    /// Cores.
    Cpu,
    /// Bytes.
    Memory,
}

/// What a change of the tunable costs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeCost {
    /// A new deployment.
    #[default]
    Restart,
}
