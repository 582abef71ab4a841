//! Durable journal and raw data of the Experiment Manager.
//!
//! [`SqliteStore`] keeps everything in one folder: `em.db` (streams, claims, inbox), `raw.db` (raw
//! data by digest), `locks/` (one file per experiment, locked by its owner) and `reserve` (room that
//! is given up when the disk is full, so that what runs can be finished and put back; until there
//! is room again, [`Store::shortage`](em_core::port::Store::shortage) says so). Only the folder's
//! owner may read them. Delta coding and compression of raw data are the caller's business.

mod claim;
mod error;
mod folder;
mod group;
mod journal;
mod raw;
mod reserve;
mod schema;
mod sqlite;
mod statements;
mod writers;

pub use error::StoreError;
pub use raw::RawUsage;
pub use sqlite::SqliteStore;
