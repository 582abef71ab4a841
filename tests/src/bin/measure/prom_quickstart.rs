//! The quickstart's service, judged by what a real Prometheus has scraped of it.

use std::net::TcpListener;

use anyhow::{Context as _, Result};
use em_core::observe::{MetricSummary, Statistic, Summary};
use em_core::report::Report;
use em_load::demo::BOUNDS_MS;
use em_tests::house;
use em_tests::prometheus::Prometheus;

use crate::bench::Bench;
use crate::em::Em;
use crate::figure::Measured;
use crate::quickstart::is_known_best;

/// The port in the example's files.
const PORT: &str = "18080";
/// What is compared with what the load driver saw itself.
const PERCENTILES: [&str; 3] = ["median", "p95", "p99"];

pub(crate) fn measure(bench: &mut Bench) -> Result<Measured> {
    let seeds = bench.by_form(1, 5);
    let (mut best, mut far, mut compared) = (0, 0, 0);
    for seed in 1..=seeds {
        let report = run(seed)?;
        let is_best = report.winning.as_ref().is_some_and(is_known_best);
        best += u32::from(is_best);
        let shifts = report.trials.iter().flat_map(|trial| &trial.iterations);
        let shifts: Vec<usize> = shifts.flat_map(shifts_of).collect();
        compared += shifts.len();
        far += shifts.iter().filter(|shift| **shift > 1).count();
        let winning = report.winning.as_ref();
        bench.say(&format!(
            "seed {seed}: {} iterations, winner {}, {} percentiles, at most {} buckets from the driver's own",
            report.iterations,
            winning.map_or_else(|| "none".to_owned(), ToString::to_string),
            shifts.len(),
            shifts.iter().max().copied().unwrap_or_default(),
        ))?;
    }
    Ok(Measured {
        value: format!(
            "{best}/{seeds} the same winner, {far} of {compared} percentiles more than a bucket away"
        ),
        is_met: best == seeds && far == 0 && compared > 0,
    })
}

fn run(seed: u32) -> Result<Report> {
    let em = Em::copied()?;
    let port = free_port()?;
    let examples = house::root().join("examples");
    let read = |name: &str| {
        let text = std::fs::read_to_string(examples.join(name));
        let text = text.with_context(|| format!("failed to read examples/{name}"))?;
        Ok::<_, anyhow::Error>(text.replace(PORT, &port))
    };
    let server = Prometheus::start(em.folder(), &read("prometheus/prometheus.yml")?)?;
    em.write("prometheus.yaml", &read("prometheus.yaml")?)?;
    let url = format!("datasources.prom.url={}", server.url);
    let seed = format!("measurement.seed={seed}");
    em.report("data", &["prometheus.yaml", "--set", &url, "--set", &seed])
}

fn free_port() -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").context("failed to find a free port")?;
    let address = listener.local_addr();
    Ok(address
        .context("failed to find a free port")?
        .port()
        .to_string())
}

/// How many buckets lie between both sources, for each percentile of one iteration.
fn shifts_of(seen: &Summary) -> Vec<usize> {
    let summary = |name: &str| seen.iter().find(|(known, _)| known.as_str() == name);
    let (scraped, driven) = (summary("latency"), summary("load.response_time"));
    let pairs = PERCENTILES.iter().filter_map(|percentile| {
        let scraped = bucket(scraped?.1, percentile)?;
        Some(scraped.abs_diff(bucket(driven?.1, percentile)?))
    });
    pairs.collect()
}

/// The bucket of the service's histogram in which a statistic lies.
fn bucket(summary: &MetricSummary, statistic: &str) -> Option<usize> {
    let statistic: Statistic = statistic.parse().ok()?;
    let milliseconds = summary.get(&statistic)?.value * 1e3;
    Some(BOUNDS_MS.partition_point(|bound| f64::from(*bound) < milliseconds))
}
