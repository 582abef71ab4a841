//! Findings, and places of objects that are read for them.

use em_core::port::{Finding, Severity};
use serde_json::Value as Json;

/// The experiment cannot run.
pub(super) fn error(what: impl Into<String>, remedy: impl Into<String>) -> Finding {
    finding(Severity::Error, what, Some(remedy.into()))
}

/// Results may suffer.
pub(super) fn warning(what: impl Into<String>, remedy: impl Into<String>) -> Finding {
    finding(Severity::Warning, what, Some(remedy.into()))
}

/// Worth knowing.
pub(super) fn note(what: impl Into<String>) -> Finding {
    finding(Severity::Note, what, None)
}

/// A finding of any severity.
pub(super) fn finding(
    severity: Severity,
    what: impl Into<String>,
    remedy: Option<String>,
) -> Finding {
    Finding {
        severity,
        what: what.into(),
        remedy,
    }
}

/// The text at a JSON pointer.
pub(super) fn text_at<'a>(object: &'a Json, pointer: &str) -> Option<&'a str> {
    object.pointer(pointer)?.as_str()
}

/// The entries of the list at a JSON pointer; none where there is no list.
pub(super) fn list_at<'a>(object: &'a Json, pointer: &str) -> &'a [Json] {
    let list = object.pointer(pointer).and_then(Json::as_array);
    list.map_or(&[], Vec::as_slice)
}

/// The texts of the map at a JSON pointer; none where there is no map.
pub(super) fn texts_at<'a>(object: &'a Json, pointer: &str) -> Vec<(&'a str, &'a str)> {
    let map = object.pointer(pointer).and_then(Json::as_object);
    let texts = map.into_iter().flatten();
    texts
        .filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
        .collect()
}

/// The name of an object or of an entry of a list; a question mark where it has none.
pub(super) fn name_of(object: &Json) -> &str {
    let own = text_at(object, "/metadata/name").or_else(|| text_at(object, "/name"));
    own.unwrap_or("?")
}

/// Names as people list them.
pub(super) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}
