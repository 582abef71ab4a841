//! Labels on collections: warm-up, cycles, void stretches, enough or not.

use std::collections::BTreeMap;
use std::time::Duration;

use em_core::observe::{
    Batch, Collected, CycleState, Labelled, Observed, Steadiness, TimedValue, Window,
};
use em_core::plan::{Precision, Warmup};
use em_core::port::Analyst;
use em_summarize::BuiltInAnalyst;
use jiff::Timestamp;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).expect("a time of this century")
}

fn window(start: i64, end: i64) -> Window {
    Window {
        start: at(start),
        end: at(end),
    }
}

/// One value per second from steady load on.
fn collected(seconds: i64, value: impl Fn(i64) -> f64) -> Collected {
    let batch = |second: i64| {
        let points = vec![TimedValue {
            at: at(second),
            value: value(second),
        }];
        Batch {
            index: u32::try_from(second).expect("seconds from 0"),
            window: window(second, second + 1),
            observed: BTreeMap::from([(
                "latency".parse().expect("a name"),
                Observed::Values { points },
            )]),
        }
    };
    Collected {
        steady_since: at(0),
        batches: (0..seconds).map(batch).collect(),
        leading: Some("latency".parse().expect("a name")),
        warmup: Warmup::Auto {
            expected: Duration::from_secs(5),
            at_most: Duration::from_mins(1),
        },
        cycles: 3,
        cycle_duration: Duration::from_secs(10),
        precision: None,
        void: vec![],
    }
}

fn ripple(second: i64) -> f64 {
    10.0 + [0.3, -0.1, 0.2, -0.4, 0.1, -0.2, 0.4, -0.3]
        [usize::try_from((second * 5 + second / 8) % 8).expect("not negative")]
}

fn label(collected: &Collected) -> Labelled {
    BuiltInAnalyst.label(collected)
}

fn windows(labelled: &Labelled) -> Vec<Window> {
    labelled.kept().map(|cycle| cycle.window).collect()
}

/// The same observations as the runs of a tool that took this many seconds each.
fn in_runs(seconds: i64, runs: i64) -> Collected {
    let one = collected(1, ripple).batches.remove(0);
    let batch = |run: i64| Batch {
        index: u32::try_from(run).expect("runs from 0"),
        window: window(run * seconds, (run + 1) * seconds),
        observed: one.observed.clone(),
    };
    Collected {
        batches: (0..runs).map(batch).collect(),
        warmup: Warmup::Fixed(Duration::from_secs(5)),
        ..collected(0, ripple)
    }
}

#[test]
fn cycles_end_with_the_run_of_a_tool_that_took_a_little_longer_or_shorter() {
    let longer = label(&in_runs(11, 4));
    assert_eq!(
        windows(&longer),
        [window(11, 22), window(22, 33), window(33, 44)]
    );
    assert_eq!(longer.steadiness, Steadiness::Enough);
    let shorter = label(&in_runs(9, 4));
    assert_eq!(
        windows(&shorter),
        [window(9, 18), window(18, 27), window(27, 36)]
    );
    assert_eq!(shorter.steadiness, Steadiness::Enough);
    // Many short runs make up a cycle, too.
    let short = label(&in_runs(4, 9));
    assert_eq!(
        windows(&short),
        [window(8, 20), window(20, 32)],
        "ten seconds are nearest to three runs of four"
    );
}

#[test]
fn a_steady_series_keeps_the_expected_warmup_and_its_cycles_follow() {
    let labelled = label(&collected(35, ripple));
    assert_eq!(labelled.warmup_end, at(5));
    assert_eq!(
        windows(&labelled),
        [window(5, 15), window(15, 25), window(25, 35)]
    );
    assert_eq!(labelled.steadiness, Steadiness::Enough);
    assert_eq!(labelled.method, "MSER-2 over 35 values of latency");
}

#[test]
fn a_longer_warmup_is_cut_off_and_asks_for_the_time_it_took() {
    let warming = |s: i64| ripple(s) + if s < 14 { 5.0 } else { 0.0 };
    let labelled = label(&collected(35, warming));
    assert!(
        (at(14)..=at(16)).contains(&labelled.warmup_end),
        "{}",
        labelled.warmup_end
    );
    let Steadiness::Extend { until } = labelled.steadiness else {
        panic!("one cycle is missing")
    };
    assert!((at(44)..=at(46)).contains(&until), "{until}");
}

#[test]
fn a_series_that_still_falls_is_extended_and_at_last_unstable() {
    let falling = |s: i64| 1000.0 - to_f64(s) * 5.0;
    assert!(matches!(
        label(&collected(35, falling)).steadiness,
        Steadiness::Extend { .. }
    ));
    let labelled = label(&collected(95, falling));
    let Steadiness::Unstable { why } = labelled.steadiness else {
        panic!("{labelled:?}")
    };
    assert!(why.contains("latency"), "{why}");
}

#[test]
fn a_fixed_warmup_is_taken_as_it_is() {
    let mut fixed = collected(45, |s| 1000.0 - to_f64(s) * 5.0);
    fixed.warmup = Warmup::Fixed(Duration::from_secs(12));
    let labelled = label(&fixed);
    assert_eq!(
        (labelled.warmup_end, labelled.method.as_str()),
        (at(12), "fixed")
    );
    assert_eq!(labelled.steadiness, Steadiness::Enough);
}

#[test]
fn a_cycle_that_touches_a_void_stretch_is_void_and_has_a_successor() {
    let mut gap = collected(35, ripple);
    gap.void = vec![(window(17, 18), "a gap of the scrape".to_owned())];
    let labelled = label(&gap);
    let void = CycleState::Void {
        why: "a gap of the scrape".to_owned(),
    };
    assert_eq!(labelled.cycles[1].state, void);
    assert_eq!(labelled.steadiness, Steadiness::Extend { until: at(45) });
    gap.batches = collected(45, ripple).batches;
    let labelled = label(&gap);
    assert_eq!(
        windows(&labelled),
        [window(5, 15), window(25, 35), window(35, 45)]
    );
    assert_eq!(labelled.steadiness, Steadiness::Enough);
}

#[test]
fn a_few_values_leave_the_expected_warmup() {
    let labelled = label(&collected(8, |s| 100.0 / to_f64(s + 1)));
    assert_eq!(labelled.warmup_end, at(5));
    assert!(labelled.method.contains("too few"), "{}", labelled.method);
    assert_eq!(labelled.steadiness, Steadiness::Extend { until: at(35) });
}

#[test]
fn without_a_batch_or_a_leading_metric_it_says_how_long_to_wait() {
    let mut nothing = collected(0, ripple);
    nothing.leading = None;
    assert_eq!(
        label(&nothing).steadiness,
        Steadiness::Extend { until: at(35) }
    );
}

#[test]
fn cycles_begin_with_a_batch() {
    let mut shifted = collected(40, ripple);
    shifted.warmup = Warmup::Auto {
        expected: Duration::from_millis(5300),
        at_most: Duration::from_mins(1),
    };
    assert_eq!(label(&shifted).warmup_end, at(6));
}

#[test]
fn precision_goes_on_until_it_is_reached_or_time_is_up() {
    let mut precise = collected(205, ripple);
    let within = |relative| Precision {
        relative,
        max_iteration: Duration::from_secs(200),
    };
    precise.precision = Some(within(0.02));
    assert_eq!(label(&precise).steadiness, Steadiness::Enough);
    precise.batches.truncate(100);
    assert!(matches!(
        label(&precise).steadiness,
        Steadiness::Extend { .. }
    ));
    precise.batches = collected(205, ripple).batches;
    precise.precision = Some(within(1e-9));
    assert_eq!(label(&precise).steadiness, Steadiness::Enough);
}

fn to_f64(second: i64) -> f64 {
    f64::from(i32::try_from(second).expect("a few seconds"))
}
