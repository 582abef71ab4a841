//! Requests and limits: what was asked against what the cgroup has, else what the kubelet or the pod says.

use std::collections::BTreeSet;

use em_core::port::Fact;
use em_core::value::Quantity;
use serde_json::Value as Json;

use super::agree::{self, Shown};
use super::asked::{Asked, Side, Touched};
use super::cpus;
use super::seen::{CgroupLimit, PodSeen};

/// The smallest CPU limit that a cgroup gets, in thousandths of a core.
const LEAST_MILLI: i128 = 10;
/// Cgroups count memory in pages.
const PAGE: i128 = 4096;
/// Nano-units in one thousandth, and in one.
const NANOS_PER_MILLI: i128 = 1_000_000;
const NANOS: i128 = 1_000_000_000;
/// Text of an amount that is not set.
const NONE: &str = "none";

/// One fact for each amount of CPU and memory, and for each other one that the plan sets.
pub(super) fn facts(asked: &Asked, pods: &[PodSeen]) -> Vec<Fact> {
    let mut amounts: BTreeSet<(Side, String)> = BTreeSet::new();
    for side in [Side::Limit, Side::Request] {
        amounts.extend(["cpu", "memory"].map(|name| (side, name.to_owned())));
    }
    for touched in asked.touched() {
        if let Touched::Amount(side, name) = touched {
            amounts.insert((*side, name.clone()));
        }
    }
    let facts = amounts
        .into_iter()
        .filter_map(|(side, name)| fact(asked, side, &name, pods));
    facts.collect()
}

fn fact(asked: &Asked, side: Side, name: &str, pods: &[PodSeen]) -> Option<Fact> {
    let fact_name = format!("{}.{name}", side.word());
    let container = asked.container();
    if !asked.is_touched(&Touched::Amount(side, name.to_owned())) {
        let shown = pods
            .iter()
            .map(|pod| (pod.name(), Some(spell(seen(pod, container, side, name)))));
        return agree::noted(&fact_name, shown);
    }
    let wanted = asked.container_asked();
    let wanted = wanted.and_then(|wanted| declared(wanted.get("resources"), side, name));
    let shown = pods.iter().map(|pod| {
        let shown = compare(wanted, pod, container, side, name);
        (pod.name(), shown)
    });
    let shown: Vec<_> = shown.collect();
    Some(agree::asked(&fact_name, &spell(wanted), &shown))
}

fn spell(amount: Option<Quantity>) -> String {
    amount.map_or_else(|| NONE.to_owned(), |amount| amount.to_string())
}

/// An amount in a map of resources.
fn declared(resources: Option<&Json>, side: Side, name: &str) -> Option<Quantity> {
    let amount = resources?.get(side.key())?.get(name)?;
    match amount {
        Json::String(text) => text.parse().ok(),
        Json::Number(number) => number.to_string().parse().ok(),
        Json::Null | Json::Bool(_) | Json::Array(_) | Json::Object(_) => None,
    }
}

/// What the kubelet says that it has made so; else what the pod declares. Requests have no better witness.
fn told(pod: &PodSeen, container: &str, side: Side, name: &str) -> Option<Quantity> {
    let status = pod.status(container).and_then(|it| it.get("resources"));
    if status.is_some() {
        return declared(status, side, name);
    }
    let container = pod.container(container);
    declared(container.and_then(|it| it.get("resources")), side, name)
}

/// What the cgroup says, where it is the one to say it.
fn cgroup(pod: &PodSeen, container: &str, side: Side, name: &str) -> Option<CgroupLimit> {
    let limit = match (side, name) {
        (Side::Limit, "cpu") => pod.process.cpu?,
        (Side::Limit, "memory") => pod.process.memory?,
        _ => return None,
    };
    // A container with CPUs of its own is held by them: newer kubelets give it no quota besides.
    let is_held_otherwise = name == "cpu"
        && limit == CgroupLimit::Unlimited
        && cpus::manager(pod, container) == Some(cpus::Manager::Exclusive);
    (!is_held_otherwise).then_some(limit)
}

fn seen(pod: &PodSeen, container: &str, side: Side, name: &str) -> Option<Quantity> {
    match cgroup(pod, container, side, name) {
        Some(CgroupLimit::Of(amount)) => Some(amount),
        Some(CgroupLimit::Unlimited) => None,
        None => told(pod, container, side, name),
    }
}

fn compare(
    wanted: Option<Quantity>,
    pod: &PodSeen,
    container: &str,
    side: Side,
    name: &str,
) -> Shown {
    let is_cgroup = cgroup(pod, container, side, name).is_some();
    let seen = seen(pod, container, side, name);
    let is_same = match (wanted, seen) {
        (Some(wanted), Some(seen)) if is_cgroup => in_cgroup(wanted, name) == seen.nanos(),
        (wanted, seen) => wanted == seen,
    };
    if is_same {
        return Shown::AsAsked;
    }
    // The same spelling as what was asked, so that people can compare.
    let seen = match (seen, wanted) {
        (Some(seen), Some(wanted)) => Some(seen.written_as(wanted.format())),
        (seen, _) => seen,
    };
    Shown::Other(spell(seen))
}

/// What a cgroup makes of a limit: CPU in thousandths, rounded up, and not below a hundredth; memory in whole pages.
fn in_cgroup(limit: Quantity, name: &str) -> i128 {
    let nanos = limit.nanos();
    if name == "cpu" {
        let milli =
            nanos.div_euclid(NANOS_PER_MILLI) + i128::from(nanos.rem_euclid(NANOS_PER_MILLI) != 0);
        return milli.max(LEAST_MILLI) * NANOS_PER_MILLI;
    }
    let bytes = nanos.div_euclid(NANOS) + i128::from(nanos.rem_euclid(NANOS) != 0);
    bytes.div_euclid(PAGE) * PAGE * NANOS
}
