//! A workload of a cluster, and how it may be changed.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::secret::Text;

/// The context that means: the service account of the pod in which the manager runs.
pub const IN_CLUSTER: &str = "in-cluster";

/// A workload of a cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KubernetesSpec {
    /// Context of the kubeconfig, or [`IN_CLUSTER`].
    pub context: String,
    /// Namespace. None: the context's own.
    pub namespace: Option<String>,
    /// What is tuned.
    pub workload: ObjectRef,
    /// The container that tunables mean. None: the only one, else the one that
    /// `kubectl.kubernetes.io/default-container` names.
    pub container: Option<String>,
    /// What may be done to the workload.
    pub policy: ClusterPolicy,
    /// The Service through which load reaches it, as `NAME` or `NAME:PORT`.
    pub service: Option<ServiceRef>,
    /// How clones differ from the workload.
    #[serde(default)]
    pub clones: CloneSpec,
    /// What to do with an autoscaler of the workload.
    #[serde(default)]
    pub autoscaler: Autoscaler,
    /// When it is ready, beyond the roll-out.
    pub ready: Option<ReadyWhen>,
    /// How long all pods have to be ready without a break before load begins.
    pub settle: Duration,
    /// Names of facts (`limit.memory`, `image`) that may differ from what was asked.
    #[serde(default)]
    pub accept: Vec<String>,
    /// Commands around the iterations, run in a pod of the deployment.
    #[serde(default)]
    pub hooks: PodHooks,
    /// Where the copies of a round are put.
    #[serde(default)]
    pub place: Placement,
    /// What an hour of a resource costs. None: cost is not known.
    pub prices: Option<Prices>,
    /// Iterations side by side; above 1 only with clones.
    pub slots: u32,
}

/// An object of the namespace, as `deployment/checkout`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ObjectRef {
    /// Kind as people write it, lower case: `deployment`, `statefulset`, `daemonset`, `configmap`; any other
    /// resource as `PLURAL.GROUP`.
    pub kind: String,
    /// Name of the object.
    pub name: String,
}

impl ObjectRef {
    /// Whether it makes pods from a template in its specification.
    pub fn has_pod_template(&self) -> bool {
        matches!(
            self.kind.as_str(),
            "deployment" | "statefulset" | "daemonset"
        )
    }

    /// Whether it is written with its group: a kind that nothing is known of.
    pub fn is_custom(&self) -> bool {
        self.kind.contains('.')
    }
}

/// Kinds with a name of their own here; short forms as `kubectl` has them.
const KINDS: [(&str, &[&str]); 4] = [
    ("deployment", &["deploy", "deployments"]),
    ("statefulset", &["sts", "statefulsets"]),
    ("daemonset", &["ds", "daemonsets"]),
    ("configmap", &["cm", "configmaps"]),
];

impl FromStr for ObjectRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("{text:?} is no KIND/NAME, such as deployment/checkout");
        let (kind, name) = text.split_once('/').ok_or_else(wrong)?;
        if !is_dns_name(name) || !is_dns_name(kind) {
            return Err(wrong());
        }
        let known = KINDS
            .iter()
            .find(|(long, short)| *long == kind || short.contains(&kind));
        let kind = match known {
            Some((long, _)) => *long,
            // Another resource is written with its group: two groups may have one kind.
            None if kind.contains('.') => kind,
            None => {
                let known: Vec<_> = KINDS.iter().map(|(long, _)| *long).collect();
                return Err(format!(
                    "{kind:?} is none of {} (another resource is written PLURAL.GROUP/NAME)",
                    known.join(", ")
                ));
            }
        };
        Ok(Self {
            kind: kind.to_owned(),
            name: name.to_owned(),
        })
    }
}

impl TryFrom<String> for ObjectRef {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ObjectRef> for String {
    fn from(object: ObjectRef) -> Self {
        object.to_string()
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)
    }
}

/// A name of the domain name system: what objects, kinds and namespaces are called.
pub fn is_dns_name(text: &str) -> bool {
    let is_inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    let is_end = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.len() <= 253
        && text.chars().all(is_inner)
        && text.starts_with(is_end)
        && text.ends_with(is_end)
}

/// A Service and one of its ports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceRef {
    /// Its name.
    pub name: String,
    /// Name or number of the port. None: its only one.
    pub port: Option<String>,
}

/// What may be done to a workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ClusterPolicy {
    /// The live object is changed in place: one roll-out per iteration, the original back at the end.
    RollingUpdate,
    /// The live object is left alone: every iteration runs in a copy of it.
    NewDeployment,
    /// CPU and memory of running pods are changed without starting them again.
    Resize,
    /// Nothing is written at all.
    Observe,
}

impl ClusterPolicy {
    /// Every policy: its word in the file, and what it does.
    pub const ALL: [(Self, &str, &str); 4] = [
        (
            Self::RollingUpdate,
            "rolling-update",
            "changes the live object: one roll-out per iteration, the original back at the end",
        ),
        (
            Self::NewDeployment,
            "new-deployment",
            "leaves the live object alone: every iteration runs in a copy of it, slots run side by side",
        ),
        (
            Self::Resize,
            "resize",
            "changes CPU and memory of the running pods without starting them again",
        ),
        (
            Self::Observe,
            "observe",
            "writes nothing at all: what runs is measured",
        ),
    ];

    /// The word that the file uses.
    pub fn word(self) -> &'static str {
        let own = Self::ALL.iter().find(|(policy, _, _)| *policy == self);
        own.map_or("", |(_, word, _)| word)
    }

    /// Whether the live object itself is changed.
    pub fn is_in_place(self) -> bool {
        matches!(self, Self::RollingUpdate | Self::Resize)
    }
}

/// How clones differ from the workload.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CloneSpec {
    /// Replicas of each clone. None: as many as the workload has.
    pub replicas: Option<u32>,
    /// Variables that every clone has, so that it does not touch what production uses.
    #[serde(default)]
    pub env: BTreeMap<String, Text>,
    /// A strategic merge patch of every clone.
    pub patch: Option<Json>,
    /// What clones share with production and the user knows of: names of variables and volumes.
    #[serde(default)]
    pub shares: Vec<String>,
}

/// What to do with an autoscaler that acts on the workload.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Autoscaler {
    /// The experiment is refused while there is one.
    #[default]
    Refuse,
    /// It is held at the number of replicas that the iteration has, and set free again at the end.
    Pin,
    /// It may act; what it does is reported.
    Allow,
}

/// What says that an object is ready.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReadyWhen {
    /// A condition of its status has the value `True`.
    Condition(String),
    /// A place in it has this value.
    Path {
        /// Where, as a JSON path: `$.status.phase`.
        path: String,
        /// The value as text.
        is: String,
    },
}

/// Commands that are run in a container of the deployment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodHooks {
    /// When it is ready, before the load.
    #[serde(default)]
    pub before: Vec<Vec<String>>,
    /// After the load.
    #[serde(default)]
    pub after: Vec<Vec<String>>,
}

/// Where clones that run side by side are put.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Placement {
    /// As the scheduler likes.
    #[default]
    Any,
    /// No two of them on one node.
    Spread,
    /// All on nodes with these labels.
    Nodes(BTreeMap<String, String>),
}

/// What an hour of a resource costs, in whatever currency.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Prices {
    /// One core for an hour.
    pub core_hour: f64,
    /// One GiB of memory for an hour.
    pub gib_hour: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_written_as_kubectl_takes_them() {
        let read = |text: &str| text.parse::<ObjectRef>().map(|object| object.to_string());
        assert_eq!(read("deploy/checkout").unwrap(), "deployment/checkout");
        assert_eq!(read("sts/db-0.x").unwrap(), "statefulset/db-0.x");
        let custom = "kafkas.kafka.strimzi.io/main";
        assert_eq!(read(custom).unwrap(), custom);
        for wrong in [
            "checkout",
            "deployment/",
            "deployment/Checkout",
            "pod/x",
            "/x",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_policy_has_a_word() {
        for (policy, word, meaning) in ClusterPolicy::ALL {
            assert_eq!(policy.word(), word);
            assert_eq!(serde_json::to_value(policy).unwrap(), word);
            assert!(!meaning.is_empty());
        }
    }
}
