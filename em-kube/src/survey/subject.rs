//! The workload as it is, and what is planned for it.

use em_core::plan::{Apply, ClusterPolicy, KubernetesSpec, Plan};
use serde_json::Value as Json;

use super::finding::{list_at, text_at};
use crate::change::Container;

/// The workload as it is, and what is planned for it.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// What the file says of the cluster.
    pub spec: &'a KubernetesSpec,
    /// The whole plan.
    pub plan: &'a Plan,
    /// The namespace that is looked at.
    pub namespace: &'a str,
    /// The workload as the cluster has it.
    pub object: &'a Json,
}

impl<'a> Subject<'a> {
    /// What may be done to the workload.
    pub fn policy(&self) -> ClusterPolicy {
        self.spec.policy
    }

    /// Whether the workload itself is changed.
    pub fn is_in_place(&self) -> bool {
        self.spec.policy.is_in_place()
    }

    /// Whether copies of it are made.
    pub fn is_cloned(&self) -> bool {
        self.spec.policy == ClusterPolicy::NewDeployment
    }

    /// The pods' own specification. None: the workload has no template of pods.
    pub fn pod(&self) -> Option<&'a Json> {
        let pod = self.object.pointer("/spec/template/spec")?;
        pod.get("containers").is_some().then_some(pod)
    }

    /// Name of the container that tunables mean, where it is clear.
    pub fn container(&self) -> Option<String> {
        let container = Container::of(self.object, self.spec).ok()?;
        Some(container.name().to_owned())
    }

    /// Copies that it has now; a workload without a number counts as one.
    pub fn replicas(&self) -> i64 {
        let pointer = match self.spec.workload.kind.as_str() {
            "daemonset" => "/status/desiredNumberScheduled",
            _ => "/spec/replicas",
        };
        let replicas = self.object.pointer(pointer).and_then(Json::as_i64);
        replicas.unwrap_or(1)
    }

    /// Whether a tunable sets the number of replicas.
    pub fn sets_replicas(&self) -> bool {
        let mut applied = self.plan.tunables.iter().flat_map(|one| &one.apply);
        applied.any(|apply| matches!(apply, Apply::Replicas))
    }

    /// Pods that are the workload's by its selector, those that have ended left out.
    pub fn own_pods<'p>(&self, pods: &'p [Json]) -> Vec<&'p Json> {
        let Some(selector) = self.object.pointer("/spec/selector") else {
            return Vec::new();
        };
        let own = pods
            .iter()
            .filter(|pod| selects(selector, pod, "/metadata/labels"));
        own.filter(|pod| !is_over(pod)).collect()
    }

    /// For people: `deployment/checkout in namespace shop`.
    pub fn what(&self) -> String {
        format!("{} in namespace {}", self.spec.workload, self.namespace)
    }
}

/// Whether a pod has run to its end.
pub(super) fn is_over(pod: &Json) -> bool {
    matches!(text_at(pod, "/status/phase"), Some("Succeeded" | "Failed"))
}

/// Whether a selector with `matchLabels` and `matchExpressions` takes an object with the labels at `labels`.
pub(super) fn selects(selector: &Json, object: &Json, labels: &str) -> bool {
    let label = |key: &str| object.pointer(labels)?.get(key)?.as_str();
    let wanted = selector.get("matchLabels").and_then(Json::as_object);
    let all = wanted.into_iter().flatten();
    let mut all = all.map(|(key, value)| label(key) == value.as_str());
    all.all(|fits| fits)
        && list_at(selector, "/matchExpressions")
            .iter()
            .all(|rule| fits(rule, text_at(rule, "/key").and_then(label)))
}

/// Whether a label fits a rule of a selector or of a node's affinity.
pub(super) fn fits(rule: &Json, label: Option<&str>) -> bool {
    let is_listed = |label: &str| {
        let values = list_at(rule, "/values");
        values.iter().any(|value| value.as_str() == Some(label))
    };
    match text_at(rule, "/operator") {
        Some("In") => label.is_some_and(is_listed),
        Some("NotIn") => !label.is_some_and(is_listed),
        Some("Exists") => label.is_some(),
        Some("DoesNotExist") => label.is_none(),
        // Greater and less: rarely used, and a wrong "no" would be worse than a wrong "yes".
        Some(_) | None => true,
    }
}
