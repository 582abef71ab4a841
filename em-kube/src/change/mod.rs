//! What a configuration makes of an object: pure, from the original and the values to the object that is wanted.
//!
//! Two answers belong together: the [`touched`] places, which depend on the plan only, and the object with values
//! ([`applied`]). What is wanted of a live object is its own state with the touched places taken from the applied
//! original: whatever somebody else changes meanwhile stays as they have it.

mod container;
mod error;
mod patch;
pub use patch::merge_by_name;
mod values;

use std::collections::{BTreeMap, BTreeSet};

use em_core::id::TunableName;
use em_core::plan::{Apply, KubernetesSpec, ObjectRef, Plan, ResourceKind, ResourceSide, Secret};
use em_core::value::Value;
use serde_json::{Value as Json, json};

use crate::mark;
use crate::place::Place;

pub use container::{Container, has_template, template};
pub use error::ChangeError;

use values::Values;

/// Values of an iteration, derived ones included.
pub type Assigned = BTreeMap<TunableName, Value>;

/// An object as it was before anything was changed, and where it may be changed.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Original {
    /// Which one.
    pub object: ObjectRef,
    /// As it was, without what the cluster keeps there: status, versions, managed fields.
    pub body: Json,
    /// Every place that the plan may change.
    pub touched: BTreeSet<Place>,
}

/// The objects that a plan's tunables are applied to, the workload first.
pub fn objects(plan: &Plan, spec: &KubernetesSpec) -> Vec<ObjectRef> {
    let mut objects = vec![spec.workload.clone()];
    let others = plan.tunables.iter().flat_map(|tunable| &tunable.apply);
    for apply in others {
        if let Apply::Patch {
            object: Some(object),
            ..
        } = apply
            && !objects.contains(object)
        {
            objects.push(object.clone());
        }
    }
    objects
}

/// Every place of `object` that the plan may change, whatever the values are.
pub fn touched(
    plan: &Plan,
    spec: &KubernetesSpec,
    object: &ObjectRef,
    original: &Json,
) -> Result<BTreeSet<Place>, ChangeError> {
    let is_workload = *object == spec.workload;
    let mut places = BTreeSet::new();
    if is_workload && has_template(original) {
        let annotations = template().key("metadata").key("annotations");
        places.insert(annotations.key(mark::ITERATION));
    }
    for tunable in &plan.tunables {
        for apply in &tunable.apply {
            if let Apply::Patch {
                object: patched,
                kind,
                body,
            } = apply
            {
                if patched.as_ref().unwrap_or(&spec.workload) == object {
                    places.extend(patch::places(*kind, body));
                }
            } else if is_workload {
                let container = Container::of(original, spec)?;
                places.extend(container_places(&container, apply));
            }
        }
    }
    let twins: Vec<Place> = places.iter().filter_map(Place::twin).collect();
    places.extend(twins);
    Ok(places)
}

fn container_places(container: &Container, apply: &Apply) -> Vec<Place> {
    match apply {
        Apply::Env { name, .. } => vec![container.place().key("env").named(name)],
        Apply::Arg { .. } => vec![
            container.place().key("args"),
            container.place().key("command"),
        ],
        Apply::Resource { resource, of } => resource_places(container, *resource, *of),
        Apply::Image { .. } => vec![container.place().key("image")],
        Apply::Replicas => vec![Place::of(["spec", "replicas"])],
        Apply::Patch { .. } | _ => Vec::new(),
    }
}

fn resource_places(container: &Container, kind: ResourceKind, side: ResourceSide) -> Vec<Place> {
    let name = match kind {
        ResourceKind::Cpu => "cpu",
        ResourceKind::Memory => "memory",
    };
    let sides: &[&str] = match side {
        ResourceSide::Both => &["requests", "limits"],
        ResourceSide::Request => &["requests"],
        ResourceSide::Limit => &["limits"],
    };
    let resources = container.place().key("resources");
    let places = sides.iter().map(|side| resources.key(side).key(name));
    places.collect()
}

/// What is applied beside the values of tunables.
#[derive(Debug, Clone, Copy)]
pub struct Beside<'a> {
    /// The iteration, as the pods carry it: what makes its roll-out one of its own.
    pub iteration: &'a str,
    /// Variables that datasources want the container to have.
    pub environment: &'a BTreeMap<String, Secret>,
}

/// The original with the values applied. Without values: the original with a roll-out of its own.
pub fn applied(
    plan: &Plan,
    spec: &KubernetesSpec,
    original: &Original,
    values: &Assigned,
    beside: Beside<'_>,
) -> Result<Json, ChangeError> {
    let mut body = original.body.clone();
    let is_workload = original.object == spec.workload;
    if is_workload && has_template(&body) {
        let annotations = template().key("metadata").key("annotations");
        let iteration = annotations.key(mark::ITERATION);
        iteration.set(&mut body, Some(json!(beside.iteration)));
    }
    let mut applying = Values::new(plan, spec, values);
    if is_workload {
        applying.onto_workload(&mut body)?;
        if !beside.environment.is_empty() {
            let container = Container::of(&body, spec)?;
            for (name, value) in beside.environment {
                let entry = json!({ "name": name, "value": value.expose() });
                container
                    .place()
                    .key("env")
                    .named(name)
                    .set(&mut body, Some(entry));
            }
        }
    }
    applying.patches(&original.object, &mut body)?;
    Ok(body)
}

/// `live` with the touched places as `applied` has them: all else stays as it is.
pub fn wanted(live: &Json, applied: &Json, touched: &BTreeSet<Place>) -> Json {
    let mut wanted = live.clone();
    for place in touched {
        place.copy(&mut wanted, applied);
    }
    wanted
}

/// The object without what the cluster itself keeps in it.
pub fn bare(object: &Json) -> Json {
    let mut bare = object.clone();
    if let Some(map) = bare.as_object_mut() {
        map.shift_remove("status");
    }
    let metadata = Place::of(["metadata"]);
    for key in [
        "managedFields",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "selfLink",
    ] {
        metadata.key(key).set(&mut bare, None);
    }
    bare
}

#[cfg(test)]
mod tests;
