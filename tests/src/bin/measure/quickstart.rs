//! The main job, as a user without rights has it.

use std::time::Duration;

use anyhow::Result;
use em_core::configuration::Configuration;
use em_core::observe::VerdictKind;
use em_core::report::Report;
use em_load::demo::model::{Cache, Setting};

use crate::bench::Bench;
use crate::em::Em;
use crate::figure::Measured;
use crate::stopwatch::Stopwatch;

/// Longest run that meets the goal.
const LONGEST: Duration = Duration::from_mins(2);

pub(crate) fn measure(bench: &mut Bench) -> Result<Measured> {
    let em = Em::unprivileged()?;
    em.take_quickstart()?;
    let seeds = bench.by_form(1, 10);
    bench.say(&format!("{}, quickstart.yaml, {seeds} seeds", em.who()))?;
    let (mut best, mut better, mut longest) = (0, 0, Duration::ZERO);
    for seed in 1..=seeds {
        let set = format!("measurement.seed={seed}");
        let watch = Stopwatch::start();
        let report = em.report(&format!("data-{seed}"), &["quickstart.yaml", "--set", &set])?;
        let took = watch.elapsed();
        longest = longest.max(took);
        let seen = Seen::of(&report);
        best += u32::from(seen.is_best);
        better += u32::from(seen.is_best && seen.is_better);
        bench.say(&format!(
            "seed {seed}: {:.1} s, {} iterations, {}",
            took.as_secs_f64(),
            report.iterations,
            seen.text
        ))?;
    }
    let least = |of_ten: u32| (of_ten * seeds).div_ceil(10);
    Ok(Measured {
        value: format!(
            "{best}/{seeds} best, {better}/{seeds} better, {:.1} s",
            longest.as_secs_f64()
        ),
        is_met: best >= least(9) && better >= least(8) && longest < LONGEST,
    })
}

/// What a report says of its winner.
pub(crate) struct Seen {
    pub(crate) is_best: bool,
    pub(crate) is_better: bool,
    pub(crate) text: String,
}

impl Seen {
    pub(crate) fn of(report: &Report) -> Self {
        // Without a winner the first of the table is shown: it is nearest to one.
        let first = match report.winner {
            Some(winner) => report.trial(winner),
            None => report.trials.first(),
        };
        let verdict = first.and_then(|first| first.verdicts.first());
        let is_better = verdict.is_some_and(|verdict| verdict.kind == VerdictKind::Better);
        let is_best = report.winning.as_ref().is_some_and(is_known_best);
        let configuration = first.and_then(|first| first.configuration.as_ref());
        let configuration = configuration.map_or_else(|| "unknown".to_owned(), ToString::to_string);
        let ratio = verdict.and_then(|verdict| verdict.ratio);
        let text = format!(
            "{} {configuration}{}, {}, ratio {}",
            if report.winner.is_some() {
                "winner"
            } else {
                "no winner, first"
            },
            if is_best { " (the known best)" } else { "" },
            verdict.map_or_else(|| "no verdict".to_owned(), |it| format!("{:?}", it.kind)),
            ratio.map_or_else(|| "unknown".to_owned(), |ratio| format!("{ratio:.4}")),
        );
        Self {
            is_best,
            is_better,
            text,
        }
    }
}

/// Whether it is the configuration that is best by construction, whatever it says of other tunables: the service waits,
/// and nothing else makes a difference to it.
pub(crate) fn is_known_best(configuration: &Configuration) -> bool {
    let cache = match Setting::BEST.cache {
        Cache::Lru => "lru",
        Cache::None => "none",
    };
    let shown = configuration.to_string().replace(", ", " ");
    let best = [
        format!("workers={}", Setting::BEST.workers),
        format!("cache={cache}"),
    ];
    best.iter()
        .all(|value| shown.split(' ').any(|word| word == value))
}
