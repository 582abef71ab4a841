//! What happened to pods and their containers.

use em_core::port::{Incident, IncidentKind};
use k8s_openapi::api::core::v1::{ContainerStateTerminated, ContainerStatus, Pod};

use super::Report;
use super::before::{PodBefore, resources};
use crate::scene::event::quote;
use crate::scene::pod;

pub(super) fn judge(report: &Report<'_>) -> Vec<Incident> {
    let mut found = Vec::new();
    for (uid, was) in &report.before.pods {
        let each = report.now.pods.iter().find(|each| pod::uid(each) == uid);
        let Some(each) = each else {
            let what = format!("pod {} is gone", was.name);
            found.push(report.fatal(IncidentKind::Exited, what));
            continue;
        };
        found.extend(of_pod(report, was, each));
    }
    found.extend(not_ready(report));
    found.extend(added(report));
    found
}

fn of_pod(report: &Report<'_>, was: &PodBefore, each: &Pod) -> Vec<Incident> {
    if let Some(end) = taken_away(report, each) {
        return vec![end];
    }
    let mut found = Vec::new();
    for container in pod::containers(each) {
        let is_done =
            container.must_end && ending(container.status).is_some_and(|end| end.exit_code == 0);
        if !is_done {
            found.extend(of_container(report, was, container.status));
        }
    }
    if resources(each) != was.resources {
        let what = format!("CPU or memory of pod {} was changed in place", was.name);
        found.push(report.fatal(IncidentKind::Changed, what));
    }
    found
}

/// It ended for good, or is being removed.
fn taken_away(report: &Report<'_>, each: &Pod) -> Option<Incident> {
    let name = pod::name(each);
    let status = each.status.as_ref();
    let disruption = pod::disruption(each);
    let by = disruption.and_then(|condition| condition.reason.as_deref());
    if pod::is_finished(each) {
        let reason = status.and_then(|status| status.reason.as_deref()).or(by);
        let words = status.and_then(|status| status.message.as_deref());
        let what = format!(
            "pod {name} ended for good ({}, {}): {}",
            pod::phase(each),
            reason.unwrap_or("without a reason"),
            quote(words.unwrap_or_default())
        );
        return Some(report.fatal(IncidentKind::Exited, what));
    }
    pod::is_leaving(each).then(|| {
        let words = disruption.and_then(|condition| condition.message.as_deref());
        let by = by.unwrap_or("by somebody else, or by its workload");
        let what = format!(
            "pod {name} is being removed ({by}): {}",
            quote(words.unwrap_or_default())
        );
        report.fatal(IncidentKind::Exited, what)
    })
}

fn of_container(
    report: &Report<'_>,
    was: &PodBefore,
    status: &ContainerStatus,
) -> Option<Incident> {
    let counted = was.restarts.get(&status.name).copied().unwrap_or(0);
    let is_more = status.restart_count > counted;
    let end = ending(status).filter(|end| {
        let at = end.finished_at.as_ref().map(|time| time.0);
        let ends_now = status
            .state
            .as_ref()
            .is_some_and(|state| state.terminated.is_some());
        (is_more || ends_now) && report.counts(at)
    });
    let who = format!("container {} of pod {}", status.name, was.name);
    let Some(end) = end else {
        // Without an end there is no date: a higher count alone still says that it was started again.
        return (is_more && ending(status).is_none())
            .then(|| report.fatal(IncidentKind::Restarted, format!("{who} was started again")));
    };
    let code = end.exit_code;
    if end.reason.as_deref() == Some("OOMKilled") {
        let what = format!("{who} was killed for want of memory (OOMKilled, exit code {code})");
        return Some(report.fatal(IncidentKind::OutOfMemory, what));
    }
    let what = format!(
        "{who} ended with exit code {code}{}",
        again(status, counted)
    );
    Some(report.fatal(IncidentKind::Restarted, what))
}

fn again(status: &ContainerStatus, counted: i32) -> String {
    match status.restart_count.saturating_sub(counted) {
        more if more > 0 => format!(" and was started again ({more} times)"),
        _ => String::new(),
    }
}

/// How it ended the last time.
fn ending(status: &ContainerStatus) -> Option<&ContainerStateTerminated> {
    let now = status
        .state
        .as_ref()
        .and_then(|state| state.terminated.as_ref());
    now.or_else(|| status.last_state.as_ref()?.terminated.as_ref())
}

/// Pods that were ready and are not any more, though they are there.
fn not_ready(report: &Report<'_>) -> Option<Incident> {
    let ready = report.before.pods.iter().filter(|(_, was)| was.was_ready);
    let total = ready.clone().count();
    let lost: Vec<&str> = ready
        .filter(|(uid, _)| {
            let each = report
                .now
                .pods
                .iter()
                .find(|each| pod::uid(each) == uid.as_str());
            each.is_some_and(|each| !pod::is_ready(each) && !pod::is_finished(each))
        })
        .map(|(_, was)| was.name.as_str())
        .collect();
    if lost.is_empty() {
        return None;
    }
    let what = format!(
        "{} of {total} pods are not ready any more: {}",
        lost.len(),
        lost.join(", ")
    );
    Some(if lost.len() == total {
        report.fatal(IncidentKind::Exited, what)
    } else {
        report.flag(IncidentKind::Exited, what)
    })
}

/// Pods that came while it was measured.
fn added(report: &Report<'_>) -> Option<Incident> {
    let uid = report
        .now
        .workload()
        .map(|workload| workload.uid().to_owned())?;
    let is_its = |each: &&Pod| {
        let Some(owner) = pod::owner(each) else {
            return false;
        };
        let set = report.now.replica_sets.iter();
        let mut set = set.filter(|set| set.metadata.uid.as_deref() == Some(owner));
        owner == uid
            || set.any(|set| {
                pod::controller(set.metadata.owner_references.as_deref()) == Some(uid.as_str())
            })
    };
    let is_new = |each: &&Pod| {
        !report.before.pods.contains_key(pod::uid(each))
            && !pod::is_leaving(each)
            && !pod::is_finished(each)
    };
    let names: Vec<&str> = report
        .now
        .pods
        .iter()
        .filter(is_new)
        .filter(is_its)
        .map(pod::name)
        .collect();
    (!names.is_empty()).then(|| {
        report.fatal(
            IncidentKind::Changed,
            format!("pods came that were not there: {}", names.join(", ")),
        )
    })
}
