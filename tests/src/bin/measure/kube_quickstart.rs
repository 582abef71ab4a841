//! The main job on a Deployment of a real cluster, in place.

use anyhow::Result;

use crate::bench::Bench;
use crate::em::Em;
use crate::figure::Measured;
use crate::kube_shop::{self, Run, Shop};
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
        best += u32::from(run.is_best());
        bench.say(&format!(
            "run {seed}: {:.0} s, {} iterations, winner {}{}",
            watch.elapsed().as_secs_f64(),
            run.report.iterations,
            run.winner(),
            if run.is_best() {
                " (the known best)"
            } else {
                ""
            },
        ))?;
        let mut found = shop.differences()?;
        found.extend(run.shared_pods());
        wrong += found.len();
        for what in found {
            bench.say(&format!("run {seed}: {what}"))?;
        }
    }
    Ok(Measured {
        value: format!("{best}/{seeds} best, {wrong} differences"),
        is_met: best >= (4 * seeds).div_ceil(5) && wrong == 0,
    })
}
