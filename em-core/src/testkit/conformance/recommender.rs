//! The rules of the [`Recommender`] port.

use std::sync::Arc;

use super::{an_epoch, context, experiment};
use crate::configuration::Configuration;
use crate::id::TrialId;
use crate::journal::OutcomeKind;
use crate::plan::Plan;
use crate::port::{PastTrial, Recommender, Suggestion};

/// A recommender and a plan that it searches.
#[derive(Debug)]
pub struct RecommenderScene {
    /// The recommender.
    pub recommender: Arc<dyn Recommender>,
    /// The plan.
    pub plan: Arc<Plan>,
}

/// Rounds until a suite has seen enough of an endless search.
const ROUNDS: u64 = 12;
const WANTED: u32 = 3;

/// Puts a recommender through its rules.
///
/// # Panics
/// When a rule is broken.
pub async fn recommender<F>(fresh: F)
where
    F: AsyncFn() -> RecommenderScene,
{
    let scene = fresh().await;
    let mut history: Vec<PastTrial> = Vec::new();
    for seq in 1..=ROUNDS {
        let Some(proposed) = ask(&scene, seq, &history).await else {
            break;
        };
        fits(&scene.plan, &proposed, &history);
        // Odd rounds still run when the next is asked for; some of the others went wrong.
        for (configuration, index) in proposed.into_iter().zip(0..) {
            history.push(past(seq, index, configuration));
        }
        for one in &history {
            let cx = context(&an_epoch(), experiment(&scene.plan.name, seq));
            let told = scene.recommender.observe(&cx, one).await;
            told.expect("an outcome is taken, more than once");
        }
    }
    assert!(!history.is_empty(), "it never proposed anything");
}

/// Asks twice under one key; none where it is done.
async fn ask(
    scene: &RecommenderScene,
    seq: u64,
    history: &[PastTrial],
) -> Option<Vec<Configuration>> {
    let cx = context(&an_epoch(), experiment(&scene.plan.name, seq));
    let ask = || async {
        let answer = scene.recommender.suggest(&cx, &scene.plan, history, WANTED);
        answer.await.expect("it answers")
    };
    let (first, second) = (ask().await, ask().await);
    assert_eq!(first, second, "one key has two answers");
    match first {
        Suggestion::Try(proposed) => Some(proposed),
        Suggestion::Wait { again_after } => {
            assert!(
                !again_after.is_zero(),
                "it wants to be asked without a pause"
            );
            None
        }
        Suggestion::Done { why } => {
            assert!(!why.is_empty(), "it is done and does not say why");
            None
        }
    }
}

fn fits(plan: &Plan, proposed: &[Configuration], history: &[PastTrial]) {
    assert!(!proposed.is_empty(), "it says try, and nothing to try");
    assert!(proposed.len() <= WANTED as usize, "more than was asked for");
    for (index, one) in proposed.iter().enumerate() {
        let is_known = history
            .iter()
            .any(|past| past.configuration.as_ref() == Some(one));
        assert!(!is_known, "{one:?} was tried before");
        assert!(
            !proposed[..index].contains(one),
            "{one:?} is proposed twice"
        );
        for (name, value) in one.iter() {
            let tunable = plan.tunables.iter().find(|tunable| tunable.name == *name);
            let tunable = tunable.unwrap_or_else(|| panic!("there is no tunable {name}"));
            let is_special = tunable
                .special
                .iter()
                .any(|special| special.value == *value);
            let fits = tunable.domain.contains(value) || is_special;
            assert!(fits, "{value} is no value of {name}");
        }
    }
}

fn past(seq: u64, index: u32, configuration: Configuration) -> PastTrial {
    let number = u32::try_from(seq).unwrap() * WANTED + index;
    let outcome = match (seq % 2, index) {
        (1, _) => None,
        (_, 0) => Some(OutcomeKind::Measured),
        (_, 1) => Some(OutcomeKind::Infeasible),
        _ => Some(OutcomeKind::Failed),
    };
    let is_measured = outcome == Some(OutcomeKind::Measured);
    PastTrial {
        trial: TrialId(number),
        configuration: Some(configuration),
        outcome,
        objective: is_measured.then(|| 1.0 + 0.01 * f64::from(number % 7)),
        standard_error: is_measured.then_some(0.01),
        blocks: u32::from(is_measured) * 2,
        feasible: is_measured.then_some(true),
    }
}
