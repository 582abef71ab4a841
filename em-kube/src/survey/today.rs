//! Today's values of tunables, read from the live object.

use std::collections::BTreeMap;

use em_core::id::TunableName;
use em_core::plan::{Apply, Domain, KubernetesSpec, ResourceKind, ResourceSide, Tunable};
use em_core::template::Template;
use em_core::value::Value;
use regex::Regex;
use serde_json::Value as Json;

use super::finding::text_at;
use super::inverse::inverse;
use crate::change::Container;
use crate::place::Place;

/// Today's value of every tunable that the object shows. What it does not show, or shows in two ways, is left out.
pub fn today(
    object: &Json,
    spec: &KubernetesSpec,
    tunables: &[Tunable],
) -> BTreeMap<TunableName, Value> {
    let container = Container::of(object, spec).ok();
    let container = container.and_then(|container| container.place().get(object));
    let searched = tunables.iter().filter(|tunable| !tunable.is_derived());
    let values = searched.filter_map(|tunable| {
        let mut seen = tunable.apply.iter();
        let value = seen.find_map(|apply| read(object, container, tunable, apply))?;
        let value = as_written(&tunable.domain, tunable.domain.typed(&value));
        Some((tunable.name.clone(), value))
    });
    values.collect()
}

/// An amount as the file writes those of the range.
fn as_written(domain: &Domain, value: Value) -> Value {
    match (domain, value) {
        (Domain::Quantity { low, .. }, Value::Quantity(amount)) => {
            Value::Quantity(amount.written_as(low.format()))
        }
        (_, value) => value,
    }
}

fn read(
    object: &Json,
    container: Option<&Json>,
    tunable: &Tunable,
    apply: &Apply,
) -> Option<Value> {
    match apply {
        Apply::Replicas => Some(Value::Integer(object.pointer("/spec/replicas")?.as_i64()?)),
        Apply::Env {
            name,
            piece,
            replaces,
        } => {
            let variable = Place::of(["env"]).named(name).key("value");
            let text = variable.get(container?)?.as_str()?;
            match piece {
                None => Some(Value::from(text)),
                Some(piece) => piece_of(text, piece, replaces.as_deref(), tunable),
            }
        }
        Apply::Arg { text, replaces } => argument(container?, text, replaces.as_deref(), tunable),
        Apply::Resource { resource, of } => amount(container?, *resource, *of).map(Value::from),
        Apply::Image { reference } => inverse(reference, text_at(container?, "/image")?, tunable),
        Apply::Patch { .. } | _ => None,
    }
}

/// The value whose piece is in the text.
fn piece_of(
    text: &str,
    piece: &Template,
    replaces: Option<&str>,
    tunable: &Tunable,
) -> Option<Value> {
    let Some(replaces) = replaces else {
        return agreed(
            text.split_whitespace()
                .filter_map(|word| inverse(piece, word, tunable)),
        );
    };
    let replaced = Regex::new(replaces).ok()?;
    let found = replaced.find_iter(text);
    agreed(found.filter_map(|found| inverse(piece, found.as_str(), tunable)))
}

/// The value that an argument of the container has.
fn argument(
    container: &Json,
    text: &Template,
    replaces: Option<&str>,
    tunable: &Tunable,
) -> Option<Value> {
    let replaced = replaces.map(Regex::new).transpose().ok()?;
    let words = ["args", "command"]
        .into_iter()
        .filter_map(|key| container.get(key)?.as_array());
    let words = words.flatten().filter_map(Json::as_str);
    let values = words.filter_map(|word| match &replaced {
        Some(replaced) => inverse(text, replaced.find(word)?.as_str(), tunable),
        None => inverse(text, word, tunable),
    });
    agreed(values)
}

/// The limit, else nothing: a container without a limit may use what it likes. The request for what is set aside.
fn amount(container: &Json, resource: ResourceKind, side: ResourceSide) -> Option<String> {
    let side = match side {
        ResourceSide::Both | ResourceSide::Limit => "limits",
        ResourceSide::Request => "requests",
    };
    let resource = match resource {
        ResourceKind::Cpu => "cpu",
        ResourceKind::Memory => "memory",
    };
    let amount = container.pointer(&format!("/resources/{side}/{resource}"))?;
    amount
        .as_str()
        .map(str::to_owned)
        .or_else(|| Some(amount.as_i64()?.to_string()))
}

/// The one value that all say. None: nothing is said, or two things are.
fn agreed(mut values: impl Iterator<Item = Value>) -> Option<Value> {
    let first = values.next()?;
    values.all(|value| value == first).then_some(first)
}
