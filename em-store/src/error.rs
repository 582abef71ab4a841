//! What goes wrong in the store, and how the engine sees it.

use std::io;
use std::path::{Path, PathBuf};

use em_core::fault::{Fault, FaultKind};
use sqlx::error::DatabaseError;

/// A failed act of the store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A file or folder cannot be made, opened or locked.
    #[error("failed to {act} {}", path.display())]
    File {
        /// What was tried, a verb.
        act: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Another process uses the store while its schema must be changed.
    #[error(
        "the store in {} is older than this build and must be migrated, which needs it alone; end \
         every other em that uses it and try again", folder.display()
    )]
    Busy {
        /// The data folder.
        folder: PathBuf,
    },
    /// The files were written by a newer build.
    #[error(
        "{} has schema {found}, this build reads up to {ours}; use the newer em that wrote it, or \
         another data folder", path.display()
    )]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// Schema of this build.
        ours: i64,
    },
    /// There is no store in the folder, and it may not be made.
    #[error("there is no store in {}; run an experiment first", folder.display())]
    Missing {
        /// The data folder.
        folder: PathBuf,
    },
    /// The schema cannot be brought up to date.
    #[error("failed to migrate {}", path.display())]
    Migrate {
        /// The database.
        path: PathBuf,
        /// Why not.
        #[source]
        source: Box<sqlx::migrate::MigrateError>,
    },
    /// Somebody else owns the experiment.
    #[error("experiment {experiment} is being run by {owner}; wait for it or end it first")]
    Owned {
        /// The experiment.
        experiment: String,
        /// The owner, in words.
        owner: String,
    },
    /// The claim under which an append was made is over.
    #[error(
        "claim {counter} of experiment {experiment} is over; whoever claimed it last writes its \
         streams"
    )]
    Lost {
        /// The experiment.
        experiment: String,
        /// Counter of the epoch that was given.
        counter: u64,
    },
    /// An append does not follow the last entry of its stream.
    #[error("entry {seq} does not follow in {stream}: its next entry is {expected}")]
    Order {
        /// The stream.
        stream: String,
        /// The sequence number that was given.
        seq: u64,
        /// The one that would have been right.
        expected: u64,
    },
    /// No raw data of this digest.
    #[error("there is no raw data {digest} in the store; it was swept or never put")]
    NoRaw {
        /// The digest.
        digest: String,
    },
    /// A number does not fit its column.
    #[error("{what} is outside of what the store can hold")]
    Range {
        /// What number.
        what: &'static str,
    },
    /// What was read back cannot be what was written.
    #[error("{what} in the store is damaged: {found:?}")]
    Damaged {
        /// What was read.
        what: &'static str,
        /// The text found.
        found: String,
    },
    /// The disk is full.
    #[error("the disk that holds {} is full; free some space, then resume", path.display())]
    Full {
        /// The database.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: sqlx::Error,
    },
    /// The database refuses.
    #[error("failed to {act} in {}", path.display())]
    Database {
        /// What was tried, a verb with its object.
        act: &'static str,
        /// The database.
        path: PathBuf,
        /// Why not.
        #[source]
        source: sqlx::Error,
    },
    /// The store was opened for reading only.
    #[error("the store in {} was opened for reading only", folder.display())]
    ReadOnly {
        /// The data folder.
        folder: PathBuf,
    },
    /// The writer is gone: its runtime was shut down.
    #[error("the writer of the store has ended; the store was closed or its runtime shut down")]
    Closed,
}

/// `SQLITE_FULL`, the primary result code of a full disk or a reached `max_page_count`.
const SQLITE_FULL: i32 = 13;

/// `SQLITE_IOERR_SHMSIZE`, an extended result code: there is no room for the index of the log.
const SQLITE_IOERR_SHMSIZE: i32 = 4874;

/// Whether the database refuses because the disk is full.
pub(crate) fn is_full(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(DatabaseError::code);
    let code = code.and_then(|code| code.parse::<i32>().ok());
    code.is_some_and(|code| code & 0xff == SQLITE_FULL || code == SQLITE_IOERR_SHMSIZE)
}

impl StoreError {
    /// A database error with its act and file; a full disk is told apart.
    pub(crate) fn database(act: &'static str, path: &Path, source: sqlx::Error) -> Self {
        let path = path.to_owned();
        if is_full(&source) {
            Self::Full { path, source }
        } else {
            Self::Database { act, path, source }
        }
    }

    fn kind(&self) -> FaultKind {
        match self {
            Self::Owned { .. } | Self::Lost { .. } | Self::Order { .. } | Self::Busy { .. } => {
                FaultKind::Conflict
            }
            Self::Newer { .. } | Self::Range { .. } => FaultKind::Invalid,
            Self::Missing { .. } | Self::NoRaw { .. } => FaultKind::NotFound,
            Self::Damaged { .. } | Self::Migrate { .. } => FaultKind::Malformed,
            Self::ReadOnly { .. } => FaultKind::Denied,
            Self::File { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                FaultKind::Denied
            }
            Self::File { .. } | Self::Full { .. } | Self::Database { .. } | Self::Closed => {
                FaultKind::Unavailable
            }
        }
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        let message = error.to_string();
        let fault = Self::new(error.kind(), message);
        match std::error::Error::source(&error) {
            None => fault,
            Some(source) => fault.caused_by(em_core::fault::chain(source)),
        }
    }
}
