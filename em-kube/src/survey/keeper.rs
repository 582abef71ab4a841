//! Who else keeps the workload as they want it: tools that deploy from a repository, and operators.

use em_core::plan::ClusterPolicy;
use em_core::port::{Finding, Severity};
use serde_json::Value as Json;

use super::finding::{finding, list_at, name_of, note, text_at, texts_at};
use super::subject::Subject;

/// The word of `accept` by which the user says that a keeper is dealt with.
pub const ACCEPTED: &str = "gitops";

/// Who deploys the workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Keeper {
    /// Argo CD, by an Application.
    Argo {
        /// Its name, where the workload tells.
        application: Option<String>,
    },
    /// Flux, by a Kustomization or a `HelmRelease`.
    Flux {
        /// The resource: `kustomization`, `helmrelease`.
        kind: &'static str,
        /// Its namespace and name, where the workload tells.
        at: Option<(String, String)>,
    },
    /// Helm, by hand or by a pipeline.
    Helm {
        /// The release, where the workload tells.
        release: Option<String>,
    },
}

/// Who deploys an object, by what it carries. An automatic one first.
pub(super) fn keeper(object: &Json) -> Option<Keeper> {
    let carried =
        ["/metadata/annotations", "/metadata/labels"].map(|place| texts_at(object, place));
    let carried: Vec<(&str, &str)> = carried.into_iter().flatten().collect();
    let value = |key: &str| {
        let found = carried.iter().find(|(name, _)| *name == key);
        found.map(|(_, value)| (*value).to_owned())
    };
    let has = |prefix: &str| carried.iter().any(|(name, _)| name.starts_with(prefix));
    let managers = list_at(object, "/metadata/managedFields");
    let managed = |names: &[&str]| {
        let mut managers = managers
            .iter()
            .filter_map(|entry| text_at(entry, "/manager"));
        managers.any(|manager| names.contains(&manager))
    };
    if has("argocd.argoproj.io/")
        || managed(&["argocd-controller", "argocd-application-controller"])
    {
        let tracked = value("argocd.argoproj.io/tracking-id");
        let tracked = tracked.and_then(|id| Some(id.split_once(':')?.0.to_owned()));
        let application = tracked
            .or_else(|| value("argocd.argoproj.io/instance"))
            .or_else(|| value("app.kubernetes.io/instance"));
        return Some(Keeper::Argo { application });
    }
    let fluxes = [
        (
            "kustomize.toolkit.fluxcd.io",
            "kustomization",
            "kustomize-controller",
        ),
        ("helm.toolkit.fluxcd.io", "helmrelease", "helm-controller"),
    ];
    for (group, kind, manager) in fluxes {
        if has(&format!("{group}/")) || managed(&[manager]) {
            let namespace = value(&format!("{group}/namespace"));
            let at = namespace.zip(value(&format!("{group}/name")));
            return Some(Keeper::Flux { kind, at });
        }
    }
    let release = value("meta.helm.sh/release-name");
    (release.is_some() || managed(&["helm"])).then_some(Keeper::Helm { release })
}

/// Whoever would put back what the experiment changes. `is_suspended`: whether the keeper was seen to be at rest.
pub(super) fn check(subject: &Subject<'_>, is_suspended: bool) -> Vec<Finding> {
    if subject.policy() == ClusterPolicy::Observe {
        return Vec::new();
    }
    let mut findings: Vec<Finding> = keeper(subject.object)
        .map(|keeper| judge(subject, &keeper, is_suspended))
        .into_iter()
        .collect();
    findings.extend(operator(subject));
    findings
}

fn judge(subject: &Subject<'_>, keeper: &Keeper, is_suspended: bool) -> Finding {
    let what = subject.what();
    let (who, suspend) = described(keeper);
    if subject.is_cloned() {
        return note(format!(
            "{who} deploys {what}; clones are none of its business"
        ));
    }
    if matches!(keeper, Keeper::Helm { .. }) {
        return finding(
            Severity::Warning,
            format!(
                "{who} deploys {what}: an upgrade during the experiment changes what is measured"
            ),
            Some(
                "upgrade nothing until the end; the answer belongs into the values of the release"
                    .to_owned(),
            ),
        );
    }
    if is_reconciling_off(subject.object) || is_suspended {
        return note(format!(
            "{who} deploys {what} and is at rest; the answer belongs into its repository"
        ));
    }
    let is_accepted = subject.spec.accept.iter().any(|word| word == ACCEPTED);
    // A resize changes pods and only marks the workload itself.
    let is_mild = is_accepted || subject.policy() == ClusterPolicy::Resize;
    let severity = if is_mild {
        Severity::Warning
    } else {
        Severity::Error
    };
    finding(
        severity,
        format!("{who} deploys {what} and may put back at any time what is tried"),
        Some(format!(
            "suspend it: {suspend}; where this cannot be seen from here, say that it is done: accept: [{ACCEPTED}]"
        )),
    )
}

fn described(keeper: &Keeper) -> (String, String) {
    match keeper {
        Keeper::Argo { application } => {
            let name = application.as_deref().unwrap_or("APPLICATION");
            (
                format!("Argo CD ({name})"),
                format!("argocd app set {name} --sync-policy none"),
            )
        }
        Keeper::Flux { kind, at } => {
            let (namespace, name) = at
                .as_ref()
                .map_or(("NAMESPACE", "NAME"), |(namespace, name)| (namespace, name));
            (
                format!("Flux ({kind} {namespace}/{name})"),
                format!("flux suspend {kind} {name} --namespace {namespace}"),
            )
        }
        Keeper::Helm { release } => {
            let release = release.as_deref().unwrap_or("of unknown name");
            (format!("Helm (release {release})"), String::new())
        }
    }
}

/// Whether the workload itself says that Flux leaves it alone.
fn is_reconciling_off(object: &Json) -> bool {
    let annotations = texts_at(object, "/metadata/annotations");
    annotations.contains(&("kustomize.toolkit.fluxcd.io/reconcile", "disabled"))
        || annotations.contains(&("kustomize.toolkit.fluxcd.io/ssa", "Ignore"))
}

/// The resource that made the workload and keeps it.
fn operator(subject: &Subject<'_>) -> Option<Finding> {
    let owners = list_at(subject.object, "/metadata/ownerReferences");
    let owner = owners
        .iter()
        .find(|owner| owner.get("controller") == Some(&Json::Bool(true)))?;
    let kind = text_at(owner, "/kind").unwrap_or("?");
    let owner = format!("{kind} {}", name_of(owner));
    let what = subject.what();
    if subject.is_cloned() {
        return Some(note(format!(
            "{what} belongs to {owner}; its clones do not"
        )));
    }
    let is_mild = subject.policy() == ClusterPolicy::Resize;
    let severity = if is_mild {
        Severity::Warning
    } else {
        Severity::Error
    };
    Some(finding(
        severity,
        format!("{what} belongs to {owner}, whose operator puts back what is changed"),
        Some(format!(
            "tune {owner} itself (workload: PLURAL.GROUP/{}, apply: patch), or use policy new-deployment",
            name_of_owner(&owner)
        )),
    ))
}

fn name_of_owner(owner: &str) -> &str {
    owner.split_once(' ').map_or(owner, |(_, name)| name)
}
