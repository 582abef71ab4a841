//! Whether the original fits beside the workload.

use em_core::port::Finding;
use serde_json::Value as Json;

use super::finding::{error, listed};
use super::subject::Subject;
use crate::change::bare;
use crate::hold::LARGEST_UNDO;

/// The objects that are changed, as they would be kept: the workload first.
pub(super) fn check(subject: &Subject<'_>, others: &[(String, Json)]) -> Vec<Finding> {
    if !subject.is_in_place() {
        return Vec::new();
    }
    let size = |object: &Json| bare(object).to_string().len();
    let all: usize = others.iter().map(|(_, object)| size(object)).sum();
    let all = all + size(subject.object);
    if all <= LARGEST_UNDO {
        return Vec::new();
    }
    let names = listed(others.iter().map(|(name, _)| name.as_str()));
    vec![error(
        format!(
            "the original of {} (and of {names}) is {} KiB: a Secret beside it holds {} KiB, so it could not be put back without this store",
            subject.what(),
            all / 1024,
            LARGEST_UNDO / 1024,
        ),
        "tune smaller objects, or use policy new-deployment, which keeps no original",
    )]
}
