//! Figures that are counts of a test suite.

use std::ffi::OsString;
use std::process::Command;

use anyhow::{Context as _, Result};
use em_tests::house;

use crate::bench::Bench;
use crate::figure::Measured;

/// The manifest of the workspace that embeds the core.
const EMBEDDER: &str = "tests/embedder/Cargo.toml";

/// The laws of the machines.
pub(crate) fn laws(bench: &mut Bench) -> Result<Measured> {
    let suite = ["-p", "em-core", "--lib", "--", "machine::laws::"];
    let seen = run(bench, &suite)?;
    Ok(Measured {
        value: format!("{} laws kept, {} broken", seen.passed, seen.failed),
        is_met: seen.failed == 0 && seen.passed >= 3 * 6,
    })
}

/// A crash at every append, with fakes.
pub(crate) fn crash_with_fakes(bench: &mut Bench) -> Result<Seen> {
    let name = "engine::tests::a_crash_at_any_append_loses_doubles_and_changes_nothing";
    let seen = run(bench, &["-p", "em-core", "--lib", "--", name])?;
    bench.say(
        "with fakes: answer, places and outside after a crash before and after every append",
    )?;
    Ok(seen)
}

/// Broken files with their messages.
pub(crate) fn bad_input(bench: &mut Bench) -> Result<Measured> {
    let seen = run(bench, &["-p", "em-core", "--test", "bad_input"])?;
    let cases = house::root().join("em-core/tests/files/bad_input.txt");
    let cases = std::fs::read_to_string(cases).context("failed to read the broken files")?;
    let files = cases
        .lines()
        .filter(|line| line.starts_with("=== "))
        .count();
    bench.say(&format!(
        "{files} broken files, each with every message to the letter"
    ))?;
    Ok(Measured {
        value: format!("{files} files, {} failed", seen.failed),
        is_met: seen.failed == 0 && seen.passed > 0 && files >= 80,
    })
}

/// Sources of vendors against local servers.
pub(crate) fn vendors(bench: &mut Bench) -> Result<Measured> {
    let seen = run(bench, &["-p", "em-datasource", "--test", "vendors"])?;
    Ok(Measured {
        value: format!("{} tests passed, {} failed", seen.passed, seen.failed),
        is_met: seen.failed == 0 && seen.passed > 0,
    })
}

/// Each crate alone, who knows whom, and the embedder's workspace.
pub(crate) fn walls(bench: &mut Bench) -> Result<Measured> {
    let alone = Command::new("tests/run")
        .arg("walls")
        .current_dir(house::root())
        .status()
        .context("failed to run tests/run walls")?;
    bench.say(&format!("tests/run walls: {alone}"))?;
    let seen = run(
        bench,
        &["-p", "em-tests", "--test", "house", "--", "walls::"],
    )?;
    let embedder = house::root().join(EMBEDDER);
    let embedder = if embedder.is_file() {
        let seen = run(bench, &["--manifest-path", EMBEDDER, "--locked"])?;
        seen.failed == 0 && seen.passed > 0
    } else {
        bench.say("tests/embedder is missing")?;
        false
    };
    Ok(Measured {
        value: format!(
            "{} tests passed, {} failed, crates alone {}, embedder {}",
            seen.passed,
            seen.failed,
            word(alone.success()),
            word(embedder)
        ),
        is_met: alone.success() && embedder && seen.failed == 0 && seen.passed > 0,
    })
}

const fn word(is_good: bool) -> &'static str {
    if is_good { "good" } else { "not good" }
}

/// What a suite said.
pub(crate) struct Seen {
    pub(crate) passed: u32,
    pub(crate) failed: u32,
}

/// Runs `cargo test` and counts.
pub(crate) fn run(bench: &mut Bench, arguments: &[&str]) -> Result<Seen> {
    run_with(bench, &[], arguments)
}

/// The same, with variables of the tests.
pub(crate) fn run_with(
    bench: &mut Bench,
    environment: &[(&str, OsString)],
    arguments: &[&str],
) -> Result<Seen> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    // The embedder is built beside the rest.
    let built = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    let output = Command::new(cargo)
        .env("CARGO_TARGET_DIR", built)
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .arg("test")
        .args(arguments)
        .current_dir(house::root())
        .output()
        .context("failed to start cargo")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let results = text
        .lines()
        .filter(|line| line.starts_with("test result: "));
    let mut seen = Seen {
        passed: 0,
        failed: u32::from(!output.status.success()),
    };
    for result in results {
        seen.passed += count(result, "passed");
        seen.failed = seen.failed.max(count(result, "failed"));
    }
    bench.say(&format!(
        "cargo test {}: {} passed, {} failed",
        arguments.join(" "),
        seen.passed,
        seen.failed
    ))?;
    Ok(seen)
}

/// The number before `what` in `test result: ok. 12 passed; 0 failed; ...`.
fn count(result: &str, what: &str) -> u32 {
    let words: Vec<_> = result
        .split([' ', ';'])
        .filter(|word| !word.is_empty())
        .collect();
    let at = words.iter().position(|word| *word == what);
    at.and_then(|at| words.get(at.checked_sub(1)?)?.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_cargo_are_counted() {
        let line = "test result: FAILED. 12 passed; 3 failed; 0 ignored; 0 measured";
        assert_eq!((count(line, "passed"), count(line, "failed")), (12, 3));
        assert_eq!(count("test result: ok.", "passed"), 0);
    }
}
