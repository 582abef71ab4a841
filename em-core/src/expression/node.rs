//! The tree of an expression and its canonical spelling.

use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::name::Name;
use crate::value::Unit;

#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) kind: NodeKind,
    pub(super) span: Range<usize>,
}

#[derive(Debug, Clone)]
pub(super) enum NodeKind {
    Literal(Literal),
    Name(Name),
    Negate(Box<Node>),
    Not(Box<Node>),
    Binary(Binary, Box<[Node; 2]>),
    /// Condition, then, otherwise.
    Conditional(Box<[Node; 3]>),
    Call(Function, Vec<Node>),
}

/// A number as it is written, and its value in the base unit.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Literal {
    pub(super) digits: String,
    pub(super) ending: Ending,
    pub(super) value: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Binary {
    Or,
    And,
    Compare(Comparison),
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Power,
}

/// How a constraint compares its two sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
}

impl Binary {
    pub(super) const LESS: Self = Self::Compare(Comparison::Less);
    pub(super) const LESS_OR_EQUAL: Self = Self::Compare(Comparison::LessOrEqual);
    pub(super) const GREATER: Self = Self::Compare(Comparison::Greater);
    pub(super) const GREATER_OR_EQUAL: Self = Self::Compare(Comparison::GreaterOrEqual);
    pub(super) const EQUAL: Self = Self::Compare(Comparison::Equal);
    pub(super) const NOT_EQUAL: Self = Self::Compare(Comparison::NotEqual);

    /// How tightly the operator holds its left and its right side.
    pub(super) fn power(self) -> (u8, u8) {
        match self {
            Self::Or => (3, 4),
            Self::And => (5, 6),
            Self::Compare(_) => (7, 8),
            Self::Add | Self::Subtract => (9, 10),
            Self::Multiply | Self::Divide | Self::Remainder => (11, 12),
            Self::Power => (16, 15),
        }
    }
}

/// How tightly unary operators hold, between `*` and `^`: `-2 ^ 2` is -4.
pub(super) const UNARY_POWER: u8 = 13;
/// `?:` is the loosest of all.
pub(super) const CONDITIONAL_POWER: u8 = 2;
const ATOM_POWER: u8 = 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    None,
    Nanoseconds,
    Microseconds,
    Milliseconds,
    Seconds,
    Minutes,
    Hours,
    Kibi,
    Mebi,
    Gibi,
    Percent,
}

impl Ending {
    pub(super) const NAMES: [&str; 10] = ["ns", "us", "ms", "s", "min", "h", "Ki", "Mi", "Gi", "%"];

    const ALL: [Self; 11] = [
        Self::None,
        Self::Nanoseconds,
        Self::Microseconds,
        Self::Milliseconds,
        Self::Seconds,
        Self::Minutes,
        Self::Hours,
        Self::Kibi,
        Self::Mebi,
        Self::Gibi,
        Self::Percent,
    ];

    pub(super) fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|ending| ending.facts().0 == text)
    }

    pub(super) fn unit(self) -> Unit {
        self.facts().1
    }

    pub(super) fn to_base(self, value: f64) -> f64 {
        let (_, _, multiplier, divisor) = self.facts();
        value * multiplier / divisor
    }

    fn facts(self) -> (&'static str, Unit, f64, f64) {
        match self {
            Self::None => ("", Unit::Dimensionless, 1.0, 1.0),
            Self::Nanoseconds => ("ns", Unit::Seconds, 1.0, 1e9),
            Self::Microseconds => ("us", Unit::Seconds, 1.0, 1e6),
            Self::Milliseconds => ("ms", Unit::Seconds, 1.0, 1e3),
            Self::Seconds => ("s", Unit::Seconds, 1.0, 1.0),
            Self::Minutes => ("min", Unit::Seconds, 60.0, 1.0),
            Self::Hours => ("h", Unit::Seconds, 3600.0, 1.0),
            Self::Kibi => ("Ki", Unit::Bytes, 1024.0, 1.0),
            Self::Mebi => ("Mi", Unit::Bytes, 1_048_576.0, 1.0),
            Self::Gibi => ("Gi", Unit::Bytes, 1_073_741_824.0, 1.0),
            Self::Percent => ("%", Unit::Ratio, 1.0, 100.0),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Min,
    Max,
    Abs,
    Sqrt,
    Exp,
    Ln,
    Log10,
    Pow,
    Clamp,
    Floor,
    Ceil,
    Round,
}

impl Function {
    pub(super) const ALL: [Self; 12] = [
        Self::Min,
        Self::Max,
        Self::Abs,
        Self::Sqrt,
        Self::Exp,
        Self::Ln,
        Self::Log10,
        Self::Pow,
        Self::Clamp,
        Self::Floor,
        Self::Ceil,
        Self::Round,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Min => "min",
            Self::Max => "max",
            Self::Abs => "abs",
            Self::Sqrt => "sqrt",
            Self::Exp => "exp",
            Self::Ln => "ln",
            Self::Log10 => "log10",
            Self::Pow => "pow",
            Self::Clamp => "clamp",
            Self::Floor => "floor",
            Self::Ceil => "ceil",
            Self::Round => "round",
        }
    }

    /// How many arguments it takes; nothing means any number from one.
    pub(super) fn arity(self) -> Option<usize> {
        match self {
            Self::Min | Self::Max => None,
            Self::Pow => Some(2),
            Self::Clamp => Some(3),
            Self::Abs
            | Self::Sqrt
            | Self::Exp
            | Self::Ln
            | Self::Log10
            | Self::Floor
            | Self::Ceil
            | Self::Round => Some(1),
        }
    }
}

impl Node {
    pub(super) fn name(&self) -> Option<&Name> {
        if let NodeKind::Name(name) = &self.kind {
            Some(name)
        } else {
            None
        }
    }

    /// Zero without an ending, which is the same in every unit.
    pub(super) fn is_bare_zero(&self) -> bool {
        match &self.kind {
            NodeKind::Literal(literal) => {
                literal.ending == Ending::None && literal.value.abs() < f64::MIN_POSITIVE
            }
            NodeKind::Negate(inner) => inner.is_bare_zero(),
            NodeKind::Name(_)
            | NodeKind::Not(_)
            | NodeKind::Binary(..)
            | NodeKind::Conditional(_)
            | NodeKind::Call(..) => false,
        }
    }

    pub(super) fn children(&self) -> &[Self] {
        match &self.kind {
            NodeKind::Literal(_) | NodeKind::Name(_) => &[],
            NodeKind::Negate(inner) | NodeKind::Not(inner) => std::slice::from_ref(inner),
            NodeKind::Binary(_, sides) => sides.as_slice(),
            NodeKind::Conditional(parts) => parts.as_slice(),
            NodeKind::Call(_, arguments) => arguments,
        }
    }

    pub(super) fn visit<'a>(&'a self, look: &mut impl FnMut(&'a Self)) {
        look(self);
        for child in self.children() {
            child.visit(look);
        }
    }

    fn power(&self) -> u8 {
        match &self.kind {
            NodeKind::Literal(_) | NodeKind::Name(_) | NodeKind::Call(..) => ATOM_POWER,
            NodeKind::Negate(_) | NodeKind::Not(_) => UNARY_POWER,
            NodeKind::Binary(operator, _) => operator.power().0.min(operator.power().1),
            NodeKind::Conditional(_) => CONDITIONAL_POWER,
        }
    }
}

/// A node in parentheses when it holds less tightly than its place demands.
struct Held<'a>(&'a Node, u8);

impl fmt::Display for Held<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.power() < self.1 {
            write!(f, "({})", self.0)
        } else {
            write!(f, "{}", self.0)
        }
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            NodeKind::Literal(literal) => write!(f, "{literal}"),
            NodeKind::Name(name) => write!(f, "{name}"),
            NodeKind::Negate(inner) => write!(f, "-{}", Held(inner, UNARY_POWER)),
            NodeKind::Not(inner) => write!(f, "!{}", Held(inner, UNARY_POWER)),
            NodeKind::Binary(operator, sides) => {
                let (left, right) = operator.held();
                write!(
                    f,
                    "{} {operator} {}",
                    Held(&sides[0], left),
                    Held(&sides[1], right)
                )
            }
            NodeKind::Conditional(parts) => {
                let [condition, then, otherwise] = parts.as_ref();
                write!(
                    f,
                    "{} ? {then} : {otherwise}",
                    Held(condition, CONDITIONAL_POWER + 1)
                )
            }
            NodeKind::Call(function, arguments) => {
                write!(f, "{}(", function.name())?;
                for (index, argument) in arguments.iter().enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    write!(f, "{comma}{argument}")?;
                }
                f.write_str(")")
            }
        }
    }
}

impl Binary {
    /// The least hold that its sides need to stand without parentheses.
    fn held(self) -> (u8, u8) {
        match self {
            // Comparisons are never chained, not even with parentheses left out on the left.
            Self::Compare(_) => (8, 8),
            Self::Power => (16, UNARY_POWER),
            Self::Or
            | Self::And
            | Self::Add
            | Self::Subtract
            | Self::Multiply
            | Self::Divide
            | Self::Remainder => self.power(),
        }
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.digits, self.ending.facts().0)
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Equal => "==",
            Self::NotEqual => "!=",
        })
    }
}

impl fmt::Display for Binary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Or => f.write_str("||"),
            Self::And => f.write_str("&&"),
            Self::Compare(comparison) => write!(f, "{comparison}"),
            Self::Add => f.write_str("+"),
            Self::Subtract => f.write_str("-"),
            Self::Multiply => f.write_str("*"),
            Self::Divide => f.write_str("/"),
            Self::Remainder => f.write_str("%"),
            Self::Power => f.write_str("^"),
        }
    }
}
