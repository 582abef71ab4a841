//! From a text back to the value with which a template was filled in.
//!
//! Every answer is proven: filled in again it gives the very text.

use em_core::plan::{Domain, Tunable};
use em_core::template::{Escape, Template};
use em_core::value::{Quantity, Value, ValueKind};

/// Pairs of amounts of which each filter takes one: as it counts them, they share neither first nor last character.
const PROBES: [(&str, &str); 4] = [
    ("1001m", "2002m"),
    ("1Ki", "2Ki"),
    ("1Mi", "2Mi"),
    ("1Gi", "2Gi"),
];

/// The value for which the template gives `text`. None where there is none, or where more than the value is in it.
pub(super) fn inverse(template: &Template, text: &str, tunable: &Tunable) -> Option<Value> {
    let own = |name: &str| name == "value" || name == tunable.name.as_str();
    let names: Vec<&str> = template.names().collect();
    if names.len() != 1 || !names.into_iter().all(own) {
        return None;
    }
    if let Domain::Categorical { choices } = &tunable.domain
        && let Some(choice) = choices.iter().find(|choice| gives(template, choice, text))
    {
        return Some(choice.clone());
    }
    let inner = inner(template, text)?;
    let kind = tunable.domain.kind().unwrap_or(ValueKind::Text);
    let candidates = candidates(inner, kind);
    candidates
        .into_iter()
        .find(|value| gives(template, value, text))
}

fn filled(template: &Template, value: &Value) -> Option<String> {
    template.render(&|_| Some(value.clone()), Escape::None).ok()
}

fn gives(template: &Template, value: &Value, text: &str) -> bool {
    filled(template, value).as_deref() == Some(text)
}

/// What stands in the text where the template has its placeholder.
fn inner<'t>(template: &Template, text: &'t str) -> Option<&'t str> {
    // A text goes through a template without a filter as it is; with a filter only amounts go through.
    let plain = [Value::from("\u{1}"), Value::from("\u{2}")];
    let amounts = PROBES.iter().filter_map(|(left, right)| {
        let amount = |text: &str| text.parse::<Quantity>().ok().map(Value::Quantity);
        Some([amount(left)?, amount(right)?])
    });
    let mut probes = [plain].into_iter().chain(amounts);
    let (left, right) = probes.find_map(|[left, right]| {
        let texts = (filled(template, &left)?, filled(template, &right)?);
        (texts.0 != texts.1).then_some(texts)
    })?;
    let common = |mut pairs: Box<dyn Iterator<Item = (char, char)> + '_>| {
        let mut length = 0;
        while let Some((one, other)) = pairs.next()
            && one == other
        {
            length += one.len_utf8();
        }
        length
    };
    let before = common(Box::new(left.chars().zip(right.chars())));
    let after = common(Box::new(left.chars().rev().zip(right.chars().rev())));
    let rest = text.strip_prefix(left.get(..before)?)?;
    rest.strip_suffix(left.get(left.len().checked_sub(after)?..)?)
}

/// What the inner text may mean: itself, or a number of some unit that the filter left out.
fn candidates(inner: &str, kind: ValueKind) -> Vec<Value> {
    let units = match kind {
        ValueKind::Quantity => &["", "Ki", "Mi", "Gi"][..],
        ValueKind::Bool | ValueKind::Integer | ValueKind::Real | ValueKind::Text => &[""],
    };
    let mut found = Vec::new();
    for unit in units {
        let text = format!("{inner}{unit}");
        let value = match kind {
            ValueKind::Integer => text.parse().ok().map(Value::Integer),
            ValueKind::Real => text.parse().ok().and_then(|real| Value::real(real).ok()),
            ValueKind::Quantity => text.parse().ok().map(Value::Quantity),
            ValueKind::Bool => text.parse().ok().map(Value::Bool),
            ValueKind::Text => Some(Value::Text(text)),
        };
        found.extend(value);
    }
    if let (ValueKind::Integer | ValueKind::Real, Ok(milliseconds)) = (kind, inner.parse::<f64>()) {
        let seconds = Value::real(milliseconds / 1000.0).ok();
        found.extend(seconds.and_then(|seconds| seconds.into_kind(kind).ok()));
    }
    found
}
