//! The journal `em.db`: streams of entries, claims, and the inbox.

mod append;
mod heads;
mod key;
mod packed;
mod reader;
mod writer;

pub(crate) use append::Append;
pub(crate) use key::nanoseconds;
pub(crate) use reader::Reader;
pub(crate) use writer::{Command, Writer};
