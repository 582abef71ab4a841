//! The rules of the [`Analyst`] port.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::id::{BlockNo, TrialId};
use crate::observe::{
    Batch, Block, Collected, Comparison, CycleState, Enough, History, Observed, Quantity,
    Replication, Steadiness, TimedValue, VerdictKind, Window,
};
use crate::plan::{Direction, Iterations, Warmup};
use crate::port::{Analyst, Clock as _};
use crate::testkit::ManualClock;

/// Puts an analyst through its rules.
///
/// # Panics
/// When a rule is broken.
pub fn analyst(analyst: &dyn Analyst) {
    cycles_follow_the_warmup_and_each_other(analyst);
    a_void_stretch_is_followed_by_another_cycle(analyst);
    more_data_does_not_move_what_was_labelled(analyst);
    no_block_decides_nothing(analyst);
    the_last_block_is_the_last(analyst);
    clear_differences_are_told_apart(analyst);
    only_competing_trials_are_hopeless(analyst);
}

fn seconds(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}

/// So many batches of a second, two cycles of three seconds wanted after a second of warm-up.
fn collected(start: Timestamp, batches: u32) -> Collected {
    let batch = |index: u32| {
        let begins = start + seconds(i64::from(index));
        let value = 10.0 + f64::from(index % 3);
        let points = vec![TimedValue { at: begins, value }];
        Batch {
            index,
            window: Window {
                start: begins,
                end: begins + seconds(1),
            },
            observed: BTreeMap::from([(
                "load.latency".parse().unwrap(),
                Observed::Values { points },
            )]),
        }
    };
    Collected {
        steady_since: start,
        batches: (0..batches).map(batch).collect(),
        leading: Some("load.latency".parse().unwrap()),
        warmup: Warmup::Fixed(Duration::from_secs(1)),
        cycles: 2,
        cycle_duration: Duration::from_secs(3),
        precision: None,
        void: Vec::new(),
    }
}

fn cycles_follow_the_warmup_and_each_other(analyst: &dyn Analyst) {
    let start = ManualClock::new().now();
    for batches in 0..12 {
        let labelled = analyst.label(&collected(start, batches));
        assert!(
            !labelled.method.is_empty(),
            "it does not say how it was found"
        );
        assert!(
            labelled.warmup_end >= start + seconds(1),
            "the warm-up is cut short"
        );
        let mut next = labelled.warmup_end;
        for (cycle, number) in labelled.cycles.iter().zip(0..) {
            assert_eq!(cycle.cycle.0, number, "cycles are numbered from 0");
            assert!(
                cycle.window.start >= next,
                "{} begins too early",
                cycle.window
            );
            next = cycle.window.end;
        }
        let seen = start + seconds(i64::from(batches));
        let kept = labelled.kept().count();
        assert!(kept <= 2, "{kept} cycles are kept, 2 are wanted");
        assert!(
            labelled.kept().all(|cycle| cycle.window.end <= seen),
            "a cycle of the future"
        );
        match labelled.steadiness {
            Steadiness::Enough => assert_eq!(kept, 2, "it is enough too early"),
            Steadiness::Extend { until } => {
                assert!(kept < 2 && until > seen, "it waits for what is there");
            }
            Steadiness::Unstable { why } => panic!("a steady series is unstable: {why}"),
        }
    }
}

fn a_void_stretch_is_followed_by_another_cycle(analyst: &dyn Analyst) {
    let start = ManualClock::new().now();
    let mut collected = collected(start, 7);
    let void = Window {
        start: start + seconds(2),
        end: start + seconds(3),
    };
    collected.void.push((void, "a gap".to_owned()));
    let labelled = analyst.label(&collected);
    let overlaps = |window: Window| window.start < void.end && void.start < window.end;
    for cycle in labelled
        .cycles
        .iter()
        .filter(|cycle| overlaps(cycle.window))
    {
        let is_void = matches!(&cycle.state, CycleState::Void { why } if why.contains("a gap"));
        assert!(is_void, "{cycle:?} holds a void stretch");
    }
    let extends = matches!(labelled.steadiness, Steadiness::Extend { .. });
    assert!(extends, "a void cycle counts");
}

fn more_data_does_not_move_what_was_labelled(analyst: &dyn Analyst) {
    let start = ManualClock::new().now();
    let (short, long) = (collected(start, 5), collected(start, 7));
    let (short, long) = (analyst.label(&short), analyst.label(&long));
    assert_eq!(short.warmup_end, long.warmup_end);
    let known = short.kept().zip(long.kept());
    assert!(known.into_iter().all(|(one, other)| one == other));
}

/// Two trials: the first a fifth below the baseline, the second a fifth above.
fn history(blocks: u32) -> History {
    let (low, high) = (TrialId(1), TrialId(2));
    let block = |number: u32| {
        let baseline = 100.0 + f64::from(number * 7 % 11);
        let noise = f64::from(number % 3) * 0.1;
        Block {
            block: BlockNo(number),
            baseline: Some(baseline),
            values: BTreeMap::from([
                (low, baseline * 0.8 + noise),
                (high, baseline * 1.2 - noise),
            ]),
        }
    };
    let quantity = Quantity {
        name: "load.latency.mean".to_owned(),
        direction: Some(Direction::Minimize),
        equivalent_within: None,
    };
    History {
        comparisons: vec![Comparison {
            quantity,
            blocks: (1..=blocks).map(block).collect(),
        }],
        constraints: Vec::new(),
        competing: vec![low, high],
        earlier: 0,
        iterations: Iterations {
            min: Some(2),
            max: 10,
        },
        replication: Replication::Deployment,
        randomized: true,
        screening: false,
    }
}

fn no_block_decides_nothing(analyst: &dyn Analyst) {
    let history = history(0);
    assert_eq!(
        analyst.enough(&history),
        Enough::Continue,
        "no block is enough"
    );
    for verdict in analyst.compare(&history).verdicts {
        let is_open = matches!(verdict.kind, VerdictKind::Undecided { .. });
        assert!(is_open, "without a block: {verdict:?}");
    }
}

fn the_last_block_is_the_last(analyst: &dyn Analyst) {
    let is_over = matches!(analyst.enough(&history(10)), Enough::Stop { .. });
    assert!(is_over, "more blocks are wanted than are allowed");
}

fn clear_differences_are_told_apart(analyst: &dyn Analyst) {
    let judgement = analyst.compare(&history(10));
    let kind_of = |trial: u32| {
        let of_trial = |verdict: &&crate::observe::Verdict| verdict.trial == TrialId(trial);
        let verdict = judgement.verdicts.iter().find(of_trial);
        let verdict = verdict.unwrap_or_else(|| panic!("trial {trial} has no verdict"));
        assert_eq!(verdict.blocks, 10, "shared blocks of {verdict:?}");
        verdict.kind.clone()
    };
    assert_eq!(kind_of(1), VerdictKind::Better);
    assert_eq!(kind_of(2), VerdictKind::Worse);
    assert_eq!(
        analyst.compare(&history(10)),
        judgement,
        "it is not a function"
    );
}

fn only_competing_trials_are_hopeless(analyst: &dyn Analyst) {
    for blocks in 0..=10 {
        let history = history(blocks);
        let hopeless = analyst.hopeless(&history);
        let known = hopeless
            .iter()
            .all(|trial| history.competing.contains(trial));
        assert!(known, "{hopeless:?} do not compete");
        assert!(!hopeless.contains(&TrialId(1)), "the best is hopeless");
    }
}
