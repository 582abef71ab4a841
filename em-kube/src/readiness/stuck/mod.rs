//! What keeps a deployment from becoming ready, the most telling first.
//!
//! Each rule answers a verdict: stuck, or a reason to wait that says more than counts do.

mod container;
mod image;
mod node;
mod probe;
mod refused;
mod resize;
mod scheduling;
mod volume;
mod workload;

use k8s_openapi::api::core::v1::Pod;

use super::Verdict;
use super::look::Look;
use crate::scene::pod;
use crate::scene::workload::Workload;

/// All that is found.
pub(super) fn findings(look: &Look<'_>, its: Workload<'_>) -> Vec<Verdict> {
    let mut found = Vec::new();
    found.extend(workload::removed(its));
    for each in look.rollout.finished.iter().chain(&look.rollout.leaving) {
        found.push(node::taken_away(each));
    }
    for each in &look.rollout.current {
        found.extend(of_pod(look, each));
    }
    found.extend(refused::judge(look, its));
    found.extend(workload::judge(look, its));
    found
}

fn of_pod(look: &Look<'_>, each: &Pod) -> Vec<Verdict> {
    let mut found = Vec::new();
    found.extend(node::lost(look, each));
    found.extend(scheduling::judge(look, each));
    for container in pod::containers(each) {
        found.extend(container::judge(look, each, container));
    }
    found.extend(volume::judge(look, each));
    found.extend(resize::judge(look, each));
    found.extend(probe::fails(look, each));
    found
}
