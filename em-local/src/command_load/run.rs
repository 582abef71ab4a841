//! One load: runs of the tool, one after the other, and what they have shown so far.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use em_core::fault::chain;
use em_core::observe::Window;
use em_core::plan::RunMode;
use em_core::port::{Clock, LoadBatch, LoadStatus};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::batches::Seen;
use crate::call::LARGEST_OUTPUT;
use crate::fault::blocking;
use crate::guard::Exit;
use crate::launch::{Guardian, Launch, Running};
use crate::mark::Mark;
use crate::output::Output;
use crate::rules::{RuleError, Rules};
use crate::stop::SignalName;
use crate::workdir;

/// A stopped tool has this long to end: the load must be gone within a second.
const GRACE: Duration = Duration::from_millis(500);

/// A tool that ends at once is not started more often than this.
const SHORTEST_RUN: Duration = Duration::from_millis(100);

/// What a load has shown so far.
#[derive(Debug, Clone)]
pub(super) struct Progress {
    pub(super) status: LoadStatus,
    pub(super) batches: Vec<LoadBatch>,
    pub(super) problems: Vec<String>,
}

/// Shared between the driver and the task that runs the tool.
#[derive(Debug, Clone)]
pub(super) struct Shared {
    progress: Arc<Mutex<Progress>>,
}

impl Shared {
    pub(super) fn new() -> Self {
        let status = LoadStatus::Ramping;
        let progress = Progress {
            status,
            batches: Vec::new(),
            problems: Vec::new(),
        };
        Self {
            progress: Arc::new(Mutex::new(progress)),
        }
    }

    pub(super) fn with<T>(&self, act: impl FnOnce(&mut Progress) -> T) -> T {
        act(&mut self.progress.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Everything that runs of one load need.
#[derive(Debug)]
pub(super) struct Tool {
    pub(super) guardian: Guardian,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) mark: Mark,
    pub(super) command: Vec<String>,
    pub(super) env: Vec<(String, String)>,
    /// Given folder, or the root of one folder per run.
    pub(super) folder: Folder,
    pub(super) rules: Rules,
    pub(super) mode: RunMode,
    pub(super) success: Vec<i32>,
    pub(super) batch: Duration,
}

/// Where the tool runs.
#[derive(Debug, Clone)]
pub(super) enum Folder {
    /// Here, whatever lies there.
    Given(PathBuf),
    /// In a folder of its own for each run, below this one.
    Own(PathBuf),
}

impl Tool {
    /// Runs the tool until it is stopped, has done all, or fails.
    pub(super) async fn run(self, shared: Shared, stop: CancellationToken) {
        let mut number = 0;
        let ended = loop {
            let begun = tokio::time::Instant::now();
            let outcome = self.run_once(number, &shared, &stop).await;
            number += 1;
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = tokio::time::sleep_until(begun + SHORTEST_RUN) => {}
            }
            match (outcome, self.mode) {
                (Ok(Some(())), RunMode::PerCycle) => {}
                (Ok(_), _) => break LoadStatus::Finished,
                (Err(why), _) => break LoadStatus::Failed { why },
            }
        };
        shared.with(|progress| progress.status = ended);
    }

    /// One run; none when it was stopped.
    async fn run_once(
        &self,
        number: u32,
        shared: &Shared,
        stop: &CancellationToken,
    ) -> Result<Option<()>, String> {
        let folder = self.make_folder(number).await?;
        let mut launch = Launch::new(self.mark.clone(), self.command.clone());
        launch.env.clone_from(&self.env);
        launch.folder = Some(folder.clone());
        launch.keep = LARGEST_OUTPUT;
        launch.stamps = Some(Arc::clone(&self.clock));
        if let Folder::Own(_) = &self.folder {
            launch.delete = vec![folder.clone()];
        }
        // Before: the first line may come before we hear of the start.
        let start = self.clock.now();
        let running = Running::start(&self.guardian, &launch)
            .await
            .map_err(|error| chain(&error))?;
        shared.with(|progress| {
            if progress.status == LoadStatus::Ramping {
                progress.status = LoadStatus::Steady { since: start };
            }
        });
        let exit = tokio::select! {
            biased;
            () = stop.cancelled() => {
                running.stop(SignalName::TERM, GRACE).await;
                running.close().await;
                return Ok(None);
            }
            exit = running.exited() => exit,
        };
        running.outputs_closed().await;
        let taken = self.take_in(&running, exit, start, folder, shared).await;
        running.close().await;
        taken.map(Some)
    }

    async fn take_in(
        &self,
        running: &Running,
        exit: Option<Exit>,
        start: Timestamp,
        folder: PathBuf,
        shared: &Shared,
    ) -> Result<(), String> {
        if !exit.is_some_and(|exit| exit.is_one_of(&self.success)) {
            let how = exit.map_or_else(|| "its guard gone".to_owned(), |exit| exit.to_string());
            let printed = [&running.stderr, &running.stdout].map(|output| output.last_lines(5));
            let command = running.command();
            return Err(format!(
                "{command} ended with {how}; it printed: {:?}",
                printed.join("\n").trim()
            ));
        }
        let window = Window {
            start,
            end: self.clock.now(),
        };
        let outputs = [running.stdout.clone(), running.stderr.clone()];
        let rules = self.rules.clone();
        let seen = blocking(move || read(&rules, &outputs, &folder, window)).await;
        let seen = seen.map_err(|error| chain(&error))?;
        let cut = running.stdout.is_cut();
        let cut = cut.then(|| "the output was too long to be read whole".to_owned());
        let missing = seen.missing.iter();
        let missing = missing.map(|metric| format!("the output holds nothing for {metric}"));
        shared.with(|progress| {
            match self.mode {
                RunMode::PerCycle => {
                    let index = u32::try_from(progress.batches.len()).unwrap_or(u32::MAX);
                    progress.batches.push(seen.as_one(index));
                }
                RunMode::Whole => progress.batches = seen.in_batches(self.batch),
            }
            for problem in missing.chain(cut) {
                if !progress.problems.contains(&problem) {
                    progress.problems.push(problem);
                }
            }
        });
        Ok(())
    }

    async fn make_folder(&self, number: u32) -> Result<PathBuf, String> {
        let folder = match &self.folder {
            Folder::Given(folder) => folder.clone(),
            Folder::Own(root) => root.join(format!("run-{number}")),
        };
        let made = folder.clone();
        blocking(move || workdir::make(&made))
            .await
            .map_err(|error| chain(&error))?;
        Ok(folder)
    }
}

/// Reads the standard output; the errors instead where only they hold all that the rules name, since
/// many tools print their progress there.
fn read(
    rules: &Rules,
    [stdout, stderr]: &[Output; 2],
    folder: &Path,
    window: Window,
) -> Result<Seen, RuleError> {
    let usual = Seen::read(rules, stdout, folder, window);
    if usual.as_ref().is_ok_and(|seen| seen.missing.is_empty()) {
        return usual;
    }
    match Seen::read(rules, stderr, folder, window) {
        Ok(seen) if seen.missing.is_empty() => Ok(seen),
        _ => usual,
    }
}
