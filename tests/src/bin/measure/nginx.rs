//! `examples/nginx.yaml`, shortened to a few seconds, over a real nginx.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use em_tests::house;

use crate::em::Em;

/// Name of the experiment in that file.
pub(crate) const NAME: &str = "nginx";
/// Where Debian installs it.
const PROGRAM: &str = "/usr/sbin/nginx";
/// What is said on the command line: the baseline and two proposals, half a second per iteration.
const SHORT: [&str; 7] = [
    "budget.trials=2",
    "search.parallel=1",
    "search.verify=1",
    "measurement.iterations.max=4",
    "measurement.cycle_duration=500ms",
    "measurement.warmup=0s",
    "load.rate=50",
];

/// Puts the example and its template into the folder of `em`, and nginx on the machine.
pub(crate) fn prepare(em: &Em) -> Result<()> {
    install()?;
    let examples = house::root().join("examples");
    std::fs::create_dir(em.folder().join("nginx")).context("failed to make a folder")?;
    for file in ["nginx.yaml", "nginx/nginx.conf.tmpl"] {
        em.take(&examples.join(file), file)?;
    }
    Ok(())
}

/// The command line that runs it.
pub(crate) fn run(em: &Em, data: &str) -> Command {
    let mut command = em.command(data, &["run", "nginx.yaml", "--beside", "--output", "json"]);
    command.args(SHORT.iter().flat_map(|value| ["--set", value]));
    command
}

/// As `tests/local` does: with apt-get, where nginx is missing.
fn install() -> Result<()> {
    if Path::new(PROGRAM).exists() {
        return Ok(());
    }
    let steps: [&[&str]; 2] = [
        &["update", "-qq"],
        &[
            "install",
            "-y",
            "-qq",
            "--no-install-recommends",
            "nginx-light",
        ],
    ];
    for arguments in steps {
        let status = Command::new("apt-get")
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .status()
            .context("failed to start apt-get")?;
        ensure!(
            status.success(),
            "{PROGRAM} is missing, which this figure needs: sudo apt-get install nginx-light"
        );
    }
    Ok(())
}
