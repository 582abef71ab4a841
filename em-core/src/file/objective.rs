//! `objective` and `constraints`: what is optimised, and what must hold.

use super::names::Names;
use super::process::optional;
use super::reader::Reader;
use super::tree::NodeKind;
use crate::expression::{
    Constraint as ConstraintExpression, Expression, ExpressionError, Meaning, Name,
};
use crate::plan::{Constraint, Direction, Goal, LoadSpec, Objective};
use crate::value::Unit;

/// Keys of `objective`.
pub(super) const KEYS: [&str; 4] = ["minimize", "maximize", "equivalent_within", "goal"];

/// Counts of the load that can never exceed what is offered.
const OFFERED: [&str; 3] = ["load.throughput", "load.achieved", "load.offered"];

pub(super) fn read(
    reader: &Reader<'_>,
    names: &Names<'_>,
    load: Option<&LoadSpec>,
) -> Option<Objective> {
    if let NodeKind::List(_) = reader.kind() {
        reader.refuse_with(
            "several objectives are not supported yet",
            "give one, and the others as constraints",
        );
        return None;
    }
    let keys = reader.keys(&KEYS, &["weights"])?;
    let (direction, given) = match (keys.get("minimize"), keys.get("maximize")) {
        (Some(given), None) => (Direction::Minimize, given),
        (None, Some(given)) => (Direction::Maximize, given),
        _ => {
            reader.refuse("exactly one of minimize and maximize is wanted");
            return None;
        }
    };
    let read = expression(&given, names);
    let within = optional(&keys, "equivalent_within", Reader::share);
    let (expression, unit) = read?;
    let is_reachable = reachable(&given, direction, &expression, load);
    let goal = optional(&keys, "goal", |reader| {
        goal(reader, direction, &expression, &unit)
    });
    let objective = Objective {
        direction,
        expression,
        unit,
        equivalent_within: within?,
        goal: goal?,
    };
    is_reachable.then_some(objective)
}

fn expression(reader: &Reader<'_>, names: &Names<'_>) -> Option<(Expression, Unit)> {
    let text = reader.text()?;
    let refuse = |error: ExpressionError| reader.refuse(error);
    let expression = Expression::parse(text).map_err(refuse).ok()?;
    if !knows_all(reader, expression.names(), names) {
        return None;
    }
    let measured = |name: &Name| {
        matches!(
            name,
            Name::Metric {
                of_baseline: false,
                ..
            }
        )
    };
    if !expression.names().any(measured) {
        reader.refuse_with(
            "the objective names nothing that is measured",
            "write for example load.response_time.p99",
        );
        return None;
    }
    match expression.check(&|name| names.meaning(name)) {
        Ok(Meaning::Number(unit)) => Some((expression, unit)),
        Ok(Meaning::Truth) => {
            reader.refuse_with(
                "an objective is a number, not a comparison",
                "what must hold belongs to constraints",
            );
            None
        }
        Err(error) => {
            refuse(error);
            None
        }
    }
}

/// Reports every name without a meaning, not only the first.
fn knows_all<'n>(
    reader: &Reader<'_>,
    mut wanted: impl Iterator<Item = &'n Name>,
    names: &Names<'_>,
) -> bool {
    wanted.by_ref().fold(true, |fine, name| {
        let problem = names.meaning(name).err();
        if let Some(problem) = &problem {
            reader.refuse(problem);
        }
        fine && problem.is_none()
    })
}

/// Under a fixed offered rate, the throughput cannot exceed the offer.
fn reachable(
    reader: &Reader<'_>,
    direction: Direction,
    expression: &Expression,
    load: Option<&LoadSpec>,
) -> bool {
    let is_offered = |name: &Name| match name {
        Name::Metric { metric, .. } => OFFERED.contains(&metric.as_str()),
        Name::Tunable(_) => false,
    };
    let is_bounded = direction == Direction::Maximize
        && matches!(load, Some(LoadSpec::Http(_)))
        && expression.names().all(is_offered);
    if is_bounded {
        reader.refuse_with(
            format!("\"maximize {expression}\" under a fixed offered rate cannot exceed the offer"),
            "minimize a latency or a cost; load.capacity is not supported yet",
        );
    }
    !is_bounded
}

fn goal(
    reader: &Reader<'_>,
    direction: Direction,
    objective: &Expression,
    unit: &Unit,
) -> Option<Goal> {
    let text = reader.word()?;
    let trimmed = text.trim();
    let number = trimmed.trim_start_matches(['<', '>', '=']);
    let sign = &trimmed[..trimmed.len() - number.len()];
    let (wanted, others) = match direction {
        Direction::Minimize => (["", "<", "<="], "<="),
        Direction::Maximize => (["", ">", ">="], ">="),
    };
    if !wanted.contains(&sign) {
        let what = match direction {
            Direction::Minimize => "what is minimized has a goal of at most something",
            Direction::Maximize => "what is maximized has a goal of at least something",
        };
        reader.refuse_with(
            format!("{what}, not {sign:?}"),
            format!("write \"{others} 200ms\""),
        );
        return None;
    }
    let refuse = |error: ExpressionError| reader.refuse(error);
    let constant = Expression::parse(number).map_err(refuse).ok()?;
    if constant.names().next().is_some() {
        reader.refuse("a goal is a number, it cannot name anything");
        return None;
    }
    let given = match constant.check(&|name| Err(name.to_string())) {
        Ok(Meaning::Number(given)) => given,
        Ok(Meaning::Truth) => {
            reader.refuse("a goal is one number");
            return None;
        }
        Err(error) => {
            refuse(error);
            return None;
        }
    };
    let value = constant
        .evaluate(&|_| None)
        .map_err(|error| reader.refuse(error))
        .ok()?;
    if let Err(mismatch) = unit.fit(&given)
        && value != 0.0
    {
        let mismatch = mismatch.to_string();
        reader.refuse(format!(
            "the units of objective and goal differ: {mismatch}"
        ));
        return None;
    }
    possible(reader, direction, objective, unit, value)
}

/// No time, size or count is below nothing, and no share above all.
fn possible(
    reader: &Reader<'_>,
    direction: Direction,
    objective: &Expression,
    unit: &Unit,
    value: f64,
) -> Option<Goal> {
    let is_single = objective.names().count() == 1 && !objective.text().contains(['-', '*', '/']);
    let never_negative = !matches!(
        unit,
        Unit::Dimensionless | Unit::Custom(_) | Unit::Compound(_)
    );
    let too_low = direction == Direction::Minimize && never_negative && value < 0.0;
    let too_high = direction == Direction::Maximize && *unit == Unit::Ratio && value > 1.0;
    if is_single && (too_low || too_high) {
        reader.refuse(format!("{objective} can never reach it"));
        return None;
    }
    Some(Goal { value })
}

pub(super) fn constraints(reader: &Reader<'_>, names: &Names<'_>) -> Vec<Constraint> {
    let mut constraints = Vec::new();
    for entry in reader.list().unwrap_or_default() {
        let Some(text) = entry.text() else {
            continue;
        };
        let expression = match ConstraintExpression::parse(text) {
            Ok(expression) => expression,
            Err(error) => {
                entry.refuse(error);
                continue;
            }
        };
        if !knows_all(&entry, expression.names(), names) {
            continue;
        }
        match expression.check(&|name| names.meaning(name)) {
            Ok(()) => constraints.push(Constraint { expression }),
            Err(error) => entry.refuse(error),
        }
    }
    constraints
}
