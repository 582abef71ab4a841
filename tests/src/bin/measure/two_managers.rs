//! Two managers at once: of two files, and of one.

use std::process::{Child, Output, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::bench::Bench;
use crate::em::Em;
use crate::figure::Measured;
use crate::small;
use crate::stopwatch::Stopwatch;
use crate::stored::Stored;

/// Blocks of two iterations.
const BLOCKS: u32 = 2;
/// Until the first of two managers is the owner of its experiment.
const OWNED_WITHIN: Duration = Duration::from_secs(30);

pub(crate) fn measure(bench: &mut Bench) -> Result<Measured> {
    let em = Em::copied()?;
    for name in ["one", "two"] {
        em.write(&format!("{name}.yaml"), &small::file(name, BLOCKS))?;
    }
    bench.say(&format!(
        "{}, two at once on the quickstart's service",
        em.who()
    ))?;
    let mut kept = 0;
    for (what, kept_here) in [
        ("two files taking turns", two_files(&em, "turns", &[])?),
        (
            "two files beside each other",
            two_files(&em, "beside", &["--beside"])?,
        ),
        ("one file twice", one_file(&em)?),
    ] {
        bench.say(&format!("{what}: {}", kept_here.text))?;
        kept += u32::from(kept_here.is_kept);
    }
    Ok(Measured {
        value: format!("{kept}/3 kept"),
        is_met: kept == 3,
    })
}

/// Whether neither did the other harm, and what was seen.
struct Seen {
    is_kept: bool,
    text: String,
}

fn start(em: &Em, data: &str, arguments: &[&str]) -> Result<Child> {
    em.command(data, &[&["run"], arguments, &["--output", "json"]].concat())
        .env_remove("EM_BESIDE")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("failed to start em")
}

fn two_files(em: &Em, data: &str, more: &[&str]) -> Result<Seen> {
    let managers = ["one", "two"].map(|name| {
        let file = format!("{name}.yaml");
        start(em, data, &[&[file.as_str()], more].concat())
    });
    let mut is_kept = true;
    let mut told = 0;
    let mut texts = Vec::new();
    for (name, manager) in ["one", "two"].iter().zip(managers) {
        let output = manager?
            .wait_with_output()
            .context("failed to wait for em")?;
        told += u32::from(said(&output).contains("waits for"));
        let stored = Stored::read(&em.folder().join(data), name)?;
        let (_, ended) = stored.placed_and_ended();
        let lost = stored.without_result();
        is_kept &= output.status.success() && lost == 0 && ended > 0;
        texts.push(format!(
            "{name}: {}, {ended} iterations, {lost} without a result",
            output.status
        ));
        if !output.status.success() {
            texts.push(said(&output).lines().last().unwrap_or_default().to_owned());
        }
    }
    if more.is_empty() {
        is_kept &= told > 0;
        texts.push(format!("{told} told for whom they wait"));
    }
    Ok(Seen {
        is_kept,
        text: texts.join("; "),
    })
}

fn one_file(em: &Em) -> Result<Seen> {
    let data = "same";
    let first = start(em, data, &["one.yaml", "--beside"])?;
    let watch = Stopwatch::start();
    while !is_under_way(em, data) {
        if watch.elapsed() > OWNED_WITHIN {
            bail!("em began nothing within {} s", OWNED_WITHIN.as_secs());
        }
        thread::sleep(Duration::from_millis(50));
    }
    let who = first.id().to_string();
    let second = start(em, data, &["one.yaml", "--beside"])?;
    let second = second.wait_with_output().context("failed to wait for em")?;
    let first = first.wait_with_output().context("failed to wait for em")?;
    let refusal = said(&second);
    let refusal = refusal.lines().last().unwrap_or_default();
    let stored = Stored::read(&em.folder().join(data), "one")?;
    let is_told = !second.status.success() && refusal.contains(&who);
    Ok(Seen {
        is_kept: is_told && first.status.success() && stored.without_result() == 0,
        text: format!(
            "first (process {who}): {}, {} without a result; second: {}, {refusal}",
            first.status,
            stored.without_result(),
            second.status
        ),
    })
}

/// Whether an iteration has been placed.
fn is_under_way(em: &Em, data: &str) -> bool {
    let stored = Stored::read(&em.folder().join(data), "one");
    stored.is_ok_and(|stored| stored.placed_and_ended().0 > 0)
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
