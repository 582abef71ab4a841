//! Time that the manager adds to an iteration on a Deployment.

use std::time::Duration;

use anyhow::{Result, ensure};
use em_core::journal::Timing;

use crate::bench::Bench;
use crate::em::Em;
use crate::figure::Measured;
use crate::kube_shop::{self, Run, Shop};

/// Longest at the 99th percentile.
const LONGEST: Duration = Duration::from_millis(50);

/// The time of one step.
type Step = fn(&Timing) -> Duration;

/// Steps of an iteration that wait for others.
const AWAITED: [(&str, Step); 3] = [
    ("roll-out until ready (awaited)", |timing| timing.deploy),
    ("load until steady (awaited)", |timing| timing.ramp),
    ("last answers (awaited)", |timing| timing.answers),
];

pub(crate) fn measure(bench: &mut Bench) -> Result<Measured> {
    let em = Em::copied()?;
    Shop::open()?;
    let blocks = bench.by_form(3, 50);
    let file = kube_shop::listed("rolling-update", 1, blocks);
    bench.say(&format!("{}, {blocks} blocks of two iterations", em.who()))?;
    let run = Run::of(&em, "data", &file, 1)?;
    let timings = run.stored.timings();
    ensure!(!timings.is_empty(), "no iteration has a result");
    for (what, of) in AWAITED {
        say(bench, what, timings.iter().map(of).collect())?;
    }
    let dead = run.stored.dead_times();
    let p99 = say(bench, "added by the manager", dead)?;
    Ok(Measured {
        value: format!("{:.1} ms", milliseconds(p99)),
        is_met: p99 <= LONGEST,
    })
}

/// Says how long a step took; answers its 99th percentile.
fn say(bench: &mut Bench, what: &str, mut times: Vec<Duration>) -> Result<Duration> {
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() * percent).div_ceil(100).max(1) - 1];
    bench.say(&format!(
        "{what}: {} iterations, median {:.1} ms, p90 {:.1} ms, p99 {:.1} ms, longest {:.1} ms",
        times.len(),
        milliseconds(at(50)),
        milliseconds(at(90)),
        milliseconds(at(99)),
        milliseconds(at(100)),
    ))?;
    Ok(at(99))
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
