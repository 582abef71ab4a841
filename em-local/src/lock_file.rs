//! Lock files in a folder that everybody may write to.
//!
//! The lock lives as long as its holder (the kernel drops it, whatever happened); the text in the file
//! stays. Links are not followed, so nobody can make us write somewhere else.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

/// The folder for locks that all users of a machine share and that survives a restart.
pub const FOLDER: &str = "/var/tmp";

/// An open lock file that this process holds.
#[derive(Debug)]
pub(crate) struct LockFile {
    file: File,
    path: PathBuf,
}

/// Whether the lock was to be had.
#[derive(Debug)]
pub(crate) enum Taken {
    /// It is ours now.
    Ours(LockFile),
    /// Somebody living holds it; the text that they left.
    Held(String),
}

impl LockFile {
    /// Takes the lock if nobody holds it. Does not wait.
    pub(crate) fn try_take(path: &Path) -> io::Result<Taken> {
        loop {
            let mut file = open(path)?;
            match file.try_lock() {
                // Its last holder may have removed the file after we opened it.
                Ok(()) if !is_at(&file, path) => {}
                Ok(()) => {
                    return Ok(Taken::Ours(Self {
                        file,
                        path: path.to_owned(),
                    }));
                }
                Err(TryLockError::WouldBlock) => {
                    let mut text = String::new();
                    file.read_to_string(&mut text)?;
                    return Ok(Taken::Held(text));
                }
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
    }

    /// The text in the file.
    pub(crate) fn read(&mut self) -> io::Result<String> {
        let mut text = String::new();
        self.file.seek(SeekFrom::Start(0))?;
        self.file.read_to_string(&mut text)?;
        Ok(text)
    }

    /// Replaces the text, durably.
    pub(crate) fn write(&mut self, text: &str) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(0))?;
        self.file.set_len(0)?;
        self.file.write_all(text.as_bytes())?;
        self.file.sync_all()
    }

    /// Removes the file and lets the lock go. Who opened it meanwhile notices and opens it anew.
    pub(crate) fn remove(self) -> io::Result<()> {
        fs::remove_file(&self.path)
    }
}

fn is_at(file: &File, path: &Path) -> bool {
    let identity = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    let (open, there) = (
        file.metadata().map(identity),
        fs::symlink_metadata(path).map(identity),
    );
    matches!((open, there), (Ok(open), Ok(there)) if open == there)
}

/// Opens the file, making it where needed. Opening with "make it" is refused by Linux for other users'
/// files in such a folder (`fs.protected_regular`), so that is the second try only.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let no_links = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or_default();
    options.read(true).write(true).custom_flags(no_links);
    match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        answer => return answer,
    }
    let file = options
        .create(true)
        .truncate(false)
        .mode(0o666)
        .open(path)?;
    // The creation mask may have taken the others' rights away; the maker may give them back.
    let _ = file.set_permissions(fs::Permissions::from_mode(0o666));
    Ok(file)
}
