//! What stands between a command and a cluster: the context has to be meant, and a person has to agree.

use std::io::{self, BufRead as _, IsTerminal as _};

use clap::Args;
use em_core::plan::{Plan, TargetSpec};

use super::Failure;
use crate::screen;
use crate::settings::Settings;
use crate::view::intent;

/// What `em run --help` says of clusters.
pub(super) const HELP: &str = "\
CLUSTERS
  Before the first write to a cluster it is shown what will be written, and asked whether it may be;
  without a terminal --yes is needed. A context that matches `protected` in
  ~/.config/experiment-manager/config.yaml (without the file: \"*prod*\") needs --context with its name,
  too. Policy observe writes nothing and needs neither.";

/// The word of a person about clusters.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct Agreed {
    /// The context of the kubeconfig that the file names, once more; a protected one (`protected` in
    /// experiment-manager/config.yaml, usually "*prod*") is written to only with it
    #[arg(long, value_name = "NAME")]
    pub(super) context: Vec<String>,
    /// Agree to what will be written to the cluster without being asked
    #[arg(long, short)]
    pub(super) yes: bool,
}

impl Agreed {
    /// Refuses contexts that are not meant: other ones than named, and protected ones that are not named.
    pub(super) fn check(&self, plan: &Plan) -> Result<(), Failure> {
        let written = intent::written(plan);
        // What is only looked at may be named, too.
        let looked_at = match &plan.target {
            TargetSpec::Kubernetes(spec) => Some(spec.context.as_str()),
            TargetSpec::Process(_)
            | TargetSpec::Command(_)
            | TargetSpec::Observe
            | TargetSpec::Simulated(_)
            | TargetSpec::Custom(_)
            | _ => None,
        };
        let mut of_file: Vec<&str> = looked_at.into_iter().chain(written.clone()).collect();
        of_file.dedup();
        for named in &self.context {
            if !of_file.contains(&named.as_str()) {
                return Err(Failure::usage(differs(named, &of_file)));
            }
        }
        // Who writes to no cluster needs no settings about clusters, readable or not.
        if written.is_empty() {
            return Ok(());
        }
        let settings = settings()?;
        written
            .into_iter()
            .try_for_each(|context| self.check_protected(&settings, context))
    }

    /// Refuses a context that is protected and was not named.
    fn check_protected(&self, settings: &Settings, context: &str) -> Result<(), Failure> {
        let Some(pattern) = settings.protects(context) else {
            return Ok(());
        };
        if self.context.iter().any(|named| named == context) {
            return Ok(());
        }
        Err(protected(context, pattern))
    }

    /// Shows what a plan will write to clusters, and asks whether it may.
    pub(super) fn confirm(&self, plan: &Plan) -> Result<(), Failure> {
        if intent::written(plan).is_empty() {
            return Ok(());
        }
        screen::say(intent::describe(plan).trim_end());
        confirm(self.yes)
    }
}

/// Refuses to write to a protected context that the command line did not name.
pub(super) fn check_named(context: &str, is_named: bool) -> Result<(), Failure> {
    match settings()?.protects(context) {
        Some(pattern) if !is_named => Err(protected(context, pattern)),
        _ => Ok(()),
    }
}

fn settings() -> Result<Settings, Failure> {
    Settings::of_user().map_err(|error| Failure::usage(format!("{error:#}")))
}

fn protected(context: &str, pattern: &str) -> Failure {
    Failure::usage(format!(
        "context {context:?} is protected ({pattern:?} in the user's configuration, or by default): if it is meant, say so with --context {context}"
    ))
}

fn differs(named: &str, of_file: &[&str]) -> String {
    let has = match of_file {
        [] => "no context at all".to_owned(),
        some => format!("context {}", some.join(", ")),
    };
    format!(
        "--context says {named:?}, and the file has {has}: nothing is done (correct one of them)"
    )
}

/// Refuses where a word is needed and nobody can be asked for it.
pub(super) fn check_askable(yes: bool) -> Result<(), Failure> {
    if yes || (io::stdin().is_terminal() && io::stderr().is_terminal()) {
        return Ok(());
    }
    Err(Failure::usage(
        "nobody can be asked here whether this may be done: --yes agrees to what is shown above",
    ))
}

/// Whether a person agrees to what was shown.
pub(super) fn confirm(yes: bool) -> Result<(), Failure> {
    check_askable(yes)?;
    if yes {
        return Ok(());
    }
    screen::ask("Go on? [y/N] ");
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    let is_yes = matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes");
    if read.is_ok() && is_yes {
        return Ok(());
    }
    Err(Failure {
        code: 4,
        message: "nothing was done".to_owned(),
    })
}
