//! `em check`: everything that can be checked without changing anything, and the plan.

mod look;
mod seen;

use std::path::Path;

use anyhow::Context as _;
use em_core::plan::Plan;
use em_core::port::{Finding, Severity};
use em_local::fitness::Fitness;

use super::{CheckArgs, Failure, data_folder, print, runtime};
use crate::experiment_file::{self, ReadFile, Unusable};
use crate::screen;
use crate::view::design::Seen;
use crate::view::section::Section;
use crate::view::{plan, rendered};
use look::Looks;

pub(super) fn check(args: &CheckArgs) -> Result<(), Failure> {
    let ReadFile { base, parsed } = experiment_file::read(&args.file, &args.set)
        .map_err(|error| Failure::usage(format!("{error:#}")))?;
    let parsed = parsed.map_err(|unusable| refusal(&args.file, &unusable))?;
    for warning in &parsed.warnings {
        screen::say(&format!("warning: {}: {warning}", args.file.display()));
    }
    let plan = parsed.plan;
    if args.offline {
        return print(&told(&plan, &base, &Looks::default(), None)?);
    }
    let slots = usize::try_from(plan.target.slots()).unwrap_or(usize::MAX);
    screen::say(&Fitness::survey(slots, 1).to_string());
    let data = data_folder(args.data.as_deref())?;
    let (looks, seen) = runtime()?.block_on(async {
        let looks = look::all(&plan, &base, &data).await;
        (looks, seen::of(&plan, &data).await)
    });
    print(&told(&plan, &base, &looks, seen.as_ref())?)?;
    judge(&looks)?;
    let file = args.file.display();
    print(&format!("\nNothing stands in the way: em run {file}\n"))
}

/// The plan, what it becomes, and what the looks have found.
fn told(plan: &Plan, base: &Path, looks: &Looks, seen: Option<&Seen>) -> Result<String, Failure> {
    let executable = std::env::current_exe().context("failed to find the own executable")?;
    let rendered = rendered::describe(plan, looks.survey.as_ref(), base, &executable)
        .map_err(|error| Failure::usage(format!("{error:#}")))?;
    let mut found = Section::new("What was looked at");
    for (name, what) in &looks.rows {
        found.prose(name, what);
    }
    let described = plan::describe(plan, seen);
    Ok(format!("{described}{rendered}{}", found.text()))
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

/// Every finding and every failed look, and whether the experiment can run all the same.
fn judge(looks: &Looks) -> Result<(), Failure> {
    let findings = looks.survey.iter().flat_map(|survey| &survey.findings);
    for finding in findings.clone() {
        say(finding);
    }
    for problem in &looks.problems {
        screen::say(&format!("error: {}", problem.what));
    }
    let errors = findings.filter(|finding| finding.severity == Severity::Error);
    let is_of_file = errors.count() > 0 || looks.problems.iter().any(|one| one.is_of_file);
    if !is_of_file && looks.problems.is_empty() {
        return Ok(());
    }
    Err(Failure {
        code: if is_of_file { 2 } else { 1 },
        message: "the experiment cannot run here; the errors above say why".to_owned(),
    })
}

fn say(finding: &Finding) {
    let severity = match finding.severity {
        Severity::Note => "note",
        Severity::Warning => "warning",
        Severity::Error => "error",
    };
    screen::say(&format!("{severity}: {}", finding.sentence()));
}
