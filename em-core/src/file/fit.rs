//! Whether a target can do what `apply` of a tunable asks for, and whether the values are of the right kind.

use serde_json::Value as Json;

use super::reader::Reader;
use crate::assign;
use crate::expression::Name;
use crate::plan::{
    Apply, ClusterPolicy, Domain, KubernetesSpec, ObjectRef, PatchKind, ResourceSide, TargetSpec,
    Tunable,
};
use crate::template::Template;
use crate::value::Value;

/// Checks every `apply` of a tunable.
pub(super) fn check(
    tunable: &Tunable,
    reader: &Reader<'_>,
    target: Option<&TargetSpec>,
    tunables: &[Tunable],
) {
    let place = reader.peek("apply").unwrap_or_else(|| reader.clone());
    if let Some(TargetSpec::Command(_)) = target
        && !tunable.apply.is_empty()
    {
        place.refuse_with(
            "kind command gets every value as JSON on its input",
            "leave out apply",
        );
    }
    let entries = match place.map_if_any() {
        Some(_) => Vec::new(),
        None => place.list().unwrap_or_default(),
    };
    for (index, apply) in tunable.apply.iter().enumerate() {
        let place = entries.get(index).unwrap_or(&place);
        check_use(tunable, apply, place);
        check_values(tunable, apply, place, tunables);
        match target {
            Some(TargetSpec::Process(_)) => check_process(apply, place),
            Some(TargetSpec::Kubernetes(spec)) => check_cluster(spec, apply, place),
            Some(
                TargetSpec::Command(_)
                | TargetSpec::Observe
                | TargetSpec::Simulated(_)
                | TargetSpec::Custom(_),
            )
            | None => {}
        }
    }
}

/// A text that does not use the value would be the same for every value.
fn check_use(tunable: &Tunable, apply: &Apply, place: &Reader<'_>) {
    let is_it = |name: &str| name == "value" || name == tunable.name.as_str();
    let what = match apply {
        Apply::Arg { text, .. }
        | Apply::Env {
            piece: Some(text), ..
        }
        | Apply::Image { reference: text } => {
            let is_used = text.names().any(is_it);
            (!is_used).then(|| format!("{:?} does not use the value", text.text()))
        }
        Apply::Patch { body, .. } => {
            (!is_used_in(body, &is_it)).then(|| "the patch does not use the value".to_owned())
        }
        Apply::Env { piece: None, .. } | Apply::Resource { .. } | Apply::Replicas => None,
    };
    if let Some(what) = what {
        place.refuse_with(what, "write {{value}} where it belongs");
    }
}

fn is_used_in(body: &Json, is_it: &dyn Fn(&str) -> bool) -> bool {
    match body {
        // Where it cannot be read, that has been said.
        Json::String(text) => Template::parse(text).is_ok_and(|text| text.names().any(is_it)),
        Json::Array(entries) => entries.iter().any(|entry| is_used_in(entry, is_it)),
        Json::Object(map) => map.values().any(|value| is_used_in(value, is_it)),
        Json::Null | Json::Bool(_) | Json::Number(_) => false,
    }
}

fn check_values(tunable: &Tunable, apply: &Apply, place: &Reader<'_>, tunables: &[Tunable]) {
    if let Apply::Resource { .. } = apply
        && !tunable.is_derived()
        && let Err(problem) = assign::meaning_of(&Name::Tunable(tunable.name.to_string()), tunables)
    {
        place.refuse(format!("a resource needs numbers: {problem}"));
    }
    if let Apply::Replicas = apply
        && let Some(wrong) = no_replicas(tunable)
    {
        place.refuse_with(
            format!("{wrong} is no number of replicas"),
            "a whole number from 1 is needed",
        );
    }
}

/// A value that the tunable may have and that no number of replicas is. What is derived is known when it is computed.
fn no_replicas(tunable: &Tunable) -> Option<String> {
    let is_count = |value: &Value| matches!(value, Value::Integer(1..=2_147_483_647));
    let wrong = |values: &[Value]| {
        let found = values.iter().find(|value| !is_count(value));
        found.map(ToString::to_string)
    };
    let mut specials = tunable.special.iter().map(|special| &special.value);
    if let Some(special) = specials.find(|value| !is_count(value)) {
        return Some(special.to_string());
    }
    match &tunable.domain {
        Domain::Integer { low, high, .. } => wrong(&[Value::Integer(*low), Value::Integer(*high)]),
        Domain::Categorical { choices } => wrong(choices),
        Domain::Real { .. } => Some("a number with a fraction".to_owned()),
        Domain::Quantity { .. } => Some("a quantity".to_owned()),
        Domain::Derived { .. } => None,
    }
}

fn check_process(apply: &Apply, place: &Reader<'_>) {
    let way = match apply {
        Apply::Resource {
            of: ResourceSide::Request,
            ..
        } => {
            let of = place.peek("of").unwrap_or_else(|| place.clone());
            of.refuse_with(
                "a process has no requests",
                "it has limits only: leave it out",
            );
            return;
        }
        Apply::Env { .. } | Apply::Arg { .. } | Apply::Resource { .. } => return,
        Apply::Replicas => "replicas",
        Apply::Image { .. } => "an image",
        Apply::Patch { .. } => "a patch",
    };
    place.refuse_with(
        format!("kind process cannot apply {way}"),
        "it knows env, arg and resource",
    );
}

fn check_cluster(spec: &KubernetesSpec, apply: &Apply, place: &Reader<'_>) {
    match spec.policy {
        // Refused as a whole.
        ClusterPolicy::Observe => return,
        ClusterPolicy::Resize => {
            if !matches!(apply, Apply::Resource { .. }) {
                place.refuse_with(
                    "policy resize changes CPU and memory only",
                    "apply a resource, or take policy rolling-update or new-deployment",
                );
                return;
            }
        }
        ClusterPolicy::RollingUpdate | ClusterPolicy::NewDeployment => {}
    }
    let workload = &spec.workload;
    match apply {
        Apply::Patch { kind, object, .. } => {
            check_patch(spec, *kind, object.as_ref().unwrap_or(workload), place);
        }
        _ if !workload.has_pod_template() => place.refuse_with(
            format!("{workload} is changed by patches only"),
            "write {patch: {spec: ..}}",
        ),
        Apply::Replicas if workload.kind == "daemonset" => place.refuse_with(
            "a daemonset has no replicas",
            "it has one pod on every node that fits",
        ),
        Apply::Env { .. }
        | Apply::Arg { .. }
        | Apply::Resource { .. }
        | Apply::Image { .. }
        | Apply::Replicas => {}
    }
}

fn check_patch(spec: &KubernetesSpec, kind: PatchKind, object: &ObjectRef, place: &Reader<'_>) {
    if kind == PatchKind::Strategic && object.is_custom() {
        place.refuse_with(
            format!("{object} cannot be merged strategically: only built-in kinds say how"),
            "take type: merge, or type: json",
        );
    }
    if spec.policy == ClusterPolicy::NewDeployment
        && *object != spec.workload
        && object.kind != "configmap"
    {
        place.refuse_with(
            format!("{object} is not copied, so a patch of it would change what is live"),
            "policy new-deployment copies the workload and the configmaps that are patched",
        );
    }
}
