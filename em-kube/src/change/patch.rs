//! Patches of objects: filled in, applied, and the places that they touch.

use std::collections::BTreeSet;

use em_core::plan::PatchKind;
use serde_json::{Map, Value as Json};

use super::ChangeError;
use crate::place::Place;

/// The places that a patch may change, whatever is filled in.
pub(super) fn places(kind: PatchKind, body: &Json) -> BTreeSet<Place> {
    let mut places = BTreeSet::new();
    match kind {
        PatchKind::Merge => leaves(&Place::default(), body, false, &mut places),
        PatchKind::Strategic => leaves(&Place::default(), body, true, &mut places),
        PatchKind::Json => {
            let operations = body.as_array().into_iter().flatten();
            places.extend(operations.flat_map(operation_places));
        }
    }
    places
}

fn leaves(at: &Place, body: &Json, by_name: bool, places: &mut BTreeSet<Place>) {
    match body {
        Json::Object(map) if !map.is_empty() => {
            for (key, inner) in map {
                leaves(&at.key(key), inner, by_name, places);
            }
        }
        Json::Array(entries) if by_name && is_list_of_named(entries) => {
            for (name, entry) in entries
                .iter()
                .filter_map(|entry| Some((name_of(entry)?, entry)))
            {
                for (key, inner) in entry.as_object().into_iter().flatten() {
                    if key != "name" {
                        leaves(&at.named(name).key(key), inner, by_name, places);
                    }
                }
            }
        }
        Json::Null
        | Json::Bool(_)
        | Json::Number(_)
        | Json::String(_)
        | Json::Array(_)
        | Json::Object(_) => drop(places.insert(at.clone())),
    }
}

/// A pointer ends here at the first list that it goes into: the whole list is what is touched.
fn operation_places(operation: &Json) -> Vec<Place> {
    let pointers = ["path", "from"]
        .into_iter()
        .filter_map(|key| operation.get(key)?.as_str());
    let place = |pointer: &str| {
        let keys = pointer.split('/').skip(1);
        let keys = keys.take_while(|key| *key != "-" && key.parse::<usize>().is_err());
        let keys: Vec<String> = keys
            .map(|key| key.replace("~1", "/").replace("~0", "~"))
            .collect();
        Place::of(keys.iter().map(String::as_str))
    };
    pointers.map(place).collect()
}

/// The patch with every text filled in.
pub(super) fn filled(
    body: &Json,
    fill: &dyn Fn(&str) -> Result<Json, ChangeError>,
) -> Result<Json, ChangeError> {
    Ok(match body {
        Json::String(text) => fill(text)?,
        Json::Array(entries) => {
            let entries = entries.iter().map(|entry| filled(entry, fill));
            Json::Array(entries.collect::<Result<_, _>>()?)
        }
        Json::Object(map) => {
            let entries = map
                .iter()
                .map(|(key, value)| Ok((key.clone(), filled(value, fill)?)));
            Json::Object(entries.collect::<Result<_, ChangeError>>()?)
        }
        Json::Null | Json::Bool(_) | Json::Number(_) => body.clone(),
    })
}

/// Merges a patch into an object.
pub(super) fn apply(kind: PatchKind, object: &mut Json, patch: &Json) -> Result<(), String> {
    match kind {
        PatchKind::Merge => json_patch::merge(object, patch),
        PatchKind::Strategic => merge_by_name(object, patch),
        PatchKind::Json => {
            let patch: json_patch::Patch =
                serde_json::from_value(patch.clone()).map_err(|error| error.to_string())?;
            json_patch::patch(object, &patch).map_err(|error| error.to_string())?;
        }
    }
    Ok(())
}

/// A strategic merge, as far as lists of named things go: containers, variables, volumes. Other lists are replaced.
pub fn merge_by_name(object: &mut Json, patch: &Json) {
    match patch {
        Json::Object(map) => {
            if !object.is_object() {
                *object = Json::Object(Map::new());
            }
            let Some(into) = object.as_object_mut() else {
                return;
            };
            for (key, value) in map {
                if value.is_null() {
                    into.shift_remove(key);
                } else {
                    merge_by_name(into.entry(key.clone()).or_insert(Json::Null), value);
                }
            }
        }
        Json::Array(entries) if is_list_of_named(entries) => {
            if !object.is_array() {
                *object = Json::Array(Vec::new());
            }
            let Some(into) = object.as_array_mut() else {
                return;
            };
            for entry in entries {
                let same = into.iter().position(|one| name_of(one) == name_of(entry));
                if let Some(one) = same.and_then(|index| into.get_mut(index)) {
                    merge_by_name(one, entry);
                } else {
                    into.push(entry.clone());
                }
            }
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Array(_) => {
            *object = patch.clone();
        }
    }
}

fn is_list_of_named(entries: &[Json]) -> bool {
    !entries.is_empty() && entries.iter().all(|entry| name_of(entry).is_some())
}

fn name_of(entry: &Json) -> Option<&str> {
    entry.get("name")?.as_str()
}
