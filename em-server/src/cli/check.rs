//! `em check`: everything that can be checked without changing anything, and the plan.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use em_core::fault::Fault;
use em_core::id::{Epoch, OpKey};
use em_core::plan::{LoadSpec, Plan};
use em_core::port::{
    Clock as _, Finding, LoadGoal, LoadPlan, OpContext, Severity, Survey, SystemClock,
};
use em_local::fitness::Fitness;
use tokio_util::sync::CancellationToken;

use super::{CheckArgs, Failure, data_folder, print, runtime};
use crate::experiment_file::{self, ReadFile, Unusable};
use crate::view::forecast::Forecast;
use crate::view::{plan, rendered};
use crate::{compose, screen};

pub(super) fn check(args: &CheckArgs) -> Result<(), Failure> {
    let ReadFile { base, parsed } = experiment_file::read(&args.file, &args.set)
        .map_err(|error| Failure::usage(format!("{error:#}")))?;
    let parsed = match parsed {
        Ok(parsed) => parsed,
        Err(unusable) => return Err(refusal(&args.file, &unusable)),
    };
    for warning in &parsed.warnings {
        screen::say(&format!("warning: {}: {warning}", args.file.display()));
    }
    let executable = std::env::current_exe().context("failed to find the own executable")?;
    let mut text = plan::describe(&parsed.plan);
    let commands = rendered::commands(&parsed.plan, &base, &executable)
        .map_err(|error| Failure::usage(format!("{error:#}")))?;
    if !commands.is_empty() {
        text = format!("{text}\nWhat would be started (ports are drawn later):\n{commands}");
    }
    print(&text)?;
    if args.offline {
        return Ok(());
    }
    let slots = usize::try_from(parsed.plan.target.slots()).unwrap_or(usize::MAX);
    screen::say(&Fitness::survey(slots, 1).to_string());
    let data = data_folder(args.data.as_deref())?;
    check_load(&parsed.plan, &base, &data)?;
    let survey = survey(&parsed.plan, &base, &data)?;
    judge(&survey.findings)
}

/// Every violation on a line of its own.
pub(super) fn refusal(file: &Path, unusable: &Unusable) -> Failure {
    let file = file.display();
    match unusable {
        Unusable::Set(error) => Failure::usage(error.to_string()),
        Unusable::Violations(violations) => {
            let lines: Vec<String> = violations
                .iter()
                .map(|violation| format!("  {violation}"))
                .collect();
            let count = match lines.len() {
                1 => "1 thing is wrong".to_owned(),
                many => format!("{many} things are wrong"),
            };
            Failure::usage(format!("{count} with {file}:\n{}", lines.join("\n")))
        }
    }
}

/// Whether the load can be made as planned.
fn check_load(plan: &Plan, base: &Path, data: &Path) -> Result<(), Failure> {
    if matches!(plan.load, LoadSpec::None) {
        return Ok(());
    }
    let usage = |error: anyhow::Error| Failure::usage(format!("{error:#}"));
    let driver = compose::load_driver(plan, base, data).map_err(usage)?;
    let (seed, duration) = (plan.measurement.seed, Forecast::of(plan).collection);
    // A rate that follows from the capacity is not known before that is found.
    let goal = match plan.load.of_capacity() {
        Some(_) => LoadGoal::FindCapacity { within: duration },
        None => LoadGoal::Measure { rate: None },
    };
    let load = LoadPlan::new(Arc::new(plan.load.clone()), goal, seed, duration);
    let cx = look(plan);
    let checked = runtime()?.block_on(async {
        tokio::time::timeout(plan.timeouts.call, driver.check(&cx, &load)).await
    });
    let checked = checked.context("the load was not checked in time (timeouts.call)")?;
    checked.map_err(|fault| {
        usage(anyhow::Error::new(fault).context("the load cannot be made as planned"))
    })
}

/// A look at the target.
fn survey(plan: &Plan, base: &Path, data: &Path) -> Result<Survey, Failure> {
    let target =
        compose::target(plan, base, data).map_err(|error| Failure::usage(format!("{error:#}")))?;
    let cx = look(plan);
    let surveyed = runtime()?.block_on(async {
        tokio::time::timeout(plan.timeouts.call, target.survey(&cx, plan)).await
    });
    let surveyed = surveyed.context("the target was not surveyed in time (timeouts.call)")?;
    surveyed
        .map_err(|fault: Fault| anyhow::Error::new(fault).context("failed to survey the target"))
        .map_err(Failure::from)
}

/// The context of a look that changes nothing.
fn look(plan: &Plan) -> OpContext {
    let key = OpKey::Experiment {
        experiment: plan.name.clone(),
        seq: 0,
    };
    // Nothing is changed, so no mark will ever carry this epoch.
    let epoch = Epoch {
        store: "check".to_owned(),
        counter: 0,
    };
    let deadline = SystemClock.now() + plan.timeouts.call;
    OpContext::new(key, epoch, deadline, CancellationToken::new())
}

fn judge(findings: &[Finding]) -> Result<(), Failure> {
    for finding in findings {
        let severity = match finding.severity {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        let remedy = finding.remedy.as_deref();
        let remedy = remedy.map_or_else(String::new, |remedy| format!(" ({remedy})"));
        screen::say(&format!("{severity}: {}{remedy}", finding.what));
    }
    let errors = findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error);
    match errors.count() {
        0 => Ok(()),
        _ => Err(Failure::usage(
            "the experiment cannot run here; the errors above say why",
        )),
    }
}
