//! A manager that aborts at an append of its choice: `mortal FILE DATA [NUMBER before|after]`.
//!
//! It is `em run` with the same adapters and the same store, in front of which stands a fuse. Without a
//! number it runs to the end. The report goes to stdout as JSON, the number of appends to stderr.

mod fuse;

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow, bail};
use em_core::engine::{Control, Engine, EngineError};
use em_core::plan::Plan;
use em_core::port::SystemClock;
use em_core::report::Report;
use em_server::{compose, experiment_file};
use em_store::SqliteStore;

use fuse::{Fuse, When};

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let first = arguments.next();
    // As `em` does: what guards the target's processes is this executable.
    if first
        .as_ref()
        .is_some_and(|first| first == em_local::guard::WORD)
    {
        let code = em_local::guard::run(arguments);
        return ExitCode::from(u8::try_from(code).unwrap_or(1));
    }
    let done = Args::read(first.into_iter().chain(arguments)).and_then(|args| run(&args));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to be told where stderr is closed.
            let _ = writeln!(io::stderr(), "mortal: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[derive(Debug)]
struct Args {
    file: PathBuf,
    data: PathBuf,
    dies: Option<(u64, When)>,
}

impl Args {
    fn read(arguments: impl Iterator<Item = OsString>) -> Result<Self> {
        let usage = "usage: mortal FILE DATA [NUMBER before|after]";
        let arguments: Vec<_> = arguments.collect();
        let (places, moment) = arguments.split_at_checked(2).context(usage)?;
        let moment: Option<Vec<&str>> = moment.iter().map(|word| word.to_str()).collect();
        let dies = match moment.context(usage)?.as_slice() {
            [] => None,
            [number, "before"] => Some((number.parse().context(usage)?, When::Before)),
            [number, "after"] => Some((number.parse().context(usage)?, When::After)),
            _ => bail!(usage),
        };
        Ok(Self {
            file: PathBuf::from(&places[0]),
            data: PathBuf::from(&places[1]),
            dies,
        })
    }
}

fn run(args: &Args) -> Result<()> {
    let read = experiment_file::read(&args.file, &[])?;
    let parsed = read.parsed.map_err(|unusable| anyhow!("{unusable:?}"))?;
    let plan = parsed.plan;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("failed to start the event loop")?;
    let report = runtime.block_on(async {
        let store = SqliteStore::open(&args.data, Arc::new(SystemClock)).await;
        let store = store.context("failed to open the store")?;
        let fuse = Arc::new(Fuse::new(store, args.dies));
        let engine = compose::engine(&plan, &read.base, &args.data, Arc::clone(&fuse) as _)?;
        let report = finish(&engine, &plan).await?;
        writeln!(io::stderr(), "{} appends", fuse.appends())
            .context("failed to tell the number")?;
        Ok::<_, anyhow::Error>(report)
    })?;
    serde_json::to_writer(io::stdout().lock(), &report).context("failed to print the report")
}

/// Begins the experiment, or goes on with it.
async fn finish(engine: &Engine, plan: &Plan) -> Result<Report> {
    match engine.run(&plan.name, Control::default()).await {
        Err(EngineError::NotFound { .. }) => {}
        other => return other.context("failed to go on"),
    }
    engine.create(plan).await.context("failed to begin")?;
    let report = engine.run(&plan.name, Control::default()).await;
    report.context("failed to run")
}
