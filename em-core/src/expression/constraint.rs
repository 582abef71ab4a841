//! Constraints: a comparison of two expressions, with a margin per block.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::error::{EvaluationError, ExpressionError, Flaw};
use super::evaluate;
use super::name::Name;
use super::node::{Binary, Comparison, Node, NodeKind};
use super::{Expression, Meaning};

/// A comparison at the top of an expression: `load.error_share <= 0.1%`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Constraint {
    whole: Expression,
    comparison: Comparison,
}

/// The two sides of a constraint in one block.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Margin {
    /// The left side.
    pub left: f64,
    /// The right side.
    pub right: f64,
    /// How they are compared.
    pub comparison: Comparison,
}

impl Constraint {
    /// Reads a constraint; never panics, whatever the text.
    ///
    /// `==` and `!=` are refused where something measured is compared: such a constraint is as good as never, or always, met.
    pub fn parse(text: &str) -> Result<Self, ExpressionError> {
        Expression::parse(text).and_then(Self::of)
    }

    /// Takes an expression as a constraint.
    pub fn of(whole: Expression) -> Result<Self, ExpressionError> {
        let flaw = |problem: &str, hint: &str| {
            Err(Flaw::new(whole.root.span.clone(), problem)
                .hint(hint)
                .at(&whole.source))
        };
        let NodeKind::Binary(Binary::Compare(comparison), _) = whole.root.kind else {
            return flaw(
                "a constraint is one comparison",
                "write LEFT <= RIGHT; several constraints are several lines",
            );
        };
        if whole.names.is_empty() {
            return flaw(
                "the constraint names nothing that is measured or tuned",
                "write for example load.error_share <= 1%",
            );
        }
        let is_equality = matches!(comparison, Comparison::Equal | Comparison::NotEqual);
        if is_equality && !whole.is_about_values_only() {
            return flaw("measured numbers are never exactly equal", "write <= or >=");
        }
        Ok(Self { whole, comparison })
    }

    /// The side before the comparison.
    pub fn left(&self) -> Expression {
        self.side(0)
    }

    /// The side after the comparison.
    pub fn right(&self) -> Expression {
        self.side(1)
    }

    /// How the sides are compared.
    pub fn comparison(&self) -> Comparison {
        self.comparison
    }

    /// The constraint as an expression.
    pub fn expression(&self) -> &Expression {
        &self.whole
    }

    /// The names it needs, each once.
    pub fn names(&self) -> impl Iterator<Item = &Name> {
        self.whole.names()
    }

    /// Whether the units of both sides fit; see [`Expression::check`].
    pub fn check(
        &self,
        meaning: &dyn Fn(&Name) -> Result<Meaning, String>,
    ) -> Result<(), ExpressionError> {
        self.whole.check(meaning).map(|_| ())
    }

    /// Both sides for the numbers of one block.
    pub fn margin(
        &self,
        resolve: &dyn Fn(&Name) -> Option<f64>,
    ) -> Result<Margin, EvaluationError> {
        let [left, right] = self.sides();
        Ok(Margin {
            left: evaluate::evaluate(left, resolve)?,
            right: evaluate::evaluate(right, resolve)?,
            comparison: self.comparison,
        })
    }

    fn side(&self, index: usize) -> Expression {
        Expression::new(Arc::clone(&self.whole.source), self.sides()[index].clone())
    }

    fn sides(&self) -> &[Node; 2] {
        let NodeKind::Binary(_, sides) = &self.whole.root.kind else {
            unreachable!("the constructor takes comparisons only")
        };
        sides
    }
}

impl Margin {
    /// How far the comparison is from its edge, in the unit of its sides: above 0 it is met, below it is broken.
    ///
    /// `right - left` for `<` and `<=`, `left - right` for `>` and `>=`; minus or plus the distance for `==` and `!=`.
    pub fn difference(&self) -> f64 {
        match self.comparison {
            Comparison::Less | Comparison::LessOrEqual => self.right - self.left,
            Comparison::Greater | Comparison::GreaterOrEqual => self.left - self.right,
            Comparison::Equal => -(self.right - self.left).abs(),
            Comparison::NotEqual => (self.right - self.left).abs(),
        }
    }

    /// The same as a ratio, above 1 when met; nothing unless both sides are positive, or for `==` and `!=`.
    pub fn ratio(&self) -> Option<f64> {
        let ratio = match self.comparison {
            Comparison::Less | Comparison::LessOrEqual => self.right / self.left,
            Comparison::Greater | Comparison::GreaterOrEqual => self.left / self.right,
            Comparison::Equal | Comparison::NotEqual => return None,
        };
        (self.left > 0.0 && self.right > 0.0 && ratio.is_finite()).then_some(ratio)
    }

    /// Whether the comparison is true of these two numbers, uncertainty left aside.
    pub fn is_met(&self) -> bool {
        self.comparison.holds(self.left, self.right)
    }
}

impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.whole, f)
    }
}

impl FromStr for Constraint {
    type Err = ExpressionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Constraint {
    type Error = ExpressionError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<Constraint> for String {
    fn from(constraint: Constraint) -> Self {
        constraint.whole.into()
    }
}
