//! What happened to the nodes under the pods.

use em_core::port::{Incident, IncidentKind};
use k8s_openapi::api::core::v1::{Node, NodeCondition};

use super::Report;
use crate::scene::event::{self, quote};

pub(super) fn judge(report: &Report<'_>) -> Vec<Incident> {
    // Whoever may not read nodes knows nothing of them, good or bad.
    if report.now.nodes.is_empty() {
        return Vec::new();
    }
    let mut found = Vec::new();
    for name in &report.before.nodes {
        let node = report
            .now
            .nodes
            .iter()
            .find(|node| node.metadata.name.as_ref() == Some(name));
        let Some(node) = node else {
            let what = format!("node {name} is gone");
            found.push(report.fatal(IncidentKind::Neighbour, what));
            continue;
        };
        found.extend(of_node(report, name, node));
    }
    found.extend(ran_out(report));
    found
}

fn of_node(report: &Report<'_>, name: &str, node: &Node) -> Vec<Incident> {
    let conditions = node
        .status
        .iter()
        .flat_map(|status| status.conditions.iter().flatten());
    let found = conditions.filter_map(|condition| of_condition(report, name, condition));
    found.collect()
}

fn of_condition(report: &Report<'_>, name: &str, condition: &NodeCondition) -> Option<Incident> {
    let words = quote(condition.message.as_deref().unwrap_or_default());
    let kind = condition.type_.as_str();
    match (kind, condition.status.as_str()) {
        ("Ready", "True") => None,
        ("Ready", status) => {
            let what = format!("node {name} is not ready ({status}): {words}");
            Some(report.fatal(IncidentKind::Neighbour, what))
        }
        ("MemoryPressure" | "DiskPressure" | "PIDPressure", "True") => {
            let what = format!("node {name} runs short ({kind}): {words}");
            Some(report.flag(IncidentKind::Neighbour, what))
        }
        _ => None,
    }
}

/// A node as a whole was out of memory, and its kernel ended something on it.
fn ran_out(report: &Report<'_>) -> Vec<Incident> {
    let told = report.now.events.iter().filter(|told| {
        let about = &told.involved_object;
        let is_ours = about
            .name
            .as_ref()
            .is_some_and(|name| report.before.nodes.contains(name));
        about.kind.as_deref() == Some("Node")
            && is_ours
            && event::reason(told) == "SystemOOM"
            && report.counts(event::last(told))
    });
    told.map(|told| {
        let node = told.involved_object.name.as_deref().unwrap_or_default();
        let what = format!(
            "node {node} was out of memory: {}",
            quote(event::message(told))
        );
        report.flag(IncidentKind::Neighbour, what)
    })
    .collect()
}
