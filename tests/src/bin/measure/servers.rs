//! Datasources against real servers: the packaged ones, and a current Prometheus built from source.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use em_tests::house;

use crate::bench::Bench;
use crate::figure::Measured;
use crate::suites::{Seen, run_with};

/// The current Prometheus, and what its Go module calls this version.
const CURRENT: &str = "3.16.0";
const MODULE_VERSION: &str = "v0.316.0";

/// Whoever has Go elsewhere has it in the path.
const USUAL_GO: &str = "/usr/local/go/bin/go";

/// The source for Prometheus against real servers; in the long form against a current one, too.
pub(crate) fn prom_real(bench: &mut Bench) -> Result<Measured> {
    let mut all = vec![suite(bench, &Programs::packaged(), &[])?];
    if bench.by_form(false, true) {
        let current = Programs::current(bench)?;
        all.push(suite(bench, &current, &[])?);
    }
    Ok(measured(&all))
}

/// The same source, known values only.
pub(crate) fn prom_golden(bench: &mut Bench) -> Result<Measured> {
    let seen = suite(bench, &Programs::packaged(), &["golden::"])?;
    Ok(measured(&[seen]))
}

fn measured(all: &[Seen]) -> Measured {
    let passed: u32 = all.iter().map(|seen| seen.passed).sum();
    let failed: u32 = all.iter().map(|seen| seen.failed).sum();
    Measured {
        value: format!("{passed} tests passed, {failed} failed"),
        is_met: failed == 0 && all.iter().all(|seen| seen.passed > 0),
    }
}

/// The programs that the tests start.
struct Programs {
    prometheus: PathBuf,
    promtool: PathBuf,
}

impl Programs {
    fn packaged() -> Self {
        Self {
            prometheus: PathBuf::from("prometheus"),
            promtool: PathBuf::from("promtool"),
        }
    }

    /// Built once, and kept below the target folder.
    fn current(bench: &mut Bench) -> Result<Self> {
        let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
        let folder = house::root().join(target).join("prometheus3");
        let programs = Self {
            prometheus: folder.join("prometheus"),
            promtool: folder.join("promtool"),
        };
        let is_current = |program: &Path| version(program).is_ok_and(|told| told.contains(CURRENT));
        if !is_current(&programs.prometheus) || !is_current(&programs.promtool) {
            bench.say(&format!("building Prometheus {CURRENT} from source"))?;
            build(&folder)?;
        }
        Ok(programs)
    }
}

fn build(folder: &Path) -> Result<()> {
    let version = format!("-X github.com/prometheus/common/version.Version={CURRENT}");
    let module =
        |program: &str| format!("github.com/prometheus/prometheus/cmd/{program}@{MODULE_VERSION}");
    let go = |go: &str| {
        // Others may measure meanwhile.
        Command::new("nice")
            .args(["-n", "10", go, "install", "-p", "2", "-ldflags", &version])
            .args(["prometheus", "promtool"].map(module))
            .env("GOBIN", folder)
            .status()
    };
    let has_go = Command::new("go").arg("version").output().is_ok();
    let built = go(if has_go { "go" } else { USUAL_GO });
    let built = built.context("failed to run go, which builds a current Prometheus")?;
    ensure!(built.success(), "go could not build Prometheus: {built}");
    Ok(())
}

/// The first words of what a program says of itself.
fn version(program: &Path) -> Result<String> {
    let asked = Command::new(program).arg("--version").output();
    let asked = asked.with_context(|| {
        let program = program.display();
        format!("failed to run {program}; tests/run datasources installs it")
    })?;
    // One of them tells on stdout, older ones on stderr.
    let told = [asked.stdout, asked.stderr].concat();
    let told = String::from_utf8_lossy(&told);
    let first = told.lines().find(|line| !line.trim().is_empty());
    Ok(first.map_or_else(|| program.display().to_string(), str::to_owned))
}

fn suite(bench: &mut Bench, programs: &Programs, filter: &[&str]) -> Result<Seen> {
    for program in [&programs.prometheus, Path::new("victoria-metrics")] {
        bench.say(&version(program)?)?;
    }
    let mut suite = vec![
        "-p",
        "em-datasource",
        "--test",
        "real",
        "--",
        "--include-ignored",
    ];
    suite.extend(filter);
    let environment: [(&str, OsString); 2] = [
        ("EM_TEST_PROMETHEUS", programs.prometheus.clone().into()),
        ("EM_TEST_PROMTOOL", programs.promtool.clone().into()),
    ];
    run_with(bench, &environment, &suite)
}
