//! What a cluster shows of a deployment at one instant: the objects that verdicts are made of.

pub(crate) mod event;
pub(crate) mod pod;
pub(crate) mod workload;

use std::fmt;

use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::{Event, Node, Pod};
use serde_json::Value as Json;

use self::workload::Workload;

/// What a cluster shows of one deployment at one instant.
#[derive(Clone, Default)]
pub struct Scene {
    /// The workload, with `kind` and `apiVersion`: the live object or a clone. None: it is not there.
    pub workload: Option<Json>,
    /// Replica sets of the workload's selector. Others may be among them: their owner tells.
    pub replica_sets: Vec<ReplicaSet>,
    /// Pods of the workload's selector, those of earlier roll-outs among them.
    pub pods: Vec<Pod>,
    /// Warnings of the namespace, about any object.
    pub events: Vec<Event>,
    /// Nodes of the cluster, as far as they may be read.
    pub nodes: Vec<Node>,
    /// Autoscalers of the namespace.
    pub autoscalers: Vec<Json>,
}

/// Counts only: objects hold values that are nobody's business.
impl fmt::Debug for Scene {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scene")
            .field("workload", &self.workload().map(Workload::name))
            .field("replica_sets", &self.replica_sets.len())
            .field("pods", &self.pods.len())
            .field("events", &self.events.len())
            .field("nodes", &self.nodes.len())
            .field("autoscalers", &self.autoscalers.len())
            .finish()
    }
}

impl Scene {
    pub(crate) fn workload(&self) -> Option<Workload<'_>> {
        self.workload.as_ref().map(Workload)
    }

    /// The node that a pod runs on, where it has one and nodes may be read.
    pub(crate) fn node_of(&self, pod: &Pod) -> Option<&Node> {
        let name = pod::node(pod)?;
        self.nodes
            .iter()
            .find(|node| node.metadata.name.as_deref() == Some(name))
    }

    /// What is told about the object of that identity.
    pub(crate) fn events_of<'a>(&'a self, uid: &'a str) -> impl Iterator<Item = &'a Event> {
        self.events.iter().filter(move |event| {
            !uid.is_empty() && event.involved_object.uid.as_deref() == Some(uid)
        })
    }
}
