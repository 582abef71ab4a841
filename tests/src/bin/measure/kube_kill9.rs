//! `kill -9` of the manager at random moments while it changes a cluster, and what is left after its next start.

use std::process::{Child, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::Value as Json;

use crate::bench::Bench;
use crate::em::Em;
use crate::figure::Measured;
use crate::kube_demo;
use crate::stopwatch::Stopwatch;
use crate::stored::Stored;

/// The policies that write to a cluster in different ways.
const POLICIES: [&str; 2] = ["rolling-update", "new-deployment"];
/// Latest moment of a kill: every stage of an iteration, and the next one's begin, lie before it.
const LATEST: Duration = Duration::from_secs(5);
/// Iterations of each configuration: more than a chain of kills lets pass.
const ITERATIONS: u32 = 6;
/// Longest chain of kills of one run.
const CHAIN: u32 = 6;
/// How long the last resume of a chain may take.
const LAST: Duration = Duration::from_mins(4);
/// The experiment.
const NAME: &str = "shop";

pub(crate) fn measure(bench: &mut Bench) -> Result<Measured> {
    let em = Em::copied()?;
    kube_demo::prepare()?;
    let context = kube_demo::context()?;
    for policy in POLICIES {
        let text = kube_demo::file(NAME, &context, policy, ITERATIONS);
        em.write(&format!("{policy}.yaml"), &text)?;
    }
    let original = kube_demo::original(&kube_demo::live()?);
    let (wanted, longest) = bench.by_form((5, 3), (100, CHAIN));
    let mut random = ChaCha8Rng::seed_from_u64(9);
    bench.say(&format!(
        "{}: {wanted} kills of `em run` on deployment/demo, in chains of up to {longest}, each 0 to {} s after the start",
        em.who(),
        LATEST.as_secs()
    ))?;
    let mut tally = Tally::default();
    // A run may end before it is killed; were that the rule, this would end, too.
    while tally.kills < wanted && tally.chains < 3 * wanted {
        let policy = POLICIES[usize::try_from(tally.chains).unwrap_or_default() % POLICIES.len()];
        tally.chains += 1;
        let length = random.random_range(1..=longest).min(wanted - tally.kills);
        let chain = Chain {
            em: &em,
            policy,
            data: format!("data-{}", tally.chains),
            original: &original,
        };
        let waits: Vec<_> = (0..length)
            .map(|_| LATEST.mul_f64(random.random_range(0.0..1.0)))
            .collect();
        let text = tally.take(&chain, &waits)?;
        bench.say(&format!("chain {}, {policy}: {text}", tally.chains))?;
    }
    bench.say(&format!(
        "at a kill: {} times nothing of ours was there, {} times locks or copies, {} times the live object was held, {} times it was changed",
        tally.stages[0], tally.stages[1], tally.stages[2], tally.stages[3]
    ))?;
    Ok(tally.measured(wanted))
}

/// What was seen over all chains.
#[derive(Debug, Default)]
struct Tally {
    kills: u32,
    chains: u32,
    /// Kills by what was in the cluster: nothing, locks or copies, a held object, a changed one.
    stages: [u32; 4],
    left: u32,
    doubled: usize,
    unfinished: u32,
}

impl Tally {
    /// Kills a manager again and again, lets the last one finish, and looks at what there is.
    fn take(&mut self, chain: &Chain<'_>, waits: &[Duration]) -> Result<String> {
        let mut done = 0;
        for wait in waits {
            let Some(stage) = chain.kill(*wait)? else {
                break;
            };
            done += 1;
            self.stages[stage] += 1;
        }
        self.kills += done;
        let end = chain.finish()?;
        let left = kube_demo::left(chain.original)?;
        self.unfinished += u32::from(!end.is_finished);
        self.doubled += end.doubled;
        self.left += u32::from(!left.is_empty());
        let left = if left.is_empty() {
            "nothing left".to_owned()
        } else {
            format!("LEFT: {}", left.join(", "))
        };
        Ok(format!("{done} kills; then {}; {left}", end.text))
    }

    fn measured(&self, wanted: u32) -> Measured {
        let Self {
            kills,
            chains,
            left,
            doubled,
            unfinished,
            ..
        } = self;
        Measured {
            value: format!(
                "{left} chains left something, {doubled} iterations doubled, {unfinished} unfinished of {chains} chains, {kills} kills"
            ),
            is_met: (*left, *doubled, *unfinished) == (0, 0, 0) && *kills == wanted,
        }
    }
}

/// Runs of one experiment, one after the other.
struct Chain<'a> {
    em: &'a Em,
    policy: &'a str,
    data: String,
    original: &'a Json,
}

/// How the last resume of a chain ended.
struct End {
    is_finished: bool,
    doubled: usize,
    text: String,
}

impl Chain<'_> {
    fn start(&self) -> Result<Child> {
        let file = format!("{}.yaml", self.policy);
        let log = std::fs::File::create(self.em.folder().join(format!("{}.log", self.data)));
        let log = log.context("failed to make a file for what em says")?;
        self.em
            .command(&self.data, &["run", &file, "--yes"])
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .context("failed to start em")
    }

    /// Starts a manager and kills it. What was in the cluster then; none where it had ended before.
    fn kill(&self, wait: Duration) -> Result<Option<usize>> {
        let mut manager = self.start()?;
        thread::sleep(wait);
        if has_ended(&mut manager)? {
            return Ok(None);
        }
        manager.kill().context("failed to kill em")?;
        manager.wait().context("failed to wait for em")?;
        let live = kube_demo::live()?;
        let stage = if live["spec"] != self.original["spec"] {
            3
        } else if kube_demo::is_held(&live) {
            2
        } else {
            usize::from(!kube_demo::ours()?.is_empty())
        };
        Ok(Some(stage))
    }

    fn finish(&self) -> Result<End> {
        let mut manager = self.start()?;
        let watch = Stopwatch::start();
        while !has_ended(&mut manager)? {
            if watch.elapsed() > LAST {
                manager.kill().context("failed to kill em")?;
                manager.wait().context("failed to wait for em")?;
                return Ok(End {
                    is_finished: false,
                    doubled: 0,
                    text: format!("no end within {} s: {}", LAST.as_secs(), self.said()),
                });
            }
            thread::sleep(Duration::from_millis(50));
        }
        let status = manager.wait().context("failed to wait for em")?;
        let stored = Stored::read(&self.em.folder().join(&self.data), NAME)?;
        let (placed, ended) = stored.placed_and_ended();
        let doubled = stored.doubled();
        // 3: every iteration was killed three times in the same stage, which is an answer, too.
        let is_finished = matches!(status.code(), Some(0 | 3)) && placed == ended;
        let mut text = format!(
            "{status} after {:.1} s, {placed} iterations placed, {ended} ended, {} of them lost with a manager, {} without a result, {doubled} doubled",
            watch.elapsed().as_secs_f64(),
            stored.lost(),
            stored.without_result()
        );
        if !is_finished {
            text = format!("{text} ({})", self.said());
        }
        Ok(End {
            is_finished,
            doubled,
            text,
        })
    }

    /// The last that a manager said.
    fn said(&self) -> String {
        let log = self.em.folder().join(format!("{}.log", self.data));
        let said = std::fs::read_to_string(log).unwrap_or_default();
        let last: Vec<_> = said.lines().rev().take(3).collect();
        last.into_iter().rev().collect::<Vec<_>>().join(" / ")
    }
}

fn has_ended(manager: &mut Child) -> Result<bool> {
    let ended = manager.try_wait().context("failed to look at em")?;
    Ok(ended.is_some())
}
