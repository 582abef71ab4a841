//! Reads one file with an answer of Prometheus in one of three ways, once, and says how long that
//! took and how much memory at most. A process of its own for each, so that each starts from nothing.

use std::borrow::Cow;
use std::hint::black_box;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context as _, Result};
use clap::{Parser, ValueEnum};
use em_core::file::{self, FileContext};
use em_core::fold::{self, Stretch};
use em_core::observe::Window;
use serde::Deserialize;

#[derive(Debug, Parser)]
struct Args {
    way: Way,
    path: PathBuf,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Way {
    /// The file is read, that is all: the floor of memory.
    Read,
    /// `serde_json` into borrowed values.
    Serde,
    /// The datasource, and the fold.
    Em,
}

/// A metric of the mean over all series at each instant.
const FILE: &str = "
name: decode
target: { kind: observe }
load: { kind: none }
datasources: { prom: { kind: prometheus, url: \"http://127.0.0.1:9\" } }
metrics: [{ name: m, datasource: prom, as: gauge, query: m, fold: mean }]
measurement: { cycles: 1 }
";

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    data: Data<'a>,
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow)]
    result: Vec<Borrowed<'a>>,
}

#[derive(Deserialize)]
struct Borrowed<'a> {
    #[serde(borrow)]
    values: Vec<(f64, Cow<'a, str>)>,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let body = std::fs::read(&args.path).context("failed to read the answer")?;
    let began = Instant::now();
    let seen = match args.way {
        Way::Read => body.len(),
        Way::Serde => {
            let read: Envelope<'_> =
                serde_json::from_slice(&body).context("failed to read the answer")?;
            let points = read.data.result.iter().map(|series| series.values.len());
            black_box(&read);
            points.sum()
        }
        Way::Em => mean(body)?,
    };
    let took = began.elapsed().as_secs_f64();
    let said = writeln!(io::stdout(), "{took} {} {seen}", peak_kilobytes()?);
    said.context("failed to say it")
}

fn mean(body: Vec<u8>) -> Result<usize> {
    let parsed = file::parse(FILE.as_bytes(), &FileContext::bare());
    let plan = parsed.map_err(|errors| anyhow::anyhow!("{errors}"))?.plan;
    let series = em_datasource::wire::prometheus(body)?;
    let points = || {
        series
            .iter()
            .flat_map(|one| &one.points)
            .map(|point| point.at)
    };
    let window = Window {
        start: points().min().context("there is no point")?,
        end: points().max().context("there is no point")?,
    };
    let folded = fold::fold(&plan.metrics[0], &series, Stretch::alone(window))?;
    let observed = folded.observed.context("nothing was observed")?;
    black_box(&observed);
    Ok(series.iter().map(|one| one.points.len()).sum())
}

fn peak_kilobytes() -> Result<u64> {
    let status =
        std::fs::read_to_string("/proc/self/status").context("failed to look at myself")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.context("the kernel does not tell the peak of memory")
}
