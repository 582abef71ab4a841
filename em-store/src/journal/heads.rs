//! Where the next entry of each stream goes, for the experiments this process has claimed.
//!
//! Kept in memory because nobody else can write them: the claim's lock keeps others away, and the
//! database refuses any entry of an epoch that is no longer the experiment's last.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::append::Append;
use super::key::StreamKey;
use crate::StoreError;

/// An experiment that this process owns.
#[derive(Debug)]
pub(crate) struct Claimed {
    /// Row of the experiment.
    pub(crate) id: i64,
    /// The counter of the epoch.
    pub(crate) counter: u64,
    /// Ends when the guard of the claim is dropped.
    pub(crate) alive: Arc<AtomicBool>,
    /// Sequence number of the next entry, of streams that have entries.
    pub(crate) heads: HashMap<StreamKey, u64>,
}

impl Claimed {
    /// Accepts an append as if it were written; [`Self::forget`] takes that back.
    pub(crate) fn accept(&mut self, append: &Append) -> Result<(), StoreError> {
        if append.counter != self.counter || !self.alive.load(Ordering::Acquire) {
            return Err(append.lost());
        }
        let next = self.heads.entry(append.key).or_insert(0);
        if *next != append.seq {
            let expected = *next;
            return Err(append.out_of_order(expected));
        }
        *next += append.len() as u64;
        Ok(())
    }

    /// Puts the head of an append's stream back to where it was before it was accepted.
    pub(crate) fn forget(&mut self, append: &Append) {
        self.heads.insert(append.key, append.seq);
    }
}
