//! Nodes that are lost, and pods that were taken away from theirs.

use em_core::journal::Blame;
use k8s_openapi::api::core::v1::Pod;

use super::super::Verdict;
use super::super::look::{Cause, Look, waits};
use crate::scene::event::quote;
use crate::scene::pod;

/// The node of a pod does not answer.
pub(super) fn lost(look: &Look<'_>, each: &Pod) -> Option<Verdict> {
    let node = look.scene.node_of(each)?;
    let conditions = node.status.as_ref()?.conditions.as_ref()?;
    let ready = conditions.iter().find(|one| one.type_ == "Ready")?;
    if ready.status == "True" {
        return None;
    }
    let why = format!(
        "node {} of pod {} is not ready ({}): {}; see the node, or have the pods put elsewhere",
        pod::node(each).unwrap_or_default(),
        pod::name(each),
        ready.reason.as_deref().unwrap_or("no reason given"),
        quote(ready.message.as_deref().unwrap_or_default()),
    );
    Some(Cause::new(Blame::Cluster, why).stuck())
}

/// A pod of this roll-out has ended for good, or is being removed.
pub(super) fn taken_away(each: &Pod) -> Verdict {
    let name = pod::name(each);
    let disruption = pod::disruption(each);
    let by = disruption.and_then(|condition| condition.reason.as_deref());
    let words = disruption.and_then(|condition| condition.message.as_deref());
    let words = quote(words.unwrap_or_default());
    match by {
        Some("PreemptionByScheduler") => {
            let why = format!(
                "pod {name} was displaced by one of higher priority: {words}; give the pods a priority, or the cluster room"
            );
            return Cause::new(Blame::Cluster, why).stuck();
        }
        Some("DeletionByTaintManager" | "DeletionByPodGC") => {
            let why = format!("pod {name} lost its node: {words}; see the node");
            return Cause::new(Blame::Cluster, why).stuck();
        }
        Some(_) | None => {}
    }
    if pod::is_finished(each) {
        return finished(each);
    }
    let by = by.unwrap_or("by somebody else, or by its workload");
    waits(format!(
        "pod {name} is being removed ({by}), another one has to come"
    ))
}

fn finished(each: &Pod) -> Verdict {
    let name = pod::name(each);
    let status = each.status.as_ref();
    let reason = status.and_then(|status| status.reason.as_deref());
    let words = quote(
        status
            .and_then(|status| status.message.as_deref())
            .unwrap_or_default(),
    );
    let reason = reason.unwrap_or("without a reason");
    let (blame, advice) = match reason {
        // A pod may use up the node's disk on its own; the kubelet then names its limit.
        "Evicted" if words.contains("exceeds the") || words.contains("exceeded its local") => (
            Blame::Configuration,
            "raise the limit that it names, or have it write less",
        ),
        "Evicted" => (
            Blame::Cluster,
            "the node ran short; request what the pods use, or relieve the node",
        ),
        "DeadlineExceeded" => (
            Blame::Configuration,
            "raise or remove its activeDeadlineSeconds",
        ),
        "Preempting" => (
            Blame::Cluster,
            "the kubelet needed its room for a critical pod",
        ),
        _ if reason.starts_with("OutOf") => (
            Blame::Configuration,
            "the node has not what it requests; lower the requests",
        ),
        "without a reason" => (Blame::Configuration, "see its last lines"),
        _ => (Blame::Cluster, "see the node"),
    };
    let phase = pod::phase(each);
    let why = format!("pod {name} ended for good ({phase}, {reason}): {words}; {advice}");
    Cause::new(blame, why).stuck()
}
