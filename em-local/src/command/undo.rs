//! The undo record of a command target: what snapshot printed, and all it takes to put it back - also
//! for somebody who does not have the plan.

use std::collections::BTreeMap;
use std::path::PathBuf;

use em_core::plan::{CommandSpec, Text};
use em_core::port::Undo;
use em_core::template::Template;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::error::CommandTargetError;

/// The kind of undo records of this target.
const KIND: &str = "command";
const FORMAT: u32 = 1;

/// The record. Secrets are in it by reference only.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct UndoBody {
    /// What the snapshot command printed.
    pub(super) snapshot: Json,
    /// The command that printed it.
    pub(super) snapshot_command: Vec<Template>,
    /// The command that puts it back.
    pub(super) restore_command: Vec<Template>,
    /// Their environment.
    pub(super) env: BTreeMap<String, Text>,
    /// What relative programs start from, and where they run.
    pub(super) folder: PathBuf,
}

impl UndoBody {
    pub(super) fn new(spec: &CommandSpec, snapshot: Json, folder: PathBuf) -> Self {
        Self {
            snapshot,
            snapshot_command: spec.snapshot.clone(),
            restore_command: spec.restore.clone(),
            env: spec.env.clone(),
            folder,
        }
    }

    pub(super) fn into_undo(self) -> Undo {
        let body = serde_json::to_value(self).unwrap_or_default();
        Undo {
            kind: KIND.to_owned(),
            format: FORMAT,
            body,
        }
    }

    pub(super) fn of(undo: &Undo) -> Result<Self, CommandTargetError> {
        let wrong = || CommandTargetError::Undo {
            kind: undo.kind.clone(),
            format: undo.format,
        };
        if undo.kind != KIND || undo.format != FORMAT {
            return Err(wrong());
        }
        serde_json::from_value(undo.body.clone()).map_err(|_| wrong())
    }
}

/// The places at which two snapshots differ, the first few of them.
pub(super) fn differences(wanted: &Json, seen: &Json) -> Vec<String> {
    fn walk(place: &str, wanted: &Json, seen: &Json, found: &mut Vec<String>) {
        match (wanted, seen) {
            (Json::Object(wanted), Json::Object(seen)) => {
                let keys = wanted
                    .keys()
                    .chain(seen.keys().filter(|key| !wanted.contains_key(*key)));
                for key in keys {
                    let of = |map: &serde_json::Map<String, Json>| map.get(key).cloned();
                    let place = if place.is_empty() {
                        key.clone()
                    } else {
                        format!("{place}.{key}")
                    };
                    match (of(wanted), of(seen)) {
                        (Some(wanted), Some(seen)) => walk(&place, &wanted, &seen, found),
                        _ => found.push(place),
                    }
                }
            }
            _ if wanted == seen => {}
            _ => found.push(if place.is_empty() {
                "its whole".to_owned()
            } else {
                place.to_owned()
            }),
        }
    }
    let mut found = Vec::new();
    walk("", wanted, seen, &mut found);
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn differences_are_named_by_their_place() {
        let wanted = json!({"a": {"b": 1, "c": [1, 2]}, "d": "x"});
        assert_eq!(differences(&wanted, &wanted), Vec::<String>::new());
        let seen = json!({"d": "x", "a": {"b": 2, "c": [1, 2]}, "e": null});
        assert_eq!(differences(&wanted, &seen), ["a.b", "e"]);
        assert_eq!(differences(&json!(1), &json!(2)), ["its whole"]);
    }
}
