//! What a process prints: its last mebibyte, and how much there was.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use em_core::port::Clock;
use jiff::Timestamp;
use tokio::io::{AsyncRead, AsyncReadExt};

/// How much of each output is kept.
pub const KEPT_BYTES: usize = 1 << 20;

/// One output of one process; clones share it.
#[derive(Debug, Clone)]
pub struct Output {
    inner: Arc<Mutex<Inner>>,
    clock: Option<Arc<dyn Clock>>,
}

#[derive(Debug)]
struct Inner {
    kept: VecDeque<u8>,
    /// Up to which byte of the whole everything had come, and when.
    arrivals: VecDeque<(u64, Timestamp)>,
    limit: usize,
    total: u64,
    open: bool,
}

impl Output {
    /// An output of which the last `limit` bytes are kept.
    pub fn keeping(limit: usize) -> Self {
        let inner = Inner {
            kept: VecDeque::new(),
            arrivals: VecDeque::new(),
            limit,
            total: 0,
            open: true,
        };
        Self {
            inner: Arc::new(Mutex::new(inner)),
            clock: None,
        }
    }

    /// The same, with the times at which what is kept has come.
    #[must_use]
    pub fn stamped(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Adds what was printed.
    pub fn push(&self, bytes: &[u8]) {
        let mut inner = self.lock();
        inner.total += bytes.len() as u64;
        let tail = bytes
            .get(bytes.len().saturating_sub(inner.limit)..)
            .unwrap_or_default();
        let excess = (inner.kept.len() + tail.len()).saturating_sub(inner.limit);
        inner.kept.drain(..excess);
        inner.kept.extend(tail);
        if let Some(clock) = &self.clock {
            let total = inner.total;
            inner.arrivals.push_back((total, clock.now()));
            let first_kept = total - inner.kept.len() as u64;
            while inner
                .arrivals
                .front()
                .is_some_and(|(upto, _)| *upto <= first_kept)
            {
                inner.arrivals.pop_front();
            }
        }
    }

    /// Whole lines of what is kept, with the time at which the last of each piece has come. Empty
    /// without stamps.
    pub fn arrivals(&self) -> Vec<(Timestamp, String)> {
        let inner = self.lock();
        let bytes: Vec<u8> = inner.kept.iter().copied().collect();
        let first = inner.total - bytes.len() as u64;
        let mut pieces = Vec::new();
        let mut from = 0;
        for (upto, at) in &inner.arrivals {
            let upto = usize::try_from(upto.saturating_sub(first)).unwrap_or(usize::MAX);
            let come = bytes.get(from..upto.min(bytes.len())).unwrap_or_default();
            let is_last = upto >= bytes.len() && !inner.open;
            let whole = match come.iter().rposition(|byte| *byte == b'\n') {
                _ if is_last => come.len(),
                Some(end) => end + 1,
                None => 0,
            };
            let text = come.get(..whole).unwrap_or_default();
            if !text.is_empty() {
                pieces.push((*at, String::from_utf8_lossy(text).into_owned()));
            }
            from += whole;
        }
        pieces
    }

    /// The end of what was printed, at most as much as is kept.
    pub fn tail(&self) -> Vec<u8> {
        self.lock().kept.iter().copied().collect()
    }

    /// The end of what was printed as text; bytes that are no UTF-8 are replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.tail()).into_owned()
    }

    /// The last non-empty lines, for a message.
    pub fn last_lines(&self, count: usize) -> String {
        let text = self.text();
        let lines: Vec<&str> = text
            .lines()
            .filter(|line| !line.trim().is_empty())
            .collect();
        lines
            .get(lines.len().saturating_sub(count)..)
            .unwrap_or_default()
            .join("\n")
    }

    /// How many bytes were printed altogether.
    pub fn total_bytes(&self) -> u64 {
        self.lock().total
    }

    /// Whether something was printed that is no longer kept.
    pub fn is_cut(&self) -> bool {
        let inner = self.lock();
        inner.total > inner.kept.len() as u64
    }

    /// Whether more may come.
    pub fn is_open(&self) -> bool {
        self.lock().open
    }

    /// Reads until the other end is closed. Cancel-safe: what was read is kept.
    pub async fn fill_from(self, mut source: impl AsyncRead + Unpin + Send) {
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(count @ 1..) = source.read(&mut buffer).await {
            self.push(buffer.get(..count).unwrap_or_default());
        }
        self.lock().open = false;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        // Nothing in here can panic half-way, so a poisoned lock still holds whole data.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_end_is_kept_and_the_cut_is_known() {
        let output = Output::keeping(8);
        output.push(b"hello");
        assert!(!output.is_cut());
        output.push(b" world");
        assert_eq!(output.text(), "lo world");
        assert!(output.is_cut());
        output.push(b"something longer than all");
        assert_eq!(
            (output.text().as_str(), output.total_bytes()),
            ("than all", 36)
        );
    }

    #[derive(Debug, Default)]
    struct Ticking(std::sync::atomic::AtomicI64);

    impl Clock for Ticking {
        fn now(&self) -> Timestamp {
            let second = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            Timestamp::from_second(second).unwrap()
        }
    }

    #[tokio::test]
    async fn lines_have_the_time_at_which_they_were_whole() {
        let output = Output::keeping(16).stamped(Arc::new(Ticking::default()));
        for piece in ["gone, long ago\n", "one\ntw", "o\nthree"] {
            output.push(piece.as_bytes());
        }
        output.clone().fill_from(&b""[..]).await;
        let pieces: Vec<(i64, String)> = output
            .arrivals()
            .into_iter()
            .map(|(at, text)| (at.as_second(), text))
            .collect();
        let piece = |at, text: &str| (at, text.to_owned());
        assert_eq!(
            pieces,
            [piece(0, "go\n"), piece(1, "one\n"), piece(2, "two\nthree")]
        );
    }

    #[tokio::test]
    async fn an_output_is_closed_when_its_source_ends() {
        let output = Output::keeping(KEPT_BYTES);
        output.clone().fill_from(&b"one\n\ntwo\nthree\n"[..]).await;
        assert!(!output.is_open());
        assert_eq!(output.last_lines(2), "two\nthree");
    }
}
