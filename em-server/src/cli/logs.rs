//! `em logs`: what the iterations of an experiment wrote.

use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use em_core::id::{ExperimentName, IterationNo, TrialId};

use super::{Failure, data_folder, print, record, runtime};
use crate::kept::{self, KeptIteration};

#[derive(Debug, Args)]
pub(super) struct LogsArgs {
    /// Name of the experiment
    name: String,
    /// Only this trial: its number, such as 3
    #[arg(long, value_parser = number)]
    trial: Option<u32>,
    /// Only this iteration of the trial: what it wrote is printed whole
    #[arg(long, value_parser = number, requires = "trial")]
    iteration: Option<u32>,
    /// Where experiments are kept [default: the XDG data home]
    #[arg(long, env = "EM_DATA", value_name = "DIR")]
    data: Option<PathBuf>,
}

/// `3`, and `t3` or `i3` as the tables write it.
fn number(text: &str) -> Result<u32, String> {
    let digits = text.trim_start_matches(['t', 'i']);
    digits
        .parse()
        .map_err(|_| "write a number, such as 3".to_owned())
}

pub(super) fn logs(args: &LogsArgs) -> Result<(), Failure> {
    let data = data_folder(args.data.as_deref())?;
    let name = record::name(&args.name)?;
    runtime()?.block_on(async {
        let store = record::open_to_read(&data).await?;
        record::replay(&store, &name).await.map(drop)
    })?;
    let all = kept::iterations(&data, &name).context("failed to list what is kept")?;
    let wanted: Vec<KeptIteration> = all
        .into_iter()
        .filter(|one| args.trial.is_none_or(|trial| one.trial == TrialId(trial)))
        .filter(|one| {
            let number = args.iteration;
            number.is_none_or(|number| one.iteration == IterationNo(number))
        })
        .collect();
    if wanted.is_empty() {
        return Err(nothing_kept(args, &name));
    }
    let text = if args.iteration.is_some() {
        contents(&wanted)?
    } else {
        listing(&wanted)?
    };
    print(&text)
}

fn nothing_kept(args: &LogsArgs, name: &ExperimentName) -> Failure {
    let of = match (args.trial, args.iteration) {
        (Some(trial), Some(iteration)) => {
            format!(" of {}/{}", TrialId(trial), IterationNo(iteration))
        }
        (Some(trial), None) => format!(" of {}", TrialId(trial)),
        (None, _) => String::new(),
    };
    Failure::usage(format!(
        "nothing is kept{of} in {name}: only processes of this machine leave outputs, and `em prune` \
         removes them"
    ))
}

/// Every file with its size.
fn listing(iterations: &[KeptIteration]) -> Result<String, Failure> {
    let mut lines = Vec::new();
    for one in iterations {
        lines.push(format!("{}/{}", one.trial, one.iteration));
        for (path, bytes) in one.files().context("failed to list what is kept")? {
            lines.push(format!("  {bytes:>9} B  {}", path.display()));
        }
    }
    let lines = lines.join("\n");
    Ok(format!(
        "{lines}\n\n`--trial T --iteration N` prints one.\n"
    ))
}

/// Outputs as they are, artifacts by their path.
fn contents(iterations: &[KeptIteration]) -> Result<String, Failure> {
    let mut text = String::new();
    for one in iterations {
        for (path, bytes) in one.files().context("failed to list what is kept")? {
            let file = one.folder.join(&path);
            let head = format!("==> {} ({bytes} B)\n", file.display());
            text.push_str(&head);
            if path.starts_with("artifacts") {
                continue;
            }
            let bytes = fs::read(&file);
            let bytes = bytes.with_context(|| format!("failed to read {}", file.display()))?;
            text.push_str(&String::from_utf8_lossy(&bytes));
            if !text.ends_with('\n') {
                text.push('\n');
            }
        }
    }
    Ok(text)
}
