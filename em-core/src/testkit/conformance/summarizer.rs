//! The rules of the [`Summarizer`] port.

use crate::id::CycleNo;
use crate::observe::{Kept, Observations, Observed, Replication, Statistic, TimedValue, Window};
use crate::port::Summarizer;
use jiff::{SignedDuration, Timestamp};

/// Puts a summarizer through its rules.
///
/// # Panics
/// When a rule is broken.
pub fn summarizer(summarizer: &dyn Summarizer) {
    let names = summarizer.statistics();
    assert!(
        names.iter().all(|name| !name.is_empty()),
        "a statistic has no name"
    );
    of_nothing_nothing_is_said(summarizer);
    the_same_question_has_the_same_answer(summarizer);
    every_number_is_finite_and_says_what_it_is(summarizer);
    a_mean_lies_within_what_was_seen_and_follows_its_scale(summarizer);
    what_is_not_known_is_left_out_with_the_reason(summarizer);
}

fn wanted() -> Vec<Statistic> {
    let names = ["count", "min", "max", "mean", "sd", "median", "p90", "last"];
    names.iter().map(|name| name.parse().unwrap()).collect()
}

/// Two cycles of five values each.
fn seen(scale: f64) -> Observations {
    let start = Timestamp::UNIX_EPOCH;
    let cycle = |number: u32| {
        let begins = start + SignedDuration::from_secs(i64::from(number) * 5);
        let value = |second: u32| TimedValue {
            at: begins + SignedDuration::from_secs(i64::from(second)),
            value: scale * f64::from(3 + (number * 5 + second) * 7 % 11),
        };
        Kept {
            cycle: CycleNo(number),
            batch: number,
            window: Window {
                start: begins,
                end: begins + SignedDuration::from_secs(5),
            },
            observed: Observed::Values {
                points: (0..5).map(value).collect(),
            },
        }
    };
    Observations {
        kept: vec![cycle(0), cycle(1)],
        replication: Replication::Window,
    }
}

fn of_nothing_nothing_is_said(summarizer: &dyn Summarizer) {
    let nothing = Observations {
        kept: Vec::new(),
        replication: Replication::Window,
    };
    let summary = summarizer.summarize(&nothing, &wanted());
    let said: Vec<_> = summary
        .estimates
        .keys()
        .filter(|name| *name != "count")
        .collect();
    assert!(said.is_empty(), "of nothing it says {said:?}");
    assert!(
        !summary.problems.is_empty(),
        "it does not say why it says nothing"
    );
}

fn the_same_question_has_the_same_answer(summarizer: &dyn Summarizer) {
    let ask = || summarizer.summarize(&seen(1.0), &wanted());
    assert_eq!(ask(), ask(), "it is not a function of what was seen");
}

fn every_number_is_finite_and_says_what_it_is(summarizer: &dyn Summarizer) {
    let summary = summarizer.summarize(&seen(1.0), &wanted());
    assert!(
        !summary.estimates.is_empty(),
        "of ten values it says nothing: {summary:?}"
    );
    for (name, estimate) in &summary.estimates {
        assert!(estimate.value.is_finite(), "{name} is {}", estimate.value);
        assert!(
            !estimate.estimator.is_empty(),
            "{name} does not name its estimator"
        );
        assert!(estimate.n > 0, "{name} is of no values");
    }
}

fn a_mean_lies_within_what_was_seen_and_follows_its_scale(summarizer: &dyn Summarizer) {
    let mean = |scale: f64| {
        let summary = summarizer.summarize(&seen(scale), &wanted());
        summary.estimates.get("mean").map(|estimate| estimate.value)
    };
    let (Some(one), Some(thousand)) = (mean(1.0), mean(1000.0)) else {
        return;
    };
    assert!((3.0..=13.0).contains(&one), "a mean of {one}");
    assert!(
        (thousand / one / 1000.0 - 1.0).abs() < 1e-9,
        "{thousand} {one}"
    );
}

fn what_is_not_known_is_left_out_with_the_reason(summarizer: &dyn Summarizer) {
    let unknown = Statistic::Custom("no_such_statistic".to_owned());
    let summary = summarizer.summarize(&seen(1.0), &[unknown]);
    assert!(
        summary.estimates.is_empty(),
        "it made up {:?}",
        summary.estimates
    );
    assert!(
        !summary.problems.is_empty(),
        "it does not say what it does not know"
    );
}
