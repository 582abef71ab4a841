//! Whether the nodes have room for the pods of the plan.
//!
//! A rough count, as the scheduler's own is not to be had: node selectors, labels of the file, taints, CPU, memory and
//! the number of pods are looked at; affinity, spread rules and volumes are not.

use em_core::plan::{ClusterPolicy, Placement, ResourceKind};
use em_core::port::{Finding, Severity};
use serde_json::Value as Json;

use super::demand::{Amount, Range, of_pod, of_running, pods, quantity, surge};
use super::finding::{finding, list_at, name_of, text_at, texts_at, warning};
use super::subject::{Subject, is_over};

/// What is known of the nodes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Nodes<'a> {
    /// The nodes.
    pub(super) all: &'a [Json],
    /// The pods that take room on them.
    pub(super) pods: &'a [Json],
    /// Whether these are the pods of every namespace.
    pub(super) is_complete: bool,
}

/// What is left on a node, in thousandths of a core, bytes and pods.
#[derive(Debug, Clone)]
struct Room {
    cpu: i128,
    memory: i128,
    pods: i64,
    clones: i64,
}

/// What one pod takes.
#[derive(Debug, Clone, Copy)]
struct Pod {
    cpu: i128,
    memory: i128,
}

/// The pods that have to be placed, beside those that stay.
struct Wanted {
    pods: i64,
    leave: bool,
}

/// Room for the smallest and for the largest values.
pub(super) fn check(subject: &Subject<'_>, seen: Nodes<'_>) -> Vec<Finding> {
    let policy = subject.policy();
    if matches!(policy, ClusterPolicy::Observe | ClusterPolicy::Resize) || subject.pod().is_none() {
        return Vec::new();
    }
    let usable: Vec<&Json> = seen
        .all
        .iter()
        .filter(|node| is_usable(subject, node))
        .collect();
    if usable.is_empty() {
        return vec![nowhere(subject, seen.all.len())];
    }
    let (low, high) = pods(subject);
    let cpu = of_pod(subject, Amount::of(ResourceKind::Cpu, false));
    let memory = of_pod(subject, Amount::of(ResourceKind::Memory, false));
    let least = Pod {
        cpu: cpu.low.nanos(),
        memory: memory.low.nanos(),
    };
    let most = Pod {
        cpu: cpu.high.nanos(),
        memory: memory.high.nanos(),
    };
    let fits = |pod: Pod, wanted: &Wanted| fit(subject, &usable, seen.pods, pod, wanted);
    let short = |pod: Pod, pods: i64| {
        let all = wanted(subject, pods);
        all.into_iter().find_map(|wanted| {
            let placed = fits(pod, &wanted);
            (placed < wanted.pods).then_some((placed, wanted.pods))
        })
    };
    let found = short(least, low).map(|lack| (Ends::Least, lack));
    let found = found.or_else(|| short(most, high).map(|lack| (Ends::Most, lack)));
    let Some((ends, (placed, all))) = found else {
        return Vec::new();
    };
    vec![lack(
        subject,
        seen,
        usable.len(),
        ends,
        [cpu, memory],
        placed,
        all,
    )]
}

#[derive(Clone, Copy, PartialEq)]
enum Ends {
    Least,
    Most,
}

fn lack(
    subject: &Subject<'_>,
    seen: Nodes<'_>,
    usable: usize,
    ends: Ends,
    [cpu, memory]: [Range; 2],
    placed: i64,
    all: i64,
) -> Finding {
    let (which, cpu, memory) = match ends {
        Ends::Least => ("smallest", cpu.low, memory.low),
        Ends::Most => ("largest", cpu.high, memory.high),
    };
    let counted = if seen.is_complete {
        "by a rough count"
    } else {
        "by a rough count that sees pods of this namespace only"
    };
    let what = format!(
        "with the {which} values ({cpu} cores and {memory} of memory requested per pod) {placed} of {all} pods of {} find room on {usable} usable of {} nodes, {counted}",
        subject.what(),
        seen.all.len(),
    );
    let remedy = if subject.is_cloned() {
        "take fewer slots or fewer replicas (clones.replicas), narrow the ranges, or add nodes"
    } else {
        "narrow the ranges, let old pods go first (maxSurge: 0), or add nodes"
    };
    // Where nodes come as they are needed, none of this is final.
    let is_final = ends == Ends::Least && !seen.all.iter().any(is_elastic);
    let severity = if is_final {
        Severity::Error
    } else {
        Severity::Warning
    };
    finding(severity, what, Some(remedy.to_owned()))
}

fn nowhere(subject: &Subject<'_>, all: usize) -> Finding {
    warning(
        format!(
            "none of {all} nodes takes pods of {} by node selector, taints and readiness, by a rough count",
            subject.what()
        ),
        "look at its nodeSelector and tolerations, and at `place` of the file",
    )
}

/// Pods to be placed: clones beside all that is there; in place those of the surge, and in the end all new ones.
fn wanted(subject: &Subject<'_>, pods: i64) -> Vec<Wanted> {
    if subject.is_cloned() {
        return vec![Wanted { pods, leave: true }];
    }
    if subject.spec.workload.kind == "daemonset" {
        return Vec::new();
    }
    let beside = Wanted {
        pods: surge(subject, pods),
        leave: true,
    };
    vec![beside, Wanted { pods, leave: false }]
}

/// How many pods find room, each on the first node that has some.
fn fit(subject: &Subject<'_>, nodes: &[&Json], pods: &[Json], pod: Pod, wanted: &Wanted) -> i64 {
    let own = subject.own_pods(pods);
    let is_own = |one: &Json| own.iter().any(|own| std::ptr::eq(*own, one));
    let taking: Vec<&Json> = pods
        .iter()
        .filter(|one| !is_over(one) && (wanted.leave || !is_own(one)))
        .collect();
    let mut rooms: Vec<Room> = nodes
        .iter()
        .filter_map(|node| room(node, &taking))
        .collect();
    let is_spread = subject.is_cloned() && subject.spec.place == Placement::Spread;
    let mut placed = 0;
    while placed < wanted.pods {
        let found = rooms.iter_mut().find(|room| {
            room.cpu >= pod.cpu
                && room.memory >= pod.memory
                && room.pods >= 1
                && !(is_spread && room.clones > 0)
        });
        let Some(room) = found else {
            break;
        };
        room.cpu -= pod.cpu;
        room.memory -= pod.memory;
        room.pods -= 1;
        room.clones += 1;
        placed += 1;
    }
    placed
}

fn room(node: &Json, pods: &[&Json]) -> Option<Room> {
    let allocatable = |key: &str| {
        let amount = node.pointer(&format!("/status/allocatable/{key}"))?;
        quantity(amount)
    };
    let name = name_of(node);
    let on_it = pods
        .iter()
        .filter(|pod| text_at(pod, "/spec/nodeName") == Some(name));
    let mut room = Room {
        cpu: allocatable("cpu")?.nanos(),
        memory: allocatable("memory")?.nanos(),
        pods: allocatable("pods")?.to_integer()?,
        clones: 0,
    };
    for pod in on_it {
        room.cpu -= of_running(pod, Amount::of(ResourceKind::Cpu, false)).nanos();
        room.memory -= of_running(pod, Amount::of(ResourceKind::Memory, false)).nanos();
        room.pods -= 1;
    }
    Some(room)
}

/// Whether the node would take the workload's pods.
fn is_usable(subject: &Subject<'_>, node: &Json) -> bool {
    let labels = texts_at(node, "/metadata/labels");
    let mut selector = subject
        .pod()
        .map_or_else(Vec::new, |pod| texts_at(pod, "/nodeSelector"));
    if let (Placement::Nodes(more), true) = (&subject.spec.place, subject.is_cloned()) {
        selector.extend(
            more.iter()
                .map(|(key, value)| (key.as_str(), value.as_str())),
        );
    }
    let is_ready = list_at(node, "/status/conditions").iter().any(|condition| {
        text_at(condition, "/type") == Some("Ready")
            && text_at(condition, "/status") == Some("True")
    });
    is_ready
        && node.pointer("/spec/unschedulable") != Some(&Json::Bool(true))
        && selector.iter().all(|wanted| labels.contains(wanted))
        && list_at(node, "/spec/taints")
            .iter()
            .all(|taint| is_tolerated(subject, taint))
}

fn is_tolerated(subject: &Subject<'_>, taint: &Json) -> bool {
    if text_at(taint, "/effect") == Some("PreferNoSchedule") {
        return true;
    }
    let tolerations = subject
        .pod()
        .map_or(&[][..], |pod| list_at(pod, "/tolerations"));
    tolerations.iter().any(|toleration| {
        let same =
            |key: &str| toleration.get(key).is_none() || toleration.get(key) == taint.get(key);
        let is_any = text_at(toleration, "/operator") == Some("Exists");
        let is_value = is_any
            || text_at(toleration, "/value").unwrap_or("")
                == text_at(taint, "/value").unwrap_or("");
        same("key") && same("effect") && is_value
    })
}

/// Whether nodes of the cluster come as they are needed.
fn is_elastic(node: &Json) -> bool {
    const POOLS: [&str; 4] = [
        "karpenter.sh/",
        "cloud.google.com/gke-nodepool",
        "eks.amazonaws.com/nodegroup",
        "kubernetes.azure.com/agentpool",
    ];
    let labels = texts_at(node, "/metadata/labels");
    labels
        .iter()
        .any(|(key, _)| POOLS.iter().any(|pool| key.starts_with(pool)))
}
