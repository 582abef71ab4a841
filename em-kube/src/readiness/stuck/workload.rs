//! Workloads that do not go on.

use em_core::journal::Blame;

use super::super::Verdict;
use super::super::look::{Cause, Look};
use super::super::rollout::template_annotation;
use super::probe;
use crate::mark;
use crate::scene::event::quote;
use crate::scene::pod;
use crate::scene::workload::{Kind, Workload};

/// It is being removed.
pub(super) fn removed(workload: Workload<'_>) -> Option<Verdict> {
    workload.is_set("/metadata/deletionTimestamp").then(|| {
        let why = format!(
            "{} is being removed by somebody else; see who manages it",
            workload.name()
        );
        Cause::new(Blame::Cluster, why).stuck()
    })
}

pub(super) fn judge(look: &Look<'_>, workload: Workload<'_>) -> Vec<Verdict> {
    let rules = [
        paused,
        empty,
        changed_back,
        deadline,
        former_kept,
        former_blocks,
    ];
    let found = rules.iter().filter_map(|rule| rule(look, workload));
    found.collect()
}

fn paused(_: &Look<'_>, workload: Workload<'_>) -> Option<Verdict> {
    let is_paused = workload.at("/spec/paused")?.as_bool()?;
    (is_paused && workload.kind() == Kind::Deployment).then(|| {
        let name = workload.name();
        let why = format!(
            "the roll-outs of {name} are paused; resume them: kubectl rollout resume {name}"
        );
        Cause::new(Blame::Target, why).stuck()
    })
}

/// It wants no pods at all.
fn empty(look: &Look<'_>, workload: Workload<'_>) -> Option<Verdict> {
    let is_seen = workload.observed()? >= workload.generation()?;
    (workload.wanted()? == 0 && is_seen).then(|| {
        let (blame, advice) = match workload.kind() {
            Kind::DaemonSet => (
                Blame::Target,
                "make its selector and tolerations fit a node",
            ),
            Kind::Deployment | Kind::StatefulSet | Kind::Other => {
                (Blame::Configuration, "ask for at least 1 replica")
            }
        };
        let why = format!(
            "{} wants no pods, so there is nothing to measure; {advice}",
            workload.name()
        );
        look.in_a_moment(Some(look.wanted.asked_at), Cause::new(blame, why))
    })
}

/// Somebody else has changed the template after us.
fn changed_back(look: &Look<'_>, workload: Workload<'_>) -> Option<Verdict> {
    let wanted = look.wanted.iteration?;
    if workload.kind() == Kind::Other {
        return None;
    }
    let has = workload.template_annotation(mark::ITERATION);
    if has == Some(wanted) {
        return None;
    }
    let has = has.unwrap_or("nothing");
    let why = format!(
        "the template of {} says {has} in {}, not {wanted}: somebody else changed it back; see who manages it (GitOps, an operator, another experiment)",
        workload.name(),
        mark::ITERATION,
    );
    let cause = Cause::new(Blame::Cluster, why);
    if was_rolled_out(look, wanted) {
        // Pods and workloads are watched apart: what is seen of the workload may be older than its pods.
        return Some(look.in_a_moment(Some(look.wanted.asked_at), cause));
    }
    // What we see may be older than what was written.
    Some(look.unless_shown(cause))
}

/// Whether this iteration was there before: then its absence is no delay.
fn was_rolled_out(look: &Look<'_>, iteration: &str) -> bool {
    let scene = look.scene;
    let of_pod = |each| pod::annotation(each, mark::ITERATION) == Some(iteration);
    let of_set = |set| template_annotation(set, mark::ITERATION) == Some(iteration);
    scene.pods.iter().any(of_pod) || scene.replica_sets.iter().any(of_set)
}

fn deadline(look: &Look<'_>, workload: Workload<'_>) -> Option<Verdict> {
    let progress = workload.condition("Progressing")?;
    let is_over = progress.status == "False" && progress.reason == "ProgressDeadlineExceeded";
    let is_seen = workload.observed()? >= workload.generation()?;
    if !(is_over && is_seen && look.counts(progress.updated.or(progress.since))) {
        return None;
    }
    let current = &look.rollout.current;
    let words = current
        .iter()
        .filter(|each| !pod::is_ready(each))
        .find_map(|each| probe::words(look, each));
    let (blame, told) = match words {
        Some(words) => (Blame::Configuration, format!(" ({words})")),
        None => (Blame::Target, String::new()),
    };
    let why = format!(
        "{} was not ready before its own deadline: {}{told}; see why its pods do not become ready, or raise progressDeadlineSeconds",
        workload.name(),
        quote(progress.message),
    );
    Some(Cause::new(blame, why).stuck())
}

/// Pods of former roll-outs stay by the workload's own rule.
fn former_kept(look: &Look<'_>, workload: Workload<'_>) -> Option<Verdict> {
    if !matches!(workload.kind(), Kind::StatefulSet | Kind::DaemonSet) {
        return None;
    }
    let kept = look
        .rollout
        .former
        .iter()
        .find(|each| !pod::is_leaving(each))?;
    let waits_for_removal = workload.text("/spec/updateStrategy/type") == Some("OnDelete");
    let partition = workload
        .number("/spec/updateStrategy/rollingUpdate/partition")
        .unwrap_or(0);
    let ordinal = pod::name(kept)
        .rsplit_once('-')
        .and_then(|(_, last)| last.parse::<i64>().ok());
    let is_below = ordinal.is_some_and(|ordinal| ordinal < partition);
    let (rule, advice) = if waits_for_removal {
        (
            "updateStrategy OnDelete",
            "set it to RollingUpdate, or delete the pods".to_owned(),
        )
    } else if is_below {
        (
            "updateStrategy.rollingUpdate.partition",
            format!("it is {partition}, set it to 0"),
        )
    } else {
        return None;
    };
    let why = format!(
        "pod {} keeps the template of a former roll-out by {rule} of {}; {advice}",
        pod::name(kept),
        workload.name(),
    );
    Some(look.in_a_moment(Some(look.wanted.asked_at), Cause::new(Blame::Target, why)))
}

/// A stateful set waits for a former pod that will not become ready, and never replaces it itself.
fn former_blocks(look: &Look<'_>, workload: Workload<'_>) -> Option<Verdict> {
    let is_ordered = workload.text("/spec/podManagementPolicy") != Some("Parallel");
    if workload.kind() != Kind::StatefulSet || !is_ordered {
        return None;
    }
    let blocks =
        |each: &&&k8s_openapi::api::core::v1::Pod| !pod::is_leaving(each) && !pod::is_ready(each);
    let kept = look.rollout.former.iter().find(blocks)?;
    let name = pod::name(kept);
    let why = format!(
        "pod {name} of a former roll-out of {} is not ready, and a StatefulSet waits for it before it goes on; delete it: kubectl delete pod {name}",
        workload.name(),
    );
    let since = pod::condition(kept, "Ready").and_then(|ready| ready.last_transition_time.as_ref());
    let since = since.map(|time| time.0.max(look.wanted.asked_at));
    Some(look.in_a_moment(since, Cause::new(Blame::Target, why)))
}
