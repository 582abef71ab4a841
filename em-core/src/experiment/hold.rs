//! The holds of one slot.

use jiff::Timestamp;

/// The holds of one slot, as the experiment's stream tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldRecord {
    /// How often the slot was held.
    pub n: u32,
    /// Whether it is held now, or on its way to or from it.
    pub open: bool,
    /// Since when nothing runs in it.
    pub idle_since: Timestamp,
    /// Why it could not be had the last time.
    pub refused: Option<String>,
}

impl HoldRecord {
    pub(super) fn open(&mut self, n: u32, at: Timestamp) {
        self.n = n;
        self.open = true;
        self.idle_since = at;
        self.refused = None;
    }

    pub(super) fn close(&mut self, refused: Option<String>) {
        self.open = false;
        self.refused = refused;
    }
}

impl Default for HoldRecord {
    fn default() -> Self {
        Self {
            n: 0,
            open: false,
            idle_since: Timestamp::UNIX_EPOCH,
            refused: None,
        }
    }
}
