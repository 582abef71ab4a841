//! What can be wrong with an expression, and with its value.

use std::ops::Range;

use super::Name;

/// Why a text is not an expression, or why its units do not fit.
///
/// Display is one line; [`ExpressionError::caret`] shows the place in the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem} at byte {offset} of expression {text:?}{hint}", text = self.excerpt(), hint = self.hint())]
pub struct ExpressionError {
    /// The whole text.
    pub expression: String,
    /// Where the trouble starts, in bytes from 0.
    pub offset: usize,
    /// How many bytes it is about.
    pub length: usize,
    /// What is wrong.
    pub problem: String,
    /// What to do about it, when that can be said.
    pub suggestion: Option<String>,
}

/// Why an expression has no value for the given numbers.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EvaluationError {
    /// A number that the expression needs is not there.
    #[error("{name} has no value")]
    Missing {
        /// The name.
        name: Name,
    },
    /// A number that the expression needs is NaN or infinite.
    #[error("{name} is {value}, not a finite number")]
    NotFinite {
        /// The name.
        name: Name,
        /// What was given for it.
        value: f64,
    },
    /// An operation has no finite result, such as a division by zero.
    #[error("{part} has no finite value ({operands} gives {value})")]
    NoResult {
        /// The part of the expression.
        part: String,
        /// The same with its numbers.
        operands: String,
        /// What came out.
        value: f64,
    },
}

const SHOWN: usize = 120;

impl ExpressionError {
    /// The text and, below it, carets under the place; two lines without a line end.
    ///
    /// ```
    /// use em_core::expression::Expression;
    /// let error = Expression::parse("1 + mn(2)").unwrap_err();
    /// assert_eq!(error.caret(), "1 + mn(2)\n    ^^");
    /// ```
    pub fn caret(&self) -> String {
        let line: String = self
            .expression
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        let before = self
            .expression
            .get(..self.offset)
            .map_or(0, |text| text.chars().count());
        let place = self.expression.get(self.offset..self.offset + self.length);
        let width = place.map_or(1, |text| text.chars().count()).max(1);
        format!("{line}\n{}{}", " ".repeat(before), "^".repeat(width))
    }

    fn excerpt(&self) -> String {
        let mut shown: String = self.expression.chars().take(SHOWN).collect();
        if shown.len() < self.expression.len() {
            shown.push_str("...");
        }
        shown
    }

    fn hint(&self) -> String {
        self.suggestion
            .as_ref()
            .map(|suggestion| format!(" ({suggestion})"))
            .unwrap_or_default()
    }
}

/// An [`ExpressionError`] that does not know its text yet.
#[derive(Debug)]
pub(super) struct Flaw {
    pub(super) span: Range<usize>,
    pub(super) problem: String,
    pub(super) suggestion: Option<String>,
}

impl Flaw {
    pub(super) fn new(span: Range<usize>, problem: impl Into<String>) -> Self {
        Self {
            span,
            problem: problem.into(),
            suggestion: None,
        }
    }

    pub(super) fn hint(self, suggestion: impl Into<String>) -> Self {
        Self {
            suggestion: Some(suggestion.into()),
            ..self
        }
    }

    pub(super) fn did_you_mean(self, meant: Option<&str>) -> Self {
        Self {
            suggestion: meant.map(|meant| format!("did you mean {meant:?}?")),
            ..self
        }
    }

    pub(super) fn at(self, text: &str) -> ExpressionError {
        ExpressionError {
            expression: text.into(),
            offset: self.span.start,
            length: self.span.len(),
            problem: self.problem,
            suggestion: self.suggestion,
        }
    }
}
