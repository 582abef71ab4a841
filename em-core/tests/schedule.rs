//! Whole experiments played against the scheduler: every step is taken as the engine would take
//! it, iterations answer at once from a formula, and nothing waits.

#![expect(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::float_cmp,
    reason = "a test may panic wherever it likes; its numbers are small and whole"
)]

use std::collections::BTreeMap;

use em_core::experiment::{Experiment, Phase};
use em_core::fault::FaultKind;
use em_core::file::{self, FileContext};
use em_core::id::{Epoch, IterationNo, SlotId, TrialId};
use em_core::journal::{
    Answer, Blame, ExperimentEvent, Failure, InterruptCause, IterationEnd, IterationResult,
    Outcome, Purpose, Stage, Stopped, Timing,
};
use em_core::observe::{
    Collected, Enough, Estimate, History, Judgement, Labelled, MetricSummary, Replication,
    TrialLevel, Verdict, VerdictKind,
};
use em_core::plan::Plan;
use em_core::port::{Analyst, Capacity, SlotInfo, Suggestion, Survey};
use em_core::schedule::{HoldView, Step, View, next};
use em_core::value::{Unit, Value};
use jiff::{SignedDuration, Timestamp};

/// Says `better` below 0.95 of the baseline and `worse` above 1.05, once there are enough blocks.
#[derive(Debug)]
struct Plain;

impl Analyst for Plain {
    fn label(&self, _: &Collected) -> Labelled {
        unreachable!("nothing is collected here")
    }

    fn enough(&self, history: &History) -> Enough {
        let blocks = history
            .comparisons
            .first()
            .map_or(0, |one| one.blocks.len());
        let wanted = history
            .iterations
            .least(u32::try_from(history.competing.len()).unwrap());
        if blocks >= wanted as usize {
            Enough::Stop {
                why: format!("{blocks} blocks"),
            }
        } else {
            Enough::Continue
        }
    }

    fn compare(&self, history: &History) -> Judgement {
        let mut judgement = Judgement::default();
        let Some(comparison) = history.comparisons.first() else {
            return judgement;
        };
        for trial in &history.competing {
            let values: Vec<f64> = comparison
                .blocks
                .iter()
                .filter_map(|b| b.values.get(trial).copied())
                .collect();
            let ratios: Vec<f64> = comparison
                .blocks
                .iter()
                .filter_map(|b| Some(b.values.get(trial)? / b.baseline?))
                .collect();
            let mean = |all: &[f64]| all.iter().sum::<f64>() / all.len() as f64;
            if values.is_empty() {
                continue;
            }
            judgement.levels.push(TrialLevel {
                trial: *trial,
                quantity: comparison.quantity.name.clone(),
                mean: mean(&values),
                interval: None,
                blocks: values.len() as u32,
            });
            let ratio = (!ratios.is_empty()).then(|| mean(&ratios));
            let kind = match ratio {
                Some(ratio) if ratio < 0.95 => VerdictKind::Better,
                Some(ratio) if ratio > 1.05 => VerdictKind::Worse,
                Some(_) => VerdictKind::Equivalent,
                None => VerdictKind::Undecided {
                    why: "nothing to compare with".into(),
                },
            };
            judgement.verdicts.push(Verdict {
                trial: *trial,
                quantity: comparison.quantity.name.clone(),
                kind,
                ratio,
                ratio_interval: None,
                difference: None,
                difference_interval: None,
                p: None,
                p_adjusted: None,
                blocks: ratios.len() as u32,
                smallest_effect: None,
                replication: history.replication,
            });
        }
        judgement
    }

    fn hopeless(&self, _: &History) -> Vec<TrialId> {
        Vec::new()
    }
}

type Ends<'a> = dyn Fn(&Experiment, TrialId, IterationNo) -> IterationEnd + 'a;

struct Play<'a> {
    experiment: Experiment,
    holds: BTreeMap<SlotId, HoldView>,
    now: Timestamp,
    events: Vec<ExperimentEvent>,
    slots: u32,
    ends: &'a Ends<'a>,
    suggestions: Vec<Suggestion>,
    asked: Vec<u32>,
    most_at_once: usize,
}

impl<'a> Play<'a> {
    fn of(plan: Plan, slots: u32, ends: &'a Ends<'a>) -> Self {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let created = ExperimentEvent::Created {
            plan: Box::new(plan),
        };
        let mut experiment = Experiment::created(now, &created).unwrap();
        let started = ExperimentEvent::Started {
            epoch: Epoch {
                store: "00".into(),
                counter: 1,
            },
        };
        experiment.apply(now, &started).unwrap();
        Self {
            experiment,
            holds: BTreeMap::new(),
            now,
            events: vec![created, started],
            slots,
            ends,
            suggestions: Vec::new(),
            asked: Vec::new(),
            most_at_once: 0,
        }
    }

    fn suggesting(mut self, suggestions: Vec<Suggestion>) -> Self {
        self.suggestions = suggestions.into_iter().rev().collect();
        self
    }

    fn append(&mut self, event: ExperimentEvent) {
        self.experiment
            .apply(self.now, &event)
            .unwrap_or_else(|error| panic!("{error}: {event:?}"));
        if let ExperimentEvent::HoldOpened { slot, .. } = &event {
            self.holds.insert(*slot, HoldView::Held);
        }
        self.events.push(event);
        self.now += SignedDuration::from_secs(1);
    }

    /// Plays to the end; panics where nothing moves any more.
    fn run(mut self) -> Self {
        for _ in 0..20_000 {
            if matches!(
                self.experiment.phase(),
                Phase::Finished { .. } | Phase::Paused { .. }
            ) {
                return self;
            }
            let steps = next(&View {
                experiment: &self.experiment,
                holds: &self.holds,
                stranded: &BTreeMap::new(),
                analyst: &Plain,
                now: self.now,
            });
            let stuck = steps.is_empty() && self.experiment.active().is_empty();
            assert!(
                !stuck,
                "stuck in {:?} after {:?}",
                self.experiment.phase(),
                self.events.last()
            );
            for step in steps {
                self.take(step);
            }
            self.end_what_runs();
        }
        panic!("it never ends");
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Append(event) => self.append(event),
            Step::Survey => {
                let slots = (0..self.slots)
                    .map(|id| SlotInfo {
                        id: SlotId(id),
                        label: String::new(),
                    })
                    .collect();
                self.append(ExperimentEvent::Surveyed {
                    survey: Survey {
                        slots,
                        ..Survey::default()
                    },
                });
            }
            Step::Ask { wanted } => {
                self.asked.push(wanted);
                let answer = self.suggestions.pop().unwrap_or(Suggestion::Done {
                    why: "nothing left".into(),
                });
                self.append(ExperimentEvent::Asked { answer });
            }
            Step::CloseHold { slot, n, .. } => {
                self.holds.remove(&slot);
                self.append(ExperimentEvent::HoldClosed {
                    slot,
                    n,
                    refused: None,
                    note: None,
                });
            }
            Step::CancelIteration { trial, iteration } => {
                let end = IterationEnd::Interrupted {
                    stage: Some(Stage::Collect),
                    cause: InterruptCause::CalledOff,
                };
                self.append(ExperimentEvent::IterationEnded {
                    trial,
                    iteration,
                    end,
                });
            }
            Step::Report => {
                let digest = em_core::id::Digest::of(b"report");
                self.append(ExperimentEvent::ReportDue { digest });
            }
            Step::WaitUntil(until) => self.now = until,
        }
    }

    fn end_what_runs(&mut self) {
        self.most_at_once = self.most_at_once.max(self.experiment.active().len());
        let running: Vec<_> = self.experiment.active().keys().copied().collect();
        for (trial, iteration) in running {
            let end = (self.ends)(&self.experiment, trial, iteration);
            self.append(ExperimentEvent::IterationEnded {
                trial,
                iteration,
                end,
            });
        }
    }

    fn conclusion(&self) -> (Stopped, Answer, Option<TrialId>) {
        let conclusion = self.experiment.phase().conclusion().expect("it has ended");
        (conclusion.stopped, conclusion.answer, conclusion.winner)
    }

    fn count(&self, wanted: impl Fn(&ExperimentEvent) -> bool) -> usize {
        self.events.iter().filter(|event| wanted(event)).count()
    }
}

fn plan(text: &str) -> Plan {
    file::parse(text.as_bytes(), &FileContext::bare())
        .unwrap_or_else(|violations| panic!("{violations}"))
        .plan
}

const LISTED: &str = "
name: listed
target: { kind: simulated, model: { latency: values.x }, slots: 1 }
tunables: [{ name: x, range: [1, 100], default: 50, apply: { env: X } }]
metrics: [{ name: latency, datasource: target, as: value, query: latency, unit: s }]
load: { kind: none }
objective: { minimize: latency.value }
trials: [{ id: a, values: { x: 40 } }, { id: b, values: { x: 60 } }]
";

fn searched(extra: &str) -> Plan {
    let text = LISTED.replace(
        "trials: [{ id: a, values: { x: 40 } }, { id: b, values: { x: 60 } }]",
        "",
    );
    plan(&format!("{text}{extra}"))
}

fn configuration(x: i64) -> em_core::configuration::Configuration {
    [("x".parse().unwrap(), Value::from(x))]
        .into_iter()
        .collect()
}

fn value_of(experiment: &Experiment, trial: TrialId) -> f64 {
    let configuration = experiment
        .trial(trial)
        .unwrap()
        .configuration
        .clone()
        .unwrap();
    configuration
        .get(&"x".parse().unwrap())
        .unwrap()
        .to_f64()
        .unwrap()
}

fn measured(value: f64) -> IterationEnd {
    let estimate = Estimate {
        value,
        interval: None,
        estimator: "made up".into(),
        quantile_type: None,
        n: 1,
        effective_n: None,
        replication: Replication::Window,
    };
    let mut summary = MetricSummary::missing(Unit::Seconds, "");
    summary.problems.clear();
    summary.estimates.insert("value".into(), estimate);
    IterationEnd::Done(Box::new(IterationResult {
        summary: [("latency".parse().unwrap(), summary)]
            .into_iter()
            .collect(),
        capacity: None,
        timing: Timing::default(),
        remarks: Vec::new(),
    }))
}

fn by_formula(experiment: &Experiment, trial: TrialId, _: IterationNo) -> IterationEnd {
    measured(value_of(experiment, trial))
}

fn failed(blame: Blame) -> IterationEnd {
    IterationEnd::Failed(Failure {
        stage: Stage::Verify,
        blame,
        fault: Some(FaultKind::Unavailable),
        message: "no".into(),
    })
}

#[test]
fn listed_trials_are_compared_in_as_many_blocks_as_the_comparisons_need() {
    let play = Play::of(plan(LISTED), 1, &by_formula).run();
    assert_eq!(
        play.conclusion(),
        (Stopped::AllMeasured, Answer::Found, Some(TrialId(1)))
    );
    let blocks = play.experiment.complete_blocks(Purpose::Measuring).count();
    assert_eq!(blocks, 7, "two comparisons need seven blocks");
    assert!(
        play.experiment
            .blocks()
            .iter()
            .all(|block| block.places.len() == 3)
    );
    assert_eq!(play.most_at_once, 1);
    assert_eq!(
        play.count(|e| matches!(e, ExperimentEvent::HoldOpened { .. })),
        1
    );
    assert!(
        play.holds.is_empty(),
        "an experiment is finished only when its holds are released"
    );
}

#[test]
fn a_block_runs_in_waves_as_wide_as_the_slots() {
    let text = LISTED.replace("slots: 1", "slots: 2");
    let play = Play::of(plan(&text), 2, &by_formula).run();
    assert_eq!(play.most_at_once, 2);
    assert!(
        play.experiment
            .blocks()
            .iter()
            .all(|block| block.waves.len() == 2)
    );
    assert_eq!(play.conclusion().2, Some(TrialId(1)));
}

#[test]
fn the_same_seed_plays_the_same_experiment() {
    let play = || Play::of(plan(LISTED), 1, &by_formula).run().events;
    assert_eq!(play(), play());
}

#[test]
fn replaying_the_events_gives_the_same_experiment() {
    let play = Play::of(plan(LISTED), 1, &by_formula).run();
    let at = play.experiment.last_event();
    let mut again = Experiment::created(at, &play.events[0]).unwrap();
    for event in &play.events[1..] {
        let text = serde_json::to_string(event).unwrap();
        let read: ExperimentEvent = serde_json::from_str(&text).unwrap();
        again.apply(at, &read).unwrap();
    }
    assert_eq!(again.phase(), play.experiment.phase());
    assert_eq!(again.blocks().len(), play.experiment.blocks().len());
    assert_eq!(again.next_seq(), play.experiment.next_seq());
}

#[test]
fn proposed_trials_are_screened_and_the_best_verified_in_fresh_blocks() {
    let plan = searched(
        "search: { method: random, parallel: 2, blocks: 1, verify: 2 }\nbudget: { trials: 4 }\n",
    );
    let round = |a, b| Suggestion::Try(vec![configuration(a), configuration(b)]);
    let play = Play::of(plan, 1, &by_formula)
        .suggesting(vec![round(70, 30), round(20, 90)])
        .run();
    let (stopped, answer, winner) = play.conclusion();
    assert_eq!((stopped, answer), (Stopped::Budget, Answer::Found));
    let winner = play.experiment.trial(winner.unwrap()).unwrap();
    assert_eq!(value_of(&play.experiment, winner.id), 20.0);
    assert!(winner.verifies().is_some(), "only verified trials win");
    assert_eq!(
        play.experiment.complete_blocks(Purpose::Verifying).count(),
        7
    );
    assert_eq!(play.asked, [2, 2]);
    // The second round holds the baseline, its two trials and the incumbent.
    let second: Vec<_> = play
        .experiment
        .complete_blocks(Purpose::Screening { round: 2 })
        .collect();
    assert_eq!(second[0].places.len(), 4);
}

#[test]
fn a_recommender_that_runs_in_circles_ends_the_search() {
    let plan = searched(
        "search: { method: random, parallel: 1, blocks: 1, verify: 1 }\nbudget: { trials: 9 }\n",
    );
    let again = || Suggestion::Try(vec![configuration(30)]);
    let play = Play::of(plan, 1, &by_formula)
        .suggesting(vec![again(), again()])
        .run();
    assert_eq!(play.conclusion().0, Stopped::NoProgress);
    assert_eq!(play.experiment.proposed(), 1);
}

#[test]
fn a_waiting_recommender_is_asked_again_and_its_slot_let_go_meanwhile() {
    let plan = searched(
        "search: { method: random, parallel: 1, blocks: 1, verify: 1 }\nbudget: { trials: 2 }\n",
    );
    let play = Play::of(plan, 1, &by_formula)
        .suggesting(vec![
            Suggestion::Try(vec![configuration(30)]),
            Suggestion::Wait {
                again_after: std::time::Duration::from_mins(10),
            },
            Suggestion::Try(vec![configuration(20)]),
        ])
        .run();
    assert_eq!(play.asked.len(), 3);
    assert_eq!(
        play.count(|e| matches!(e, ExperimentEvent::HoldClosed { .. })),
        2
    );
    assert_eq!(play.conclusion().1, Answer::Found);
}

#[test]
fn a_failure_is_repeated_once_and_a_second_one_ends_the_trial() {
    let ends = |experiment: &Experiment, trial: TrialId, n: IterationNo| match trial.0 {
        1 => failed(Blame::Configuration),
        2 if n.0 == 1 => failed(Blame::Cluster),
        _ => by_formula(experiment, trial, n),
    };
    let play = Play::of(plan(LISTED), 1, &ends).run();
    let first = play.experiment.trial(TrialId(1)).unwrap();
    assert!(matches!(first.outcome, Some(Outcome::Infeasible { .. })));
    assert_eq!(first.placed, 2, "confirmed once");
    let second = play.experiment.trial(TrialId(2)).unwrap();
    assert_eq!(second.outcome, Some(Outcome::Measured));
    assert_eq!(second.lost, 0);
}

#[test]
fn a_block_without_its_baseline_is_drawn_again_at_most_twice() {
    let always = |_: &Experiment, trial: TrialId, _: IterationNo| match trial {
        TrialId::BASELINE => failed(Blame::Target),
        _ => measured(1.0),
    };
    let play = Play::of(plan(LISTED), 1, &always).run();
    assert_eq!(
        play.count(|e| matches!(e, ExperimentEvent::BlockVoided { .. })),
        2
    );
    assert_eq!(play.conclusion().0, Stopped::Failed);
}

#[test]
fn the_third_death_of_the_manager_in_one_stage_ends_the_trial() {
    let ends = |experiment: &Experiment, trial: TrialId, n: IterationNo| match trial.0 {
        1 => IterationEnd::Interrupted {
            stage: Some(Stage::Collect),
            cause: InterruptCause::ManagerDied,
        },
        _ => by_formula(experiment, trial, n),
    };
    let play = Play::of(plan(LISTED), 1, &ends).run();
    let first = play.experiment.trial(TrialId(1)).unwrap();
    assert_eq!(first.placed, 3);
    let Some(Outcome::Failed { blame, why }) = &first.outcome else {
        panic!("{first:?}")
    };
    assert_eq!(*blame, Blame::Manager);
    assert!(why.contains("3 times in stage collect"), "{why}");
}

#[test]
fn an_interrupted_iteration_is_repeated_under_a_new_number_and_does_not_count() {
    let ends = |experiment: &Experiment, trial: TrialId, n: IterationNo| {
        if trial.0 == 1 && n.0 <= 5 {
            IterationEnd::Interrupted {
                stage: None,
                cause: InterruptCause::Asked,
            }
        } else {
            by_formula(experiment, trial, n)
        }
    };
    let play = Play::of(plan(LISTED), 1, &ends).run();
    assert_eq!(
        play.experiment.trial(TrialId(1)).unwrap().outcome,
        Some(Outcome::Measured)
    );
    assert_eq!(play.conclusion().2, Some(TrialId(1)));
}

#[test]
fn the_sequential_design_measures_one_trial_after_the_other() {
    let text = format!(
        "{LISTED}measurement: {{ design: sequential, iterations: {{ min: 3, max: 3 }} }}\n"
    );
    let play = Play::of(plan(&text), 1, &by_formula).run();
    let order: Vec<u32> = play
        .events
        .iter()
        .filter_map(|event| match event {
            ExperimentEvent::Placed { trial, .. } => Some(trial.0),
            _ => None,
        })
        .collect();
    assert_eq!(order, [0, 0, 0, 1, 1, 1, 2, 2, 2]);
}

#[test]
fn cancelling_ends_what_runs_puts_everything_back_and_still_answers() {
    let mut play = Play::of(plan(LISTED), 1, &by_formula);
    play.append(ExperimentEvent::Cancelled {
        by: "somebody".into(),
        request: None,
    });
    let play = play.run();
    assert_eq!(
        play.conclusion(),
        (Stopped::Cancelled, Answer::NothingMeasured, None)
    );
    assert!(matches!(play.experiment.phase(), Phase::Finished { .. }));
}

#[test]
fn the_capacity_is_found_before_anything_is_compared() {
    let text = LISTED.replace(
        "load: { kind: none }",
        "load: { kind: http, url: \"http://{{address}}/\" }",
    );
    let ends = |experiment: &Experiment, trial: TrialId, n: IterationNo| {
        let mut end = by_formula(experiment, trial, n);
        if n.0 == 0
            && let IterationEnd::Done(result) = &mut end
        {
            result.capacity = Some(Capacity {
                rate: 1000.0,
                evidence: String::new(),
            });
        }
        end
    };
    let play = Play::of(plan(&text), 1, &ends).run();
    assert_eq!(play.experiment.rate(), Some(600.0));
    let calibrated = play
        .events
        .iter()
        .position(|e| matches!(e, ExperimentEvent::Calibrated { .. }))
        .unwrap();
    let drawn = play
        .events
        .iter()
        .position(|e| matches!(e, ExperimentEvent::BlockDrawn { .. }))
        .unwrap();
    assert!(calibrated < drawn);
}

#[test]
fn a_plan_with_quantities_is_the_same_plan_after_the_journal() {
    let text = LISTED.replace(
        "tunables: [",
        "tunables: [{ name: memory, range: [512Mi, 4Gi], default: 1Gi, apply: { env: M } }, ",
    );
    let plan = plan(&text.replace("{ x: 40 }", "{ x: 40, memory: 2Gi }"));
    let created = ExperimentEvent::Created {
        plan: Box::new(plan.clone()),
    };
    let stored = serde_json::to_string(&created).unwrap();
    let read: ExperimentEvent = serde_json::from_str(&stored).unwrap();
    let again = Experiment::created(Timestamp::UNIX_EPOCH, &read).unwrap();
    assert_eq!(again.amendment(&plan), Ok(None));
}

#[test]
fn a_recommender_hears_of_the_baseline_in_the_same_terms_as_of_the_trials() {
    let plan = searched(
        "search: { method: random, parallel: 1, blocks: 1, verify: 1 }\nbudget: { trials: 1 }\n",
    );
    let heard = |ends: &Ends<'_>| {
        let play = Play::of(plan.clone(), 1, ends)
            .suggesting(vec![Suggestion::Try(vec![configuration(25)])])
            .run();
        let (holds, stranded) = (BTreeMap::new(), BTreeMap::new());
        let view = View {
            experiment: &play.experiment,
            holds: &holds,
            stranded: &stranded,
            analyst: &Plain,
            now: play.now,
        };
        let past = em_core::schedule::past_trials(&view);
        past.iter()
            .map(|one| one.objective.unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        heard(&by_formula),
        [1.0, 0.5],
        "ratios where all values are positive"
    );
    let negative = |experiment: &Experiment, trial: TrialId, _: IterationNo| {
        measured(-value_of(experiment, trial))
    };
    assert_eq!(
        heard(&negative),
        [-50.0, -25.0],
        "values where they are not"
    );
}
