//! What a pod needs from its node before the first container: volumes, a network.

use em_core::journal::Blame;
use k8s_openapi::api::core::v1::{Event, Pod};

use super::super::Verdict;
use super::super::look::{Cause, Look};
use crate::scene::event::{self, quote};
use crate::scene::pod;

pub(super) fn judge(look: &Look<'_>, pod: &Pod) -> Option<Verdict> {
    if has_started(pod) {
        return None;
    }
    let told = look.events(pod::uid(pod));
    let told = told.filter(|told| is_in_the_way(event::reason(told)));
    let newest = told.max_by_key(|told| event::last(told))?;
    let (blame, advice) = advice(newest);
    let why = format!(
        "pod {} cannot start ({}): {}; {advice}",
        pod::name(pod),
        event::reason(newest),
        quote(event::message(newest)),
    );
    let cause = Cause::new(blame, why);
    // A volume that can be at one node only comes when the former pod is gone.
    if !look.rollout.former.is_empty() && event::message(newest).contains("Multi-Attach") {
        return Some(cause.waits(None));
    }
    Some(look.in_a_moment(event::first(newest), cause))
}

fn is_in_the_way(reason: &str) -> bool {
    matches!(
        reason,
        "FailedMount" | "FailedAttachVolume" | "FailedMapVolume" | "FailedCreatePodSandBox"
    )
}

fn advice(told: &Event) -> (Blame, &'static str) {
    let words = event::message(told);
    let names_ours = ["configmap", "secret"]
        .iter()
        .any(|kind| words.contains(kind));
    let is_absent = words.contains("not found") || words.contains("non-existent");
    match event::reason(told) {
        "FailedCreatePodSandBox" => (Blame::Cluster, "see the network of the node"),
        _ if names_ours && is_absent => (
            Blame::Configuration,
            "make what the volume is to be filled with, or correct the reference",
        ),
        _ => (Blame::Cluster, "see the volume and its storage"),
    }
}

/// Whether a container runs or ran: then nothing was in its way.
fn has_started(pod: &Pod) -> bool {
    pod::containers(pod).iter().any(|container| {
        let states = [&container.status.state, &container.status.last_state];
        states
            .into_iter()
            .flatten()
            .any(|state| state.running.is_some() || state.terminated.is_some())
    })
}
