//! `em run`: an experiment from its file to its answer.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use em_core::engine::{Control, Engine, EngineError, EngineEvent, WhenPaused};
use em_core::fault::chain;
use em_core::id::ExperimentName;
use em_core::journal::{Answer, Stopped};
use em_core::plan::{Plan, TargetSpec};
use em_core::report::Report;
use em_local::lock_file;
use em_local::measuring_lock::{Measuring, MeasuringLock};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::broadcast;

use super::settle::{Settled, settle};
use super::{Failure, Output, RunArgs, check, data_folder, print, record};
use crate::experiment_file::{self, ReadFile};
use crate::view::{progress, report};
use crate::{compose, screen};

/// Events that may wait for the terminal before the oldest are lost.
const EVENTS: usize = 1024;

pub(super) fn run(args: &RunArgs) -> Result<(), Failure> {
    let ReadFile { base, parsed } = experiment_file::read(&args.file, &args.set)
        .map_err(|error| Failure::usage(format!("{error:#}")))?;
    let parsed = parsed.map_err(|unusable| check::refusal(&args.file, &unusable))?;
    for warning in &parsed.warnings {
        screen::say(&format!("warning: {}: {warning}", args.file.display()));
    }
    let data = data_folder(args.data.as_deref())?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("failed to start the event loop")?;
    runtime.block_on(run_in(args, parsed.plan, &base, &data))
}

async fn run_in(args: &RunArgs, plan: Plan, base: &Path, data: &Path) -> Result<(), Failure> {
    let store = record::open(data).await?;
    let engine = compose::engine(&plan, base, data, Arc::new(store))
        .map_err(|error| Failure::usage(format!("{error:#}")))?;
    let name = match settle(&engine, args, plan).await? {
        Settled::Run(name) => name,
        Settled::Stored(stored) => return answer(&stored, args.output),
    };
    let _measuring = measuring(args, &engine, &name).await?;
    let result = watch(&engine, &name).await;
    match result {
        Ok(finished) => answer(&finished, args.output),
        Err(error) => Err(failure(&error)),
    }
}

/// The machine's measuring lock. A formula measures nothing here, so it needs none.
async fn measuring(
    args: &RunArgs,
    engine: &Engine,
    name: &ExperimentName,
) -> Result<Option<Measuring>, Failure> {
    let known = engine
        .experiment(name)
        .await
        .map_err(|error| failure(&error))?;
    let is_formula = matches!(known.plan().target, TargetSpec::Simulated(_));
    if is_formula || args.beside || MeasuringLock::is_bypassed() {
        return Ok(None);
    }
    let who = format!("{name} (process {})", std::process::id());
    let lock = MeasuringLock::new(Path::new(lock_file::FOLDER), &who);
    let wait =
        lock.take(|other| screen::say(&format!("waits for {other}: one measures at a time")));
    let taken = tokio::select! {
        taken = wait => taken,
        _ = tokio::signal::ctrl_c() => return Err(interrupted()),
    };
    Ok(Some(
        taken.context("failed to take the machine's measuring lock")?,
    ))
}

/// Runs it, tells what happens, and turns signals into the two ways of leaving.
async fn watch(engine: &Engine, name: &ExperimentName) -> Result<Report, EngineError> {
    let (events, mut heard) = broadcast::channel::<EngineEvent>(EVENTS);
    let control = Control {
        events: Some(events),
        when_paused: WhenPaused::Leave,
        ..Control::default()
    };
    let (interrupt, stop) = (control.interrupt.clone(), control.stop.clone());
    let mut running = std::pin::pin!(engine.run(name, control));
    let mut terminate = signal(SignalKind::terminate()).ok();
    let mut signals = 0;
    loop {
        let terminated = async {
            match &mut terminate {
                Some(terminate) => terminate.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            event = heard.recv() => {
                if let Ok(event) = event && let Some(line) = progress::line(&event.kind) {
                    screen::say(&line);
                }
            }
            result = &mut running => return result,
            _ = tokio::signal::ctrl_c() => signals += 1,
            _ = terminated => signals += 1,
        }
        if signals == 1 && !interrupt.is_cancelled() {
            screen::say(
                "interrupted: puts everything back, then leaves (once more: leaves at once)",
            );
            interrupt.cancel();
        } else if signals > 1 {
            stop.cancel();
        }
    }
}

fn answer(report: &Report, output: Output) -> Result<(), Failure> {
    print_report(report, output)?;
    if report.stopped == Some(Stopped::Cancelled) {
        return Err(Failure {
            code: 4,
            message: "the experiment was called off".to_owned(),
        });
    }
    if report.answer == Some(Answer::NothingMeasured) {
        return Err(Failure {
            code: 3,
            message: "nothing was measured".to_owned(),
        });
    }
    Ok(())
}

/// A report as a table and one sentence, or whole as JSON.
pub(super) fn print_report(report: &Report, output: Output) -> Result<(), Failure> {
    match output {
        Output::Table => print(&format!(
            "{}\n{}\n",
            report::table(report),
            report::sentence(report)
        )),
        Output::Json => {
            let text =
                serde_json::to_string_pretty(report).context("failed to write the report")?;
            print(&format!("{text}\n"))
        }
    }
}

fn interrupted() -> Failure {
    Failure {
        code: 130,
        message: "interrupted before anything was done".to_owned(),
    }
}

/// The exit code of each way of ending without a report.
pub(super) fn failure(error: &EngineError) -> Failure {
    let code = match error {
        EngineError::Interrupted | EngineError::Stopped => 130,
        EngineError::Stranded { .. } => 5,
        EngineError::NotFound { .. } => 2,
        EngineError::Exists { .. }
        | EngineError::Paused { .. }
        | EngineError::Missing { .. }
        | EngineError::Damaged { .. }
        | EngineError::Failed { .. }
        | _ => 1,
    };
    Failure {
        code,
        message: chain(error),
    }
}
