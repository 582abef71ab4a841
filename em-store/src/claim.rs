//! The lock of an owner on its experiment: a file, so that it is gone when the owner is.

use std::fs::{self, File, TryLockError};
use std::io::{self, Seek as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use em_core::id::ExperimentName;
use tokio::sync::mpsc;

use crate::StoreError;
use crate::folder::{DataFolder, private_file};
use crate::journal::Command;

/// A lock on the file of one experiment.
///
/// It belongs to the open file, not to the process: two claims in one process exclude each other,
/// and the kernel lets go when the process dies, however it dies. Children do not inherit it.
#[derive(Debug)]
pub(crate) struct OwnerLock {
    _locked: File,
}

impl OwnerLock {
    pub(crate) fn take(
        folder: &DataFolder,
        experiment: &ExperimentName,
    ) -> Result<Self, StoreError> {
        let path = folder.locks().join(format!("{experiment}.lock"));
        loop {
            let failed = |source| StoreError::File {
                act: "lock",
                path: path.clone(),
                source,
            };
            let mut file = private_file(&path).map_err(failed)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(owned(experiment, &path)),
                Err(TryLockError::Error(source)) => return Err(failed(source)),
            }
            // Somebody may have removed the file in between; then another one has that name.
            if is_at(&file, &path) {
                sign(&mut file).map_err(failed)?;
                return Ok(Self { _locked: file });
            }
        }
    }
}

/// Writes who we are, for the message that others get. Only a hint: the lock is what counts.
fn sign(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    write!(file, "process {}", std::process::id())
}

fn owned(experiment: &ExperimentName, path: &Path) -> StoreError {
    let owner = fs::read_to_string(path).unwrap_or_default();
    let owner = if owner.is_empty() {
        "another process".to_owned()
    } else {
        owner
    };
    StoreError::Owned {
        experiment: experiment.to_string(),
        owner,
    }
}

fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::metadata(path)) {
        (Ok(ours), Ok(there)) => (ours.dev(), ours.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

/// What a claim holds on to. Dropping it ends the claim first and lets go of the lock then.
#[derive(Debug)]
pub(crate) struct Guard {
    pub(crate) alive: Arc<AtomicBool>,
    pub(crate) experiment: ExperimentName,
    pub(crate) counter: u64,
    pub(crate) writer: mpsc::WeakSender<Command>,
    /// Last, so that it is let go after the rest.
    pub(crate) _lock: OwnerLock,
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.alive.store(false, Ordering::Release);
        let release = Command::Release {
            experiment: self.experiment.clone(),
            counter: self.counter,
        };
        // A full queue keeps the heads in memory until the next claim of this experiment.
        let _ = self.writer.upgrade().map(|writer| writer.try_send(release));
    }
}
