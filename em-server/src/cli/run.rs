//! `em run`: an experiment from its file to its answer.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use em_core::engine::{Control, Engine, EngineError, EngineEvent, WhenPaused};
use em_core::experiment::Experiment;
use em_core::fault::chain;
use em_core::id::ExperimentName;
use em_core::journal::{Answer, Stopped};
use em_core::plan::{Plan, TargetSpec};
use em_core::report::Report;
use em_local::measuring_lock::MeasuringLock;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::broadcast;

use super::live::Live;
use super::settle::{Settled, settle};
use super::turn::Turn;
use super::{Failure, Output, RunArgs, check, data_folder, print, record};
use crate::compose;
use crate::experiment_file::{self, ReadFile};
use crate::screen;
use crate::view::{report, summary};

/// Events that may wait for the terminal before the oldest are lost.
const EVENTS: usize = 1024;

pub(super) fn run(args: &RunArgs) -> Result<(), Failure> {
    let ReadFile { base, parsed } = experiment_file::read(&args.file, &args.set)
        .map_err(|error| Failure::usage(format!("{error:#}")))?;
    let parsed = parsed.map_err(|unusable| check::refusal(&args.file, &unusable))?;
    for warning in &parsed.warnings {
        screen::say(&format!("warning: {}: {warning}", args.file.display()));
    }
    args.agreed.check(&parsed.plan)?;
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
        Settled::Stored(stored) => return answer(&engine, &stored, args.output, data).await,
    };
    let known = engine.experiment(&name).await;
    let known = known.map_err(|error| failure(&error))?;
    let mut live = Live::new(&known);
    let control = control(args, &known, &live);
    let result = watch(&engine, &name, control, &mut live).await;
    live.end();
    let finished = result.map_err(|error| failure(&error))?;
    answer(&engine, &finished, args.output, data).await
}

/// How the run is to measure here: in turns with others, or beside them. A formula measures nothing
/// here and asks nobody.
fn control(args: &RunArgs, experiment: &Experiment, live: &Live) -> Control {
    let control = Control {
        when_paused: WhenPaused::Leave,
        ..Control::default()
    };
    if matches!(experiment.plan().target, TargetSpec::Simulated(_)) {
        return control;
    }
    if args.beside || MeasuringLock::is_bypassed() {
        return Control {
            remarks: vec!["measured beside others".to_owned()],
            ..control
        };
    }
    let live = live.clone();
    let turn = Turn::new(&experiment.plan().name, move |line| live.say(line));
    Control {
        gate: Some(Arc::new(turn)),
        ..control
    }
}

/// Runs it, tells what happens, and turns signals into the two ways of leaving.
async fn watch(
    engine: &Engine,
    name: &ExperimentName,
    control: Control,
    live: &mut Live,
) -> Result<Report, EngineError> {
    let (events, mut heard) = broadcast::channel::<EngineEvent>(EVENTS);
    let control = Control {
        events: Some(events),
        ..control
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
                if let Ok(event) = event {
                    live.take(&event.kind);
                    if live.wants_best(&event.kind) && let Ok(known) = engine.experiment(name).await {
                        live.take_best(&known);
                    }
                }
            }
            result = &mut running => return result,
            _ = tokio::signal::ctrl_c() => signals += 1,
            _ = terminated => signals += 1,
        }
        if signals == 1 && !interrupt.is_cancelled() {
            live.say("interrupted: puts everything back, then leaves (once more: leaves at once)");
            interrupt.cancel();
        } else if signals > 1 {
            stop.cancel();
        }
    }
}

async fn answer(
    engine: &Engine,
    report: &Report,
    output: Output,
    data: &Path,
) -> Result<(), Failure> {
    let known = engine.experiment(&report.experiment).await;
    let known = known.map_err(|error| failure(&error))?;
    print_report(&known, report, output, data)?;
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
pub(super) fn print_report(
    experiment: &Experiment,
    report: &Report,
    output: Output,
    data: &Path,
) -> Result<(), Failure> {
    match output {
        Output::Table => print(&format!(
            "{}\n{}\n\n{}\n",
            report::table(report),
            report::sentence(report),
            summary::below(experiment, report, data)
        )),
        Output::Json => {
            let text =
                serde_json::to_string_pretty(report).context("failed to write the report")?;
            print(&format!("{text}\n"))
        }
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
