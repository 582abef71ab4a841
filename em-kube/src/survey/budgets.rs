//! Disruption budgets of the workload's pods.

use em_core::port::Finding;
use serde_json::Value as Json;

use super::finding::{name_of, note};
use super::subject::{Subject, selects};

/// A roll-out ends pods without asking a budget; whoever relies on one should know.
pub(super) fn check(subject: &Subject<'_>, budgets: &[Json]) -> Vec<Finding> {
    if !subject.is_in_place() {
        return Vec::new();
    }
    let own = budgets.iter().filter(|budget| {
        let selector = budget.pointer("/spec/selector");
        selector.is_some_and(|selector| {
            selects(selector, subject.object, "/spec/template/metadata/labels")
        })
    });
    let told = own.map(|budget| {
        let spare = budget.pointer("/status/disruptionsAllowed").and_then(Json::as_i64);
        let spare = spare.map_or_else(String::new, |spare| format!(" (now {spare} may be disrupted)"));
        note(format!(
            "PodDisruptionBudget {} covers the pods of {}{spare}: a roll-out does not ask it, it goes by the workload's own strategy",
            name_of(budget),
            subject.what(),
        ))
    });
    told.collect()
}
