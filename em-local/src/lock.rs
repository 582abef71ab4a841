//! The lock of a slot: who holds it, and how to undo what was done there.
//!
//! The file is written before anything is changed and removed after everything is restored, so a file
//! whose holder is dead means: something may still be changed, and here is the copy of the undo.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::lock_file::{LockFile, Taken};

/// What stands in the lock file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotRecord {
    /// The owner: `STORE.COUNTER`.
    pub owner: String,
    /// The hold: `EXPERIMENT/hold/SLOT/N`.
    pub hold: String,
    /// Process id of the owner, for people.
    pub pid: u32,
    /// Where the copy of the undo lies.
    pub undo: PathBuf,
}

impl SlotRecord {
    /// The random id of the owner's store.
    pub fn owner_store(&self) -> &str {
        self.owner.split('.').next().unwrap_or_default()
    }
}

/// A slot could not be locked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SlotLockError {
    /// Somebody living holds it.
    #[error("the slot is held by {holder}; wait for it, or cancel it there")]
    Held {
        /// Who.
        holder: String,
        /// What they wrote, where it can be read.
        record: Option<Box<SlotRecord>>,
    },
    /// The file could not be opened, read or written.
    #[error("failed to {act} lock file {}", path.display())]
    File {
        /// What was tried.
        act: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
}

impl SlotLockError {
    /// Whether somebody else than `hold` has the slot now: it was taken over, by one who restored first.
    pub fn is_taken_over_from(&self, hold: &str) -> bool {
        match self {
            Self::Held { record, .. } => record.as_ref().is_some_and(|record| record.hold != hold),
            Self::File { .. } => false,
        }
    }
}

/// A slot held by this process.
#[derive(Debug)]
pub struct SlotLock {
    file: LockFile,
    path: PathBuf,
}

/// A lock that was taken, with what its last holder may have left.
#[derive(Debug)]
pub struct TakenSlot {
    /// The lock.
    pub lock: SlotLock,
    /// The record of a holder who is gone and did not restore.
    pub left: Option<SlotRecord>,
}

impl SlotLock {
    /// The file of the slot `name` in `folder`.
    pub fn path(folder: &Path, name: &str) -> PathBuf {
        let plain: String = name
            .chars()
            .map(|char| {
                if char.is_ascii_alphanumeric() || ".-,#".contains(char) {
                    char
                } else {
                    '_'
                }
            })
            .collect();
        folder.join(format!("em-slot-{plain}.lock"))
    }

    /// Takes the lock if nobody living holds it. Does not wait.
    pub fn take(path: &Path) -> Result<TakenSlot, SlotLockError> {
        let failed = |act| failed(act, path);
        match LockFile::try_take(path).map_err(failed("open"))? {
            Taken::Held(text) => {
                let record: Option<Box<SlotRecord>> = serde_json::from_str(&text).ok();
                Err(SlotLockError::Held {
                    holder: holder(record.as_deref()),
                    record,
                })
            }
            Taken::Ours(mut file) => {
                let text = file.read().map_err(failed("read"))?;
                let left = serde_json::from_str(&text).ok();
                Ok(TakenSlot {
                    lock: Self {
                        file,
                        path: path.to_owned(),
                    },
                    left,
                })
            }
        }
    }

    /// Writes who holds the slot, durably.
    pub fn record(&mut self, record: &SlotRecord) -> Result<(), SlotLockError> {
        let text = serde_json::to_string(record).unwrap_or_default();
        self.file.write(&text).map_err(failed("write", &self.path))
    }

    /// Unlocks a slot on which nothing is changed any more.
    pub fn release(self) -> Result<(), SlotLockError> {
        let path = self.path.clone();
        self.file
            .remove()
            .or_else(ignore_missing)
            .map_err(failed("remove", &path))
    }
}

fn ignore_missing(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound {
        Ok(())
    } else {
        Err(error)
    }
}

fn failed<'p>(
    act: &'static str,
    path: &'p Path,
) -> impl FnOnce(io::Error) -> SlotLockError + use<'p> {
    move |source| SlotLockError::File {
        act,
        path: path.to_owned(),
        source,
    }
}

fn holder(record: Option<&SlotRecord>) -> String {
    record.map_or_else(
        || "another process".to_owned(),
        |record| {
            format!(
                "{} (process {}, owner {})",
                record.hold, record.pid, record.owner
            )
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn a_record() -> SlotRecord {
        SlotRecord {
            owner: "00ff.3".to_owned(),
            hold: "demo/hold/s0/1".to_owned(),
            pid: 4711,
            undo: PathBuf::from("/data/undo.json"),
        }
    }

    #[test]
    fn a_held_slot_is_refused_with_the_name_of_its_holder() {
        let folder = tempfile::tempdir().unwrap();
        let path = SlotLock::path(folder.path(), "cores 0-3");
        let mut first = SlotLock::take(&path).unwrap().lock;
        first.record(&a_record()).unwrap();
        let refused = SlotLock::take(&path).unwrap_err().to_string();
        assert!(
            refused.contains("demo/hold/s0/1 (process 4711, owner 00ff.3)"),
            "{refused}"
        );
    }

    #[test]
    fn the_record_of_a_dead_holder_is_found_until_it_was_released() {
        let folder = tempfile::tempdir().unwrap();
        let path = SlotLock::path(folder.path(), "x");
        let mut first = SlotLock::take(&path).unwrap().lock;
        first.record(&a_record()).unwrap();
        drop(first);
        let second = SlotLock::take(&path).unwrap();
        assert_eq!(second.left, Some(a_record()));
        second.lock.release().unwrap();
        assert!(!path.exists());
        assert_eq!(SlotLock::take(&path).unwrap().left, None);
    }

    #[test]
    fn a_link_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let path = SlotLock::path(folder.path(), "x");
        std::os::unix::fs::symlink(folder.path().join("victim"), &path).unwrap();
        assert!(SlotLock::take(&path).is_err());
        assert!(!folder.path().join("victim").exists());
    }
}
