//! Whether everything is there, and has been for long enough.

use std::time::Duration;

use em_core::journal::Blame;
use em_core::plan::ReadyWhen;
use em_core::read::json_path::JsonPath;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use serde_json::Value as Json;

use super::Verdict;
use super::look::{Cause, Look, waits};
use crate::scene::pod;
use crate::scene::workload::{Kind, Workload};

/// The cluster cuts times to seconds: what it dates at 10 may have happened just before 11.
const CUT: Duration = Duration::from_secs(1);

pub(super) fn judge(look: &Look<'_>, workload: Workload<'_>) -> Verdict {
    let missing = unseen(workload)
        .or_else(|| unmade(look, workload))
        .or_else(|| uncounted(look, workload))
        .or_else(|| not_gone(look))
        .or_else(|| not_ready(look));
    if let Some(why) = missing {
        return waits(why);
    }
    if let Some(verdict) = look.wanted.ready.and_then(|when| not_shown(when, workload)) {
        return verdict;
    }
    settled(look)
}

/// The controller has not seen the workload as it is now. Until then its status is about what was before.
fn unseen(workload: Workload<'_>) -> Option<String> {
    let observed = match workload.kind() {
        Kind::Deployment | Kind::StatefulSet | Kind::DaemonSet => workload.observed().unwrap_or(0),
        // Not every operator keeps it.
        Kind::Other => workload.observed()?,
    };
    let generation = workload.generation()?;
    (observed < generation).then(|| {
        format!(
            "{} is at generation {generation}, its controller has seen {observed}",
            workload.name()
        )
    })
}

/// What the controller makes first is not there.
fn unmade(look: &Look<'_>, workload: Workload<'_>) -> Option<String> {
    let name = workload.name();
    match workload.kind() {
        Kind::Deployment if look.rollout.replica_set.is_none() => Some(format!(
            "the replica set of the newest roll-out of {name} is not there yet"
        )),
        Kind::StatefulSet if workload.text("/status/updateRevision").is_none() => Some(format!(
            "{name} does not say yet which revision is its newest"
        )),
        Kind::DaemonSet if workload.wanted().is_none() => Some(format!(
            "{name} does not say yet how many nodes are to run it"
        )),
        Kind::Deployment | Kind::StatefulSet | Kind::DaemonSet | Kind::Other => None,
    }
}

/// The counts of the status are not those that are wanted.
fn uncounted(look: &Look<'_>, workload: Workload<'_>) -> Option<String> {
    let counts: &[&str] = match workload.kind() {
        Kind::Deployment => &[
            "updatedReplicas",
            "replicas",
            "readyReplicas",
            "availableReplicas",
        ],
        // Servers before 1.22 do not count what is available.
        Kind::StatefulSet if !workload.is_set("/status/availableReplicas") => {
            &["updatedReplicas", "replicas", "readyReplicas"]
        }
        Kind::StatefulSet => &[
            "updatedReplicas",
            "replicas",
            "readyReplicas",
            "availableReplicas",
        ],
        Kind::DaemonSet => &[
            "updatedNumberScheduled",
            "currentNumberScheduled",
            "numberReady",
            "numberAvailable",
        ],
        Kind::Other => &[],
    };
    let name = workload.name();
    let wanted = workload.wanted()?;
    for count in counts {
        let is = workload.count(count);
        if is != wanted {
            return Some(format!("{name} has {is} of {wanted} pods in {count}"));
        }
    }
    let there = look.rollout.current.len();
    (i64::try_from(there) != Ok(wanted))
        .then(|| format!("{there} of {wanted} pods of the newest roll-out of {name} are there"))
}

/// Pods that share the machine and the Service with those that are to be measured.
fn not_gone(look: &Look<'_>) -> Option<String> {
    let rollout = &look.rollout;
    if let Some(pod) = rollout.former.first() {
        return Some(format!(
            "pod {} of a former roll-out is still there",
            pod::name(pod)
        ));
    }
    let pod = rollout.leaving.first()?;
    Some(format!("pod {} is being removed", pod::name(pod)))
}

fn not_ready(look: &Look<'_>) -> Option<String> {
    let current = &look.rollout.current;
    if let Some(pod) = current.iter().find(|pod| !pod::is_ready(pod)) {
        return Some(format!(
            "pod {} is not ready ({})",
            pod::name(pod),
            state(pod)
        ));
    }
    let needs_pods = look.wanted.ready.is_none();
    (current.is_empty() && needs_pods).then(|| "there is no pod yet".to_owned())
}

/// What a pod that is not ready shows of itself.
fn state(pod: &Pod) -> String {
    let containers = pod::containers(pod);
    let waiting = containers.iter().find_map(|container| {
        let waiting = container.status.state.as_ref()?.waiting.as_ref()?;
        let reason = waiting.reason.as_deref()?;
        Some(format!("container {}: {reason}", container.status.name))
    });
    waiting.unwrap_or_else(|| match pod::phase(pod) {
        "" => "without a phase".to_owned(),
        phase => phase.to_owned(),
    })
}

/// What the file asks the workload itself to show.
fn not_shown(when: &ReadyWhen, workload: Workload<'_>) -> Option<Verdict> {
    let name = workload.name();
    match when {
        ReadyWhen::Condition(wanted) => {
            let condition = workload.condition(wanted);
            let status = condition.map_or("absent", |condition| condition.status);
            let words = condition.map_or("", |condition| condition.message);
            let words = crate::scene::event::quote(words);
            (status != "True")
                .then(|| waits(format!("condition {wanted} of {name} is {status}; {words}")))
        }
        ReadyWhen::Path { path, is } => match path.parse::<JsonPath>() {
            Ok(place) => {
                let found: Vec<String> = place
                    .find(workload.0)
                    .into_iter()
                    .map(|(_, value)| as_text(value))
                    .collect();
                let is_shown = !found.is_empty() && found.iter().all(|text| text == is);
                (!is_shown).then(|| {
                    let seen = if found.is_empty() {
                        "absent".to_owned()
                    } else {
                        found.join(", ")
                    };
                    waits(format!("{path} of {name} is {seen}, not {is}"))
                })
            }
            Err(error) => {
                let why = format!("ready.path cannot be read: {error}; correct it in the file");
                Some(Cause::new(Blame::Configuration, why).stuck())
            }
        },
    }
}

fn as_text(value: &Json) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// All are ready: since when, and whether that is long enough.
fn settled(look: &Look<'_>) -> Verdict {
    let Some(since) = ready_since(look) else {
        return waits("the cluster does not say since when the pods are ready".to_owned());
    };
    let settle = look.wanted.settle;
    let whole = if settle.is_zero() {
        settle
    } else {
        settle.saturating_add(CUT)
    };
    let rest = since
        .checked_add(whole)
        .map(|at| look.now.duration_until(at));
    if let Ok(rest) = rest
        && !rest.is_positive()
    {
        let pods = look
            .rollout
            .current
            .iter()
            .map(|pod| pod::name(pod).to_owned());
        return Verdict::Ready {
            pods: pods.collect(),
            since,
        };
    }
    Verdict::Progressing {
        why: format!("all pods are ready since {since}, which has to last for {settle:?}"),
        look_again: rest.ok().and_then(|rest| rest.try_into().ok()),
    }
}

/// When the last pod became ready. A workload without pods is ready from when it was asked, at the earliest.
fn ready_since(look: &Look<'_>) -> Option<Timestamp> {
    let mut since = None;
    for pod in &look.rollout.current {
        let at = pod::condition(pod, "Ready")?
            .last_transition_time
            .as_ref()?
            .0;
        since = since.max(Some(at));
    }
    since.or(Some(look.wanted.asked_at))
}
