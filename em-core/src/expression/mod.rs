//! Objective, constraint and derived-value expressions over measured numbers and tunables.
//!
//! ```text
//! load.error_share <= 0.1%            cpu.rate <= 1.1 * baseline.cpu.rate
//! floor(0.7 * values.memory)          "x-y".p99.9 + 2ms
//! ```
//!
//! Precedence, loosest first: `?:`, `||`, `&&`, comparisons (never chained), `+ -`, `* / %`, unary `- !`, `^`. `%` directly after
//! a number is percent, anywhere else the remainder (with the sign of its left side). An expression is parsed once, checked with
//! the units of its names when the experiment is submitted, and evaluated once per block; it holds no numbers of its own.

mod check;
mod constraint;
mod error;
mod evaluate;
mod name;
mod node;
mod parse;
mod suggest;
mod token;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use check::Meaning;
pub use constraint::{Constraint, Margin};
pub use error::{EvaluationError, ExpressionError};
pub use name::Name;
pub use node::Comparison;
pub use suggest::closest;

use node::Node;

/// A parsed expression.
///
/// ```
/// use em_core::expression::{Expression, Meaning};
/// use em_core::value::Unit;
/// let expression = Expression::parse("load.response_time.p99 / 1ms")?;
/// assert_eq!(expression.names().count(), 1);
/// assert_eq!(expression.check(&|_| Ok(Unit::Seconds.into()))?, Meaning::Number(Unit::Dimensionless));
/// assert_eq!(expression.evaluate(&|_| Some(0.25))?, 250.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Expression {
    source: Arc<str>,
    root: Node,
    names: Vec<Name>,
}

impl Expression {
    /// Reads an expression; never panics, whatever the text.
    pub fn parse(text: &str) -> Result<Self, ExpressionError> {
        let root = parse::parse(text).map_err(|flaw| flaw.at(text))?;
        Ok(Self::new(text.into(), root))
    }

    /// The text it was read from.
    pub fn text(&self) -> &str {
        self.source
            .get(self.root.span.clone())
            .unwrap_or(&self.source)
    }

    /// The names it needs, each once, in the order of the text.
    pub fn names(&self) -> impl Iterator<Item = &Name> {
        self.names.iter()
    }

    /// Whether it looks at nothing but tunables, so that it is known before anything runs.
    pub fn is_about_values_only(&self) -> bool {
        self.names().all(|name| matches!(name, Name::Tunable(_)))
    }

    /// What the expression yields, given what its names mean; an error says where units do not fit.
    ///
    /// `meaning` answers for one name, or says why there is no such number (for example with the [`closest`] name there is).
    pub fn check(
        &self,
        meaning: &dyn Fn(&Name) -> Result<Meaning, String>,
    ) -> Result<Meaning, ExpressionError> {
        check::judge(&self.root, meaning).map_err(|flaw| flaw.at(&self.source))
    }

    /// The value for the numbers that `resolve` gives (in base units; truth is 1 and 0). Always finite.
    pub fn evaluate(&self, resolve: &dyn Fn(&Name) -> Option<f64>) -> Result<f64, EvaluationError> {
        evaluate::evaluate(&self.root, resolve)
    }

    fn new(source: Arc<str>, root: Node) -> Self {
        let mut names = Vec::new();
        root.visit(&mut |node| {
            if let Some(name) = node.name()
                && !names.contains(name)
            {
                names.push(name.clone());
            }
        });
        Self {
            source,
            root,
            names,
        }
    }
}

impl fmt::Display for Expression {
    /// The canonical spelling: one space around operators, no needless parentheses.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.root, f)
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

impl Eq for Expression {}

impl FromStr for Expression {
    type Err = ExpressionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Expression {
    type Error = ExpressionError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<Expression> for String {
    fn from(expression: Expression) -> Self {
        expression.text().into()
    }
}

#[cfg(test)]
mod tests;
