//! What the cluster shows, and when.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

/// A watch of one kind of objects.
#[derive(Debug)]
pub(super) struct Sight {
    kubectl: Child,
    seen: Receiver<(Instant, String)>,
}

impl Sight {
    /// Watches what `path` of the API lists, from now on and with all that there is.
    pub(super) fn of(path: &str) -> Result<Self> {
        let mut kubectl = Command::new("kubectl")
            .args(["get", "--raw", &format!("{path}?watch=true")])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("failed to run kubectl get --raw")?;
        let stdout = kubectl.stdout.take().context("kubectl has no output")?;
        let (sender, seen) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send((Instant::now(), line)).is_err() {
                    return;
                }
            }
        });
        Ok(Self { kubectl, seen })
    }

    /// The first object that fits, and when it was seen; none where that takes longer than `patience`.
    pub(super) fn wait(
        &self,
        patience: Duration,
        fits: impl Fn(&str) -> bool,
    ) -> Option<(Instant, String)> {
        let end = Instant::now() + patience;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let (at, line) = self.seen.recv_timeout(left).ok()?;
            if fits(&line) {
                return Some((at, line));
            }
        }
    }
}

impl Drop for Sight {
    fn drop(&mut self) {
        // It may have ended with its connection.
        let _ = self.kubectl.kill();
        let _ = self.kubectl.wait();
    }
}
