//! What a pod prints, followed while it runs.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::{AsyncBufRead, AsyncBufReadExt as _};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, LogParams};
use tokio_util::sync::CancellationToken;

use super::blueprint::CONTAINER;

/// How much of what a pod prints is kept.
const LARGEST: usize = 16 << 20;
/// Time between two tries to read on.
const AGAIN: Duration = Duration::from_millis(200);
/// How often it is tried without a line in between.
const TRIES: u32 = 25;

/// The end of what one pod has printed; clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Log {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    lines: VecDeque<(Timestamp, String)>,
    bytes: usize,
    is_cut: bool,
    /// How many lines have come with the last stamp.
    at_last: usize,
    trouble: Option<String>,
}

impl Log {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing in here can panic half-way, so a poisoned lock still holds whole data.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a line as the cluster gives it: its time, a blank, and what was printed.
    pub(super) fn push(&self, line: &str) {
        let mut inner = self.lock();
        let stamped = line.split_once(' ').unwrap_or((line, ""));
        let (at, text) = match stamped.0.parse::<Timestamp>() {
            Ok(at) => (at, stamped.1),
            // A line without a time came with the one before.
            Err(_) => match inner.lines.back() {
                Some((at, _)) => (*at, line),
                None => return,
            },
        };
        let is_same = inner.lines.back().is_some_and(|(last, _)| *last == at);
        inner.at_last = if is_same { inner.at_last + 1 } else { 1 };
        inner.bytes += text.len() + 1;
        inner.lines.push_back((at, format!("{text}\n")));
        while inner.bytes > LARGEST {
            let Some((_, gone)) = inner.lines.pop_front() else {
                break;
            };
            inner.bytes -= gone.len();
            inner.is_cut = true;
        }
    }

    /// All lines, each with its time.
    pub(super) fn pieces(&self) -> Vec<(Timestamp, String)> {
        self.lock().lines.iter().cloned().collect()
    }

    /// The last lines that hold anything, for a message.
    pub(super) fn last_lines(&self, count: usize) -> String {
        let inner = self.lock();
        let filled = inner.lines.iter().map(|(_, text)| text.trim());
        let mut last: Vec<&str> = filled.rev().filter(|t| !t.is_empty()).take(count).collect();
        last.reverse();
        last.join("\n")
    }

    /// What keeps it from being whole, if anything.
    pub(super) fn problem(&self) -> Option<String> {
        let inner = self.lock();
        let cut = || "the output was too long to be read whole".to_owned();
        inner.trouble.clone().or_else(|| inner.is_cut.then(cut))
    }

    fn last(&self) -> Option<(Timestamp, usize)> {
        let inner = self.lock();
        inner.lines.back().map(|(at, _)| (*at, inner.at_last))
    }
}

/// Reads what a pod prints until it has ended, which `ended` says: once more to the end after that.
pub(super) async fn follow(pods: Api<Pod>, pod: String, log: Log, ended: CancellationToken) {
    let mut tries = 0;
    loop {
        let is_over = ended.is_cancelled();
        let before = log.last();
        match read(&pods, &pod, &log, !is_over).await {
            Ok(()) if is_over => return,
            Ok(()) => {}
            Err(error) if tries >= TRIES => {
                log.lock().trouble = Some(format!("the log of {pod} could not be read: {error}"));
                return;
            }
            Err(_) => {}
        }
        tries = if log.last() == before { tries + 1 } else { 0 };
        tokio::select! {
            biased;
            () = ended.cancelled(), if !is_over => {}
            () = tokio::time::sleep(AGAIN) => {}
        }
    }
}

async fn read(pods: &Api<Pod>, pod: &str, log: &Log, follow: bool) -> Result<(), String> {
    let last = log.last();
    let params = LogParams {
        container: Some(CONTAINER.to_owned()),
        follow,
        timestamps: true,
        since_time: last.map(|(at, _)| at),
        ..LogParams::default()
    };
    let stream = pods.log_stream(pod, &params).await;
    let stream = stream.map_err(|error| em_core::fault::chain(&error))?;
    take(stream, last, log).await
}

/// Takes lines in that were not there before: the cluster starts again at the second of the last one.
async fn take(
    stream: impl AsyncBufRead,
    last: Option<(Timestamp, usize)>,
    log: &Log,
) -> Result<(), String> {
    let mut stream = std::pin::pin!(stream);
    let (last, mut again) = last.map_or((None, 0), |(at, count)| (Some(at), count));
    loop {
        let mut line = Vec::new();
        let read = stream.read_until(b'\n', &mut line).await;
        if read.map_err(|error| error.to_string())? == 0 {
            return Ok(());
        }
        let line = String::from_utf8_lossy(&line);
        let line = line.trim_end_matches(['\r', '\n']);
        let at = line.split(' ').next();
        let at = at.and_then(|at| at.parse::<Timestamp>().ok());
        match (at, last) {
            (Some(at), Some(last)) if at < last => {}
            (Some(at), Some(last)) if at == last && again > 0 => again -= 1,
            _ => log.push(line),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(nanosecond: u32, text: &str) -> String {
        format!("2026-11-24T10:00:00.{nanosecond:09}Z {text}\n")
    }

    #[tokio::test]
    async fn what_was_read_before_is_not_read_twice_and_nothing_is_lost() {
        let log = Log::default();
        let first = [line(1, "a"), line(2, "b"), line(2, "c")].concat();
        take(first.as_bytes(), log.last(), &log).await.unwrap();
        let again = [first, line(2, "d"), line(3, "e")].concat();
        take(again.as_bytes(), log.last(), &log).await.unwrap();
        let texts: Vec<String> = log.pieces().into_iter().map(|(_, text)| text).collect();
        assert_eq!(texts.concat(), "a\nb\nc\nd\ne\n");
        assert_eq!(log.last_lines(2), "d\ne");
    }

    #[tokio::test]
    async fn a_log_that_is_too_long_says_so() {
        let log = Log::default();
        assert_eq!(log.problem(), None);
        let long = "x".repeat(LARGEST / 2);
        for nanosecond in 1..4 {
            log.push(&line(nanosecond, &long));
        }
        assert!(log.problem().unwrap().contains("too long"));
    }

    #[tokio::test]
    async fn bytes_that_are_no_text_do_not_end_the_reading() {
        let log = Log::default();
        let mut bytes = line(1, "a").into_bytes();
        bytes.extend(b"2026-11-24T10:00:01Z \xff\n");
        bytes.extend(b"2026-11-24T10:00:02Z end");
        take(bytes.as_slice(), None, &log).await.unwrap();
        assert_eq!(log.last_lines(1), "end");
        assert_eq!(log.pieces().len(), 3);
    }
}
