//! Where a figure is measured.

use std::fmt;

use anyhow::Result;

use crate::paper::Paper;

/// How much is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// What CI runs.
    Short,
    /// What the goal is about.
    Long,
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Short => "short",
            Self::Long => "long",
        })
    }
}

/// The place of one measurement.
#[derive(Debug)]
pub(crate) struct Bench {
    form: Form,
    paper: Paper,
}

impl Bench {
    /// An empty one.
    pub(crate) fn new(form: Form) -> Self {
        let paper = Paper::new();
        Self { form, paper }
    }

    /// One of two, by form.
    pub(crate) fn by_form<T>(&self, short: T, long: T) -> T {
        match self.form {
            Form::Short => short,
            Form::Long => long,
        }
    }

    /// Says something.
    pub(crate) fn say(&mut self, line: &str) -> Result<()> {
        self.paper.say(line)
    }

    /// What was said.
    pub(crate) fn paper(&self) -> &Paper {
        &self.paper
    }
}
