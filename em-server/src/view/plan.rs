//! A plan in words.

use std::fmt::Write as _;

use em_core::plan::{
    Baseline, Design, Direction, Domain, LoadSpec, Plan, RateSpec, Redeploy, Search, SearchMethod,
    Suggester, TargetSpec, Tunable,
};
use em_core::template::Template;
use em_core::value::duration::spell;

use super::forecast::Forecast;

/// What a plan is and how much it will do.
pub fn describe(plan: &Plan) -> String {
    let forecast = Forecast::of(plan);
    let mut text = format!("{} ({})\n", plan.name, plan.identity.digest.short());
    let mut row = |name: &str, what: &str| {
        writeln!(text, "  {name:<12}{what}").expect("writing to a string cannot fail");
    };
    row("target", &target(&plan.target));
    row("load", &load(&plan.load));
    for (index, tunable) in plan.tunables.iter().enumerate() {
        let name = if index == 0 { "tunables" } else { "" };
        row(name, &self::tunable(tunable));
    }
    row("objective", &objective(plan));
    for (index, constraint) in plan.constraints.iter().enumerate() {
        let name = if index == 0 { "constraints" } else { "" };
        row(name, &constraint.expression.to_string());
    }
    row("baseline", &baseline(&plan.baseline));
    row("trials", &trials(plan));
    row("design", &design(plan, &forecast));
    row("deployments", &deployments(plan, &forecast));
    row(
        "disk",
        &format!("at most {} of raw data", disk(&forecast, plan)),
    );
    if let Some(effect) = effect(&forecast) {
        row("sees", &effect);
    }
    if forecast.cannot_decide() {
        let (most, needed) = (forecast.blocks.1, forecast.needed_blocks);
        row(
            "verdicts",
            &format!(
                "all will be undecided: {} comparisons need {needed} blocks, iterations.max is {most}",
                forecast.comparisons
            ),
        );
    }
    text
}

fn target(target: &TargetSpec) -> String {
    let slots = match target.slots() {
        1 => String::new(),
        many => format!(", {many} side by side"),
    };
    let TargetSpec::Process(process) = target else {
        return format!("{}{slots}", target.kind());
    };
    let words: Vec<&str> = process.command.iter().map(Template::text).collect();
    format!("process {}{slots}", words.join(" "))
}

fn load(load: &LoadSpec) -> String {
    let LoadSpec::Http(http) = load else {
        return load.kind().to_owned();
    };
    let rate = match http.rate {
        RateSpec::PerSecond(rate) => format!("at {rate} requests per second"),
        RateSpec::OfCapacity(share) => format!(
            "at {} % of the baseline's capacity, which is found first",
            100.0 * share
        ),
    };
    format!("http {} {} {rate}", http.method, http.url.text())
}

fn tunable(tunable: &Tunable) -> String {
    let domain = match &tunable.domain {
        Domain::Integer {
            low, high, step, ..
        } => {
            let step = if *step == 1 {
                String::new()
            } else {
                format!(" in steps of {step}")
            };
            format!("integer, {low} to {high}{step}")
        }
        Domain::Real { low, high, .. } => format!("real, {low} to {high}"),
        Domain::Quantity { low, high, .. } => format!("quantity, {low} to {high}"),
        Domain::Categorical { choices } => {
            let choices: Vec<String> = choices.iter().map(ToString::to_string).collect();
            format!("categorical, {}", choices.join(" | "))
        }
        Domain::Derived { value } => format!("derived, {value}"),
    };
    match &tunable.default {
        Some(default) => format!("{}: {domain}, default {default}", tunable.name),
        None => format!("{}: {domain}", tunable.name),
    }
}

fn objective(plan: &Plan) -> String {
    let Some(objective) = &plan.objective else {
        return "none: every metric is compared with the baseline".to_owned();
    };
    let direction = match objective.direction {
        Direction::Minimize => "minimize",
        Direction::Maximize => "maximize",
    };
    format!("{direction} {}", objective.expression.text())
}

fn baseline(baseline: &Baseline) -> String {
    match baseline {
        Baseline::Live => "what the target runs today".to_owned(),
        Baseline::Defaults(values) | Baseline::Values(values) => values.to_string(),
        Baseline::None => "none: nothing is compared".to_owned(),
    }
}

fn trials(plan: &Plan) -> String {
    let listed = match plan.trials.len() {
        0 => String::new(),
        some => format!("{some} listed"),
    };
    let Some(search) = &plan.search else {
        return listed;
    };
    let proposed = match plan.budget.trials {
        Some(trials) => format!("up to {trials} proposed"),
        None => "proposed without a limit (budget.trials sets one)".to_owned(),
    };
    let and = if listed.is_empty() { "" } else { ", " };
    format!("{listed}{and}{proposed} by {}", suggester(search))
}

fn suggester(search: &Search) -> String {
    let who = match &search.suggester {
        Suggester::BuiltIn { method, .. } => match method {
            SearchMethod::Gp => "a Gaussian process",
            SearchMethod::LatinHypercube => "a Latin hypercube",
            SearchMethod::Grid => "a grid",
            SearchMethod::Random => "random draws",
        },
        Suggester::Custom { name } => name,
        _ => "another recommender",
    };
    format!(
        "{who}, in rounds of {} with {} each; the best {} are measured again",
        search.parallel,
        counted(u64::from(search.blocks), "block"),
        search.verify
    )
}

fn design(plan: &Plan, forecast: &Forecast) -> String {
    let order = match plan.measurement.design {
        Design::RandomizedBlocks => "randomized blocks",
        Design::Sequential => "sequential (no verdict is free of drift)",
    };
    let fresh = match plan.measurement.redeploy {
        Redeploy::Always => "a fresh deployment each time",
        Redeploy::WhenChanged => "a deployment per change of configuration",
    };
    let blocks = match forecast.blocks {
        (least, most) if least == most => most.to_string(),
        (least, most) => format!("{least} to {most}"),
    };
    format!("{order}, {blocks} for the verdicts, {fresh}")
}

fn deployments(plan: &Plan, forecast: &Forecast) -> String {
    let each = spell(forecast.collection);
    let Some((least, most)) = forecast.deployments else {
        return format!("without a limit; {each} of load each");
    };
    let (short, long) = forecast
        .time(plan.target.slots())
        .expect("deployments are limited, so time is");
    let (count, time) = if least == most {
        (counted(most, "deployment"), spell(long))
    } else {
        (
            format!("{least} to {most} deployments"),
            format!("{} to {}", spell(short), spell(long)),
        )
    };
    let first = if forecast.calibrates {
        ", the first of which finds the capacity"
    } else {
        ""
    };
    format!("{count}{first}; {each} of load each, {time} in all, and starting and stopping on top")
}

/// Spread of a block's log ratio that is assumed where nothing was measured yet.
const ASSUMED_SPREAD: f64 = 0.05;

/// The smallest effect that the design can see, on an assumption that is said with it.
fn effect(forecast: &Forecast) -> Option<String> {
    if forecast.cannot_decide() {
        return None;
    }
    let blocks = usize::try_from(forecast.blocks.0).ok()?;
    let level = 0.05 / f64::from(forecast.comparisons.max(1));
    let effect = em_summarize::block::detectable(ASSUMED_SPREAD, blocks, level, 0.8)?;
    Some(format!(
        "effects from about {:.1} % on (80 % power, {blocks} blocks), if blocks differ by {:.0} % (assumed; `em show` says what was seen)",
        100.0 * effect.exp_m1(),
        100.0 * ASSUMED_SPREAD
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

fn counted(count: u64, noun: &str) -> String {
    match count {
        1 => format!("1 {noun}"),
        many => format!("{many} {noun}s"),
    }
}
