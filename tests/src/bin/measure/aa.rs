//! A against A: how often a difference is found where there is none.

use std::fmt::Write as _;

use anyhow::Result;
use em_core::observe::VerdictKind;

use crate::bench::Bench;
use crate::em::Em;
use crate::figure::Measured;

/// Runs in which identical configurations may be told apart.
const MOST: u32 = 1;

/// Two trials whose values are the baseline's, in seven blocks: enough for a verdict on each.
const FILE: &str = "\
name: same
target: { kind: process, command: ['{{em}}', demo, --port, '{{port}}'] }
tunables:
  - { name: workers, range: [1, 16], default: 2, apply: { env: WORKERS } }
load: { kind: http, url: 'http://{{address}}/', rate: 200 }
objective: { minimize: load.response_time.p99 }
trials: [{ id: a, values: { workers: 2 } }, { id: b, values: { workers: 2 } }]
measurement: { warmup: 300ms, cycles: 1, cycle_duration: 1s, iterations: { min: 7, max: 7 } }
";

pub(crate) fn measure(bench: &mut Bench) -> Result<Measured> {
    let em = Em::copied()?;
    em.write("same.yaml", FILE)?;
    let seeds = bench.by_form(2, 10);
    bench.say(&format!(
        "{}, baseline and two trials of the same configuration in 7 blocks, {seeds} seeds",
        em.who()
    ))?;
    let mut told_apart = 0;
    for seed in 1..=seeds {
        let set = format!("measurement.seed={seed}");
        let report = em.report(&format!("data-{seed}"), &["same.yaml", "--set", &set])?;
        let verdicts = report.trials.iter().flat_map(|trial| &trial.verdicts);
        let mut text = String::new();
        let (mut differs, mut count) = (false, 0);
        for verdict in verdicts {
            differs |= matches!(verdict.kind, VerdictKind::Better | VerdictKind::Worse);
            count += 1;
            let ratio = verdict.ratio.unwrap_or(f64::NAN);
            let p = verdict.p_adjusted.unwrap_or(f64::NAN);
            write!(
                text,
                "; {} {:?}, ratio {ratio:.4}, p {p:.3}",
                verdict.trial, verdict.kind
            )?;
        }
        anyhow::ensure!(count == 2, "seed {seed} has {count} verdicts, not two");
        told_apart += u32::from(differs);
        bench.say(&format!("seed {seed}{text}"))?;
    }
    Ok(Measured {
        value: format!("{told_apart}/{seeds} told apart"),
        is_met: told_apart <= MOST,
    })
}
