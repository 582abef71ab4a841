//! Whatever is read is read or refused: seeds replayed, and bytes that nobody would send.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use em_tests::house;

use crate::bench::Bench;
use crate::figure::Measured;
use crate::suites;

/// How long each target is fed.
const SECONDS: u32 = 60;
/// More memory than any of them needs, in megabytes.
const MEMORY: u32 = 2_048;

/// What feeding one target came to.
struct Fed {
    executions: u64,
    has_crashed: bool,
}

pub(crate) fn measure(bench: &mut Bench) -> Result<Measured> {
    let (mut replayed, mut crashes) = (0, 0);
    for package in ["em-core", "em-datasource"] {
        let seen = suites::run(bench, &["-p", package, "--test", "corpus"])?;
        replayed += seen.passed;
        crashes += seen.failed;
        // None that passed is a suite that did not run.
        crashes += u32::from(seen.passed == 0 && seen.failed == 0);
    }
    if bench.by_form(true, false) {
        return Ok(Measured {
            value: format!("{replayed} targets replayed, {crashes} crashes"),
            is_met: crashes == 0,
        });
    }
    let mut executions = 0;
    let targets = targets()?;
    let found = tempfile::tempdir().context("failed to make a folder")?;
    for target in &targets {
        let fed = feed(target, found.path())?;
        let word = if fed.has_crashed {
            "crashed"
        } else {
            "no crash"
        };
        bench.say(&format!(
            "{target}: {} executions in {SECONDS} s, {word}",
            fed.executions
        ))?;
        executions += fed.executions;
        crashes += u32::from(fed.has_crashed);
    }
    Ok(Measured {
        value: format!(
            "{replayed} targets replayed, {} fed for {SECONDS} s each, {executions} executions, {crashes} crashes",
            targets.len()
        ),
        is_met: crashes == 0,
    })
}

/// The fuzz targets by name.
fn targets() -> Result<Vec<String>> {
    let folder = house::root().join("fuzz/fuzz_targets");
    let entries = std::fs::read_dir(folder).context("failed to list the fuzz targets")?;
    let mut targets = Vec::new();
    for entry in entries {
        let path = entry.context("failed to list the fuzz targets")?.path();
        let name = path.file_stem().and_then(|name| name.to_str());
        targets.extend(name.map(str::to_owned));
    }
    targets.sort();
    ensure!(!targets.is_empty(), "there are no fuzz targets");
    Ok(targets)
}

/// Feeds a target with its seeds and what becomes of them. What is found stays in a folder that goes
/// away; what makes it crash stays in `fuzz/artifacts`.
fn feed(target: &str, found: &Path) -> Result<Fed> {
    let found = found.join(target);
    std::fs::create_dir(&found).context("failed to make a folder")?;
    let built = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    // The toolchain that runs this is not the one that is needed.
    let output = Command::new("rustup")
        .args(["run", "nightly", "cargo", "fuzz", "run", target])
        .arg(&found)
        .arg(format!("corpus/{target}"))
        .arg("--")
        .arg(format!("-max_total_time={SECONDS}"))
        .arg(format!("-rss_limit_mb={MEMORY}"))
        .env("CARGO_TARGET_DIR", house::root().join(built).join("fuzz"))
        .current_dir(house::root().join("fuzz"))
        .output()
        .context("failed to start rustup")?;
    let told = String::from_utf8_lossy(&output.stderr);
    let executions = told.lines().find_map(executions);
    let has_crashed = !output.status.success();
    ensure!(
        executions.is_some() || has_crashed && told.contains("SUMMARY: "),
        "{target} did not run (rustup toolchain install nightly; cargo install cargo-fuzz):\n{}",
        last(&told)
    );
    Ok(Fed {
        executions: executions.unwrap_or_default(),
        has_crashed,
    })
}

/// The number of `Done 52261 runs in 71 second(s)`.
fn executions(line: &str) -> Option<u64> {
    line.strip_prefix("Done ")?.split(' ').next()?.parse().ok()
}

/// The last lines of what was told.
fn last(told: &str) -> String {
    let lines: Vec<&str> = told.lines().collect();
    let from = lines.len().saturating_sub(10);
    lines.get(from..).unwrap_or_default().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executions_are_read_from_what_is_told() {
        assert_eq!(executions("Done 52261 runs in 71 second(s)"), Some(52_261));
        assert_eq!(executions("Done runs"), None);
        assert_eq!(executions("#4096 pulse"), None);
    }

    #[test]
    fn every_target_has_seeds() {
        for target in targets().unwrap() {
            let seeds = house::root().join("fuzz/corpus").join(&target);
            assert!(seeds.is_dir(), "{target}");
        }
    }
}
