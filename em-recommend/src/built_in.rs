//! The built-in recommender: the port over the pure methods of this crate.

use async_trait::async_trait;
use em_core::fault::{Fault, FaultKind};
use em_core::journal::OutcomeKind;
use em_core::plan::{Direction, Plan, SearchMethod, Suggester};
use em_core::port::{OpContext, PastTrial, Recommender, Suggestion};

use crate::bayesian::{bayesian, initial_points};
use crate::grid::grid;
use crate::history::{Known, Past};
use crate::latin_hypercube::latin_hypercube;
use crate::random::random;
use crate::space::Point;
use crate::translate::Translation;

/// Points of a Latin hypercube where the plan limits the number of trials by nothing.
const DESIGN_WITHOUT_BUDGET: usize = 20;

/// Proposes configurations by the method and seed that the plan names.
///
/// Holds no state: the same plan and history give the same answer, so a repeated call is one call.
#[derive(Debug, Clone, Copy, Default)]
pub struct BuiltIn;

#[async_trait]
impl Recommender for BuiltIn {
    async fn suggest(
        &self,
        _cx: &OpContext,
        plan: &Plan,
        history: &[PastTrial],
        wanted: u32,
    ) -> Result<Suggestion, Fault> {
        let Some((method, seed)) = method_of(plan) else {
            return Err(Fault::new(
                FaultKind::Invalid,
                "failed to suggest a configuration: the plan names no built-in search \
                 (use search: {kind: built-in})",
            ));
        };
        Ok(suggest(plan, history, wanted, method, seed))
    }
}

fn method_of(plan: &Plan) -> Option<(SearchMethod, u64)> {
    match &plan.search.as_ref()?.suggester {
        Suggester::BuiltIn { method, seed } => Some((*method, *seed)),
        Suggester::Custom { .. } | _ => None,
    }
}

fn suggest(
    plan: &Plan,
    history: &[PastTrial],
    wanted: u32,
    method: SearchMethod,
    seed: u64,
) -> Suggestion {
    let translation = Translation::new(&plan.tunables);
    let space = translation.space();
    let direction = plan
        .objective
        .as_ref()
        .map_or(Direction::Minimize, |some| some.direction);
    let lower = lower_is_better(history, direction);
    let past: Vec<Past> = history
        .iter()
        .filter_map(|trial| past(&translation, trial, lower))
        .collect();
    let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
    let budget = plan
        .budget
        .trials
        .and_then(|trials| usize::try_from(trials).ok());
    let points: Vec<Point> = match method {
        SearchMethod::Gp => {
            // At least half of a small budget is left for what was learned.
            let most = budget.map_or(usize::MAX, |trials| (trials / 2).max(2));
            bayesian(space, &past, wanted, initial_points(space).min(most), seed)
        }
        SearchMethod::LatinHypercube => latin_hypercube(
            space,
            &past,
            wanted,
            budget.unwrap_or(DESIGN_WITHOUT_BUDGET),
            seed,
        ),
        SearchMethod::Grid => grid(space, &past, wanted, seed),
        SearchMethod::Random => random(space, &past, wanted, seed),
    };
    if points.is_empty() {
        let why = format!(
            "every configuration of the space was proposed ({} known)",
            past.len()
        );
        return Suggestion::Done { why };
    }
    Suggestion::Try(
        points
            .iter()
            .map(|point| translation.decode(point))
            .collect(),
    )
}

/// What a trial teaches; none where its configuration lies outside the space.
fn past(translation: &Translation, trial: &PastTrial, lower: fn(f64) -> f64) -> Option<Past> {
    let point = translation.encode(trial.configuration.as_ref()?)?;
    let measured = trial
        .objective
        .filter(|value| value.is_finite() && trial.blocks > 0);
    let known = match (trial.outcome, measured) {
        (Some(OutcomeKind::Infeasible), None) => Known::Infeasible,
        (Some(OutcomeKind::Failed | OutcomeKind::Invalid | OutcomeKind::Cancelled), None) => {
            Known::Lost
        }
        (_, Some(value)) => Known::Measured {
            value: lower(value),
            blocks: trial.blocks,
            feasible: trial.feasible.unwrap_or(true)
                && trial.outcome != Some(OutcomeKind::Infeasible),
        },
        (Some(OutcomeKind::Measured), None) => Known::Lost,
        (None, None) => Known::Pending,
    };
    Some(Past { point, known })
}

/// Turns objectives so that less is better: by the inverse where all are positive, because ratios
/// to the baseline spread by factors, by the negative elsewhere.
fn lower_is_better(history: &[PastTrial], direction: Direction) -> fn(f64) -> f64 {
    let positive = history
        .iter()
        .filter_map(|trial| trial.objective)
        .all(|value| value > 0.0);
    match direction {
        Direction::Minimize => |value| value,
        Direction::Maximize if positive => |value| value.recip(),
        Direction::Maximize => |value| -value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use em_core::configuration::Configuration;
    use em_core::file::{FileContext, parse};
    use em_core::id::TrialId;

    fn plan(search: &str, direction: &str) -> Plan {
        let text = format!(
            "name: demo\n\
             target: {{ kind: process, command: [sleep, '{{{{a}}}}', '{{{{b}}}}'] }}\n\
             tunables:\n\
             - {{ name: a, range: [1, 16], default: 2 }}\n\
             - {{ name: b, choices: [x, y], default: x }}\n\
             load: {{ kind: http, url: 'http://127.0.0.1:1/', rate: 10 }}\n\
             objective: {{ {direction}: load.response_time.p99 }}\n\
             search: {search}\n\
             budget: {{ trials: 20 }}\n"
        );
        parse(text.as_bytes(), &FileContext::bare()).unwrap().plan
    }

    fn trial(number: u32, configuration: &Configuration, objective: Option<f64>) -> PastTrial {
        PastTrial {
            trial: TrialId(number),
            configuration: Some(configuration.clone()),
            outcome: objective.map(|_| OutcomeKind::Measured),
            objective,
            standard_error: None,
            blocks: u32::from(objective.is_some()),
            feasible: None,
        }
    }

    fn configurations(suggestion: Suggestion) -> Vec<Configuration> {
        match suggestion {
            Suggestion::Try(configurations) => configurations,
            Suggestion::Wait { .. } | Suggestion::Done { .. } => vec![],
        }
    }

    fn ask(plan: &Plan, history: &[PastTrial], wanted: u32) -> Suggestion {
        let (method, seed) = method_of(plan).unwrap();
        suggest(plan, history, wanted, method, seed)
    }

    fn run(plan: &Plan, score: impl Fn(f64, bool) -> f64) -> Vec<(f64, bool, f64)> {
        let mut history = Vec::new();
        let mut found = Vec::new();
        while history.len() < 20 {
            let number = u32::try_from(history.len()).unwrap() + 1;
            let next = configurations(ask(plan, &history, 1)).remove(0);
            let a = next.get(&"a".parse().unwrap()).unwrap().to_f64().unwrap();
            let is_x = next.get(&"b".parse().unwrap()) == Some(&"x".into());
            found.push((a, is_x, score(a, is_x)));
            history.push(trial(number, &next, Some(score(a, is_x))));
        }
        found
    }

    #[test]
    fn the_best_configuration_is_found_whichever_way_is_better() {
        let latency = |a: f64, is_x: bool| 1.0 + (a - 11.0).powi(2) / 40.0 + f64::from(is_x);
        let plan_down = plan("{ kind: built-in, method: gp }", "minimize");
        assert!(
            run(&plan_down, latency)
                .iter()
                .any(|(a, is_x, _)| (*a - 11.0).abs() < 0.5 && !is_x)
        );
        let mut plan_up = plan_down;
        plan_up.objective.as_mut().unwrap().direction = Direction::Maximize;
        let rate = |a, is_x| 1.0 / latency(a, is_x);
        assert!(
            run(&plan_up, rate)
                .iter()
                .any(|(a, is_x, _)| (*a - 11.0).abs() < 0.5 && !is_x)
        );
    }

    #[test]
    fn an_answer_replays_bit_for_bit() {
        let plan = plan("{ kind: built-in, method: gp }", "minimize");
        let score = |a: f64, is_x: bool| a + f64::from(is_x);
        assert_eq!(run(&plan, score), run(&plan, score));
    }

    #[test]
    fn every_method_ends_when_the_space_is_used_up() {
        for method in ["gp", "grid", "random", "latin-hypercube"] {
            let plan = plan(
                &format!("{{ kind: built-in, method: {method} }}"),
                "minimize",
            );
            let all = configurations(ask(&plan, &[], 1000));
            assert_eq!(all.len(), 32, "{method}");
            let history: Vec<PastTrial> = all
                .iter()
                .zip(1..)
                .map(|(one, number)| trial(number, one, None))
                .collect();
            assert!(
                matches!(ask(&plan, &history, 1), Suggestion::Done { .. }),
                "{method}"
            );
        }
    }

    #[test]
    fn the_best_that_runs_is_found_beside_much_that_does_not() {
        let plan = plan("{ kind: built-in, method: gp }", "minimize");
        let mut history: Vec<PastTrial> = Vec::new();
        while history.len() < 14 {
            let next = configurations(ask(&plan, &history, 1)).remove(0);
            let a = next.get(&"a".parse().unwrap()).unwrap().to_f64().unwrap();
            // Less is better, and below 6 nothing runs.
            let mut one = trial(1, &next, (a >= 6.0).then_some(a));
            if a < 6.0 {
                one.outcome = Some(OutcomeKind::Infeasible);
            }
            history.push(one);
        }
        assert!(history.iter().any(|trial| trial.objective == Some(6.0)));
    }
}
