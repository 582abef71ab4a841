//! Waiting until a deployment is ready, and comparing what runs with what was asked.

use super::iteration::IterationPerformer;
use crate::engine::blame::{Patience, failed, failure};
use crate::engine::caller::{between, later};
use crate::journal::{Blame, Failure, Stage};
use crate::machine::Running;
use crate::port::{DeployPlan, Fact, Readiness};

/// The longest time without another look, whatever the target says of changes.
const LOOK_AGAIN: std::time::Duration = std::time::Duration::from_secs(5);

pub(super) async fn verify(
    iteration: &IterationPerformer,
    deployment: &DeployPlan,
) -> Result<Running, Failure> {
    let (ports, plan) = (&iteration.session.ports, &iteration.session.plan);
    let caller = &iteration.caller;
    let begun = iteration.stamps.begun.unwrap_or_else(|| caller.now());
    let deadline = later(begun, plan.timeouts.deploy);
    loop {
        let look = caller
            .call(
                "look whether it is ready",
                Patience::look(plan),
                |cx| async move { ports.target.readiness(&cx, deployment).await },
            )
            .await;
        let why = match look.map_err(|fault| failure(Stage::Verify, &fault))? {
            Readiness::Ready { facts, addresses } => {
                judge(&facts).map_err(|why| failed(Stage::Verify, Blame::Target, why))?;
                return Ok(Running { facts, addresses });
            }
            Readiness::Stuck { why, blame } => return Err(failed(Stage::Verify, blame, why)),
            Readiness::Progressing { why } => why,
        };
        let left = between(caller.now(), deadline);
        if left.is_zero() {
            let limit = crate::value::duration::spell(plan.timeouts.deploy);
            let message = format!("not ready within {limit}: {why}");
            return Err(failed(Stage::Verify, Blame::Configuration, message));
        }
        let cx = caller.context(left);
        let wait = left.min(LOOK_AGAIN);
        drop(tokio::time::timeout(wait, ports.target.changed(&cx)).await);
    }
}

/// Whether what runs is what was asked; where not, all differences in one sentence.
pub(super) fn judge(facts: &[Fact]) -> Result<(), String> {
    let differs = |fact: &&Fact| fact.asked.is_some() && fact.asked != fact.seen;
    let spelled = |fact: &Fact| {
        let asked = fact.asked.as_deref().unwrap_or_default();
        match &fact.seen {
            Some(seen) => format!("{} asked {asked} seen {seen}", fact.name),
            None => format!("{} asked {asked} but absent", fact.name),
        }
    };
    let differences: Vec<_> = facts.iter().filter(differs).map(spelled).collect();
    if differences.is_empty() {
        return Ok(());
    }
    let differences = differences.join(", ");
    Err(format!("what runs is not what was asked: {differences}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fact(name: &str, asked: Option<&str>, seen: Option<&str>) -> Fact {
        Fact {
            name: name.to_owned(),
            asked: asked.map(str::to_owned),
            seen: seen.map(str::to_owned),
        }
    }

    #[test]
    fn what_was_not_asked_for_may_be_anything() {
        let facts = [
            fact("env.PATH", None, Some("/bin")),
            fact("env.X", Some("4"), Some("4")),
        ];
        assert_eq!(judge(&facts), Ok(()));
    }

    #[test]
    fn every_difference_is_named() {
        let facts = [
            fact("env.X", Some("4"), Some("2")),
            fact("arg.1", Some("-a"), None),
        ];
        assert_eq!(
            judge(&facts).unwrap_err(),
            "what runs is not what was asked: env.X asked 4 seen 2, arg.1 asked -a but absent"
        );
    }
}
