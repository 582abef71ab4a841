//! Room on the disk that is set aside, and given up when the disk is full: what runs can still be
//! finished, put back and journaled.

use std::fs;
use std::io;
use std::path::PathBuf;

use rustix::fs::{FallocateFlags, fallocate};

use crate::error::is_full;
use crate::folder::{DataFolder, private_file};

/// What the iterations of all slots write at most until everything is put back, with the report.
pub(crate) const BYTES: u64 = 32 << 20;

/// A file that takes room and holds nothing. Every process that writes the store shares it: there
/// is room for something new exactly while it lies there.
#[derive(Debug, Clone)]
pub(crate) struct Reserve {
    path: PathBuf,
}

impl Reserve {
    pub(crate) fn of(folder: &DataFolder) -> Self {
        let path = folder.reserve();
        Self { path }
    }

    /// Whether the room is set aside; sets it aside again where the disk has it.
    ///
    /// A file system that cannot set room aside is not called full.
    pub(crate) fn is_kept(&self) -> bool {
        if fs::metadata(&self.path).is_ok_and(|file| file.len() == BYTES) {
            return true;
        }
        let Err(error) = self.keep() else {
            return true;
        };
        // What it got of the room is worth more to whoever writes.
        self.give_up();
        let is_full = matches!(
            error.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
        );
        if !is_full {
            tracing::debug!(path = %self.path.display(), "no room is set aside: {error}");
        }
        !is_full
    }

    /// Gives the room back where a full disk is why something failed; true: it is worth another try.
    /// So it is where another writer has just given it back, too.
    pub(crate) fn helps<T>(&self, tried: &Result<T, sqlx::Error>) -> bool {
        let is_full = tried.as_ref().is_err_and(is_full);
        if is_full {
            self.give_up();
        }
        is_full
    }

    /// Gives the room back; false where somebody has done so before.
    fn give_up(&self) -> bool {
        fs::remove_file(&self.path).is_ok()
    }

    fn keep(&self) -> io::Result<()> {
        let file = private_file(&self.path)?;
        fallocate(&file, FallocateFlags::empty(), 0, BYTES)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_room_is_taken_on_the_disk_until_it_is_given_up() {
        use std::os::unix::fs::MetadataExt as _;

        let folder = tempfile::tempdir().unwrap();
        let folder = DataFolder::prepared(folder.path()).unwrap();
        let reserve = Reserve::of(&folder);
        assert!(!reserve.give_up(), "there is none yet");
        assert!(reserve.is_kept());
        let file = fs::metadata(&reserve.path).unwrap();
        assert!(file.blocks() * 512 >= BYTES, "{} blocks", file.blocks());
        assert!(reserve.give_up());
        assert!(!reserve.path.exists());
        assert!(reserve.is_kept(), "this disk has room again");
    }
}
