//! Raw data `raw.db`: bytes by their digest.

mod form;
mod reader;
mod writer;

pub(crate) use form::stored;
pub(crate) use reader::Reader;
pub(crate) use writer::{Command, Put, Writer};

/// What raw data takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawUsage {
    /// Number of records.
    pub records: u64,
    /// Their bytes as they are stored, which are fewer than were put.
    pub bytes: u64,
    /// Size of the database, with what was swept and is not yet used again.
    pub file_bytes: u64,
}
