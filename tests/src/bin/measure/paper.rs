//! What a figure says, on the screen and on paper.

use std::fs;
use std::io::{self, Write as _};
use std::process::Command;

use anyhow::{Context as _, Result};
use em_core::port::{Clock as _, SystemClock};
use em_tests::house;

/// Everything that was said so far.
#[derive(Debug)]
pub(crate) struct Paper {
    /// The sources may change while a figure is measured.
    commit: String,
    text: String,
}

impl Paper {
    /// An empty one, for the sources as they are now.
    pub(crate) fn new() -> Self {
        Self {
            commit: commit(),
            text: String::new(),
        }
    }

    /// Prints a line and notes it.
    pub(crate) fn say(&mut self, line: &str) -> Result<()> {
        self.text.push_str(line);
        self.text.push('\n');
        let mut out = io::stdout().lock();
        writeln!(out, "{line}")
            .and_then(|()| out.flush())
            .context("failed to print what was measured")
    }

    /// Keeps it as the last output of a figure.
    pub(crate) fn save(&self, figure: &str) -> Result<()> {
        let folder = house::root().join("docs/measured");
        let path = folder.join(format!("{figure}.txt"));
        let head = format!("{} at commit {}\n", SystemClock.now(), self.commit);
        fs::create_dir_all(&folder)
            .and_then(|()| fs::write(&path, head + &self.text))
            .with_context(|| format!("failed to write {}", path.display()))
    }
}

/// The commit that is measured, and whether the sources differ from it.
fn commit() -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git")
            .args(arguments)
            .current_dir(house::root())
            .output()
            .ok()
            .filter(|output| output.status.success())?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]) else {
        return "unknown".to_owned();
    };
    // Figures kept earlier are no sources.
    match git(&["status", "--porcelain", "--", ":!docs/measured"]) {
        Some(changes) if changes.is_empty() => commit,
        Some(_) | None => format!("{commit} with changes"),
    }
}
