//! The figures there are.

use anyhow::Result;

use crate::bench::Bench;
use crate::quickstart;

/// One figure.
#[derive(Debug)]
pub(crate) struct Figure {
    /// What it is called.
    pub(crate) name: &'static str,
    /// What is measured, for people.
    pub(crate) what: &'static str,
    /// What it should be.
    pub(crate) goal: &'static str,
    /// What a miss depends on.
    pub(crate) kind: Kind,
    /// Measures it.
    pub(crate) measure: fn(&mut Bench) -> Result<Measured>,
}

/// What a figure depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// On time and on what else the machine does: it is measured alone.
    Timing,
    /// On the program only.
    Counting,
}

/// What a figure is.
#[derive(Debug)]
pub(crate) struct Measured {
    /// Value and unit.
    pub(crate) value: String,
    /// Whether it is what it should be.
    pub(crate) is_met: bool,
}

/// All figures.
pub(crate) const FIGURES: &[Figure] = &[Figure {
    name: "quickstart",
    what: "the README's main job as an unprivileged user on one core, over seeds",
    goal: "winner the known best in >= 9 of 10, better in >= 8 of 10, each < 120 s",
    kind: Kind::Timing,
    measure: quickstart::measure,
}];
