//! Pods whose CPU or memory is to be changed in place.

use em_core::journal::Blame;
use k8s_openapi::api::core::v1::Pod;

use super::super::Verdict;
use super::super::look::{Cause, Look, waits};
use crate::scene::event::quote;
use crate::scene::pod;

pub(super) fn judge(look: &Look<'_>, pod: &Pod) -> Option<Verdict> {
    let name = pod::name(pod);
    let is_true = |kind| pod::condition(pod, kind).filter(|condition| condition.status == "True");
    let (condition, doing) = is_true("PodResizePending")
        .map(|condition| (condition, "cannot be resized"))
        .or_else(|| {
            is_true("PodResizeInProgress").map(|condition| (condition, "is being resized"))
        })?;
    let reason = condition.reason.as_deref().unwrap_or_default();
    let words = quote(condition.message.as_deref().unwrap_or_default());
    let said = format!("pod {name} {doing} in place ({reason}): {words}");
    let since = condition.last_transition_time.as_ref().map(|time| time.0);
    let refused = |blame, advice| Cause::new(blame, format!("{said}; {advice}"));
    Some(match reason {
        "Infeasible" => refused(
            Blame::Configuration,
            "no node of this size can give it; lower what is asked",
        )
        .stuck(),
        "Deferred" => look.in_a_moment(
            since,
            refused(
                Blame::Configuration,
                "the node has no room now; lower what is asked, or free the node",
            ),
        ),
        "Error" => look.in_a_moment(since, refused(Blame::Cluster, "see the node")),
        _ => waits(said),
    })
}
