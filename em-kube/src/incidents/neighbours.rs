//! Pods of other trials on the same node.

use em_core::port::{Incident, IncidentKind};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;

use super::Before;
use crate::mark;
use crate::scene::pod;

/// Which of `others` (any pods; those without labels of ours are left out) are on a node of the pods that are
/// measured, though of another experiment or another clone.
pub fn neighbours(before: &Before, others: &[Pod], at: Timestamp) -> Vec<Incident> {
    let beside = others.iter().filter(|other| is_beside(before, other));
    let found = beside.map(|other| Incident {
        at,
        kind: IncidentKind::Neighbour,
        what: format!(
            "pod {} of {} runs on the same node, {}",
            pod::name(other),
            whose(other),
            pod::node(other).unwrap_or_default()
        ),
        fatal: false,
    });
    found.collect()
}

fn is_beside(before: &Before, other: &Pod) -> bool {
    let experiment = pod::label(other, mark::EXPERIMENT);
    let clone = pod::label(other, mark::CLONE);
    let is_trial = experiment.is_some() || clone.is_some();
    let is_same = experiment == before.experiment.as_deref() && clone == before.clone.as_deref();
    let is_near = pod::node(other).is_some_and(|node| before.nodes.contains(node));
    is_trial
        && !is_same
        && is_near
        && !pod::is_finished(other)
        && !before.pods.contains_key(pod::uid(other))
}

fn whose(other: &Pod) -> String {
    let experiment = pod::label(other, mark::EXPERIMENT).unwrap_or("another");
    match pod::label(other, mark::CLONE) {
        Some(clone) => format!("experiment {experiment}, clone {clone}"),
        None => format!("experiment {experiment}"),
    }
}
