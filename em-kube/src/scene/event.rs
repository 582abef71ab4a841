//! Reading events: they come in an old and a new form, with different times filled in.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Event;

/// Longest quotation of the cluster's words.
const MOST: usize = 400;

/// When it was first told.
pub(crate) fn first(event: &Event) -> Option<Timestamp> {
    let told = event.first_timestamp.as_ref().map(|time| time.0);
    told.or_else(|| event.event_time.as_ref().map(|time| time.0))
        .or_else(|| created(event))
}

/// When it was last told.
pub(crate) fn last(event: &Event) -> Option<Timestamp> {
    let series = event.series.as_ref();
    let series = series.and_then(|series| series.last_observed_time.as_ref());
    series
        .map(|time| time.0)
        .or_else(|| event.last_timestamp.as_ref().map(|time| time.0))
        .or_else(|| event.event_time.as_ref().map(|time| time.0))
        .or_else(|| created(event))
}

fn created(event: &Event) -> Option<Timestamp> {
    let created = event.metadata.creation_timestamp.as_ref();
    created.map(|time| time.0)
}

/// What it is about, in one word.
pub(crate) fn reason(event: &Event) -> &str {
    event.reason.as_deref().unwrap_or_default()
}

/// Its words.
pub(crate) fn message(event: &Event) -> &str {
    event.message.as_deref().unwrap_or_default()
}

/// Whether it is about that container; an event that names none is about all of them.
pub(crate) fn is_of(event: &Event, container: &str) -> bool {
    let Some(path) = event.involved_object.field_path.as_deref() else {
        return true;
    };
    let named = path.split_once('{').map(|(_, rest)| rest);
    let named = named.and_then(|rest| rest.strip_suffix('}'));
    named.is_none_or(|named| named == container)
}

/// The cluster's words on one line, to be followed by ours; cut where they are long.
pub(crate) fn quote(words: &str) -> String {
    let line = words.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = line.trim_end_matches('.');
    if line.chars().count() <= MOST {
        return line.to_owned();
    }
    let cut: String = line.chars().take(MOST).collect();
    format!("{cut}...")
}
