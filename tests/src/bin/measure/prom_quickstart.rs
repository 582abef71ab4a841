//! The quickstart's service, judged by what a real Prometheus has scraped of it.

use std::net::TcpListener;

use anyhow::{Context as _, Result};
use em_core::observe::{Statistic, Summary};
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
        let seen = report.trials.iter().flat_map(|trial| &trial.iterations);
        let pairs: Vec<Pair> = seen.flat_map(pairs_of).collect();
        compared += pairs.len();
        let far_ones: Vec<&Pair> = pairs.iter().filter(|pair| pair.buckets() > 1).collect();
        for pair in &far_ones {
            bench.say(&format!(
                "{}: {:.1} ms scraped, {:.1} ms driven",
                pair.percentile, pair.scraped, pair.driven
            ))?;
        }
        far += far_ones.len();
        let winning = report.winning.as_ref();
        bench.say(&format!(
            "seed {seed}: {} iterations, winner {}, {} percentiles, at most {} buckets from the driver's own",
            report.iterations,
            winning.map_or_else(|| "none".to_owned(), ToString::to_string),
            pairs.len(),
            pairs.iter().map(Pair::buckets).max().unwrap_or_default(),
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

/// One percentile of one iteration as both saw it, in milliseconds.
struct Pair {
    percentile: &'static str,
    scraped: f64,
    driven: f64,
}

impl Pair {
    /// How many bounds of the service's histogram lie between both.
    fn buckets(&self) -> usize {
        let bucket = |value| BOUNDS_MS.partition_point(|bound| f64::from(*bound) < value);
        bucket(self.scraped).abs_diff(bucket(self.driven))
    }
}

fn pairs_of(seen: &Summary) -> Vec<Pair> {
    let value = |metric: &str, percentile: &str| {
        let (_, summary) = seen.iter().find(|(known, _)| known.as_str() == metric)?;
        let statistic: Statistic = percentile.parse().ok()?;
        Some(summary.get(&statistic)?.value * 1e3)
    };
    let pairs = PERCENTILES.iter().filter_map(|percentile| {
        Some(Pair {
            percentile,
            scraped: value("latency", percentile)?,
            driven: value("load.response_time", percentile)?,
        })
    });
    pairs.collect()
}
