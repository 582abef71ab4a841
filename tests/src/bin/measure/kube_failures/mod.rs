//! Ways to fail on real pods: what em says of each, how soon, and whether the workload is put back.

mod case;
mod everywhere;
mod midway;
mod refused;
mod remains;
mod run;
mod sight;
mod start;
mod told;

use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use em_tests::house;

use crate::bench::Bench;
use crate::em::Em;
use crate::figure::Measured;

use case::Case;
use run::Seen;

/// Cases side by side.
const SIDE_BY_SIDE: usize = 3;
/// Cases of the short form.
const SHORT: usize = 8;
/// Cases that there have to be in the long form.
const WANTED: usize = 25;
/// Names of the only cases that run, with commas between: for whoever looks into one.
const ONLY: &str = "EM_CASES";

pub(crate) fn measure(bench: &mut Bench) -> Result<Measured> {
    let em = Em::copied()?;
    let cases = chosen(bench)?;
    bench.say(&format!(
        "{} cases on real pods, at most {SIDE_BY_SIDE} side by side; from the cause in the cluster to em's word",
        cases.len()
    ))?;
    let wanted = bench.by_form(SHORT, WANTED).min(cases.len());
    let seen = all(&cases, &em);
    let (mut good, mut slowest) = (0, Duration::ZERO);
    for (case, seen) in &seen {
        good += usize::from(is_good(seen));
        slowest = slowest.max(seen.as_ref().map_or(Duration::ZERO, |seen| seen.took));
        for line in lines(case, seen) {
            bench.say(&line)?;
        }
    }
    Ok(Measured {
        value: format!(
            "{good} of {} as expected, the slowest told after {:.1} s",
            seen.len(),
            slowest.as_secs_f64()
        ),
        is_met: good == seen.len() && good >= wanted,
    })
}

fn is_good(seen: &Result<Seen>) -> bool {
    seen.as_ref().is_ok_and(|seen| seen.wrong.is_empty())
}

fn lines(case: &Case, seen: &Result<Seen>) -> Vec<String> {
    let name = case.name;
    match seen {
        Err(error) => vec![format!("WRONG {name}: {error:#}")],
        Ok(seen) => {
            let word = if seen.wrong.is_empty() { "ok" } else { "WRONG" };
            let took = seen.took.as_secs_f64();
            let first = format!("{word} {name}: {took:.1} s: {}", seen.told);
            let wrong = seen.wrong.iter().map(|wrong| format!("    {wrong}"));
            [first].into_iter().chain(wrong).collect()
        }
    }
}

/// All of them, or those whose turn it is at this commit.
fn chosen(bench: &Bench) -> Result<Vec<&'static Case>> {
    let groups = [
        start::CASES,
        refused::CASES,
        midway::CASES,
        everywhere::CASES,
    ];
    let all: Vec<&Case> = groups.into_iter().flatten().collect();
    if let Ok(only) = std::env::var(ONLY) {
        let names: Vec<_> = only.split(',').collect();
        let named = all.into_iter().filter(|case| names.contains(&case.name));
        return Ok(named.collect());
    }
    let first = turn(all.len())?;
    let count = bench.by_form(SHORT, all.len());
    // Steps of five, which divide no group: each commit meets every kind.
    let step = if all.len().is_multiple_of(5) { 3 } else { 5 };
    let places = (0..count).map(|number| (first + number * step) % all.len());
    Ok(places.filter_map(|place| all.get(place).copied()).collect())
}

/// A number below `count` that changes with the commit.
fn turn(count: usize) -> Result<usize> {
    let output = Command::new("git")
        .args(["rev-parse", "HEAD"])
        .current_dir(house::root())
        .output()
        .context("failed to run git")?;
    let hash = String::from_utf8_lossy(&output.stdout);
    let digits = hash.get(..8).unwrap_or("0");
    let number = u32::from_str_radix(digits, 16).unwrap_or_default();
    Ok(usize::try_from(number).unwrap_or_default() % count.max(1))
}

/// Runs them, those that hit the whole cluster last and one by one.
fn all<'a>(cases: &[&'a Case], em: &Em) -> Vec<(&'a Case, Result<Seen>)> {
    let (alone, beside): (Vec<&Case>, Vec<&Case>) = cases.iter().partition(|case| case.is_alone);
    let next = AtomicUsize::new(0);
    let seen = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE {
            scope.spawn(|| {
                while let Some(case) = beside.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let result = run::run(case, em);
                    if let Ok(mut seen) = seen.lock() {
                        seen.push((*case, result));
                    }
                }
            });
        }
    });
    let mut seen = seen.into_inner().unwrap_or_default();
    seen.extend(alone.into_iter().map(|case| (case, run::run(case, em))));
    seen
}
