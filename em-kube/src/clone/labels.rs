//! Labels by which a copy is found, and nothing that is live takes it for its own.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::CloneOf;
use crate::change::template;
use crate::mark;
use crate::place::Place;

/// Gives the copy a selector of its own, and takes from its pods the labels by which a selector would match them.
///
/// Other labels stay: people find their pods by them, and policies of the network may need them.
pub(super) fn make_own(copy: &mut Json, selectors: &[BTreeMap<String, String>], of: CloneOf<'_>) {
    let place = template().key("metadata").key("labels");
    let mut labels: BTreeMap<String, String> = place
        .get(copy)
        .and_then(|labels| serde_json::from_value(labels.clone()).ok())
        .unwrap_or_default();
    for selector in selectors {
        if matches(selector, &labels) {
            for key in selector.keys() {
                labels.remove(key);
            }
        }
    }
    if let Some(ours) = of.owner.labels().as_object() {
        let ours = ours
            .iter()
            .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())));
        labels.extend(ours);
    }
    labels.insert(mark::CLONE.to_owned(), of.name.to_owned());
    place.set(copy, Some(json!(labels)));
    let selector = Place::of(["spec", "selector"]);
    selector.set(
        copy,
        Some(json!({ "matchLabels": { mark::CLONE: of.name } })),
    );
}

/// An empty selector is everything's.
fn matches(selector: &BTreeMap<String, String>, labels: &BTreeMap<String, String>) -> bool {
    selector
        .iter()
        .all(|(key, value)| labels.get(key) == Some(value))
}
