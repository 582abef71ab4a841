//! How much a plan will do, in words: the order, deployments, time, disk, and what it can see.

use std::time::Duration;

use em_core::plan::{Baseline, Design, LoadSpec, Plan, Redeploy, Search, SearchMethod, Suggester};
use em_core::value::duration::spell;
use jiff::Timestamp;

use super::forecast::Forecast;
use super::section::Section;

/// What a stored run of the same target, load and metrics has shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// The experiment.
    pub experiment: String,
    /// When something last happened to it.
    pub at: Timestamp,
    /// Standard deviation of a block's log ratio, over all its comparisons; none without any.
    pub spread: Option<f64>,
    /// What starting, loading and stopping took beyond the windows, on average.
    pub around: Option<Duration>,
}

/// Spread of a block's log ratio that is assumed where nothing was measured yet.
const ASSUMED_SPREAD: f64 = 0.05;

/// The plan's section.
pub(super) fn section(plan: &Plan, seen: Option<&Seen>) -> Section {
    let forecast = Forecast::of(plan);
    let mut section = Section::new("What will be done");
    let steps = steps(plan, &forecast);
    for (number, step) in (1..).zip(&steps) {
        section.prose("order", &format!("{number}. {step}"));
    }
    section.prose("design", &design(plan));
    let name = if plan.target.deploys_afresh() {
        "deployments"
    } else {
        "iterations"
    };
    section.prose(name, &deployments(&forecast));
    section.prose("time", &time(plan, &forecast, seen));
    section.prose(
        "disk",
        &format!("at most {} of raw data", disk(&forecast, plan)),
    );
    section.prose("verdicts", &verdicts(plan, &forecast, seen));
    section
}

fn steps(plan: &Plan, forecast: &Forecast) -> Vec<String> {
    let mut steps = Vec::new();
    if forecast.calibrates {
        steps.push("find the baseline's capacity, in a deployment of its own".to_owned());
    }
    let with_baseline = if plan.has_baseline() {
        "the baseline and "
    } else {
        ""
    };
    if let Some(search) = &plan.search {
        steps.push(screening(plan, search, forecast));
        let best = match search.verify {
            1 => "the best".to_owned(),
            many => format!("the best {many}"),
        };
        let fresh = format!(
            "{with_baseline}{best} of them once more, in {}",
            blocks(forecast, "fresh block")
        );
        steps.push(format!("verify: {fresh}"));
    } else {
        let trials = counted(u64::from(forecast.competing), "listed trial");
        steps.push(format!(
            "measure {with_baseline}{trials} in {}",
            blocks(forecast, "block")
        ));
    }
    if plan.has_baseline() || !plan.tunables.is_empty() {
        steps.push("put everything back as it was".to_owned());
    }
    steps
}

fn screening(plan: &Plan, search: &Search, forecast: &Forecast) -> String {
    let proposals = match plan.budget.trials {
        Some(trials) => format!("up to {}", counted(u64::from(trials), "proposal")),
        None => "proposals without a limit (budget.trials sets one)".to_owned(),
    };
    let listed = match plan.trials.len() {
        0 => String::new(),
        some => format!("{some} listed and "),
    };
    let rounds = plan.budget.trials.map(|trials| {
        let rounds = trials.div_ceil(search.parallel.max(1));
        format!(
            "{} of {}",
            counted(u64::from(rounds), "round"),
            search.parallel
        )
    });
    let rounds = rounds.unwrap_or_else(|| format!("rounds of {}", search.parallel));
    let blocks = counted(u64::from(search.blocks), "block");
    let beside = match (plan.has_baseline(), forecast.screening) {
        (true, _) => ", each with the baseline and the best so far",
        (false, _) => ", each with the best so far",
    };
    let agreed = if search.approval {
        "; a person agrees to each"
    } else {
        ""
    };
    format!(
        "screen {listed}{proposals} by {}: {rounds}, {blocks} each{beside}{agreed}",
        suggester(search)
    )
}

fn suggester(search: &Search) -> &str {
    match &search.suggester {
        Suggester::BuiltIn { method, .. } => match method {
            SearchMethod::Gp => "a Gaussian process",
            SearchMethod::LatinHypercube => "a Latin hypercube",
            SearchMethod::Grid => "a grid",
            SearchMethod::Random => "random draws",
        },
        Suggester::Custom { name } => name,
        _ => "another recommender",
    }
}

fn blocks(forecast: &Forecast, noun: &str) -> String {
    match forecast.blocks {
        (least, most) if least == most => counted(u64::from(most), noun),
        (least, most) => format!("{least} to {most} {noun}s"),
    }
}

fn design(plan: &Plan) -> String {
    let order = match plan.measurement.design {
        Design::RandomizedBlocks => "randomized blocks",
        Design::Sequential => "sequential (no verdict is free of drift)",
    };
    let fresh = match plan.measurement.redeploy {
        _ if plan.target.is_observed() => "nothing is deployed",
        _ if !plan.target.deploys_afresh() => "the same pods, changed while they run",
        Redeploy::Always => "a fresh deployment each time",
        Redeploy::WhenChanged => "a deployment per change of configuration",
    };
    let measurement = &plan.measurement;
    let cycles = counted(u64::from(measurement.cycles), "cycle");
    let (warmup, length) = (measurement.warmup.expected(), measurement.cycle_duration);
    format!(
        "{order}, {fresh}: {} of warm-up, then {cycles} of {}",
        spell(warmup),
        spell(length)
    )
}

/// How many deployments there will be, and what for.
pub(super) fn deployments(forecast: &Forecast) -> String {
    let Some((least, most)) = forecast.deployments else {
        return "without a limit".to_owned();
    };
    let total = if least == most {
        most.to_string()
    } else {
        format!("{least} to {most}")
    };
    let mut parts = Vec::new();
    if forecast.calibrates {
        parts.push("1 for the capacity".to_owned());
    }
    match forecast.screening {
        None | Some(0) => {}
        Some(screening) => parts.push(format!("{screening} screening")),
    }
    if parts.is_empty() {
        return total;
    }
    let once: u64 = u64::from(forecast.calibrates) + forecast.screening.unwrap_or(0);
    let rest = if least == most {
        (most - once).to_string()
    } else {
        format!("{} to {}", least - once, most - once)
    };
    parts.push(format!("{rest} for the verdicts"));
    format!("{total}: {}", parts.join(", "))
}

/// How long it will take, as far as that is known.
pub(super) fn time(plan: &Plan, forecast: &Forecast, seen: Option<&Seen>) -> String {
    let each = spell(forecast.collection);
    let limit = plan.budget.time.map_or_else(String::new, |limit| {
        format!(
            "; nothing new is begun after {} (budget.time)",
            spell(limit)
        )
    });
    let slots = plan.target.slots();
    let Some(load) = forecast.time(slots) else {
        return format!("{each} of measuring in each{limit}");
    };
    let range = |(least, most)| match (rounded(least), rounded(most)) {
        (least, most) if least == most => most,
        (least, most) => format!("{least} to {most}"),
    };
    let on_top = match seen.and_then(|seen| Some((seen, seen.around?))) {
        None => "; starting and stopping come on top".to_owned(),
        Some((seen, around)) => {
            let with = forecast.time_with(slots, around).unwrap_or(load);
            format!(
                "; about {} with starting and stopping, as {} took",
                range(with),
                seen.experiment
            )
        }
    };
    format!(
        "{} of measuring, {each} in each{on_top}{limit}",
        range(load)
    )
}

/// A duration without digits that nobody reads.
fn rounded(time: Duration) -> String {
    if time < Duration::from_secs(10) {
        return spell(time);
    }
    spell(Duration::from_secs(
        (time + Duration::from_millis(500)).as_secs(),
    ))
}

/// Bytes of one histogram of one batch, and seconds of a batch.
const HISTOGRAM_BYTES: u64 = 5 * 1024;
const BATCH_SECONDS: u64 = 5;

fn disk(forecast: &Forecast, plan: &Plan) -> String {
    let Some((_, most)) = forecast.deployments else {
        return "5 KiB per histogram and 5 s".to_owned();
    };
    let own = u64::try_from(plan.metrics.len()).unwrap_or(u64::MAX);
    let of_load = if matches!(plan.load, LoadSpec::None) {
        0
    } else {
        3
    };
    let batches = forecast.collection.as_secs() / BATCH_SECONDS + 1;
    let bytes = most
        .saturating_mul(batches)
        .saturating_mul(own.saturating_add(of_load))
        .saturating_mul(HISTOGRAM_BYTES);
    format!("{} MiB", bytes.div_ceil(1 << 20))
}

/// What the verdicts can say: the smallest effect that the design sees, or why they say nothing.
fn verdicts(plan: &Plan, forecast: &Forecast, seen: Option<&Seen>) -> String {
    if matches!(plan.baseline, Baseline::None) {
        return "none: there is no baseline to compare with".to_owned();
    }
    if forecast.cannot_decide() {
        let (most, needed) = (forecast.blocks.1, forecast.needed_blocks);
        return format!(
            "all will be undecided: {} need {needed} blocks, iterations.max is {most}",
            counted(u64::from(forecast.comparisons), "comparison"),
        );
    }
    let spread = seen.and_then(|seen| Some((seen, seen.spread?)));
    let (size, basis) = match spread {
        Some((seen, spread)) => (
            spread,
            format!(
                "blocks of {} ({}) differed by {:.1} %",
                seen.experiment,
                seen.at.strftime("%Y-%m-%d"),
                100.0 * spread.exp_m1()
            ),
        ),
        None => (
            ASSUMED_SPREAD,
            format!(
                "assuming that blocks differ by {:.0} %: nothing of this kind was measured yet",
                100.0 * ASSUMED_SPREAD
            ),
        ),
    };
    let blocks = usize::try_from(forecast.blocks.0).unwrap_or(usize::MAX);
    let level = 0.05 / f64::from(forecast.comparisons.max(1));
    match em_summarize::block::detectable(size, blocks, level, 0.8) {
        None => "none: one block has no spread".to_owned(),
        Some(effect) => format!(
            "see effects from about {:.1} % on ({}, 80 % power; {basis})",
            100.0 * effect.exp_m1(),
            counted(u64::from(forecast.blocks.0), "block")
        ),
    }
}

fn counted(count: u64, noun: &str) -> String {
    match count {
        1 => format!("1 {noun}"),
        many => format!("{many} {noun}s"),
    }
}
