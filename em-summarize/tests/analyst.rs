//! The built-in analyst over histories of blocks.

use std::collections::BTreeMap;

use em_core::id::{BlockNo, TrialId};
use em_core::observe::{
    Block, Comparison, ConstraintHistory, ConstraintState, Enough, History, Quantity, Replication,
    VerdictKind,
};
use em_core::plan::{Direction, Iterations};
use em_core::port::Analyst;
use em_summarize::BuiltInAnalyst;

const ONE: TrialId = TrialId(1);
const TWO: TrialId = TrialId(2);

/// Blocks of a baseline near 100 and of trials at these ratios to it, each with its own noise.
fn history(ratios: &[f64], blocks: u32) -> History {
    let competing: Vec<TrialId> = (1..).take(ratios.len()).map(TrialId).collect();
    let block = |number: u32| {
        let drift = 100.0 + f64::from(number * 7 % 11);
        let values = competing.iter().zip(ratios).map(|(trial, ratio)| {
            let noise = 1.0 + 0.002 * f64::from((number * 5 + trial.0 * 3) % 7) - 0.006;
            (*trial, drift * ratio * noise)
        });
        Block {
            block: BlockNo(number),
            baseline: Some(drift),
            values: values.collect(),
        }
    };
    let quantity = Quantity {
        name: "load.response_time.p99".to_owned(),
        direction: Some(Direction::Minimize),
        equivalent_within: None,
    };
    History {
        comparisons: vec![Comparison {
            quantity,
            blocks: (1..=blocks).map(block).collect(),
        }],
        constraints: vec![],
        competing,
        earlier: 0,
        iterations: Iterations { min: None, max: 12 },
        replication: Replication::Deployment,
        randomized: true,
        screening: false,
    }
}

fn kinds(history: &History) -> Vec<VerdictKind> {
    BuiltInAnalyst
        .compare(history)
        .verdicts
        .into_iter()
        .map(|verdict| verdict.kind)
        .collect()
}

fn stops(history: &History) -> bool {
    matches!(BuiltInAnalyst.enough(history), Enough::Stop { .. })
}

#[test]
fn six_blocks_of_a_tenth_less_are_better_and_the_gain_is_said_with_its_interval() {
    let history = history(&[0.9], 6);
    let judgement = BuiltInAnalyst.compare(&history);
    let verdict = &judgement.verdicts[0];
    assert_eq!((verdict.trial, &verdict.kind), (ONE, &VerdictKind::Better));
    let ratio = verdict.ratio.expect("positive values");
    assert!((ratio - 0.9).abs() < 0.01, "{ratio}");
    let interval = verdict.ratio_interval.clone().expect("six blocks");
    assert!(interval.low < Some(ratio) && interval.high > Some(ratio));
    assert_eq!(interval.method, "Student t over 6 blocks");
    assert_eq!((verdict.p, verdict.blocks), (Some(2.0 / 64.0), 6));
    assert!(verdict.smallest_effect.is_some_and(|effect| effect < 0.02));
    assert_eq!(judgement.levels[0].blocks, 6);
}

#[test]
fn maximizing_turns_the_words_round() {
    let mut history = history(&[0.9], 6);
    history.comparisons[0].quantity.direction = Some(Direction::Maximize);
    assert_eq!(kinds(&history), [VerdictKind::Worse]);
}

#[test]
fn too_few_blocks_say_how_many_it_takes() {
    let VerdictKind::Undecided { why } = kinds(&history(&[0.9, 1.0], 6)).remove(0) else {
        panic!("six blocks cannot decide two comparisons")
    };
    assert_eq!(why, "7 blocks needed, 6 there");
}

#[test]
fn a_sequential_design_is_never_comparable() {
    let mut history = history(&[0.9], 12);
    history.randomized = false;
    let judgement = BuiltInAnalyst.compare(&history);
    let VerdictKind::Undecided { why } = &judgement.verdicts[0].kind else {
        panic!("a verdict")
    };
    assert!(why.starts_with("not comparable"), "{why}");
    assert_eq!(
        (judgement.verdicts[0].p, judgement.verdicts[0].p_adjusted),
        (None, None)
    );
}

#[test]
fn the_same_within_the_margin_is_equivalent() {
    let mut history = history(&[1.0], 12);
    history.comparisons[0].quantity.equivalent_within = Some(0.02);
    assert_eq!(kinds(&history), [VerdictKind::Equivalent]);
}

#[test]
fn values_that_reach_zero_are_compared_by_differences() {
    let mut history = history(&[0.9], 6);
    for block in &mut history.comparisons[0].blocks {
        block.values.insert(ONE, 0.0);
    }
    let judgement = BuiltInAnalyst.compare(&history);
    let verdict = &judgement.verdicts[0];
    assert_eq!((verdict.ratio, &verdict.kind), (None, &VerdictKind::Better));
    assert!(
        verdict
            .difference
            .is_some_and(|difference| difference < -99.0)
    );
}

#[test]
fn screening_gives_levels_and_no_verdicts_and_is_always_enough() {
    let mut history = history(&[0.9, 1.1], 1);
    history.screening = true;
    let judgement = BuiltInAnalyst.compare(&history);
    assert_eq!((judgement.verdicts.len(), judgement.levels.len()), (0, 2));
    assert_eq!(judgement.levels[0].interval, None);
    assert!(stops(&history));
}

#[test]
fn the_first_look_stops_what_is_decided_and_goes_on_with_the_rest_to_the_last() {
    assert!(!stops(&history(&[0.9], 5)));
    assert!(stops(&history(&[0.9], 6)));
    let open = |blocks| history(&[1.0], blocks);
    assert!(!stops(&open(6)) && !stops(&open(9)) && stops(&open(12)));
}

#[test]
fn without_a_baseline_the_least_number_of_blocks_is_enough() {
    let mut history = history(&[1.0], 6);
    for block in &mut history.comparisons[0].blocks {
        block.baseline = None;
    }
    assert!(stops(&history));
    let judgement = BuiltInAnalyst.compare(&history);
    assert_eq!(judgement.verdicts[0].blocks, 0);
    assert!(judgement.levels[0].interval.is_some());
}

#[test]
fn without_an_objective_all_metrics_are_one_family() {
    let mut history = history(&[0.9], 6);
    let mut second = history.comparisons[0].clone();
    second.quantity.name = "cpu.rate".to_owned();
    second.quantity.direction = None;
    history.comparisons.push(second);
    let judgement = BuiltInAnalyst.compare(&history);
    assert_eq!(judgement.verdicts.len(), 2);
    assert_eq!(judgement.verdicts[0].p_adjusted, Some(4.0 / 64.0));
}

#[test]
fn constraints_hold_are_broken_or_open() {
    let mut history = history(&[0.9, 1.0], 3);
    let margins = BTreeMap::from([(ONE, vec![0.5, 0.6, 0.55]), (TWO, vec![-1.0, -1.1, -0.9])]);
    history.constraints = vec![ConstraintHistory {
        text: "cpu.rate <= 2".to_owned(),
        margins,
    }];
    let judgement = BuiltInAnalyst.compare(&history);
    let states: Vec<_> = judgement
        .constraints
        .iter()
        .map(|one| (one.trial, one.state))
        .collect();
    assert_eq!(
        states,
        [
            (ONE, ConstraintState::Holds),
            (TWO, ConstraintState::Broken)
        ]
    );
    assert_eq!(judgement.constraints[0].blocks, 3);
    history.constraints[0].margins = BTreeMap::from([(ONE, vec![0.5])]);
    let open = BuiltInAnalyst.compare(&history).constraints;
    assert!(
        open.iter()
            .all(|one| one.state == ConstraintState::Undecided)
    );
    assert_eq!(open[1].margin, None);
}

#[test]
fn a_trial_that_was_added_is_one_of_the_family_of_those_before() {
    assert!(stops(&history(&[0.9], 6)));
    let added = |blocks| History {
        earlier: 1,
        ..history(&[0.9], blocks)
    };
    assert!(!stops(&added(6)), "two comparisons need seven blocks");
    assert!(stops(&added(7)));
    // Together in the end, each in blocks of its own.
    let mut both = history(&[0.9, 0.8], 13);
    for block in &mut both.comparisons[0].blocks {
        let absent = if block.block.0 <= 6 { 2 } else { 1 };
        block.values.remove(&TrialId(absent));
    }
    assert_eq!(kinds(&both), [VerdictKind::Better, VerdictKind::Better]);
}

#[test]
fn an_empty_history_has_an_empty_judgement() {
    let empty = History {
        comparisons: vec![],
        competing: vec![],
        ..history(&[], 0)
    };
    let judgement = BuiltInAnalyst.compare(&empty);
    assert!(judgement.verdicts.is_empty() && judgement.levels.is_empty());
    assert!(BuiltInAnalyst.hopeless(&empty).is_empty());
    assert!(!stops(&empty));
}

#[test]
fn a_crowd_loses_its_stragglers_and_a_few_do_not() {
    let crowd = history(&[1.0, 0.9, 1.4, 0.91, 1.5, 0.92], 6);
    assert!(BuiltInAnalyst.hopeless(&crowd).contains(&TrialId(5)));
    assert!(!BuiltInAnalyst.hopeless(&crowd).contains(&TrialId(2)));
    assert!(BuiltInAnalyst.hopeless(&history(&[1.0, 2.0], 6)).is_empty());
}
