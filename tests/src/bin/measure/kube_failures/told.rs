//! What em says, and when.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use em_core::report::Report;

/// Between two looks whether em has ended.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// A running em.
#[derive(Debug)]
pub(super) struct Running {
    em: Child,
    lines: Arc<Mutex<Vec<(Instant, String)>>>,
    stderr: JoinHandle<()>,
    stdout: JoinHandle<String>,
}

/// What em said.
#[derive(Debug)]
pub(super) struct Told {
    /// Exit code; none: a signal ended it.
    pub(super) code: Option<i32>,
    /// Its report, where there is one.
    pub(super) report: Option<Report>,
    /// Lines of stderr, with the moment of each.
    pub(super) lines: Vec<(Instant, String)>,
    /// When it was gone.
    pub(super) ended: Instant,
}

impl Running {
    pub(super) fn start(mut command: Command) -> Result<Self> {
        let mut em = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("failed to start em")?;
        let stderr = em.stderr.take().context("em has no stderr")?;
        let mut stdout = em.stdout.take().context("em has no stdout")?;
        let lines = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&lines);
        let stderr = thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.push((Instant::now(), line));
            }
        });
        let stdout = thread::spawn(move || {
            let mut text = String::new();
            // What is not text is no report, and said to be missing.
            let _ = stdout.read_to_string(&mut text);
            text
        });
        Ok(Self {
            em,
            lines,
            stderr,
            stdout,
        })
    }

    /// Waits for its end.
    pub(super) fn finish(mut self, patience: Duration) -> Result<Told> {
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = self.em.try_wait().context("failed to wait for em")? {
                break status;
            }
            if begun.elapsed() > patience {
                self.em.kill().context("failed to end em")?;
                self.em.wait().context("failed to wait for em")?;
                bail!(
                    "em did not end in {} s; it had said: {}",
                    patience.as_secs(),
                    self.last_lines()
                );
            }
            thread::sleep(LOOK_AGAIN);
        };
        let ended = Instant::now();
        let text = self.stdout.join().unwrap_or_default();
        // Its lines are kept as they come; a reader that panicked has kept those before.
        let _ = self.stderr.join();
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Told {
            code: status.code(),
            report: serde_json::from_str(&text).ok(),
            lines: lines.clone(),
            ended,
        })
    }

    fn last_lines(&self) -> String {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let last = lines.iter().rev().take(3).rev();
        let last: Vec<&str> = last.map(|(_, line)| line.as_str()).collect();
        last.join(" / ")
    }
}

impl Told {
    /// When it first said these words; at the latest when it was gone.
    pub(super) fn first(&self, words: &str) -> Instant {
        let said = self.lines.iter().find(|(_, line)| line.contains(words));
        said.map_or(self.ended, |(at, _)| *at)
    }

    /// What it said of trials, and at last.
    pub(super) fn said_at_work(&self) -> String {
        let is_of_work =
            |line: &str| line.trim_start().starts_with("t1 ") || line.starts_with("em: ");
        let lines = self.lines.iter().map(|(_, line)| line.as_str());
        let lines: Vec<&str> = lines.filter(|line| is_of_work(line)).collect();
        lines.join("\n")
    }
}
