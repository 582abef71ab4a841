//! The moment at which a store dies, for crash tests.

/// At which append a [`MemoryStore`](super::MemoryStore) dies, and what becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crash {
    /// The append of this number, from 1, is lost.
    Lost(u64),
    /// The append of this number, from 1, is written, but its answer is lost.
    Unanswered(u64),
}

/// Counts appends and says when to die.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Fuse {
    pub(super) crash: Option<Crash>,
    pub(super) appends: u64,
    pub(super) is_dead: bool,
}

/// What an append does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Written,
    Lost,
    Unanswered,
}

impl Fuse {
    /// The fate of the next append; the dead write nothing.
    pub(super) fn burn(&mut self) -> Fate {
        self.appends += 1;
        let fate = match self.crash {
            Some(Crash::Lost(n)) if n == self.appends => Fate::Lost,
            Some(Crash::Unanswered(n)) if n == self.appends => Fate::Unanswered,
            Some(_) | None => Fate::Written,
        };
        self.is_dead |= fate != Fate::Written;
        fate
    }
}
