//! Containers that do not start, or end.

use em_core::journal::Blame;
use k8s_openapi::api::core::v1::{ContainerStateTerminated, ContainerStateWaiting, Pod};

use super::super::look::{Cause, Look, waits};
use super::super::{LogsOf, Verdict};
use super::{image, probe};
use crate::scene::event::quote;
use crate::scene::pod::{self, Container};

/// What `SIGKILL` leaves as exit code.
const KILLED: i32 = 137;

/// Reasons of the kubelet for which trying again does not help, and what to do.
const NEVER_STARTS: [(&str, &str); 7] = [
    (
        "CreateContainerConfigError",
        "what it refers to (a key of a ConfigMap or Secret, a user) is not there or not allowed; make it, or correct the reference",
    ),
    (
        "CreateContainerError",
        "the runtime refuses to make it; correct its command, mounts or security settings",
    ),
    (
        "RunContainerError",
        "the runtime cannot start it; correct its command, arguments or limits",
    ),
    (
        "StartError",
        "the runtime cannot start it; correct its command, arguments or limits",
    ),
    (
        "ContainerCannotRun",
        "the runtime cannot start it; correct its command, arguments or limits",
    ),
    (
        "PreCreateHookError",
        "a hook of the kubelet refuses it; see the message",
    ),
    (
        "PostStartHookError",
        "its postStart hook fails; correct the hook",
    ),
];

pub(super) fn judge(look: &Look<'_>, pod: &Pod, container: Container<'_>) -> Option<Verdict> {
    let state = container.status.state.as_ref();
    let waiting = state.and_then(|state| state.waiting.as_ref());
    waiting
        .and_then(|waiting| image::judge(look, pod, container, waiting))
        .or_else(|| waiting.and_then(|waiting| never_starts(look, pod, container, waiting)))
        .or_else(|| last_end(look, container).and_then(|end| ended(look, pod, container, end)))
}

fn never_starts(
    look: &Look<'_>,
    pod: &Pod,
    container: Container<'_>,
    waiting: &ContainerStateWaiting,
) -> Option<Verdict> {
    let reason = waiting.reason.as_deref()?;
    let (_, advice) = NEVER_STARTS.iter().find(|(known, _)| *known == reason)?;
    let why = format!(
        "{} does not start ({reason}): {}; {advice}",
        called(pod, container),
        quote(waiting.message.as_deref().unwrap_or_default()),
    );
    let cause = Cause::new(Blame::Configuration, why);
    // A cache of the kubelet may lag behind what was made just before the pod.
    if reason == "CreateContainerConfigError" {
        return Some(look.in_a_moment(started(pod), cause));
    }
    Some(cause.stuck())
}

fn started(pod: &Pod) -> Option<jiff::Timestamp> {
    let status = pod.status.as_ref()?;
    status.start_time.as_ref().map(|time| time.0)
}

/// How it ended the last time, as far as that belongs to this roll-out.
fn last_end<'a>(look: &Look<'_>, container: Container<'a>) -> Option<&'a ContainerStateTerminated> {
    let now = container.status.state.as_ref();
    let now = now.and_then(|state| state.terminated.as_ref());
    let before = container.status.last_state.as_ref();
    let end = now.or_else(|| before.and_then(|state| state.terminated.as_ref()))?;
    let at = end.finished_at.as_ref().map(|time| time.0);
    let is_done = container.must_end && end.exit_code == 0;
    (!is_done && (look.counts(at) || waits_after_crash(container))).then_some(end)
}

fn ended(
    look: &Look<'_>,
    pod: &Pod,
    container: Container<'_>,
    end: &ContainerStateTerminated,
) -> Option<Verdict> {
    let cause = killed(look, pod, container, end)
        .or_else(|| probe::kills(look, pod, container))
        .or_else(|| unstartable(pod, container, end));
    if let Some(cause) = cause {
        return Some(cause.told_by(logs_of(pod, container)).stuck());
    }
    let who = called(pod, container);
    let code = end.exit_code;
    if !is_repeated(look, pod, container) {
        let words = format!("{who} ended with exit code {code} and is started again");
        return (!pod::is_ready(pod)).then(|| waits(words));
    }
    let advice = if code == 0 {
        "a container of a workload has to keep running; correct its command"
    } else {
        "see its last lines; correct the values that it was given"
    };
    let often = container.status.restart_count;
    let why =
        format!("{who} ends with exit code {code} again and again (restarts: {often}); {advice}");
    let cause = Cause::new(Blame::Configuration, why);
    Some(cause.told_by(logs_of(pod, container)).stuck())
}

/// The memory limit, or whoever else kills without asking.
fn killed(
    look: &Look<'_>,
    pod: &Pod,
    container: Container<'_>,
    end: &ContainerStateTerminated,
) -> Option<Cause> {
    let who = called(pod, container);
    let code = end.exit_code;
    let reason = end.reason.as_deref().unwrap_or_default();
    if reason == "OOMKilled" {
        let why = format!(
            "{who} was killed for want of memory (OOMKilled, exit code {code}); raise its memory limit, or lower what it needs"
        );
        return Some(Cause::new(Blame::Configuration, why));
    }
    if reason == "ContainerStatusUnknown" {
        let why = format!(
            "{who} was lost by its node ({reason}): {}; see the node",
            quote(end.message.as_deref().unwrap_or_default())
        );
        return Some(Cause::new(Blame::Cluster, why));
    }
    if code != KILLED || probe::kills(look, pod, container).is_some() {
        return None;
    }
    let why = format!(
        "{who} was killed (exit code {code}), by whom the cluster does not say: most often it is the memory limit; raise it, or lower what the container needs"
    );
    Some(Cause::new(Blame::Configuration, why))
}

/// The runtime could not even start it.
fn unstartable(
    pod: &Pod,
    container: Container<'_>,
    end: &ContainerStateTerminated,
) -> Option<Cause> {
    let reason = end.reason.as_deref()?;
    let (_, advice) = NEVER_STARTS.iter().find(|(known, _)| *known == reason)?;
    let why = format!(
        "{} does not start ({reason}): {}; {advice}",
        called(pod, container),
        quote(end.message.as_deref().unwrap_or_default()),
    );
    Some(Cause::new(Blame::Configuration, why))
}

fn is_repeated(look: &Look<'_>, pod: &Pod, container: Container<'_>) -> bool {
    // The counts of pods that were there before tell nothing about this deployment.
    let is_new = look.wanted.iteration.is_some();
    waits_after_crash(container)
        || (is_new && container.status.restart_count >= 2)
        || !pod::restarts(pod)
}

fn waits_after_crash(container: Container<'_>) -> bool {
    let state = container.status.state.as_ref();
    let waiting = state.and_then(|state| state.waiting.as_ref());
    let reason = waiting.and_then(|waiting| waiting.reason.as_deref());
    reason == Some("CrashLoopBackOff")
}

/// The run that ended is the previous one as soon as the kubelet has put it aside.
fn logs_of(pod: &Pod, container: Container<'_>) -> LogsOf {
    let state = container.status.state.as_ref();
    LogsOf {
        pod: pod::name(pod).to_owned(),
        container: container.status.name.clone(),
        previous: state.is_none_or(|state| state.terminated.is_none()),
    }
}

/// A container as people know it.
pub(super) fn called(pod: &Pod, container: Container<'_>) -> String {
    format!(
        "container {} of pod {}",
        container.status.name,
        pod::name(pod)
    )
}
