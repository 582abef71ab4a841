//! How much raw data an experiment leaves.

use anyhow::{Context as _, Result, ensure};
use em_server::experiment_file;
use em_server::view::forecast::Forecast;

use crate::bench::Bench;
use crate::em::Em;
use crate::figure::Measured;
use crate::stored::Stored;

/// Most bytes of the experiment as a whole.
const MOST: f64 = 100e6;
/// Requests per second: what the quickstart finds.
const RATE: &str = "load.rate=440";

/// An experiment that leaves everything to the defaults: three cycles of 30 s, two blocks for a
/// round of four, the best three verified.
const FILE: &str = "\
name: sized
target: { kind: process, command: ['{{em}}', demo, --port, '{{port}}'] }
tunables:
  - { name: workers, range: [1, 16], default: 2, apply: { env: WORKERS } }
  - { name: cache, choices: [lru, none], default: lru, apply: { arg: '--cache={{value}}' } }
load: { kind: http, url: 'http://{{address}}/' }
objective: { minimize: load.response_time.p99 }
search: { kind: built-in }
budget: { trials: 40 }
";

/// The same service, two iterations of one trial and the baseline.
const SAMPLE: &str = "\
name: sample
target: { kind: process, command: ['{{em}}', demo, --port, '{{port}}'] }
tunables:
  - { name: workers, range: [1, 16], default: 2, apply: { env: WORKERS } }
load: { kind: http, url: 'http://{{address}}/' }
objective: { minimize: load.response_time.p99 }
trials: [{ id: best, values: { workers: 4 } }]
measurement: { warmup: 0s, cycles: 1, cycle_duration: 30s, iterations: { min: 1, max: 1 } }
";

pub(crate) fn measure(bench: &mut Bench) -> Result<Measured> {
    let em = Em::copied()?;
    let file = em.write("sized.yaml", FILE)?;
    em.write("sample.yaml", SAMPLE)?;
    let read = experiment_file::read(&file, &[])?;
    let parsed = read.parsed.ok().context("the default file is refused")?;
    let forecast = Forecast::of(&parsed.plan);
    let (_, most) = forecast
        .deployments
        .context("nothing limits the default experiment")?;
    let cycles = bench.by_form(1, 3);
    bench.say(&format!(
        "{}, a real run of 2 iterations of {cycles} x 30 s at {RATE}, then by arithmetic",
        em.who()
    ))?;
    let set = format!("measurement.cycles={cycles}");
    let report = em.report("data", &["sample.yaml", "--set", &set, "--set", RATE])?;
    let stored = Stored::read(&em.folder().join("data"), "sample")?;
    ensure!(report.iterations == 2, "{} iterations", report.iterations);
    #[expect(clippy::cast_precision_loss, reason = "both are far below 2^53")]
    let (raw, most_iterations) = (stored.raw_bytes as f64, most as f64);
    let per_second = raw / (2.0 * 30.0 * f64::from(cycles));
    let length = forecast.collection.as_secs_f64();
    let whole = per_second * length * most_iterations;
    bench.say(&format!(
        "{raw} bytes of {} s of load: {per_second:.0} bytes/s (report included)",
        60 * cycles
    ))?;
    bench.say(&format!(
        "a default experiment of 40 trials: at most {most} iterations of {length} s: {:.1} MB",
        whole / 1e6
    ))?;
    Ok(Measured {
        value: format!("{:.1} MB", whole / 1e6),
        is_met: whole < MOST,
    })
}
