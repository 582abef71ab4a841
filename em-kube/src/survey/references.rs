//! Whether everything that the plan and the workload name is there.

use em_core::plan::ObjectRef;
use em_core::port::{Finding, Severity};
use serde_json::Value as Json;

use super::finding::{error, finding, list_at, note};
use super::subject::Subject;
use crate::change::Container;
use crate::clone::port_of;

/// An object that the workload's pods name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Reference {
    /// `configmap`, `secret` or `persistentvolumeclaim`.
    pub(super) kind: &'static str,
    /// Its name.
    pub(super) name: String,
    /// Whether the pods start without it, too.
    pub(super) is_optional: bool,
}

/// Whether a reference leads anywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    /// It is there.
    There,
    /// It is not.
    Absent,
    /// We may not look.
    Hidden,
}

/// Everything that the pods of the workload name, each once.
pub(super) fn references(object: &Json) -> Vec<Reference> {
    let Some(pod) = object.pointer("/spec/template/spec") else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for volume in list_at(pod, "/volumes") {
        let sources = std::iter::once(volume).chain(list_at(volume, "/projected/sources"));
        for source in sources {
            add(&mut found, "configmap", source.get("configMap"), "name");
            add(&mut found, "secret", source.get("secret"), "secretName");
            add(&mut found, "secret", source.get("secret"), "name");
        }
        add(
            &mut found,
            "persistentvolumeclaim",
            volume.get("persistentVolumeClaim"),
            "claimName",
        );
    }
    for container in ["/initContainers", "/containers"]
        .iter()
        .flat_map(|list| list_at(pod, list))
    {
        for from in list_at(container, "/envFrom") {
            add(&mut found, "configmap", from.get("configMapRef"), "name");
            add(&mut found, "secret", from.get("secretRef"), "name");
        }
        for variable in list_at(container, "/env") {
            let from = |key: &str| variable.get("valueFrom").and_then(|from| from.get(key));
            add(&mut found, "configmap", from("configMapKeyRef"), "name");
            add(&mut found, "secret", from("secretKeyRef"), "name");
        }
    }
    // A reference without which pods do not start counts before one that is optional.
    found.sort();
    found.dedup_by(|next, first| next.kind == first.kind && next.name == first.name);
    found
}

fn add(found: &mut Vec<Reference>, kind: &'static str, source: Option<&Json>, key: &str) {
    let Some(source) = source else {
        return;
    };
    if let Some(name) = source.get(key).and_then(Json::as_str) {
        found.push(Reference {
            kind,
            name: name.to_owned(),
            is_optional: source.get("optional") == Some(&Json::Bool(true)),
        });
    }
}

/// The container that tunables mean is one of the workload's.
pub(super) fn container(subject: &Subject<'_>) -> Vec<Finding> {
    if subject.pod().is_none() {
        let what = format!(
            "{} has no template of pods: only patches apply to it",
            subject.what()
        );
        return vec![note(what)];
    }
    let problem = Container::of(subject.object, subject.spec).err();
    let found = problem.map(|problem| finding(Severity::Error, problem.to_string(), None));
    found.into_iter().collect()
}

/// What the pods name is there.
pub(super) fn pods_find(subject: &Subject<'_>, looked: &[(Reference, Presence)]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (reference, presence) in looked {
        let Reference {
            kind,
            name,
            is_optional,
        } = reference;
        if *presence != Presence::Absent || *is_optional {
            continue;
        }
        findings.push(error(
            format!(
                "{} names {kind}/{name}, which is not there: new pods would not start",
                subject.what()
            ),
            format!("make {kind}/{name}, or take the reference away"),
        ));
    }
    let hidden = looked
        .iter()
        .filter(|(_, presence)| *presence == Presence::Hidden);
    let hidden: Vec<String> = hidden
        .map(|(one, _)| format!("{}/{}", one.kind, one.name))
        .collect();
    if !hidden.is_empty() {
        findings.push(note(format!(
            "whether {} is there was not looked at: reading it is not permitted",
            hidden.join(", ")
        )));
    }
    findings
}

/// Objects that tunables change are there.
pub(super) fn changed(subject: &Subject<'_>, looked: &[(String, Presence)]) -> Vec<Finding> {
    let absent = looked
        .iter()
        .filter(|(_, presence)| *presence == Presence::Absent);
    absent
        .map(|(name, _)| {
            error(
                format!(
                    "a tunable changes {name}, which is not in namespace {}",
                    subject.namespace
                ),
                "correct its name (apply.patch.object), or make it first",
            )
        })
        .collect()
}

/// Objects beside the workload that a clone would need copies of: only a `ConfigMap` is copied with it.
pub(super) fn copied<'a>(
    subject: &Subject<'_>,
    others: impl IntoIterator<Item = &'a ObjectRef>,
) -> Vec<Finding> {
    let cannot = others
        .into_iter()
        .filter(|object| subject.is_cloned() && object.kind != "configmap");
    cannot
        .map(|object| {
            error(
                format!("a tunable changes {object}, and clones get copies of ConfigMaps only"),
                "use policy rolling-update, which changes the object itself",
            )
        })
        .collect()
}

/// The Service is there, has the port, and leads to the workload. `service` is none where it is not there.
pub(super) fn service(subject: &Subject<'_>, service: Option<&Json>) -> Vec<Finding> {
    let Some(wanted) = &subject.spec.service else {
        return Vec::new();
    };
    let name = format!("Service {} in namespace {}", wanted.name, subject.namespace);
    let Some(service) = service else {
        return vec![error(
            format!("there is no {name}"),
            "correct target.service",
        )];
    };
    let mut findings = Vec::new();
    if let Err(problem) = port_of(service, Some(wanted)) {
        let what = format!("target.service, namespace {}: {problem}", subject.namespace);
        findings.push(finding(Severity::Error, what, None));
    }
    findings.extend(selection(subject, service, &name));
    findings
}

/// Load through a Service that leads elsewhere measures something else.
fn selection(subject: &Subject<'_>, service: &Json, name: &str) -> Option<Finding> {
    let labels = subject.object.pointer("/spec/template/metadata/labels")?;
    let selector = service.pointer("/spec/selector").and_then(Json::as_object);
    let Some(selector) = selector.filter(|selector| !selector.is_empty()) else {
        let what = format!(
            "{name} has no selector: whether it leads to {} is not known",
            subject.what()
        );
        return Some(finding(Severity::Note, what, None));
    };
    let leads = selector
        .iter()
        .all(|(key, value)| labels.get(key) == Some(value));
    (!leads).then(|| {
        error(
            format!("{name} does not lead to the pods of {}", subject.what()),
            "name the Service whose selector matches the labels of its pods (target.service)",
        )
    })
}
