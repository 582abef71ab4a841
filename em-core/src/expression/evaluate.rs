//! The value of an expression.

use super::error::EvaluationError;
use super::name::Name;
use super::node::{Binary, Comparison, Function, Node, NodeKind};

type Resolver<'a> = &'a dyn Fn(&Name) -> Option<f64>;

pub(super) fn evaluate(node: &Node, names: Resolver<'_>) -> Result<f64, EvaluationError> {
    match &node.kind {
        NodeKind::Literal(literal) => Ok(literal.value),
        NodeKind::Name(name) => lookup(name, names),
        NodeKind::Negate(inner) => evaluate(inner, names).map(|value| -value),
        NodeKind::Not(inner) => evaluate(inner, names).map(|value| truth(!is_true(value))),
        NodeKind::Binary(Binary::And, sides) => {
            let left = evaluate(&sides[0], names)?;
            if is_true(left) {
                evaluate(&sides[1], names)
            } else {
                Ok(0.0)
            }
        }
        NodeKind::Binary(Binary::Or, sides) => {
            let left = evaluate(&sides[0], names)?;
            if is_true(left) {
                Ok(1.0)
            } else {
                evaluate(&sides[1], names)
            }
        }
        NodeKind::Binary(operator, sides) => {
            let (left, right) = (evaluate(&sides[0], names)?, evaluate(&sides[1], names)?);
            finite(node, &[left, right], binary(*operator, left, right))
        }
        NodeKind::Conditional(parts) => {
            let [condition, then, otherwise] = parts.as_ref();
            let chosen = if is_true(evaluate(condition, names)?) {
                then
            } else {
                otherwise
            };
            evaluate(chosen, names)
        }
        NodeKind::Call(function, arguments) => {
            let values: Result<Vec<f64>, _> = arguments
                .iter()
                .map(|argument| evaluate(argument, names))
                .collect();
            let values = values?;
            finite(node, &values, call(*function, &values))
        }
    }
}

fn lookup(name: &Name, names: Resolver<'_>) -> Result<f64, EvaluationError> {
    match names(name) {
        Some(value) if value.is_finite() => Ok(value),
        Some(value) => Err(EvaluationError::NotFinite {
            name: name.clone(),
            value,
        }),
        None => Err(EvaluationError::Missing { name: name.clone() }),
    }
}

fn binary(operator: Binary, left: f64, right: f64) -> f64 {
    match operator {
        Binary::Add => left + right,
        Binary::Subtract => left - right,
        Binary::Multiply => left * right,
        Binary::Divide => left / right,
        Binary::Remainder => left % right,
        Binary::Power => left.powf(right),
        Binary::Compare(comparison) => truth(comparison.holds(left, right)),
        Binary::And => truth(is_true(left) && is_true(right)),
        Binary::Or => truth(is_true(left) || is_true(right)),
    }
}

fn call(function: Function, values: &[f64]) -> f64 {
    let first = values[0];
    match function {
        Function::Min => values.iter().copied().fold(first, f64::min),
        Function::Max => values.iter().copied().fold(first, f64::max),
        Function::Abs => first.abs(),
        Function::Sqrt => first.sqrt(),
        Function::Exp => first.exp(),
        Function::Ln => first.ln(),
        Function::Log10 => first.log10(),
        Function::Pow => first.powf(values[1]),
        // Not f64::clamp, which panics when the bounds are the wrong way round; here the upper one wins.
        Function::Clamp => first.max(values[1]).min(values[2]),
        Function::Floor => first.floor(),
        Function::Ceil => first.ceil(),
        Function::Round => first.round(),
    }
}

impl Comparison {
    /// Whether the comparison is true of two numbers.
    #[expect(
        clippy::float_cmp,
        reason = "the file asks for exact equality, of whole numbers as a rule"
    )]
    pub fn holds(self, left: f64, right: f64) -> bool {
        match self {
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
            Self::Equal => left == right,
            Self::NotEqual => left != right,
        }
    }
}

fn finite(node: &Node, operands: &[f64], value: f64) -> Result<f64, EvaluationError> {
    if value.is_finite() {
        return Ok(value);
    }
    let list = |separator: &str| {
        operands
            .iter()
            .map(f64::to_string)
            .collect::<Vec<_>>()
            .join(separator)
    };
    let operands = match &node.kind {
        NodeKind::Binary(operator, _) => list(&format!(" {operator} ")),
        NodeKind::Call(function, _) => format!("{}({})", function.name(), list(", ")),
        NodeKind::Literal(_)
        | NodeKind::Name(_)
        | NodeKind::Negate(_)
        | NodeKind::Not(_)
        | NodeKind::Conditional(_) => list(", "),
    };
    Err(EvaluationError::NoResult {
        part: node.to_string(),
        operands,
        value,
    })
}

fn is_true(value: f64) -> bool {
    value.abs() > 0.0
}

fn truth(value: bool) -> f64 {
    f64::from(u8::from(value))
}
