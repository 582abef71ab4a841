//! Whether the units of an expression fit, and what it yields.

use super::error::Flaw;
use super::name::Name;
use super::node::{Binary, Ending, Function, Node, NodeKind};
use crate::value::Unit;

/// What an expression, or one of its names, stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meaning {
    /// True or false (1 and 0 when evaluated): comparisons, boolean tunables.
    Truth,
    /// A number with its unit.
    Number(Unit),
}

impl From<Unit> for Meaning {
    fn from(unit: Unit) -> Self {
        Self::Number(unit)
    }
}

type Resolver<'a> = &'a dyn Fn(&Name) -> Result<Meaning, String>;

pub(super) fn judge(node: &Node, names: Resolver<'_>) -> Result<Meaning, Flaw> {
    match &node.kind {
        NodeKind::Literal(literal) => Ok(literal.ending.unit().into()),
        NodeKind::Name(name) => {
            names(name).map_err(|problem| Flaw::new(node.span.clone(), problem))
        }
        NodeKind::Negate(inner) => number(inner, names).map(Meaning::Number),
        NodeKind::Not(inner) => truth(inner, names),
        NodeKind::Binary(operator, sides) => binary(node, *operator, sides, names),
        NodeKind::Conditional(parts) => conditional(node, parts, names),
        NodeKind::Call(function, arguments) => {
            call(node, *function, arguments, names).map(Meaning::Number)
        }
    }
}

fn binary(
    node: &Node,
    operator: Binary,
    sides: &[Node; 2],
    names: Resolver<'_>,
) -> Result<Meaning, Flaw> {
    let [left, right] = sides;
    let too_much = || Flaw::new(node.span.clone(), "the power of a unit becomes too large");
    let unit = match operator {
        Binary::And | Binary::Or => {
            truth(left, names)?;
            return truth(right, names);
        }
        Binary::Compare(_) => {
            fitting(node, sides, names)?;
            return Ok(Meaning::Truth);
        }
        Binary::Add | Binary::Subtract | Binary::Remainder => fitting(node, sides, names)?,
        Binary::Multiply => number(left, names)?
            .times(&number(right, names)?)
            .ok_or_else(too_much)?,
        Binary::Divide => number(left, names)?
            .per(&number(right, names)?)
            .ok_or_else(too_much)?,
        Binary::Power => power(node, left, right, names)?,
    };
    Ok(Meaning::Number(unit))
}

fn conditional(node: &Node, parts: &[Node; 3], names: Resolver<'_>) -> Result<Meaning, Flaw> {
    let [condition, then, otherwise] = parts;
    truth(condition, names)?;
    match (judge(then, names)?, judge(otherwise, names)?) {
        (Meaning::Truth, Meaning::Truth) => Ok(Meaning::Truth),
        (Meaning::Number(_), Meaning::Number(_)) => {
            fitting(node, &parts[1..], names).map(Meaning::Number)
        }
        (Meaning::Truth, Meaning::Number(_)) | (Meaning::Number(_), Meaning::Truth) => {
            let span = then.span.start..otherwise.span.end;
            Err(Flaw::new(
                span,
                "one side is a number, the other a truth value",
            ))
        }
    }
}

fn call(
    node: &Node,
    function: Function,
    arguments: &[Node],
    names: Resolver<'_>,
) -> Result<Unit, Flaw> {
    let first = &arguments[0];
    match function {
        Function::Min | Function::Max | Function::Clamp => fitting(node, arguments, names),
        Function::Abs | Function::Floor | Function::Ceil | Function::Round => number(first, names),
        Function::Pow => power(node, first, &arguments[1], names),
        Function::Sqrt => {
            let unit = number(first, names)?;
            let problem = || Flaw::new(first.span.clone(), format!("{unit} has no square root"));
            unit.square_root().ok_or_else(problem)
        }
        Function::Exp | Function::Ln | Function::Log10 => {
            plain(first, function.name(), names)?;
            Ok(Unit::Dimensionless)
        }
    }
}

fn power(node: &Node, base: &Node, exponent: &Node, names: Resolver<'_>) -> Result<Unit, Flaw> {
    let unit = number(base, names)?;
    plain(exponent, "an exponent", names)?;
    if unit.is_number() {
        return Ok(Unit::Dimensionless);
    }
    let result = match written_number(exponent) {
        Some(half) if (half - 0.5).abs() < f64::EPSILON => unit.square_root(),
        Some(whole) => small_whole(whole).and_then(|exponent| unit.power(exponent)),
        None => None,
    };
    result.ok_or_else(|| {
        let problem = format!(
            "{unit} can only be raised to a whole number between -8 and 8 that is written out"
        );
        Flaw::new(node.span.clone(), problem)
    })
}

fn written_number(node: &Node) -> Option<f64> {
    if let NodeKind::Negate(inner) = &node.kind {
        return written_number(inner).map(|value| -value);
    }
    let NodeKind::Literal(literal) = &node.kind else {
        return None;
    };
    (literal.ending == Ending::None).then_some(literal.value)
}

fn small_whole(value: f64) -> Option<i8> {
    (-8..=8_i8).find(|whole| (f64::from(*whole) - value).abs() < f64::EPSILON)
}

/// The common unit of several numbers. Zero fits every unit.
fn fitting(node: &Node, parts: &[Node], names: Resolver<'_>) -> Result<Unit, Flaw> {
    let mut common: Option<Unit> = None;
    for part in parts {
        let unit = number(part, names)?;
        common = match common {
            _ if part.is_bare_zero() => common,
            None => Some(unit),
            Some(before) => Some(before.fit(&unit).map_err(|mismatch| {
                let span = node.span.clone();
                let problem = format!("{} and {} do not fit", mismatch.left, mismatch.right);
                let hint = mismatch.hint.trim_matches([' ', '(', ')']);
                let flaw = Flaw::new(span, problem);
                if hint.is_empty() {
                    flaw
                } else {
                    flaw.hint(hint)
                }
            })?),
        };
    }
    Ok(common.unwrap_or(Unit::Dimensionless))
}

fn plain(node: &Node, user: &str, names: Resolver<'_>) -> Result<(), Flaw> {
    let unit = number(node, names)?;
    if unit.is_number() {
        return Ok(());
    }
    let flaw = Flaw::new(
        node.span.clone(),
        format!("{user} needs a plain number, not {unit}"),
    );
    Err(flaw.hint("divide by a unit first, as in x / 1ms"))
}

fn number(node: &Node, names: Resolver<'_>) -> Result<Unit, Flaw> {
    match judge(node, names)? {
        Meaning::Number(unit) => Ok(unit),
        Meaning::Truth => Err(Flaw::new(
            node.span.clone(),
            "a number is needed here, not a truth value",
        )),
    }
}

fn truth(node: &Node, names: Resolver<'_>) -> Result<Meaning, Flaw> {
    match judge(node, names)? {
        Meaning::Truth => Ok(Meaning::Truth),
        Meaning::Number(_) => {
            let flaw = Flaw::new(
                node.span.clone(),
                "a truth value is needed here, not a number",
            );
            Err(flaw.hint("compare it with something, as in x > 0"))
        }
    }
}
