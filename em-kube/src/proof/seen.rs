//! What is seen of one pod.

use std::collections::BTreeMap;
use std::fmt;

use em_core::value::Quantity;
use serde_json::Value as Json;

use crate::place::Place;

/// One pod, and what was read from inside it.
#[derive(Clone)]
pub struct PodSeen {
    /// The pod as the cluster has it.
    pub pod: Json,
    /// What was read in its container.
    pub process: ProcessSeen,
    /// Its node as the cluster has it. None: it was not read.
    pub node: Option<Json>,
}

/// What was read in a container; what could not be read is none.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ProcessSeen {
    /// Its environment, and whose it is.
    pub environment: Option<(EnvironmentSource, BTreeMap<String, String>)>,
    /// The command line of its first process.
    pub arguments: Option<Vec<String>>,
    /// CPU limit of its cgroup, in cores.
    pub cpu: Option<CgroupLimit>,
    /// Memory limit of its cgroup, in bytes.
    pub memory: Option<CgroupLimit>,
    /// The CPUs that it may run on, as the kernel lists them: `0-3,8`.
    pub cpus: Option<String>,
    /// Why something could not be read, and what to do about it.
    pub why_not: Option<String>,
}

/// Whose environment was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EnvironmentSource {
    /// That of the first process of the container.
    Process,
    /// That which the container runtime gives to every process that it starts in the container.
    Container,
}

/// A limit as a cgroup has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CgroupLimit {
    /// There is none.
    Unlimited,
    /// So much.
    Of(Quantity),
}

impl ProcessSeen {
    /// Nothing could be read.
    pub fn unread(why_not: impl Into<String>) -> Self {
        Self {
            why_not: Some(why_not.into()),
            ..Self::default()
        }
    }

    /// The value of a variable. None: it is not there, or the environment is not known.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        let (_, variables) = self.environment.as_ref()?;
        variables.get(name).map(String::as_str)
    }
}

impl fmt::Debug for ProcessSeen {
    /// Values of variables and arguments may be secret: names and numbers only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let variables = self.environment.as_ref();
        let variables = variables.map(|(source, all)| (source, all.keys().collect::<Vec<_>>()));
        f.debug_struct("ProcessSeen")
            .field("environment", &variables)
            .field("arguments", &self.arguments.as_ref().map(Vec::len))
            .field("cpu", &self.cpu)
            .field("memory", &self.memory)
            .field("cpus", &self.cpus)
            .field("why_not", &self.why_not)
            .finish()
    }
}

impl PodSeen {
    /// A pod of which nothing but the object is known.
    pub fn declared(pod: Json, why_not: impl Into<String>) -> Self {
        Self {
            pod,
            process: ProcessSeen::unread(why_not),
            node: None,
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.text("/metadata/name").unwrap_or("without a name")
    }

    /// A text of the pod.
    pub(super) fn text(&self, pointer: &str) -> Option<&str> {
        self.pod.pointer(pointer)?.as_str()
    }

    /// A container as it is declared.
    pub(super) fn container(&self, name: &str) -> Option<&Json> {
        Place::of(["spec", "containers"]).named(name).get(&self.pod)
    }

    /// A container as the kubelet tells of it.
    pub(super) fn status(&self, container: &str) -> Option<&Json> {
        let statuses = Place::of(["status", "containerStatuses"]);
        statuses.named(container).get(&self.pod)
    }
}

impl fmt::Debug for PodSeen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PodSeen")
            .field("pod", &self.name())
            .field("process", &self.process)
            .finish_non_exhaustive()
    }
}
