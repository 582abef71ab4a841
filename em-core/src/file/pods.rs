//! What a target of kind `kubernetes` says about its pods: when they are ready, what is run in them, where they are put.

use std::collections::BTreeMap;

use super::kubernetes::filled;
use super::process::optional;
use super::reader::Reader;
use super::vendor::json_path;
use crate::plan::{Placement, PodHooks, ReadyWhen};

/// Keys of `hooks`.
pub(super) const HOOK_KEYS: [&str; 2] = ["before", "after"];

pub(super) fn ready(reader: &Reader<'_>) -> Option<ReadyWhen> {
    let keys = reader.keys(&["condition", "path", "is"], &[])?;
    match (keys.get("condition"), keys.get("path")) {
        (Some(condition), None) => {
            if let Some(is) = keys.get("is") {
                is.refuse("a condition is ready when it is True: \"is\" belongs to \"path\"");
            }
            filled(&condition).map(ReadyWhen::Condition)
        }
        (None, Some(path)) => {
            let is = keys.required_as("is", "the value that the place has when it is ready");
            let is = is.and_then(|is| is.word());
            Some(ReadyWhen::Path {
                path: json_path(&path)?,
                is: is?,
            })
        }
        (Some(_), Some(_)) | (None, None) => {
            reader.refuse_with(
                "exactly one of condition and path is wanted",
                "write {condition: Ready}, or {path: $.status.phase, is: Running}",
            );
            None
        }
    }
}

pub(super) fn hooks(reader: &Reader<'_>) -> Option<PodHooks> {
    let keys = reader.keys(&HOOK_KEYS, &[])?;
    let commands = |key: &str| optional(&keys, key, commands);
    let [before, after] = HOOK_KEYS.map(commands);
    Some(PodHooks {
        before: before?.unwrap_or_default(),
        after: after?.unwrap_or_default(),
    })
}

fn commands(reader: &Reader<'_>) -> Option<Vec<Vec<String>>> {
    let entries = reader.list()?;
    if entries.iter().any(|entry| entry.text_if_any().is_some()) {
        reader.refuse_with(
            "this is a list of commands, and each is a list of words",
            "write [[program, argument]]",
        );
        return None;
    }
    let words = |entry: &Reader<'_>| -> Option<Vec<String>> {
        let words: Vec<_> = entry.filled_list()?.iter().map(word).collect();
        words.into_iter().collect()
    };
    let read: Vec<_> = entries.iter().map(words).collect();
    read.into_iter().collect()
}

fn word(reader: &Reader<'_>) -> Option<String> {
    let word = reader.word()?;
    if word.contains("{{") {
        reader.refuse_with(
            "a hook has no placeholders",
            "it runs in the container and can read the environment there",
        );
    }
    Some(word)
}

pub(super) fn place(reader: &Reader<'_>) -> Option<Placement> {
    if reader.text_if_any().is_some() {
        return reader.one_of(&[("any", Placement::Any), ("spread", Placement::Spread)]);
    }
    let keys = reader.keys(&["nodes"], &[])?;
    let nodes = keys.required("nodes")?;
    let mut labels = BTreeMap::new();
    for (name, value) in nodes.any_map()? {
        labels.insert(name.to_owned(), value.word()?);
    }
    if labels.is_empty() {
        nodes.refuse_with(
            "no label is named, so every node fits",
            "write place: any, or {nodes: {LABEL: VALUE}}",
        );
    }
    Some(Placement::Nodes(labels))
}
