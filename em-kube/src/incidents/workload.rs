//! What others did to the workload.

use em_core::port::{Incident, IncidentKind};
use serde_json::Value as Json;

use super::Report;
use crate::scene::workload::Workload;

pub(super) fn judge(report: &Report<'_>) -> Vec<Incident> {
    let Some(was) = &report.before.spec else {
        return Vec::new();
    };
    let Some(now) = report.now.workload() else {
        let what = "the workload is gone: somebody removed it".to_owned();
        return vec![report.fatal(IncidentKind::Changed, what)];
    };
    let mut found = Vec::new();
    if now.is_set("/metadata/deletionTimestamp") {
        let what = format!("{} is being removed by somebody else", now.name());
        found.push(report.fatal(IncidentKind::Changed, what));
    }
    found.extend(changed(report, was, now));
    found
}

fn changed(report: &Report<'_>, was: &Json, now: Workload<'_>) -> Vec<Incident> {
    let spec = now.at("/spec").unwrap_or(&Json::Null);
    if spec == was || now.generation() == report.before.generation {
        return Vec::new();
    }
    let name = now.name();
    let mut found = Vec::new();
    if was.get("template") != spec.get("template") || was.get("template").is_none() {
        let what = format!("somebody else changed what the pods of {name} are made from");
        found.push(report.fatal(IncidentKind::Changed, what));
    }
    if was.get("replicas") != spec.get("replicas") {
        found.push(report.fatal(IncidentKind::Changed, scaled(report, was, now)));
    }
    if found.is_empty() {
        let what = format!("somebody else changed {name}, but neither its pods nor their number");
        found.push(report.flag(IncidentKind::Changed, what));
    }
    found
}

fn scaled(report: &Report<'_>, was: &Json, now: Workload<'_>) -> String {
    let number = |value: Option<&Json>| value.map_or_else(|| "none".to_owned(), Json::to_string);
    let from = number(was.get("replicas"));
    let to = number(now.at("/spec/replicas"));
    let by = report
        .now
        .autoscalers
        .iter()
        .find(|scaler| scales(scaler, now));
    let by = by.and_then(|scaler| scaler.pointer("/metadata/name")?.as_str());
    let by = by.map_or_else(
        || "somebody else".to_owned(),
        |name| format!("autoscaler {name}"),
    );
    format!(
        "{by} changed the replicas of {} from {from} to {to}",
        now.name()
    )
}

/// Whether an autoscaler is for this workload and wants what it now has.
fn scales(scaler: &Json, now: Workload<'_>) -> bool {
    let text = |pointer| scaler.pointer(pointer).and_then(Json::as_str);
    let wants = scaler.pointer("/status/desiredReplicas");
    text("/spec/scaleTargetRef/kind") == now.text("/kind")
        && text("/spec/scaleTargetRef/name") == now.text("/metadata/name")
        && wants == now.at("/spec/replicas")
}
