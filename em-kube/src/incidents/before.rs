//! What was there when measuring began.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use k8s_openapi::api::core::v1::Pod;
use serde_json::Value as Json;

use crate::mark;
use crate::readiness::{Wanted, current_pods};
use crate::scene::workload::Workload;
use crate::scene::{Scene, pod};

/// What was there when measuring began.
#[derive(Clone, Default)]
pub struct Before {
    /// Pods by their identity.
    pub(super) pods: BTreeMap<String, PodBefore>,
    pub(super) generation: Option<i64>,
    pub(super) spec: Option<Json>,
    /// Nodes of these pods.
    pub(super) nodes: BTreeSet<String>,
    /// Whose pods these are; what tells them from pods of others.
    pub(super) experiment: Option<String>,
    pub(super) clone: Option<String>,
}

/// A pod when measuring began.
#[derive(Clone)]
pub(super) struct PodBefore {
    pub(super) name: String,
    pub(super) restarts: BTreeMap<String, i32>,
    pub(super) resources: Json,
    pub(super) was_ready: bool,
}

/// Names and counts only: specs hold values that are nobody's business.
impl fmt::Debug for Before {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.pods.values().map(|pod| pod.name.as_str()).collect();
        f.debug_struct("Before")
            .field("pods", &names)
            .field("generation", &self.generation)
            .field("nodes", &self.nodes)
            .finish_non_exhaustive()
    }
}

/// Notes what is there now, of the pods that are to be measured.
pub fn before(scene: &Scene, wanted: &Wanted<'_>) -> Before {
    let current = current_pods(scene, wanted);
    let workload = scene.workload();
    let label = |name| current.iter().find_map(|each| pod::label(each, name));
    Before {
        generation: workload.and_then(Workload::generation),
        spec: workload.and_then(|workload| workload.at("/spec").cloned()),
        nodes: current
            .iter()
            .filter_map(|each| pod::node(each).map(str::to_owned))
            .collect(),
        experiment: label(mark::EXPERIMENT).map(str::to_owned),
        clone: label(mark::CLONE).map(str::to_owned),
        pods: current
            .iter()
            .map(|each| (pod::uid(each).to_owned(), PodBefore::of(each)))
            .collect(),
    }
}

impl PodBefore {
    fn of(each: &Pod) -> Self {
        Self {
            name: pod::name(each).to_owned(),
            restarts: pod::containers(each)
                .into_iter()
                .map(|one| (one.status.name.clone(), one.status.restart_count))
                .collect(),
            resources: resources(each),
            was_ready: pod::is_ready(each),
        }
    }
}

/// Requests and limits that a pod declares, by container.
pub(super) fn resources(each: &Pod) -> Json {
    let containers = each.spec.iter().flat_map(|spec| &spec.containers);
    let declared = containers.map(|container| {
        let resources = serde_json::to_value(&container.resources);
        (container.name.clone(), resources.unwrap_or_default())
    });
    Json::Object(declared.collect())
}
