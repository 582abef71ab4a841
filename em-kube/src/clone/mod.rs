//! A copy of a workload that lives beside it: pure, from the object as it was surveyed to the objects that are made.
//!
//! No selector of what is live matches a copy's pods; everything that belongs to it is owned by the Lease of its slot,
//! so that removing that one removes all.

mod labels;
mod references;
mod service;

use std::collections::BTreeMap;

use em_core::id::OpKey;
use em_core::plan::{KubernetesSpec, ObjectRef, Placement, Text};
use em_core::template::Escape;
use serde_json::{Value as Json, json};

use crate::change::{ChangeError, Container, bare, merge_by_name, template};
use crate::hold::Owner;
use crate::mark;
use crate::place::Place;

pub use service::port_of;

/// What copies are made of, as it was when the slot was held.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Source {
    /// The workload, without status and versions.
    pub workload: Json,
    /// Its Service, where the file names one.
    pub service: Option<Json>,
    /// Other objects that tunables change, by what the file calls them.
    pub others: Vec<(ObjectRef, Json)>,
    /// Selectors of everything in the namespace that might take pods of a copy for its own.
    pub selectors: Vec<BTreeMap<String, String>>,
}

/// Whose copy it is.
#[derive(Debug, Clone, Copy)]
pub struct CloneOf<'a> {
    /// The name of all its objects.
    pub name: &'a str,
    /// On whose behalf; the key is the iteration's.
    pub owner: &'a Owner,
    /// The Lease of its slot.
    pub lease: (&'a str, &'a str),
}

/// Characters that names of pods need beyond the name of their workload.
const LONGEST_NAME: usize = 46;

/// The name of an iteration's copy.
pub fn clone_name(workload: &ObjectRef, key: &OpKey, store: &str) -> String {
    let digest = mark::short_digest(&format!("{} {store}", mark::key(key)));
    let stem = mark::object_name(&workload.name, LONGEST_NAME - digest.len() - 4);
    format!("{stem}-em-{digest}")
}

/// The objects of a copy, in the order in which they are made. `applied` are the objects of the source with the values
/// of the iteration, the workload first.
pub fn objects(
    spec: &KubernetesSpec,
    source: &Source,
    applied: &[(ObjectRef, Json)],
    of: CloneOf<'_>,
) -> Result<Vec<Json>, ChangeError> {
    let mut objects = Vec::new();
    let mut renamed = BTreeMap::new();
    for (object, body) in applied
        .iter()
        .filter(|(object, _)| *object != spec.workload)
    {
        let name = mark::object_name(&format!("{}-{}", of.name, object.name), 63);
        objects.push(owned(body, &name, of));
        renamed.insert(object.name.clone(), name);
    }
    let workload = applied.iter().find(|(object, _)| *object == spec.workload);
    let workload = workload.map_or(&source.workload, |(_, body)| body);
    let container = Container::of(workload, spec)?;
    if let Some(service) = service::copy(source.service.as_ref(), workload, &container, of.name) {
        objects.push(owned(&service, of.name, of));
    }
    let mut copy = owned(workload, of.name, of);
    references::rename(&mut copy, &renamed);
    differ(&mut copy, spec, &container)?;
    place(&mut copy, spec);
    labels::make_own(&mut copy, &source.selectors, of);
    objects.push(copy);
    Ok(objects)
}

/// The object under another name, as ours.
fn owned(object: &Json, name: &str, of: CloneOf<'_>) -> Json {
    let mut copy = bare(object);
    let (lease, uid) = of.lease;
    let mut labels = of.owner.labels();
    if let Some(labels) = labels.as_object_mut() {
        labels.insert(mark::CLONE.to_owned(), json!(of.name));
    }
    copy["metadata"] = json!({
        "name": name,
        "labels": labels,
        "annotations": of.owner.annotations(),
        "ownerReferences": [{
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "name": lease, "uid": uid,
            "blockOwnerDeletion": true,
        }],
    });
    copy
}

/// As the file wants copies to differ.
fn differ(
    copy: &mut Json,
    spec: &KubernetesSpec,
    container: &Container,
) -> Result<(), ChangeError> {
    if let Some(replicas) = spec.clones.replicas
        && copy.pointer("/spec/replicas").is_some()
    {
        Place::of(["spec", "replicas"]).set(copy, Some(json!(replicas)));
    }
    for (name, value) in &spec.clones.env {
        // What is written into an object is there for everybody to read who may read the object.
        let Text::Template(value) = value else {
            return Err(ChangeError::Secret {
                variable: name.clone(),
            });
        };
        let value = value.render(&|_| None, Escape::None);
        let value = value.map_err(|source| ChangeError::Variable {
            variable: name.clone(),
            source,
        })?;
        let entry = json!({ "name": name, "value": value });
        container
            .place()
            .key("env")
            .named(name)
            .set(copy, Some(entry));
    }
    if let Some(patch) = &spec.clones.patch {
        merge_by_name(copy, patch);
    }
    Ok(())
}

fn place(copy: &mut Json, spec: &KubernetesSpec) {
    let pod = template().key("spec");
    match &spec.place {
        Placement::Any => {}
        Placement::Nodes(labels) => {
            for (name, value) in labels {
                pod.key("nodeSelector")
                    .key(name)
                    .set(copy, Some(json!(value)));
            }
        }
        Placement::Spread => {
            let apart = json!([{
                "topologyKey": "kubernetes.io/hostname",
                "labelSelector": { "matchExpressions": [{ "key": mark::CLONE, "operator": "Exists" }] },
            }]);
            let affinity = pod.key("affinity").key("podAntiAffinity");
            let required = affinity.key("requiredDuringSchedulingIgnoredDuringExecution");
            required.set(copy, Some(apart));
        }
    }
}

#[cfg(test)]
mod tests;
