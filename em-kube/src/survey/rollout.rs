//! Whether the workload is whole before anything is done to it.

use em_core::port::Finding;
use serde_json::Value as Json;

use super::finding::{error, finding, text_at, warning};
use super::subject::Subject;
use em_core::port::Severity;

/// A paused, stuck or unfinished roll-out, and strategies that roll nothing out.
pub(super) fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(paused(subject));
    findings.extend(strategy(subject));
    findings.extend(unfinished(subject));
    findings
}

fn paused(subject: &Subject<'_>) -> Option<Finding> {
    let is_paused = subject.object.pointer("/spec/paused") == Some(&Json::Bool(true));
    if !is_paused || !subject.is_in_place() {
        return None;
    }
    Some(error(
        format!(
            "the roll-out of {} is paused: no change reaches its pods",
            subject.what()
        ),
        format!("kubectl rollout resume {}", subject.spec.workload),
    ))
}

fn strategy(subject: &Subject<'_>) -> Option<Finding> {
    if !subject.is_in_place() {
        return None;
    }
    let strategy = subject.object.pointer("/spec/updateStrategy")?;
    if text_at(strategy, "/type") == Some("OnDelete") {
        return Some(error(
            format!(
                "{} rolls changes out only when its pods are deleted (updateStrategy OnDelete)",
                subject.what()
            ),
            "use policy new-deployment, or let it roll out by itself (updateStrategy RollingUpdate)",
        ));
    }
    let partition = strategy.pointer("/rollingUpdate/partition")?.as_i64()?;
    (partition > 0).then(|| {
        error(
            format!(
                "{} keeps its pods below number {partition} as they are (rollingUpdate.partition)",
                subject.what()
            ),
            "use policy new-deployment, or set the partition to 0",
        )
    })
}

/// What is measured has to be there before it is changed: else the first failure is not the experiment's.
fn unfinished(subject: &Subject<'_>) -> Option<Finding> {
    let status = subject.object.get("status")?;
    let number = |key: &str| status.get(key).and_then(Json::as_i64);
    let wanted = subject.replicas();
    let what = subject.what();
    if wanted == 0 {
        return no_pods(subject);
    }
    let generation = subject
        .object
        .pointer("/metadata/generation")
        .and_then(Json::as_i64);
    let is_seen = number("observedGeneration").is_none_or(|seen| Some(seen) >= generation);
    let (available, updated) = match subject.spec.workload.kind.as_str() {
        "daemonset" => (number("numberAvailable"), number("updatedNumberScheduled")),
        "deployment" | "statefulset" => (number("availableReplicas"), number("updatedReplicas")),
        _ => return None,
    };
    let (available, updated) = (available.unwrap_or(0), updated.unwrap_or(0));
    if is_seen && available >= wanted && updated >= wanted {
        return None;
    }
    let why = condition(status).map_or_else(String::new, |why| format!(": {why}"));
    let state = format!(
        "{what} is not whole: {available} of {wanted} pods are available, {updated} are of the newest revision{why}"
    );
    let remedy = format!(
        "wait for it, or repair it: kubectl rollout status {}",
        subject.spec.workload
    );
    Some(if subject.is_in_place() {
        error(state, remedy)
    } else {
        warning(state, remedy)
    })
}

fn no_pods(subject: &Subject<'_>) -> Option<Finding> {
    let clones_have_some = subject.is_cloned() && subject.spec.clones.replicas.is_some();
    if clones_have_some || subject.sets_replicas() {
        return None;
    }
    let remedy = if subject.is_cloned() {
        "say how many pods a clone has: clones.replicas"
    } else {
        "scale it up first"
    };
    let what = format!(
        "{} has no pods, so there is nothing to measure",
        subject.what()
    );
    Some(finding(Severity::Error, what, Some(remedy.to_owned())))
}

/// What the cluster says against it.
fn condition(status: &Json) -> Option<String> {
    let conditions = status.get("conditions")?.as_array()?;
    let bad = conditions.iter().find(|condition| {
        let is = |value: &str| text_at(condition, "/status") == Some(value);
        match text_at(condition, "/type") {
            Some("Progressing" | "Available") => is("False"),
            Some("ReplicaFailure") => is("True"),
            Some(_) | None => false,
        }
    });
    text_at(bad?, "/message").map(str::to_owned)
}
