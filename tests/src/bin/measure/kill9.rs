//! `kill -9` of the manager at random moments, and what is left two seconds later.

use std::path::Path;
use std::process::{Child, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::bench::Bench;
use crate::em::Em;
use crate::figure::Measured;
use crate::nginx;
use crate::remains::{Suspects, still_listening};
use crate::stopwatch::Stopwatch;
use crate::stored::Stored;

/// How long what hangs on a manager may outlive it.
const MERCY: Duration = Duration::from_secs(2);
/// Latest moment of a kill: every stage of an iteration, and the next one's begin, lie before it.
const LATEST: Duration = Duration::from_millis(1500);
/// Longest chain of kills of one run.
const CHAIN: u32 = 10;
/// How long the last resume of a chain may take.
const LAST: Duration = Duration::from_mins(2);

pub(crate) fn measure(bench: &mut Bench) -> Result<Measured> {
    let em = Em::copied()?;
    nginx::prepare(&em)?;
    let wanted = bench.by_form(10, 200);
    let mut random = ChaCha8Rng::seed_from_u64(9);
    bench.say(&format!(
        "{}: {wanted} kills of `em run` on examples/nginx.yaml, shortened, in chains of up to {CHAIN}, each 0 to {} s after the start",
        em.who(),
        LATEST.as_secs_f64()
    ))?;
    let (mut kills, mut chains, mut left, mut unfinished) = (0, 0, Vec::new(), 0);
    while kills < wanted {
        chains += 1;
        let data = format!("data-{chains}");
        let length = random.random_range(1..=CHAIN).min(wanted - kills);
        let (mut done, mut worst) = (0, 0);
        for _ in 0..length {
            let wait = LATEST.mul_f64(random.random_range(0.0..1.0));
            let Some(found) = kill(&em, &data, wait)? else {
                break;
            };
            done += 1;
            worst = worst.max(found.len());
            left.extend(found);
        }
        kills += done;
        let end = finish(&em, &data)?;
        unfinished += u32::from(!end.is_finished);
        bench.say(&format!(
            "chain {chains}: {done} kills, at most {worst} things left; then {}",
            end.text
        ))?;
    }
    for what in &left {
        bench.say(&format!("left behind: {what}"))?;
    }
    Ok(Measured {
        value: format!(
            "{} left, {unfinished} unfinished of {chains} chains, {kills} kills",
            left.len()
        ),
        is_met: left.is_empty() && unfinished == 0,
    })
}

/// Starts a manager, kills it, and answers what is left of it; none where it had ended before.
fn kill(em: &Em, data: &str, wait: Duration) -> Result<Option<Vec<String>>> {
    let mut manager = nginx::run(em, data)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("failed to start em")?;
    thread::sleep(wait);
    let program = em.folder().join("em");
    let store = store_of(&em.folder().join(data));
    let suspects = Suspects {
        program: &program,
        store: store.as_deref(),
    };
    let listening = suspects.listening();
    if has_ended(&mut manager)? {
        return Ok(None);
    }
    manager.kill().context("failed to kill em")?;
    manager.wait().context("failed to wait for em")?;
    thread::sleep(MERCY);
    let processes = suspects.processes().into_iter();
    let mut left: Vec<String> = processes
        .map(|(pid, name)| format!("process {pid} ({name})"))
        .collect();
    let sockets = still_listening(&listening).into_iter();
    left.extend(sockets.map(|inode| format!("listening socket {inode}")));
    let folders = suspects.folders().into_iter();
    left.extend(folders.map(|folder| folder.display().to_string()));
    Ok(Some(left))
}

fn has_ended(manager: &mut Child) -> Result<bool> {
    let ended = manager.try_wait().context("failed to look at em")?;
    Ok(ended.is_some())
}

/// The store's id, once there is a store.
fn store_of(data: &Path) -> Option<String> {
    Some(Stored::read(data, nginx::NAME).ok()?.store)
}

/// How the last resume of a chain ended.
struct End {
    is_finished: bool,
    text: String,
}

fn finish(em: &Em, data: &str) -> Result<End> {
    let mut manager = nginx::run(em, data)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("failed to start em")?;
    let watch = Stopwatch::start();
    while !has_ended(&mut manager)? {
        if watch.elapsed() > LAST {
            manager.kill().context("failed to kill em")?;
            manager.wait().context("failed to wait for em")?;
            return Ok(End {
                is_finished: false,
                text: format!("no end within {} s", LAST.as_secs()),
            });
        }
        thread::sleep(Duration::from_millis(50));
    }
    let status = manager.wait().context("failed to wait for em")?;
    let stored = Stored::read(&em.folder().join(data), nginx::NAME)?;
    let (placed, ended) = stored.placed_and_ended();
    // 3: every iteration was killed three times in the same stage, which is an answer, too.
    let is_finished = matches!(status.code(), Some(0 | 3)) && placed == ended;
    Ok(End {
        is_finished,
        text: format!(
            "{status}, {placed} iterations placed, {ended} ended, {} of them lost with a manager",
            stored.lost()
        ),
    })
}
