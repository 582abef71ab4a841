//! The cluster in which figures of Kubernetes are measured: one of their own, gone afterwards.

use std::io::Write as _;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context as _, Result, bail};
use em_tests::house;
use serde_json::Value as Json;

/// Set where this process runs in a cluster already.
const INSIDE: &str = "EM_MEASURED_INSIDE";

/// Runs the same figure in a cluster of its own. None: this is in one already.
pub(crate) fn enter() -> Result<Option<ExitCode>> {
    if std::env::var_os(INSIDE).is_some() {
        return Ok(None);
    }
    let here = std::env::current_exe().context("failed to find the own executable")?;
    let within = house::root().join("tests/cluster/with");
    let status = Command::new(within)
        .arg(here.with_file_name("em"))
        .arg(&here)
        .args(std::env::args_os().skip(1))
        .env(INSIDE, "1")
        .status()
        .context("failed to run tests/cluster/with")?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(Some(code.map_or(ExitCode::FAILURE, ExitCode::from)))
}

/// What `kubectl` prints.
pub(crate) fn kubectl(args: &[&str]) -> Result<String> {
    let output = Command::new("kubectl").args(args).output();
    let output = output.context("failed to run kubectl")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("kubectl {} failed: {}", args.join(" "), said.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Objects as JSON.
pub(crate) fn get(args: &[&str]) -> Result<Json> {
    let text = kubectl(&[&["get", "-o", "json"], args].concat())?;
    serde_json::from_str(&text).context("kubectl printed no JSON")
}

/// Gives objects to the cluster.
pub(crate) fn apply(manifest: &str) -> Result<()> {
    let mut kubectl = Command::new("kubectl")
        .args(["apply", "-f", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .context("failed to run kubectl apply")?;
    let mut stdin = kubectl.stdin.take().context("kubectl has no input")?;
    stdin
        .write_all(manifest.as_bytes())
        .context("failed to hand objects to kubectl")?;
    drop(stdin);
    let status = kubectl.wait().context("failed to wait for kubectl")?;
    if !status.success() {
        bail!("kubectl apply failed");
    }
    Ok(())
}
