//! Time that the manager adds to an iteration.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::bench::Bench;
use crate::em::Em;
use crate::figure::Measured;
use crate::stored::Stored;

/// Longest at the 99th percentile.
const LONGEST: Duration = Duration::from_millis(50);

pub(crate) fn measure(bench: &mut Bench) -> Result<Measured> {
    let em = Em::copied()?;
    em.take_quickstart()?;
    let short: &[&str] = &[
        "--set",
        "budget.trials=2",
        "--set",
        "search.verify=1",
        "--set",
        "load.rate=200",
    ];
    let arguments = [&["quickstart.yaml"][..], bench.by_form(short, &[])].concat();
    bench.say(&format!("{}, {}", em.who(), arguments.join(" ")))?;
    em.report("data", &arguments)?;
    let mut dead = Stored::read(&em.folder().join("data"), "demo")?.dead_times();
    ensure!(!dead.is_empty(), "no iteration has a result");
    dead.sort_unstable();
    let at = |percent: usize| dead[(dead.len() * percent).div_ceil(100).max(1) - 1];
    let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
    bench.say(&format!(
        "{} iterations: median {:.1} ms, p90 {:.1} ms, p99 {:.1} ms, longest {:.1} ms",
        dead.len(),
        milliseconds(at(50)),
        milliseconds(at(90)),
        milliseconds(at(99)),
        milliseconds(at(100)),
    ))?;
    Ok(Measured {
        value: format!("{:.1} ms", milliseconds(at(99))),
        is_met: at(99) <= LONGEST,
    })
}
