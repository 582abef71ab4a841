//! The main job on a Deployment of a real cluster, in place.

use anyhow::{Result, bail};

use crate::bench::Bench;
use crate::em::Em;
use crate::figure::Measured;
use crate::kube_shop::{self, Run, Shop};
use crate::quickstart::Seen;
use crate::stopwatch::Stopwatch;

pub(crate) fn measure(bench: &mut Bench) -> Result<Measured> {
    let em = Em::copied()?;
    let shop = Shop::open()?;
    let file = kube_shop::search("rolling-update", 1);
    let seeds = bench.by_form(1, 5);
    bench.say(&format!(
        "{}, policy rolling-update, {seeds} runs",
        em.who()
    ))?;
    let (mut best, mut wrong) = (0, 0);
    for seed in 1..=seeds {
        let watch = Stopwatch::start();
        let run = Run::of(&em, &format!("data-{seed}"), &file, seed)?;
        if run.report.iterations == 0 {
            bail!("nothing was measured: {}", run.report.remarks.join("; "));
        }
        let seen = Seen::of(&run.report);
        best += u32::from(seen.is_best);
        bench.say(&format!(
            "run {seed}: {:.0} s, {} iterations, {}",
            watch.elapsed().as_secs_f64(),
            run.report.iterations,
            seen.text,
        ))?;
        let mut found = shop.differences()?;
        found.extend(run.shared_pods());
        wrong += found.len();
        for what in found {
            bench.say(&format!("run {seed}: {what}"))?;
        }
    }
    // Which configuration wins depends on what else the machine does; what is put back does not.
    if wrong > 0 {
        bail!("{wrong} differences from what was there before");
    }
    Ok(Measured {
        value: format!("{best}/{seeds} best, 0 differences"),
        is_met: best >= (4 * seeds).div_ceil(5),
    })
}
