//! `measurement`, `budget`, `timeouts`, `retries`: how it is measured, and the limits.

use std::time::Duration;

use super::process::optional;
use super::reader::{Reader, Unsupported};
use super::target::time_or;
use super::tree::NodeKind;
use crate::plan::{Budget, Design, Iterations, Measurement, Redeploy, Retries, Timeouts, Warmup};

/// Keys of `measurement`.
pub(super) const KEYS: [&str; 7] = [
    "warmup",
    "cycles",
    "cycle_duration",
    "iterations",
    "design",
    "redeploy",
    "seed",
];
/// Keys of `budget`.
pub(super) const BUDGET_KEYS: [&str; 3] = ["time", "trials", "failures"];
/// Keys of `timeouts`.
pub(super) const TIMEOUT_KEYS: [&str; 6] =
    ["deploy", "load", "call", "withdraw", "restore", "idle_hold"];
/// Keys of `retries`.
pub(super) const RETRY_KEYS: [&str; 3] = ["cluster", "datasource", "recommender"];

const NOT_YET: Unsupported = &["precision"];
const BUDGET_NOT_YET: Unsupported = &["cost"];

const CYCLE: Duration = Duration::from_secs(30);
/// Blocks at the most, where the file does not say.
const MOST_BLOCKS: u32 = 12;

/// The design where the file says nothing about it.
pub(super) fn usual() -> Measurement {
    Measurement {
        warmup: auto(CYCLE),
        cycles: 3,
        cycle_duration: CYCLE,
        iterations: Iterations {
            min: None,
            max: MOST_BLOCKS,
        },
        design: Design::RandomizedBlocks,
        precision: None,
        redeploy: Redeploy::Always,
        seed: 1,
    }
}

/// Half a cycle at the least, so that MSER-5 has something to cut; ten cycles at the most.
fn auto(cycle: Duration) -> Warmup {
    Warmup::Auto {
        expected: cycle / 2,
        at_most: cycle.saturating_mul(10),
    }
}

pub(super) fn read(reader: &Reader<'_>) -> Option<Measurement> {
    let usual = usual();
    let keys = reader.keys(&KEYS, NOT_YET)?;
    let cycle = time_or(&keys, "cycle_duration", usual.cycle_duration);
    let warmup = optional(&keys, "warmup", |reader| {
        warmup(reader, cycle.unwrap_or(CYCLE))
    });
    let cycles = optional(&keys, "cycles", |reader| reader.count(1..=10_000));
    let iterations = optional(&keys, "iterations", iterations);
    let design = optional(&keys, "design", |reader| {
        if reader.text_if_any() == Some("duet") {
            reader.refuse("design \"duet\" is not supported yet");
            return None;
        }
        reader.one_of(&[
            ("randomized-blocks", Design::RandomizedBlocks),
            ("sequential", Design::Sequential),
        ])
    });
    let redeploy = optional(&keys, "redeploy", |reader| {
        if reader.text_if_any() == Some("when-changed") {
            let what = "redeploy \"when-changed\" is not supported yet";
            reader.refuse_with(what, "remove it: every iteration gets a fresh deployment");
            return None;
        }
        reader.one_of(&[("always", Redeploy::Always)])
    });
    let seed = optional(&keys, "seed", |reader| reader.integer(0..=i64::MAX));
    let cycle = cycle?;
    Some(Measurement {
        warmup: warmup?.unwrap_or_else(|| auto(cycle)),
        cycles: cycles?.unwrap_or(usual.cycles),
        cycle_duration: cycle,
        iterations: iterations?.unwrap_or(usual.iterations),
        design: design?.unwrap_or(usual.design),
        precision: None,
        redeploy: redeploy?.unwrap_or_default(),
        seed: seed?.map_or(usual.seed, i64::unsigned_abs),
    })
}

fn warmup(reader: &Reader<'_>, cycle: Duration) -> Option<Warmup> {
    if reader.text_if_any() == Some("auto") {
        return Some(auto(cycle));
    }
    if reader.map_if_any().is_none() {
        return reader.duration().map(Warmup::Fixed);
    }
    let keys = reader.keys(&["expected", "at_most"], &[])?;
    let expected = time_or(&keys, "expected", cycle / 2);
    let at_most = time_or(&keys, "at_most", cycle.saturating_mul(10));
    let (expected, at_most) = (expected?, at_most?);
    if expected > at_most {
        reader.refuse("expected is longer than at_most");
        return None;
    }
    Some(Warmup::Auto { expected, at_most })
}

fn iterations(reader: &Reader<'_>) -> Option<Iterations> {
    if let NodeKind::Integer(_) = reader.kind() {
        let blocks = reader.count(1..=10_000)?;
        return Some(Iterations {
            min: Some(blocks),
            max: blocks,
        });
    }
    let keys = reader.keys(&["min", "max"], &[])?;
    let blocks = |key| optional(&keys, key, |reader| reader.count(1..=10_000));
    let (min, max) = (blocks("min"), blocks("max"));
    let min = min?;
    let max = max?.unwrap_or_else(|| MOST_BLOCKS.max(min.unwrap_or(1)));
    if min.is_some_and(|min| min > max) {
        reader.refuse_with("min is above max", "write the smaller number for min");
        return None;
    }
    Some(Iterations { min, max })
}

pub(super) fn budget(reader: &Reader<'_>) -> Option<Budget> {
    let keys = reader.keys(&BUDGET_KEYS, BUDGET_NOT_YET)?;
    let time = optional(&keys, "time", Reader::some_time);
    let trials = optional(&keys, "trials", |reader| reader.count(1..=1_000_000));
    let failures = optional(&keys, "failures", |reader| reader.count(1..=1_000_000));
    Some(Budget {
        time: time?,
        trials: trials?,
        cost: None,
        failures: failures?,
    })
}

pub(super) fn timeouts(reader: &Reader<'_>) -> Option<Timeouts> {
    let usual = Timeouts::default();
    let keys = reader.keys(&TIMEOUT_KEYS, &[])?;
    let deploy = time_or(&keys, "deploy", usual.deploy);
    let load = time_or(&keys, "load", usual.load);
    let call = time_or(&keys, "call", usual.call);
    let withdraw = time_or(&keys, "withdraw", usual.withdraw);
    let restore = time_or(&keys, "restore", usual.restore);
    let idle_hold = time_or(&keys, "idle_hold", usual.idle_hold);
    Some(Timeouts {
        deploy: deploy?,
        load: load?,
        call: call?,
        withdraw: withdraw?,
        restore: restore?,
        idle_hold: idle_hold?,
    })
}

pub(super) fn retries(reader: &Reader<'_>) -> Option<Retries> {
    let usual = Retries::default();
    let keys = reader.keys(&RETRY_KEYS, &[])?;
    let count = |key| optional(&keys, key, |reader| reader.count(0..=100));
    let (cluster, datasource) = (count("cluster"), count("datasource"));
    let recommender = count("recommender");
    Some(Retries {
        cluster: cluster?.unwrap_or(usual.cluster),
        datasource: datasource?.unwrap_or(usual.datasource),
        recommender: recommender?.unwrap_or(usual.recommender),
    })
}
