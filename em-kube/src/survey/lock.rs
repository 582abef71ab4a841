//! Somebody else's hold on the workload.

use em_core::port::Finding;
use jiff::Timestamp;
use serde_json::Value as Json;

use super::finding::{error, text_at, texts_at, warning};
use super::subject::Subject;
use crate::hold::lease_name;
use crate::mark;

/// Who holds the workload, and whether we have to wait for them. A Lease of the own store is the own business: the
/// journal knows of it.
pub(super) fn check(
    subject: &Subject<'_>,
    lease: Option<&Json>,
    store: &str,
    now: Timestamp,
) -> Vec<Finding> {
    if !subject.is_in_place() {
        return Vec::new();
    }
    let what = subject.what();
    if let Some(lease) = lease.filter(|lease| !is_of(lease, store)) {
        let experiment = texts_at(lease, "/metadata/labels");
        let experiment = experiment.iter().find(|(key, _)| *key == mark::EXPERIMENT);
        let experiment = experiment.map_or("?", |(_, name)| *name);
        let name = lease_name(&subject.spec.workload);
        let finding = if is_expired(lease, now) {
            warning(
                format!(
                    "experiment {experiment} of another store held {what} and has not renewed its Lease {name}"
                ),
                "its hold is taken over: what it changed is put back first",
            )
        } else {
            error(
                format!("experiment {experiment} of another store holds {what} (Lease {name})"),
                "wait until it has ended, or cancel it where it runs",
            )
        };
        return vec![finding];
    }
    let annotations = texts_at(subject.object, "/metadata/annotations");
    let hold = annotations.iter().find(|(key, _)| *key == mark::HOLD);
    match hold {
        Some((_, text)) if lease.is_none() && !text.contains(store) => vec![error(
            format!(
                "{what} carries the mark of a hold whose Lease is gone: it may be changed still"
            ),
            format!(
                "put it back first: em kube restore {}",
                subject.spec.workload
            ),
        )],
        Some(_) | None => Vec::new(),
    }
}

fn is_of(lease: &Json, store: &str) -> bool {
    let labels = texts_at(lease, "/metadata/labels");
    labels.contains(&(mark::STORE, mark::label(store).as_str()))
}

fn is_expired(lease: &Json, now: Timestamp) -> bool {
    let renewed = text_at(lease, "/spec/renewTime").and_then(|text| text.parse::<Timestamp>().ok());
    let lasts = lease
        .pointer("/spec/leaseDurationSeconds")
        .and_then(Json::as_i64);
    renewed.is_none_or(|renewed| {
        now.as_second().saturating_sub(renewed.as_second()) > lasts.unwrap_or_default()
    })
}
