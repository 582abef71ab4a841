//! Whether a container has CPUs of its own.

use em_core::value::Quantity;

use super::seen::PodSeen;

/// What the kubelet's CPU manager did for a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manager {
    /// It shares the CPUs of the node.
    Shared,
    /// Its CPUs are its own.
    Exclusive,
}

impl Manager {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Shared => "shared",
            Self::Exclusive => "exclusive",
        }
    }
}

/// What the set of CPUs tells. None: the set is not known, or it could be either.
///
/// Only guaranteed pods with whole cores can have CPUs of their own, and then exactly as many as they ask for. A
/// set of that size on a node that has no more CPUs tells nothing.
pub(super) fn manager(pod: &PodSeen, container: &str) -> Option<Manager> {
    let has = count(pod.process.cpus.as_deref()?)?;
    let wanted = pod.container(container)?.pointer("/resources/limits/cpu");
    let wanted: Option<Quantity> = wanted.and_then(|text| text.as_str()?.parse().ok());
    let wanted = wanted.and_then(Quantity::to_integer);
    let is_guaranteed = pod.text("/status/qosClass") == Some("Guaranteed");
    if !is_guaranteed || wanted != Some(has) {
        return Some(Manager::Shared);
    }
    let node = pod.node.as_ref()?.pointer("/status/capacity/cpu")?;
    let node: Quantity = node.as_str()?.parse().ok()?;
    (node.to_integer()? > has).then_some(Manager::Exclusive)
}

/// How many CPUs a list such as `0-3,8` has.
pub(super) fn count(list: &str) -> Option<i64> {
    let mut count: i64 = 0;
    for part in list.trim().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (i64, i64) = (first.parse().ok()?, last.parse().ok()?);
        if last < first {
            return None;
        }
        count = count.checked_add(last.checked_sub(first)?.checked_add(1)?)?;
    }
    Some(count)
}
