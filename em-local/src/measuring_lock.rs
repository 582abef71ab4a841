//! One measuring run per machine at a time.
//!
//! Two runs that measure side by side measure each other. The lock is held block by block, and two
//! runs take turns: who wants to measure queues first, and only the head of the queue waits for the
//! measurement to end, so the run that just finished a block cannot be the next one as well while
//! somebody else waits.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::lock_file::{LockFile, Taken};

/// Environment variable that measures beside others.
pub const BESIDE: &str = "EM_BESIDE";
/// Between two tries.
const TRY_AGAIN: Duration = Duration::from_millis(20);

/// The machine's measuring lock, as one run sees it.
#[derive(Debug, Clone)]
pub struct MeasuringLock {
    folder: PathBuf,
    who: String,
}

/// The lock, held. Dropping it lets the next one measure.
#[derive(Debug)]
#[must_use = "the lock is given back when this is dropped"]
pub struct Measuring {
    _file: LockFile,
}

impl MeasuringLock {
    /// The lock in `folder` ([`crate::lock_file::FOLDER`]) for a run that others know as `who`:
    /// `checkout-latency (process 4711)`.
    pub fn new(folder: &Path, who: &str) -> Self {
        Self {
            folder: folder.to_owned(),
            who: who.to_owned(),
        }
    }

    /// Whether the environment asks to measure beside others.
    pub fn is_bypassed() -> bool {
        std::env::var_os(BESIDE).is_some_and(|value| value == "1")
    }

    /// Takes the lock if nobody measures or waits; else who does.
    pub fn try_take(&self) -> io::Result<Result<Measuring, String>> {
        let queue = match self.try_file("queue")? {
            Taken::Ours(file) => file,
            Taken::Held(who) => return Ok(Err(who)),
        };
        let measuring = self.try_file("measuring")?;
        drop(queue);
        self.won(measuring)
    }

    /// Waits for the turn. `waiting` is told for whom, once for each. Cancel-safe: a dropped wait
    /// leaves the queue.
    pub async fn take(&self, mut waiting: impl FnMut(&str) + Send) -> io::Result<Measuring> {
        let mut told = String::new();
        let mut queue = None;
        loop {
            let busy = match &queue {
                None => match self.try_file("queue")? {
                    Taken::Ours(mut file) => {
                        file.write(&self.who)?;
                        queue = Some(file);
                        continue;
                    }
                    Taken::Held(who) => who,
                },
                Some(_) => match self.won(self.try_file("measuring")?)? {
                    Ok(measuring) => return Ok(measuring),
                    Err(who) => who,
                },
            };
            if busy != told {
                waiting(&busy);
                told = busy;
            }
            tokio::time::sleep(TRY_AGAIN).await;
        }
    }

    fn won(&self, taken: Taken) -> io::Result<Result<Measuring, String>> {
        match taken {
            Taken::Held(who) => Ok(Err(who)),
            Taken::Ours(mut file) => {
                file.write(&self.who)?;
                Ok(Ok(Measuring { _file: file }))
            }
        }
    }

    fn try_file(&self, name: &str) -> io::Result<Taken> {
        LockFile::try_take(&self.folder.join(format!("em-{name}.lock")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_second_run_is_told_for_whom_it_waits() {
        let folder = tempfile::tempdir().unwrap();
        let first = MeasuringLock::new(folder.path(), "first (process 1)");
        let second = MeasuringLock::new(folder.path(), "second (process 2)");
        let held = first.try_take().unwrap().unwrap();
        assert_eq!(second.try_take().unwrap().unwrap_err(), "first (process 1)");
        let (told, heard) = tokio::sync::oneshot::channel();
        let mut told = Some(told);
        let waits = tokio::spawn(async move {
            second
                .take(|who| told.take().unwrap().send(who.to_owned()).unwrap())
                .await
                .map(drop)
        });
        assert_eq!(heard.await.unwrap(), "first (process 1)");
        drop(held);
        waits.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn two_runs_take_turns() {
        let folder = tempfile::tempdir().unwrap();
        let (turns, mut seen) = tokio::sync::mpsc::channel(16);
        let runs = ["a", "b"].map(|who| {
            let lock = MeasuringLock::new(folder.path(), who);
            let turns = turns.clone();
            tokio::spawn(async move {
                for _ in 0..4 {
                    let held = lock.take(|_| {}).await.unwrap();
                    turns.send(who).await.unwrap();
                    tokio::time::sleep(TRY_AGAIN * 4).await;
                    drop(held);
                }
            })
        });
        for run in runs {
            run.await.unwrap();
        }
        drop(turns);
        let mut order = Vec::new();
        while let Some(who) = seen.recv().await {
            order.push(who);
        }
        let repeated = order.windows(2).filter(|pair| pair[0] == pair[1]).count();
        assert!(repeated <= 1, "{order:?}");
    }
}
