//! Whether a `ResourceQuota` of the namespace has room for what the plan adds.

use em_core::plan::{ClusterPolicy, ResourceKind};
use em_core::port::Finding;
use em_core::value::Quantity;
use serde_json::Value as Json;

use super::demand::{Amount, of_pod, of_running, pods, quantity, sum, surge};
use super::finding::{error, list_at, name_of, note, warning};
use super::subject::Subject;

/// The least and the most that is added while the plan runs.
type Added = (Quantity, Quantity);

/// Every quota of the namespace.
pub(super) fn check(subject: &Subject<'_>, quotas: &[Json]) -> Vec<Finding> {
    let mut findings = Vec::new();
    if subject.policy() == ClusterPolicy::Observe {
        return findings;
    }
    for quota in quotas {
        let name = name_of(quota);
        let is_scoped = !list_at(quota, "/spec/scopes").is_empty()
            || quota.pointer("/spec/scopeSelector").is_some();
        if is_scoped {
            findings.push(note(format!(
                "ResourceQuota {name} counts some pods only; whether it has room was not judged"
            )));
            continue;
        }
        let hard = quota.pointer("/status/hard").and_then(Json::as_object);
        for (key, most) in hard.into_iter().flatten() {
            let used = quota.pointer("/status/used").and_then(|used| used.get(key));
            let (Some(most), Some(used)) = (quantity(most), used.and_then(quantity)) else {
                continue;
            };
            if let Some(added) = added(subject, key) {
                findings.extend(judge(name, key, (most, used), added));
            }
        }
    }
    findings
}

fn judge(
    name: &str,
    key: &str,
    (most, used): (Quantity, Quantity),
    added: Added,
) -> Option<Finding> {
    let room = most.checked_sub(used)?;
    let (low, high) = added;
    if high <= room || high <= Quantity::ZERO {
        return None;
    }
    let what = format!(
        "ResourceQuota {name} has room for {room} of {key} ({used} of {most} is used), and the plan adds"
    );
    Some(if low > room {
        error(
            format!("{what} {low} at the least"),
            "raise the quota, or take fewer slots, fewer replicas or smaller values",
        )
    } else {
        warning(
            format!("{what} up to {high}: such trials fail"),
            "raise the quota, or narrow the ranges",
        )
    })
}

/// What the plan adds to a counter of a quota. None: it is not one that is judged here.
fn added(subject: &Subject<'_>, key: &str) -> Option<Added> {
    let amount = |resource, is_limit| Amount::of(resource, is_limit);
    match key {
        "cpu" | "requests.cpu" => added_amount(subject, amount(ResourceKind::Cpu, false)),
        "memory" | "requests.memory" => added_amount(subject, amount(ResourceKind::Memory, false)),
        "limits.cpu" => added_amount(subject, amount(ResourceKind::Cpu, true)),
        "limits.memory" => added_amount(subject, amount(ResourceKind::Memory, true)),
        "pods" | "count/pods" => {
            let (low, high) = added_pods(subject);
            Some((count(low)?, count(high)?))
        }
        "services" | "count/services" if subject.is_cloned() && subject.spec.service.is_some() => {
            let slots = count(i64::from(subject.spec.slots))?;
            Some((slots, slots))
        }
        "secrets" | "count/secrets" if subject.is_in_place() => Some((count(1)?, count(1)?)),
        key if subject.is_cloned()
            && key == format!("count/{}s.apps", subject.spec.workload.kind) =>
        {
            let slots = count(i64::from(subject.spec.slots))?;
            Some((slots, slots))
        }
        _ => None,
    }
}

fn count(number: i64) -> Option<Quantity> {
    number.to_string().parse().ok()
}

/// Pods beside those that are there.
fn added_pods(subject: &Subject<'_>) -> (i64, i64) {
    let (low, high) = pods(subject);
    if subject.is_cloned() {
        return (low, high);
    }
    if subject.policy() == ClusterPolicy::Resize {
        return (0, 0);
    }
    let live = subject.replicas();
    let grown = |pods: i64| (pods - live).max(0) + surge(subject, pods.max(live));
    (grown(low), grown(high))
}

fn added_amount(subject: &Subject<'_>, amount: Amount) -> Option<Added> {
    let pod = of_pod(subject, amount);
    let (low, high) = pods(subject);
    if subject.is_cloned() {
        return Some((pod.low.checked_mul(low)?, pod.high.checked_mul(high)?));
    }
    let template = subject.object.pointer("/spec/template")?;
    let today = if amount.is_limit {
        super::demand::limit_of_running(template, amount.resource)
    } else {
        of_running(template, amount)
    };
    let live = subject.replicas();
    let extra = if subject.policy() == ClusterPolicy::Resize {
        0
    } else {
        surge(subject, high.max(live))
    };
    // While it rolls out, pods of both kinds are there; in the end only the new ones.
    let grown = |new: Quantity, pods: i64| {
        let at_the_end = new
            .checked_mul(pods)?
            .checked_sub(today.checked_mul(live)?)?;
        let extra = new.checked_mul(extra)?;
        Some(sum(at_the_end.max(Quantity::ZERO), extra))
    };
    Some((grown(pod.low, low)?, grown(pod.high, high)?))
}
