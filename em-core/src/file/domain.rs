//! The domain of a tunable: `range`, `choices` or `value`, and the type that follows from them.

use super::process::optional;
use super::reader::{Keys, Reader};
use super::tree::NodeKind;
use crate::expression::Expression;
use crate::plan::{Domain, Scale};
use crate::value::{Quantity, Value, ValueKind};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    Integer,
    Real,
    Quantity,
    Categorical,
}

/// Reads it. Choices of a resource are quantities.
pub(super) fn read(keys: &Keys<'_>, is_resource: bool) -> Option<Domain> {
    let given: Vec<&str> = ["range", "choices", "value"]
        .into_iter()
        .filter(|key| keys.has(key))
        .collect();
    let [way] = given.as_slice() else {
        let what = if given.is_empty() {
            "it has no values".to_owned()
        } else {
            format!("{} cannot go together", given.join(" and "))
        };
        keys.reader
            .refuse_with(what, "give exactly one of range, choices and value");
        return None;
    };
    let value = keys.get(way)?;
    let wanted = optional(keys, "type", |reader| {
        reader.one_of(&[
            ("integer", Type::Integer),
            ("real", Type::Real),
            ("quantity", Type::Quantity),
            ("categorical", Type::Categorical),
        ])
    })?;
    if *way != "range" {
        for key in ["step", "scale"] {
            if let Some(reader) = keys.get(key) {
                reader.refuse(format!("{key:?} belongs to a range"));
            }
        }
    }
    match *way {
        "range" => range(keys, &value, wanted),
        "choices" => choices(&value, wanted, is_resource),
        _ => derived(&value),
    }
}

fn derived(reader: &Reader<'_>) -> Option<Domain> {
    let text = reader.word()?;
    let value = Expression::parse(&text)
        .map_err(|error| reader.refuse(error))
        .ok()?;
    Some(Domain::Derived { value })
}

fn choices(reader: &Reader<'_>, wanted: Option<Type>, is_resource: bool) -> Option<Domain> {
    let entries = reader.filled_list()?;
    let kind = match wanted {
        Some(Type::Integer) => Some(ValueKind::Integer),
        Some(Type::Real) => Some(ValueKind::Real),
        Some(Type::Quantity) => Some(ValueKind::Quantity),
        None if is_resource => Some(ValueKind::Quantity),
        Some(Type::Categorical) | None => None,
    };
    let mut choices: Vec<Value> = Vec::new();
    for entry in &entries {
        warn_of_lost_zeros(entry);
        let value = entry.value();
        let value = value.and_then(|value| match kind {
            Some(kind) => value
                .into_kind(kind)
                .map_err(|error| entry.refuse(error))
                .ok(),
            None => Some(value),
        });
        match value {
            Some(value) if choices.contains(&value) => {
                entry.refuse(format!("{value} is there already"));
            }
            Some(value) => choices.push(value),
            None => {}
        }
    }
    if choices.len() == 1 && entries.len() == 1 {
        reader.warn("there is one choice only", "nothing is tuned by it");
    }
    (!choices.is_empty()).then_some(Domain::Categorical { choices })
}

fn warn_of_lost_zeros(entry: &Reader<'_>) {
    if let NodeKind::Real(value, text) = entry.kind()
        && !text.contains(['e', 'E', '+'])
        && value.to_string() != *text
    {
        entry.warn(
            format!("{text} is read as the number {value}"),
            format!("write \"{text}\" in quotes if it is text"),
        );
    }
}

fn range(keys: &Keys<'_>, reader: &Reader<'_>, wanted: Option<Type>) -> Option<Domain> {
    let ends = reader.pair()?;
    let scale = optional(keys, "scale", |reader| {
        reader.one_of(&[("linear", Scale::Linear), ("log", Scale::Log)])
    })?
    .unwrap_or_default();
    let kind = wanted.unwrap_or_else(|| inferred(&ends));
    let domain = match kind {
        Type::Integer => integers(keys, &ends, scale),
        Type::Real => reals(keys, &ends, scale),
        Type::Quantity => quantities(keys, &ends, scale),
        Type::Categorical => {
            reader.refuse_with("a range is not categorical", "give choices instead");
            None
        }
    }?;
    let low = domain.snap(f64::MIN).and_then(|value| value.to_f64())?;
    if scale == Scale::Log && low <= 0.0 {
        reader.refuse_with(
            "a log scale needs a range above 0",
            "raise its low end, or give 0 as a special value",
        );
        return None;
    }
    Some(domain)
}

fn inferred(ends: &[Reader<'_>; 2]) -> Type {
    let is = |test: fn(&NodeKind) -> bool| ends.iter().any(|end| test(end.kind()));
    if is(|kind| matches!(kind, NodeKind::Text(_))) {
        Type::Quantity
    } else if is(|kind| matches!(kind, NodeKind::Real(..))) {
        Type::Real
    } else {
        Type::Integer
    }
}

/// Refuses ends that are the wrong way round.
fn in_order<T: PartialOrd + std::fmt::Display>(ends: &[Reader<'_>; 2], low: &T, high: &T) -> bool {
    if low > high {
        ends[0].refuse_with(
            format!("the range is empty: {low} is above {high}"),
            "write the smaller end first",
        );
        return false;
    }
    if low == high {
        ends[0].warn("the range holds one value only", "nothing is tuned by it");
    }
    true
}

fn bad_step<T: std::fmt::Display>(reader: &Reader<'_>, step: T) {
    reader.refuse_with(
        format!("a step of {step} does not fit the range"),
        "a step is above 0 and at most as long as the range",
    );
}

fn integers(keys: &Keys<'_>, ends: &[Reader<'_>; 2], scale: Scale) -> Option<Domain> {
    let whole = |reader: &Reader<'_>| reader.integer(i64::MIN..=i64::MAX);
    let (low, high) = (whole(&ends[0]), whole(&ends[1]));
    let step = optional(keys, "step", whole);
    let (low, high) = (low?, high?);
    if !in_order(ends, &low, &high) {
        return None;
    }
    let step = step?.unwrap_or(1);
    let length = i128::from(high) - i128::from(low);
    if step < 1 || (i128::from(step) > length && length > 0) {
        bad_step(&keys.get("step")?, step);
        return None;
    }
    Some(Domain::Integer {
        low,
        high,
        step,
        scale,
    })
}

fn reals(keys: &Keys<'_>, ends: &[Reader<'_>; 2], scale: Scale) -> Option<Domain> {
    let number = |reader: &Reader<'_>| reader.number(f64::MIN..=f64::MAX);
    let (low, high) = (number(&ends[0]), number(&ends[1]));
    let step = optional(keys, "step", number);
    let (low, high) = (low?, high?);
    if !in_order(ends, &low, &high) {
        return None;
    }
    let step = step?;
    if let Some(step) = step.filter(|step| *step <= 0.0 || *step > high - low) {
        bad_step(&keys.get("step")?, step);
        return None;
    }
    if !(high - low).is_finite() {
        ends[0].refuse("the range is too wide for a number");
        return None;
    }
    Some(Domain::Real {
        low,
        high,
        step,
        scale,
    })
}

fn quantities(keys: &Keys<'_>, ends: &[Reader<'_>; 2], scale: Scale) -> Option<Domain> {
    let (low, high) = (ends[0].quantity(), ends[1].quantity());
    let step = optional(keys, "step", Reader::quantity);
    let (low, high) = (low?, high?);
    if !in_order(ends, &low, &high) {
        return None;
    }
    // `[0, 4Gi]` is about bytes, too.
    let low = if low == Quantity::ZERO {
        low.written_as(high.format())
    } else {
        low
    };
    let step = step?;
    let Some(length) = high.checked_sub(low) else {
        ends[0].refuse("the range is too wide for a quantity");
        return None;
    };
    if let Some(step) = step.filter(|step| *step <= Quantity::ZERO || *step > length) {
        bad_step(&keys.get("step")?, step);
        return None;
    }
    Some(Domain::Quantity {
        low,
        high,
        step,
        scale,
    })
}
