//! Durable journal and raw data of the Experiment Manager.
//!
//! [`SqliteStore`] keeps everything in one folder: `em.db` (streams, claims, inbox), `raw.db` (raw
//! data by digest) and `locks/` (one file per experiment, locked by its owner). Only the folder's
//! owner may read them. Delta coding and compression of raw data are the caller's business.

mod claim;
mod error;
mod folder;
mod group;
mod journal;
mod raw;
mod schema;
mod sqlite;
mod statements;
mod writers;

pub use error::StoreError;
pub use raw::RawUsage;
pub use sqlite::SqliteStore;
