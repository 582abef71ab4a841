//! Probes that fail.

use em_core::journal::Blame;
use k8s_openapi::api::core::v1::Pod;

use super::super::Verdict;
use super::super::look::{Cause, Look, waits};
use super::container::called;
use crate::scene::event::{self, quote};
use crate::scene::pod::{self, Container};

/// A probe fails: the pod may still become ready, until the workload's own deadline.
pub(super) fn fails(look: &Look<'_>, pod: &Pod) -> Option<Verdict> {
    if pod::is_ready(pod) {
        return None;
    }
    let words = words(look, pod)?;
    Some(waits(format!(
        "pod {} is not ready: {words}",
        pod::name(pod)
    )))
}

/// What the last probe that failed had to say.
pub(super) fn words(look: &Look<'_>, pod: &Pod) -> Option<String> {
    let told = look.events(pod::uid(pod));
    let told = told.filter(|told| event::reason(told) == "Unhealthy");
    let newest = told.max_by_key(|told| event::last(told))?;
    Some(quote(event::message(newest)))
}

/// A probe because of which the kubelet ends the container.
pub(super) fn kills(look: &Look<'_>, pod: &Pod, container: Container<'_>) -> Option<Cause> {
    let told = look.events(pod::uid(pod)).find(|told| {
        let words = event::message(told);
        let is_deadly = words.starts_with("Liveness probe") || words.starts_with("Startup probe");
        event::reason(told) == "Unhealthy"
            && is_deadly
            && event::is_of(told, &container.status.name)
    })?;
    let why = format!(
        "{} is ended by its own probe: {}; give it more time to start, or what it needs to answer in time",
        called(pod, container),
        quote(event::message(told)),
    );
    Some(Cause::new(Blame::Configuration, why))
}
