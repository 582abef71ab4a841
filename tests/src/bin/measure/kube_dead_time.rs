//! Time that the manager adds to an iteration on a Deployment.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::bench::Bench;
use crate::em::Em;
use crate::figure::Measured;
use crate::kube_shop::{self, Run, Shop};

/// Longest at the 99th percentile.
const LONGEST: Duration = Duration::from_millis(50);

pub(crate) fn measure(bench: &mut Bench) -> Result<Measured> {
    let em = Em::copied()?;
    Shop::open()?;
    let blocks = bench.by_form(3, 50);
    let file = kube_shop::listed("rolling-update", 1, "{ workers: 4 }")
        .replace("max: 2", &format!("max: {blocks}"));
    bench.say(&format!("{}, {blocks} blocks of two iterations", em.who()))?;
    let run = Run::of(&em, "data", &file, 1)?;
    let timings = run.stored.timings();
    ensure!(!timings.is_empty(), "no iteration has a result");
    let mut p99 = Duration::ZERO;
    for (what, of) in [
        ("roll-out until ready (awaited)", Step::Deploy),
        ("load until steady (awaited)", Step::Ramp),
        ("last answers (awaited)", Step::Answers),
        ("added by the manager", Step::Dead),
    ] {
        let mut times: Vec<_> = timings
            .iter()
            .map(|timing| match of {
                Step::Deploy => timing.deploy,
                Step::Ramp => timing.ramp,
                Step::Answers => timing.answers,
                Step::Dead => timing.dead,
            })
            .collect();
        times.sort_unstable();
        let at = |percent: usize| times[(times.len() * percent).div_ceil(100).max(1) - 1];
        p99 = at(99);
        bench.say(&format!(
            "{what}: {} iterations, median {:.1} ms, p90 {:.1} ms, p99 {:.1} ms",
            times.len(),
            milliseconds(at(50)),
            milliseconds(at(90)),
            milliseconds(p99),
        ))?;
    }
    Ok(Measured {
        value: format!("{:.1} ms", milliseconds(p99)),
        is_met: p99 <= LONGEST,
    })
}

/// A step of an iteration.
enum Step {
    Deploy,
    Ramp,
    Answers,
    Dead,
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
