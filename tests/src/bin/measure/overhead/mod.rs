//! What the manager itself costs: trials that do nothing, with the durable store.

mod no_op;
mod plan;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use em_core::engine::{Control, Engine, EngineError};
use em_core::id::ExperimentName;
use em_core::port::{Clock, SystemClock};
use em_local::proc_table;
use em_store::SqliteStore;
use em_summarize::{BuiltIn, BuiltInAnalyst};

use no_op::{Deployments, NoLoad, NoTarget, Seen, resident_pages};

use crate::bench::Bench;
use crate::figure::Measured;
use crate::stopwatch::Stopwatch;

/// Side by side: appends that meet share a sync, as in an experiment with that many slots.
const SLOTS: u32 = 64;
/// CPU time of all threads per trial, of [`SLOTS`] side by side.
const CPU: Duration = Duration::from_micros(300);
/// Trials of the run with one slot, which is told and not judged.
const ALONE: u32 = 1_000;
/// From one size to the next, "flat" is less than this factor.
const FLAT: f64 = 1.25;
/// Memory of a trial that waits.
const WAITING_BYTES: u64 = 10_000;
/// Until a run with [`MANY`] unfinished trials does something again.
const RESUME: Duration = Duration::from_secs(1);
/// Trials that wait, and are resumed.
const MANY: u32 = 10_000;
/// Trials of `MANY` that are begun before the run is stopped.
const BEGUN: u32 = 20;
/// Linux counts CPU time a hundred times a second, and memory in pages of 4 KiB.
const TICK: Duration = Duration::from_millis(10);
const PAGE: u64 = 4096;

pub(crate) fn measure(bench: &mut Bench) -> Result<Measured> {
    bench.say(&format!("engine, em-store (full sync) and em-summarize in this process; target and load do nothing; one trial = one iteration, one window of 1 ms, one metric, one raw put; what is judged runs with {SLOTS} slots"))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("failed to start the event loop")?;
    // Memory first: later nobody can tell what the allocator kept.
    let (waiting, resumed) = runtime.block_on(many(bench))?;
    let alone = runtime.block_on(whole(bench, ALONE, 1))?;
    let mut costs = Vec::new();
    for trials in bench.by_form(&[320, 1_000][..], &[1_000, 10_000, 100_000]) {
        costs.push(runtime.block_on(whole(bench, *trials, SLOTS))?);
    }
    let first = costs.first().copied().unwrap_or_default();
    let last = costs.last().copied().unwrap_or_default();
    let is_flat = last.as_secs_f64() <= FLAT * first.as_secs_f64();
    let dearest = costs.iter().max().copied().unwrap_or_default();
    Ok(Measured {
        value: format!(
            "{:.3} ms CPU ({}; {SLOTS} side by side; one after the other {:.3}), {:.1} KB waiting, {:.2} s resume",
            milliseconds(dearest),
            if is_flat { "flat" } else { "not flat" },
            milliseconds(alone),
            kilobytes(waiting),
            resumed.as_secs_f64()
        ),
        is_met: dearest <= CPU && is_flat && waiting < WAITING_BYTES && resumed < RESUME,
    })
}

fn engine(store: &Arc<SqliteStore>, seen: &Arc<Seen>, slots: u32) -> Engine {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let target = Arc::new(NoTarget {
        seen: Arc::clone(seen),
        slots,
    });
    let load = Arc::new(NoLoad::new(clock));
    let store = Arc::clone(store);
    Engine::builder(target, load, Arc::new(BuiltInAnalyst), store)
        .summarizer("built-in", Arc::new(BuiltIn))
        .build()
}

async fn open(folder: &Path) -> Result<Arc<SqliteStore>> {
    let store = SqliteStore::open(folder, Arc::new(SystemClock)).await;
    Ok(Arc::new(store.context("failed to open a store")?))
}

/// Bytes per waiting trial, and how long a resume takes until the next deployment.
async fn many(bench: &mut Bench) -> Result<(u64, Duration)> {
    let folder = tempfile::tempdir().context("failed to make a folder")?;
    let store = open(folder.path()).await?;
    let before = resident_pages();
    let name = {
        let plan = plan::of("many", MANY, 1)?;
        let seen = Seen::new(None);
        let created = engine(&store, &seen, 1).create(&plan).await;
        created.context("failed to create an experiment")?;
        plan.name
    };
    let first = stopped(&store, &name).await?;
    let waiting = first.pages.saturating_sub(before) * PAGE / u64::from(MANY);
    bench.say(&format!(
        "{MANY} trials waiting: {:.1} KB each (resident memory at the first deployment less that before the plan)",
        kilobytes(waiting)
    ))?;
    let again = stopped(&store, &name).await?;
    let resumed = again.first.context("the resumed run deployed nothing")?;
    bench.say(&format!(
        "resume with {MANY} trials, {BEGUN} of them begun: next deployment after {:.3} s",
        resumed.as_secs_f64()
    ))?;
    Ok((waiting, resumed))
}

/// Runs until some trials are begun, then leaves as a process does that is told to stop.
async fn stopped(store: &Arc<SqliteStore>, name: &ExperimentName) -> Result<Deployments> {
    let control = Control::default();
    let seen = Seen::new(Some((BEGUN, control.stop.clone())));
    match engine(store, &seen, 1).run(name, control).await {
        Err(EngineError::Stopped) => Ok(seen.deployments()),
        Err(error) => Err(error).context("failed to run an experiment"),
        Ok(_) => bail!("the experiment ended before it was stopped"),
    }
}

/// CPU time per trial of a whole experiment with that many slots.
async fn whole(bench: &mut Bench, trials: u32, slots: u32) -> Result<Duration> {
    let folder = tempfile::tempdir().context("failed to make a folder")?;
    let store = open(folder.path()).await?;
    let plan = plan::of("whole", trials, slots)?;
    let seen = Seen::new(None);
    let engine = engine(&store, &seen, slots);
    let (cpu, watch) = (cpu_time()?, Stopwatch::start());
    engine
        .create(&plan)
        .await
        .context("failed to create an experiment")?;
    let report = engine.run(&plan.name, Control::default()).await;
    let report = report.context("failed to run an experiment")?;
    let (cpu, wall) = (cpu_time()?.saturating_sub(cpu), watch.elapsed());
    ensure!(
        report.iterations == trials,
        "{} of {trials} trials were measured",
        report.iterations
    );
    let cost = cpu / trials;
    bench.say(&format!(
        "{trials} trials, {slots} side by side: {:.3} ms CPU, {:.3} ms wall each",
        milliseconds(cost),
        milliseconds(wall / trials)
    ))?;
    Ok(cost)
}

fn cpu_time() -> Result<Duration> {
    let stat = proc_table::read(std::process::id()).context("failed to read the own CPU time")?;
    let ticks = u32::try_from(stat.user_ticks + stat.system_ticks);
    Ok(TICK * ticks.context("this process ran for too long")?)
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

#[expect(clippy::cast_precision_loss, reason = "memory of one trial is little")]
fn kilobytes(bytes: u64) -> f64 {
    bytes as f64 / 1e3
}
