//! Patches of objects of a cluster: JSON in which every text is a template.
//!
//! Which places a patch touches must not depend on a value, because they are put back by it: what names a place is plain text.

use serde_json::Value as Json;

use super::process::optional;
use super::reader::{Keys, Reader};
use super::scene::{Place, Scene};
use super::tree::NodeKind;
use crate::plan::{Apply, ObjectRef, PatchKind};

const TYPES: [(&str, PatchKind); 3] = [
    ("merge", PatchKind::Merge),
    ("strategic", PatchKind::Strategic),
    ("json", PatchKind::Json),
];

/// What an operation of a JSON patch does, and what it needs beside a path.
const OPERATIONS: [(&str, Option<&str>); 6] = [
    ("add", Some("value")),
    ("replace", Some("value")),
    ("test", Some("value")),
    ("remove", None),
    ("move", Some("from")),
    ("copy", Some("from")),
];

/// Reads `patch` of an `apply`, with its `type` and its `object`.
pub(super) fn read<'a>(keys: &Keys<'a>, body: &Reader<'a>, scene: &Scene<'a>) -> Option<Apply> {
    let object = optional(keys, "object", Reader::parsed::<ObjectRef>);
    let kind = kind(keys, body)?;
    let json = plain(body);
    if kind == PatchKind::Json {
        for entry in body.filled_list()? {
            operation(&entry, scene);
        }
    } else {
        templates(body, kind, scene);
    }
    Some(Apply::Patch {
        kind,
        object: object?,
        body: json?,
    })
}

/// A list is a list of operations. How a map is merged matters only where it holds a list, and then it has to be said.
fn kind(keys: &Keys<'_>, body: &Reader<'_>) -> Option<PatchKind> {
    let wanted = optional(keys, "type", |reader| reader.one_of(&TYPES))?;
    let is_list = match body.kind() {
        NodeKind::List(_) => true,
        NodeKind::Map(_) => false,
        NodeKind::Null
        | NodeKind::Bool(_)
        | NodeKind::Integer(_)
        | NodeKind::Real(..)
        | NodeKind::Text(_) => {
            body.wanted("a map, or a list of operations,");
            return None;
        }
    };
    match (wanted, is_list) {
        (Some(PatchKind::Json) | None, true) => Some(PatchKind::Json),
        (Some(PatchKind::Json), false) => {
            body.refuse_with(
                "a patch of type json is a list of operations, not a map",
                "write [{op: replace, path: /spec/size, value: \"{{value}}\"}]",
            );
            None
        }
        (Some(PatchKind::Merge | PatchKind::Strategic), true) => {
            body.refuse_with(
                "a list is a patch of type json",
                "write a map as the object has it, or leave out the type",
            );
            None
        }
        (Some(kind), false) => Some(kind),
        (None, false) if holds_list(body) => {
            body.refuse_with(
                "the patch holds a list, and how it is merged is not said",
                "type: strategic merges entries by their names, type: merge replaces the whole list",
            );
            None
        }
        (None, false) => Some(PatchKind::Merge),
    }
}

fn holds_list(reader: &Reader<'_>) -> bool {
    match reader.kind() {
        NodeKind::List(_) => true,
        NodeKind::Map(_) => {
            let entries = reader.any_map().unwrap_or_default();
            entries.iter().any(|(_, value)| holds_list(value))
        }
        NodeKind::Null
        | NodeKind::Bool(_)
        | NodeKind::Integer(_)
        | NodeKind::Real(..)
        | NodeKind::Text(_) => false,
    }
}

/// What is written there, as JSON.
pub(super) fn plain(reader: &Reader<'_>) -> Option<Json> {
    Some(match reader.kind() {
        NodeKind::Null => Json::Null,
        NodeKind::Bool(value) => Json::from(*value),
        NodeKind::Integer(value) => Json::from(*value),
        NodeKind::Real(..) => Json::from(reader.number(f64::MIN..=f64::MAX)?),
        NodeKind::Text(text) => Json::from(text.as_str()),
        NodeKind::List(_) => {
            let entries: Vec<_> = reader.list()?.iter().map(plain).collect();
            entries.into_iter().collect::<Option<Vec<Json>>>()?.into()
        }
        NodeKind::Map(_) => {
            let entries = reader.any_map()?;
            let entry =
                |(key, value): &(&str, Reader<'_>)| Some(((*key).to_owned(), plain(value)?));
            let entries: Vec<_> = entries.iter().map(entry).collect();
            Json::Object(entries.into_iter().collect::<Option<_>>()?)
        }
    })
}

/// Notes every text as a template, and refuses placeholders where a place is named.
fn templates<'a>(reader: &Reader<'a>, kind: PatchKind, scene: &Scene<'a>) {
    match reader.kind() {
        NodeKind::Text(_) => drop(scene.template(reader, Place::Apply)),
        NodeKind::List(_) => {
            for entry in reader.list().unwrap_or_default() {
                if kind == PatchKind::Strategic
                    && let Some(name) = entry.peek("name")
                {
                    constant(&name, "the name of an entry says which one is changed");
                }
                templates(&entry, kind, scene);
            }
        }
        NodeKind::Map(_) => {
            for (key, value) in reader.any_map().unwrap_or_default() {
                if key.contains("{{") {
                    value.refuse_with(
                        format!("the key {key:?} holds a placeholder"),
                        "keys say which place is changed: only values are templates",
                    );
                }
                if kind == PatchKind::Strategic && key.starts_with('$') {
                    value.refuse_with(
                        format!("the directive {key:?} is not supported yet"),
                        "a list of operations, type: json, removes and replaces as well",
                    );
                }
                templates(&value, kind, scene);
            }
        }
        NodeKind::Null | NodeKind::Bool(_) | NodeKind::Integer(_) | NodeKind::Real(..) => {}
    }
}

fn constant(reader: &Reader<'_>, why: &str) {
    if reader.text_if_any().is_some_and(|text| text.contains("{{")) {
        reader.refuse_with("a placeholder cannot stand here", why);
    }
}

fn operation<'a>(reader: &Reader<'a>, scene: &Scene<'a>) {
    let Some(keys) = reader.keys(&["op", "path", "from", "value"], &[]) else {
        return;
    };
    for key in ["path", "from"] {
        let pointer = keys.get(key);
        if let Some((pointer, text)) = pointer.and_then(|p| p.text().map(|text| (p, text))) {
            check_pointer(&pointer, text);
        }
    }
    keys.required("path");
    let words = OPERATIONS.map(|(word, needs)| (word, (word, needs)));
    let Some((word, needs)) = keys.required("op").and_then(|op| op.one_of(&words)) else {
        return;
    };
    for key in ["value", "from"] {
        // A value may be null, which is a value like any other here.
        let is_there = reader.peek(key).is_some() || (key == "value" && reader.has_null(key));
        match (needs == Some(key), is_there) {
            (true, false) => reader.refuse(format!("{word:?} needs the key {key:?}")),
            (false, true) => reader.refuse(format!("{key:?} has no meaning with {word:?}")),
            (true, true) | (false, false) => {}
        }
    }
    if let Some(value) = keys.get("value") {
        templates(&value, PatchKind::Json, scene);
    }
}

fn check_pointer(reader: &Reader<'_>, text: &str) {
    if !text.starts_with('/') {
        let remedy = "write it with slashes, such as /spec/replicas";
        reader.refuse_with(format!("{text:?} is no place in an object"), remedy);
    }
    constant(reader, "it says which place is changed");
}
