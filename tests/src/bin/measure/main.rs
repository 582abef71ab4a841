//! `tests/measure`: every figure that the house is judged by is a command.
//!
//! A figure says what ran against what on which machine, and as its last line
//! `NAME VALUE UNIT goal GOAL met|missed`. Figures of time and of statistics hold the machine's
//! measuring lock: beside other measurements they refuse to run.

mod aa;
mod bench;
mod cluster;
mod crash;
mod dead_time;
mod decode;
mod em;
mod figure;
mod fuzz;
mod kill9;
mod kube_clones;
mod kube_dead_time;
mod kube_failures;
mod kube_quickstart;
mod kube_shop;
mod machine;
mod nginx;
mod overhead;
mod paper;
mod prom_quickstart;
mod quickstart;
mod raw_size;
mod remains;
mod servers;
mod small;
mod stopwatch;
mod stored;
mod suites;
mod two_managers;

use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::Parser;
use em_local::lock_file;
use em_local::measuring_lock::{Measuring, MeasuringLock};

use bench::{Bench, Form};
use figure::{FIGURES, Figure, Kind};
use stopwatch::Stopwatch;

/// How long a figure waits for others to have measured before it refuses.
const PATIENCE: Duration = Duration::from_mins(3);
/// Between two looks at the lock.
const TRY_AGAIN: Duration = Duration::from_millis(200);

/// Measures one figure; without a name, lists them with their goals
#[derive(Debug, Parser)]
#[command(name = "tests/measure")]
struct Args {
    /// Which figure
    name: Option<String>,
    /// The form that CI runs: smaller, and a missed goal of time is only a warning
    #[arg(long)]
    short: bool,
    /// Keep the output in `docs/measured/NAME.txt`
    #[arg(long)]
    save: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let done = match &args.name {
        None => list().map(|()| ExitCode::SUCCESS),
        Some(name) => measure(name, &args),
    };
    done.unwrap_or_else(|error| {
        // Nobody is left to be told where stderr is closed.
        let _ = writeln!(io::stderr(), "tests/measure: {error:#}");
        ExitCode::FAILURE
    })
}

fn list() -> Result<()> {
    let mut out = io::stdout().lock();
    for figure in FIGURES {
        writeln!(
            out,
            "{:<14}{}\n{:<14}goal {}",
            figure.name, figure.what, "", figure.goal
        )
        .context("failed to print the list")?;
    }
    Ok(())
}

fn measure(name: &str, args: &Args) -> Result<ExitCode> {
    let Some(figure) = FIGURES.iter().find(|figure| figure.name == name) else {
        let names: Vec<_> = FIGURES.iter().map(|figure| figure.name).collect();
        bail!("there is no figure {name}; there are {}", names.join(", "));
    };
    if figure.name.starts_with("kube-")
        && let Some(code) = cluster::enter()?
    {
        return Ok(code);
    }
    let form = if args.short { Form::Short } else { Form::Long };
    let _alone = match figure.kind {
        Kind::Timing => Some(alone(figure)?),
        Kind::Counting => None,
    };
    let mut bench = Bench::new(form);
    bench.say(&format!("{}: {} ({form} form)", figure.name, figure.what))?;
    for line in machine::describe() {
        bench.say(&line)?;
    }
    let measured = (figure.measure)(&mut bench)?;
    bench.say(&machine::load("at the end"))?;
    let word = if measured.is_met { "met" } else { "missed" };
    bench.say(&format!(
        "{} {} goal {} {word}",
        figure.name, measured.value, figure.goal
    ))?;
    if args.save {
        bench.paper().save(figure.name)?;
    }
    let is_forgiven = form == Form::Short && figure.kind == Kind::Timing;
    if !measured.is_met && is_forgiven {
        writeln!(
            io::stderr(),
            "warning: {name} missed its goal; the short form judges no time"
        )
        .context("failed to print a warning")?;
    }
    Ok(if measured.is_met || is_forgiven {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The machine's measuring lock; refuses where others go on measuring.
fn alone(figure: &Figure) -> Result<Measuring> {
    let who = format!(
        "tests/measure {} (process {})",
        figure.name,
        std::process::id()
    );
    let lock = MeasuringLock::new(Path::new(lock_file::FOLDER), &who);
    let waited = Stopwatch::start();
    loop {
        let taken = lock.try_take();
        match taken.context("failed to take the machine's measuring lock")? {
            Ok(measuring) => return Ok(measuring),
            Err(other) if waited.elapsed() > PATIENCE => bail!(
                "{} is not measured beside {other}: run it again when that is over",
                figure.name
            ),
            Err(_) => std::thread::sleep(TRY_AGAIN),
        }
    }
}
