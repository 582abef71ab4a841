//! The data folder: where its files lie, who may read them, and the lock that a migration needs.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::StoreError;

/// The folder that holds `em.db`, `raw.db`, `reserve` and `locks/`. Only its owner may read it.
#[derive(Debug, Clone)]
pub(crate) struct DataFolder(PathBuf);

impl DataFolder {
    pub(crate) fn existing(path: &Path) -> Result<Self, StoreError> {
        let folder = Self(path.to_owned());
        if folder.journal().is_file() && folder.raw().is_file() {
            Ok(folder)
        } else {
            Err(StoreError::Missing { folder: folder.0 })
        }
    }

    /// The folder with its empty files, made where they are missing.
    pub(crate) fn prepared(path: &Path) -> Result<Self, StoreError> {
        let folder = Self(path.to_owned());
        for each in [folder.0.clone(), folder.locks()] {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&each)
                .map_err(|source| StoreError::File {
                    act: "make folder",
                    path: each,
                    source,
                })?;
        }
        // SQLite gives its log and index files the mode of the database.
        for file in [folder.journal(), folder.raw()] {
            private_file(&file).map_err(|source| StoreError::File {
                act: "make file",
                path: file,
                source,
            })?;
        }
        sync_folder(&folder.0)?;
        Ok(folder)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn journal(&self) -> PathBuf {
        self.0.join("em.db")
    }

    pub(crate) fn raw(&self) -> PathBuf {
        self.0.join("raw.db")
    }

    /// A file that only takes room; see [`crate::reserve`].
    pub(crate) fn reserve(&self) -> PathBuf {
        self.0.join("reserve")
    }

    pub(crate) fn locks(&self) -> PathBuf {
        self.0.join("locks")
    }

    /// Takes the lock under which every user of the store keeps its schema as it is.
    pub(crate) fn share(&self) -> Result<SchemaLock, StoreError> {
        let lock = self.schema_lock()?;
        lock.file.lock_shared().map_err(|source| StoreError::File {
            act: "lock",
            path: lock.path.clone(),
            source,
        })?;
        Ok(lock)
    }

    /// Takes the lock under which the schema may be changed; `None` while anybody uses the store.
    pub(crate) fn alone(&self) -> Result<Option<SchemaLock>, StoreError> {
        let lock = self.schema_lock()?;
        match lock.file.try_lock() {
            Ok(()) => Ok(Some(lock)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => Err(StoreError::File {
                act: "lock",
                path: lock.path,
                source,
            }),
        }
    }

    fn schema_lock(&self) -> Result<SchemaLock, StoreError> {
        // Not in `locks/`: names there belong to experiments.
        let path = self.0.join("schema.lock");
        match private_file(&path) {
            Ok(file) => Ok(SchemaLock { file, path }),
            Err(source) => Err(StoreError::File {
                act: "open",
                path,
                source,
            }),
        }
    }
}

/// Held while the store is open; let go when dropped.
#[derive(Debug)]
pub(crate) struct SchemaLock {
    file: File,
    path: PathBuf,
}

/// Opens or makes a file that only its owner may read and write.
pub(crate) fn private_file(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)?;
    if file.metadata()?.permissions().mode() & 0o077 != 0 {
        fs::set_permissions(path, Permissions::from_mode(0o600))?;
    }
    Ok(file)
}

fn sync_folder(path: &Path) -> Result<(), StoreError> {
    let synced = File::open(path).and_then(|folder| folder.sync_all());
    synced.map_err(|source| StoreError::File {
        act: "sync folder",
        path: path.to_owned(),
        source,
    })
}
