//! Pods that the cluster does not let in.

use em_core::journal::Blame;
use jiff::Timestamp;

use super::super::Verdict;
use super::super::look::{Cause, Look};
use crate::scene::event::{self, quote};
use crate::scene::pod;
use crate::scene::workload::{Kind, Workload};

/// Words of a refusal, whose fault it is, what to do, and whether it may pass by itself.
struct Refusal {
    says: &'static str,
    blame: Blame,
    advice: &'static str,
    may_pass: bool,
}

const fn refusal(says: &'static str, blame: Blame, advice: &'static str) -> Refusal {
    Refusal {
        says,
        blame,
        advice,
        may_pass: false,
    }
}

const fn passing(says: &'static str, blame: Blame, advice: &'static str) -> Refusal {
    Refusal {
        says,
        blame,
        advice,
        may_pass: true,
    }
}

/// The first that fits counts.
const REFUSALS: [Refusal; 11] = [
    passing(
        "exceeded quota",
        Blame::Configuration,
        "the quota of the namespace is used up; lower requests or replicas, or raise the quota",
    ),
    refusal(
        "failed quota",
        Blame::Configuration,
        "the quota wants every pod to say what it needs; set these requests and limits",
    ),
    refusal(
        "usage per ",
        Blame::Configuration,
        "a LimitRange of the namespace forbids it; stay within it",
    ),
    refusal(
        "limit to request ratio",
        Blame::Configuration,
        "a LimitRange of the namespace forbids it; stay within it",
    ),
    passing(
        "failed calling webhook",
        Blame::Cluster,
        "an admission webhook does not answer; see who runs it",
    ),
    refusal(
        "denied the request",
        Blame::Configuration,
        "an admission webhook refuses it; change what it names, or have the rule changed",
    ),
    refusal(
        "ValidatingAdmissionPolicy",
        Blame::Configuration,
        "a policy of the cluster refuses it; change what it names, or have the policy changed",
    ),
    refusal(
        "violates PodSecurity",
        Blame::Configuration,
        "the pod security of the namespace forbids it; change what it names",
    ),
    passing(
        "error looking up service account",
        Blame::Target,
        "make the service account, or name one that is there",
    ),
    refusal(
        "is invalid",
        Blame::Configuration,
        "correct the values that it names",
    ),
    // Whatever else is said.
    passing("", Blame::Configuration, "change what it names"),
];

pub(super) fn judge(look: &Look<'_>, workload: Workload<'_>) -> Option<Verdict> {
    let (words, since) = of_set(look)
        .or_else(|| of_workload(look, workload))
        .or_else(|| told(look, workload))?;
    let refusal = REFUSALS
        .iter()
        .find(|refusal| words.contains(refusal.says))?;
    let why = format!(
        "{} gets no pods: {}; {}",
        workload.name(),
        quote(&words),
        refusal.advice
    );
    let cause = Cause::new(refusal.blame, why);
    if !refusal.may_pass {
        return Some(cause.stuck());
    }
    if gives_way(look, workload) {
        return Some(cause.waits(None));
    }
    Some(look.in_a_moment(since, cause))
}

/// What the newest replica set says of itself.
fn of_set(look: &Look<'_>) -> Option<(String, Option<Timestamp>)> {
    let status = look.rollout.replica_set?.status.as_ref()?;
    let failure = status
        .conditions
        .iter()
        .flatten()
        .find(|condition| condition.type_ == "ReplicaFailure" && condition.status == "True")?;
    let since = failure.last_transition_time.as_ref().map(|time| time.0);
    let words = failure.message.clone().unwrap_or_default();
    (failure.reason.as_deref() != Some("FailedDelete")).then_some((words, since))
}

/// What a deployment says that has seen its newest generation.
fn of_workload(look: &Look<'_>, workload: Workload<'_>) -> Option<(String, Option<Timestamp>)> {
    let is_seen = workload.observed()? >= workload.generation()?;
    let failure = workload.condition("ReplicaFailure")?;
    let counts = failure.status == "True" && failure.reason == "FailedCreate" && is_seen;
    (counts && look.counts(failure.updated.or(failure.since)))
        .then(|| (failure.message.to_owned(), failure.since))
}

/// Sets of pods that have no such condition, but tell.
fn told(look: &Look<'_>, workload: Workload<'_>) -> Option<(String, Option<Timestamp>)> {
    if !matches!(workload.kind(), Kind::StatefulSet | Kind::DaemonSet) {
        return None;
    }
    let has_all = workload
        .wanted()
        .is_some_and(|wanted| i64::try_from(look.rollout.current.len()) == Ok(wanted));
    // Their pods are not of one roll-out alone: what was told before it was asked is over.
    let asked = look.wanted.asked_at;
    let newest = look
        .events(workload.uid())
        .filter(|told| event::reason(told) == "FailedCreate")
        .filter(|told| event::last(told).is_none_or(|last| last.as_second() >= asked.as_second()))
        .max_by_key(|told| event::last(told))?;
    let since = event::first(newest).map(|first| first.max(asked));
    (!has_all).then(|| (event::message(newest).to_owned(), since))
}

/// Whether former pods will make room without anybody's doing.
fn gives_way(look: &Look<'_>, workload: Workload<'_>) -> bool {
    let former = &look.rollout.former;
    let leaving = &look.rollout.leaving;
    let is_leaving = former.iter().any(|one| pod::is_leaving(one)) || !leaving.is_empty();
    is_leaving || (!former.is_empty() && lets_go(workload))
}

/// Whether a roll-out removes former pods before new ones are ready.
fn lets_go(workload: Workload<'_>) -> bool {
    if workload.kind() != Kind::Deployment {
        return false;
    }
    if workload.text("/spec/strategy/type") == Some("Recreate") {
        return true;
    }
    let most = workload.at("/spec/strategy/rollingUpdate/maxUnavailable");
    let wanted = workload.wanted().unwrap_or(1);
    let percent = |text: &str| text.strip_suffix('%')?.parse::<i64>().ok();
    match most {
        None => wanted / 4 >= 1,
        Some(most) => {
            let share = most.as_str().and_then(percent);
            let part = share.map(|share| share.saturating_mul(wanted) / 100);
            most.as_i64().or(part).unwrap_or(0) >= 1
        }
    }
}
