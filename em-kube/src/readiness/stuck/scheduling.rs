//! Pods for which there is no node.

use em_core::journal::Blame;
use k8s_openapi::api::core::v1::Pod;

use super::super::Verdict;
use super::super::look::{Cause, Look};
use crate::scene::event::{self, quote};
use crate::scene::pod;

pub(super) fn judge(look: &Look<'_>, pod: &Pod) -> Option<Verdict> {
    let condition = pod::condition(pod, "PodScheduled")?;
    if condition.status == "True" {
        return None;
    }
    let words = quote(condition.message.as_deref().unwrap_or_default());
    let name = pod::name(pod);
    let since = condition.last_transition_time.as_ref().map(|time| time.0);
    if condition.reason.as_deref() == Some("SchedulingGated") {
        let why = format!(
            "pod {name} is held back by a scheduling gate: {words}; have it removed by whoever set it"
        );
        return Some(look.in_a_moment(since, Cause::new(Blame::Target, why)));
    }
    let (blame, advice) = advice(&words);
    let why = format!("pod {name} finds no node: {words}; {advice}");
    let cause = Cause::new(blame, why);
    if comes_room(look, pod) {
        return Some(cause.waits(None));
    }
    Some(look.in_a_moment(since, cause))
}

/// Whose fault the scheduler's words are, and what to do. Where nodes lack several things, what pods ask for comes
/// first: it is what an experiment changes.
fn advice(words: &str) -> (Blame, &'static str) {
    if words.contains("Insufficient ") || words.contains("Too many pods") {
        return (
            Blame::Configuration,
            "lower the requests or the number of pods, or free a node",
        );
    }
    if words.contains("persistentvolumeclaim") || words.contains("PersistentVolumeClaims") {
        return (Blame::Target, "give it the volume that it claims");
    }
    if words.contains("untolerated taint(s)")
        || words.contains("node.kubernetes.io/")
        || words.contains("no nodes available")
        || words.contains("unschedulable")
    {
        return (Blame::Cluster, "make a node available");
    }
    (
        Blame::Configuration,
        "make its selectors, affinities and tolerations fit a node",
    )
}

/// Whether a node will have room without anybody's doing.
fn comes_room(look: &Look<'_>, pod: &Pod) -> bool {
    let status = pod.status.as_ref();
    let displaces = status.and_then(|status| status.nominated_node_name.as_deref());
    let is_added = look
        .events(pod::uid(pod))
        .any(|told| matches!(event::reason(told), "TriggeredScaleUp" | "Nominated"));
    let rollout = &look.rollout;
    let mut leaving = rollout.former.iter().chain(&rollout.leaving);
    displaces.is_some_and(|node| !node.is_empty())
        || is_added
        || leaving.any(|pod| pod::is_leaving(pod))
}
