//! `apply` of a tunable: how its value reaches the target. What a kind of target can do is `fit`'s to say.

use super::patch;
use super::process::optional;
use super::reader::{Keys, Reader, Unsupported};
use super::scene::{Place, Scene};
use super::target::is_variable;
use super::tree::NodeKind;
use crate::plan::{Apply, ResourceKind, ResourceSide};

/// Keys of `apply`.
pub(super) const KEYS: [&str; 11] = [
    "env", "piece", "replaces", "arg", "resource", "of", "replicas", "image", "patch", "type",
    "object",
];

/// The keys that say what is changed: one of them.
const WAYS: [&str; 6] = ["env", "arg", "resource", "replicas", "image", "patch"];

const NOT_YET: Unsupported = &["value_path"];

/// All ways in which the value is applied; one stands alone, several in a list.
pub(super) fn read<'a>(keys: &Keys<'a>, scene: &Scene<'a>) -> Option<Vec<Apply>> {
    let Some(reader) = keys.get("apply") else {
        return Some(Vec::new());
    };
    match reader.map_if_any() {
        Some(0) => Some(Vec::new()),
        Some(_) => one(&reader, scene).map(|apply| vec![apply]),
        None => {
            let entries = reader.list()?;
            let read: Vec<_> = entries.iter().map(|entry| one(entry, scene)).collect();
            read.into_iter().collect()
        }
    }
}

fn one<'a>(reader: &Reader<'a>, scene: &Scene<'a>) -> Option<Apply> {
    let keys = reader.keys(&KEYS, NOT_YET)?;
    let way = way(&keys)?;
    misplaced(&keys, way);
    let value = keys.get(way)?;
    match way {
        "env" => env(&keys, &value, scene),
        "arg" => {
            let text = scene.template(&value, Place::Apply);
            let replaces = optional(&keys, "replaces", regex_of);
            Some(Apply::Arg {
                text: text?,
                replaces: replaces?,
            })
        }
        "resource" => resource(&keys, &value),
        "replicas" => replicas(&value),
        "image" => image(&value, scene),
        _ => patch::read(&keys, &value, scene),
    }
}

fn way(keys: &Keys<'_>) -> Option<&'static str> {
    let given: Vec<&str> = WAYS.into_iter().filter(|key| keys.has(key)).collect();
    match given.as_slice() {
        [way] => return Some(way),
        [] => {
            let is_unsupported = |key: &&str| keys.reader.peek(key).is_some();
            if !NOT_YET.iter().any(is_unsupported) {
                keys.reader
                    .refuse("one of env, arg, resource, replicas, image and patch is wanted");
            }
        }
        _ => keys.reader.refuse_with(
            format!("{} cannot be applied at once", given.join(" and ")),
            "write a list: apply: [{env: ..}, {arg: ..}]",
        ),
    }
    None
}

/// Keys that belong to another way of applying.
fn misplaced(keys: &Keys<'_>, way: &str) {
    for (key, ways) in [
        ("piece", &["env"][..]),
        ("replaces", &["env", "arg"]),
        ("of", &["resource"]),
        ("type", &["patch"]),
        ("object", &["patch"]),
    ] {
        if let Some(reader) = keys.get(key).filter(|_| !ways.contains(&way)) {
            reader.refuse(format!("{key:?} has no meaning with {way:?}"));
        }
    }
}

fn env<'a>(keys: &Keys<'a>, value: &Reader<'a>, scene: &Scene<'a>) -> Option<Apply> {
    let replaces = optional(keys, "replaces", regex_of);
    let name = value.text()?;
    if !is_variable(name) {
        let what = format!("{name:?} is no name of an environment variable");
        value.refuse(what);
        return None;
    }
    let piece = optional(keys, "piece", |reader| scene.template(reader, Place::Apply));
    let (piece, replaces) = (piece?, replaces?);
    if piece.is_none() && replaces.is_some() {
        keys.reader.refuse_with(
            "\"replaces\" needs a \"piece\"",
            "without one the value is the whole variable",
        );
    }
    Some(Apply::Env {
        name: name.to_owned(),
        piece,
        replaces,
    })
}

fn resource(keys: &Keys<'_>, value: &Reader<'_>) -> Option<Apply> {
    let of = optional(keys, "of", |of| {
        of.one_of(&[
            ("both", ResourceSide::Both),
            ("request", ResourceSide::Request),
            ("limit", ResourceSide::Limit),
        ])
    });
    let resource = value.one_of(&[("cpu", ResourceKind::Cpu), ("memory", ResourceKind::Memory)])?;
    Some(Apply::Resource {
        resource,
        of: of?.unwrap_or_default(),
    })
}

fn replicas(value: &Reader<'_>) -> Option<Apply> {
    if *value.kind() == NodeKind::Bool(true) {
        return Some(Apply::Replicas);
    }
    value.refuse_with(
        "the number of replicas is the value of the tunable",
        "write replicas: true",
    );
    None
}

fn image<'a>(value: &Reader<'a>, scene: &Scene<'a>) -> Option<Apply> {
    let reference = scene.template(value, Place::Apply)?;
    if reference.text().contains(char::is_whitespace) {
        value.refuse_with(
            format!("{:?} is no reference of an image", reference.text()),
            "write it without spaces, such as \"registry/app:{{value}}\"",
        );
    }
    Some(Apply::Image { reference })
}

fn regex_of(reader: &Reader<'_>) -> Option<String> {
    let text = reader.text()?;
    if let Err(error) = regex::Regex::new(text) {
        let message = error.to_string();
        let last = message.lines().last().unwrap_or_default();
        let reason = last.trim_start_matches("error: ");
        reader.refuse(format!("{text:?} is not a regular expression: {reason}"));
        return None;
    }
    Some(text.to_owned())
}
