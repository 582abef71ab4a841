//! Copies side by side beside the live object, and limits changed in running pods.

use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result};
use em_core::observe::Replication;
use em_core::port::IncidentKind;

use crate::bench::Bench;
use crate::em::Em;
use crate::figure::Measured;
use crate::kube_shop::{self, Run, Shop};
use crate::quickstart::Seen;
use crate::stopwatch::Stopwatch;

/// Iterations side by side.
const SLOTS: u32 = 4;
/// How a copy of the run itself is called where it is found on the node.
const OWN: &str = " of experiment shop, clone ";
/// Processes that take all the CPU there is.
const HOGS: usize = 4;

pub(crate) fn measure(bench: &mut Bench) -> Result<Measured> {
    let em = Em::copied()?;
    let shop = Shop::open()?;
    let runs = bench.by_form(1, 10);
    bench.say(&format!(
        "{}, policy new-deployment, {SLOTS} slots, {runs} runs",
        em.who()
    ))?;
    let mut seen = Counts::default();
    for seed in 1..=runs {
        seen.add(&search(bench, &em, &shop, seed)?);
    }
    let Counts {
        best,
        wrong,
        silent,
    } = seen;
    let speaks = speaks_under_a_hog(bench, &em, &shop)?;
    let is_window = is_resized(bench, &em, &shop)?;
    let least = |of_ten: u32| (of_ten * runs).div_ceil(10);
    let word = |yes: bool| if yes { "yes" } else { "no" };
    Ok(Measured {
        value: format!(
            "{best}/{runs} best, {wrong} differences, guard silent {silent}/{runs}, speaks under a hog: {}, \
             resize by window: {}",
            word(speaks),
            word(is_window),
        ),
        is_met: best >= least(8) && wrong == 0 && silent >= least(9) && speaks && is_window,
    })
}

/// What was seen in runs of copies.
#[derive(Default)]
struct Counts {
    best: u32,
    wrong: usize,
    silent: u32,
}

impl Counts {
    fn add(&mut self, other: &Self) {
        self.best += other.best;
        self.wrong += other.wrong;
        self.silent += other.silent;
    }
}

/// One search of the known best in copies.
fn search(bench: &mut Bench, em: &Em, shop: &Shop, seed: u32) -> Result<Counts> {
    let watch = Stopwatch::start();
    let file = kube_shop::search("new-deployment", SLOTS);
    let run = Run::of(em, &format!("data-{seed}"), &file, seed)?;
    let seen = Seen::of(&run.report);
    let warned = warnings(&run);
    bench.say(&format!(
        "run {seed}: {:.0} s, {} iterations, {}, {} warnings of the guard",
        watch.elapsed().as_secs_f64(),
        run.report.iterations,
        seen.text,
        warned.len(),
    ))?;
    say_first(bench, &warned)?;
    Ok(Counts {
        best: seen.is_best.into(),
        wrong: say_wrong(bench, shop, &run)?,
        silent: warned.is_empty().into(),
    })
}

/// What the run said of others that used the machine: what was seen on the node, copies of its own aside (on one node
/// there are always some), and iterations that it refused because everything came too late.
fn warnings(run: &Run) -> Vec<String> {
    let incidents = run.stored.collected.iter().flat_map(|each| &each.incidents);
    let others = incidents.filter(|incident| {
        incident.kind == IncidentKind::Neighbour && !incident.what.contains(OWN)
    });
    let others = others.map(|incident| incident.what.clone());
    others.chain(run.stored.late()).collect()
}

fn say_first(bench: &mut Bench, warned: &[String]) -> Result<()> {
    match warned.first() {
        Some(first) => bench.say(&format!("the guard, first: {first}")),
        None => Ok(()),
    }
}

/// Says what a run of copies may not have done, and counts it.
fn say_wrong(bench: &mut Bench, shop: &Shop, run: &Run) -> Result<usize> {
    let mut found = shop.differences()?;
    found.extend(run.shared_pods());
    if !shop.is_untouched()? {
        found.push("the live object has another generation".to_owned());
    }
    for what in &found {
        bench.say(what)?;
    }
    Ok(found.len())
}

/// Whether a few iterations, while others take all the CPU, are warned of (and do no harm either).
fn speaks_under_a_hog(bench: &mut Bench, em: &Em, shop: &Shop) -> Result<bool> {
    let hogs = Hogs::start()?;
    let listed = kube_shop::listed("new-deployment", SLOTS, 2);
    let run = Run::of(em, "data-hog", &listed, 1)?;
    drop(hogs);
    let warned = warnings(&run);
    bench.say(&format!(
        "{HOGS} hogs: {} iterations, {} warnings of the guard",
        run.report.iterations,
        warned.len()
    ))?;
    say_first(bench, &warned)?;
    let wrong = say_wrong(bench, shop, &run)?;
    Ok(!warned.is_empty() && wrong == 0)
}

/// Whether limits of running pods are changed, and every value says that it repeats windows only.
fn is_resized(bench: &mut Bench, em: &Em, shop: &Shop) -> Result<bool> {
    let run = Run::of(em, "data-resize", &kube_shop::resized(), 1)?;
    let verdicts = run.report.trials.iter().flat_map(|trial| &trial.verdicts);
    let levels: Vec<_> = verdicts.map(|verdict| verdict.replication).collect();
    let windows = levels.iter().filter(|level| **level == Replication::Window);
    let windows = windows.count();
    let found = shop.differences()?;
    bench.say(&format!(
        "policy resize: {} iterations, {windows} of {} verdicts by window",
        run.report.iterations,
        levels.len()
    ))?;
    for what in &found {
        bench.say(what)?;
    }
    Ok(windows > 0 && windows == levels.len() && found.is_empty())
}

/// Processes that do nothing but compute; gone when dropped.
struct Hogs(Vec<Child>);

impl Hogs {
    fn start() -> Result<Self> {
        let mut hogs = Self(Vec::new());
        for _ in 0..HOGS {
            let hog = Command::new("sh")
                .args(["-c", "while :; do :; done"])
                .stdin(Stdio::null())
                .spawn();
            hogs.0.push(hog.context("failed to start a hog")?);
        }
        Ok(hogs)
    }
}

impl Drop for Hogs {
    fn drop(&mut self) {
        for hog in &mut self.0 {
            // One that ended by itself needs no end.
            let _ = hog.kill();
            let _ = hog.wait();
        }
    }
}
