//! Autoscalers that act on the workload.

use em_core::plan::Autoscaler;
use em_core::port::Finding;
use serde_json::Value as Json;

use super::finding::{error, name_of, note, text_at};
use super::subject::Subject;

/// Autoscalers of the namespace, by kind. None: not installed, or not to be seen.
#[derive(Debug, Clone, Default)]
pub(super) struct Autoscalers {
    /// Of the cluster itself: more or fewer pods.
    pub(super) horizontal: Option<Vec<Json>>,
    /// Other requests and limits.
    pub(super) vertical: Option<Vec<Json>>,
    /// KEDA, which keeps a horizontal one.
    pub(super) scaled: Option<Vec<Json>>,
}

/// What kind of autoscaler it is, and how it is put to rest.
struct Kind {
    name: &'static str,
    target: &'static str,
    can_pin: bool,
    rest: &'static str,
}

const KINDS: [Kind; 3] = [
    Kind {
        name: "HorizontalPodAutoscaler",
        target: "/spec/scaleTargetRef",
        can_pin: true,
        rest: "hold it for the time of the experiment (autoscaler: pin), or let it act and be reported (autoscaler: allow)",
    },
    Kind {
        name: "VerticalPodAutoscaler",
        target: "/spec/targetRef",
        can_pin: false,
        rest: "set its updatePolicy.updateMode to Off, or let it act (autoscaler: allow)",
    },
    Kind {
        name: "ScaledObject",
        target: "/spec/scaleTargetRef",
        can_pin: false,
        rest: "pause it (annotation autoscaling.keda.sh/paused: \"true\"), or let it act (autoscaler: allow)",
    },
];

/// Every autoscaler of the workload, and what the file says about it.
pub(super) fn check(subject: &Subject<'_>, seen: &Autoscalers) -> Vec<Finding> {
    let lists = [&seen.horizontal, &seen.vertical, &seen.scaled];
    let mut findings = Vec::new();
    for (kind, list) in KINDS.iter().zip(lists) {
        let found = list
            .iter()
            .flatten()
            .filter(|one| is_on(subject, one, kind.target));
        findings.extend(found.map(|one| judge(subject, kind, one)));
    }
    findings
}

fn is_on(subject: &Subject<'_>, scaler: &Json, target: &str) -> bool {
    let Some(target) = scaler.pointer(target) else {
        return false;
    };
    let kind = text_at(target, "/kind").unwrap_or("Deployment");
    let own = text_at(subject.object, "/kind");
    let is_kind = own.map_or_else(
        || kind.eq_ignore_ascii_case(&subject.spec.workload.kind),
        |own| kind == own,
    );
    is_kind && text_at(target, "/name") == Some(subject.spec.workload.name.as_str())
}

fn judge(subject: &Subject<'_>, kind: &Kind, scaler: &Json) -> Finding {
    let name = format!("{} {}", kind.name, name_of(scaler));
    let what = subject.what();
    if is_at_rest(scaler) {
        return note(format!("{name} of {what} is at rest: it only recommends"));
    }
    if subject.is_cloned() {
        return note(format!(
            "{name} acts on {what}, and not on its clones: they keep their size"
        ));
    }
    if !subject.is_in_place() {
        return note(format!(
            "{name} may change {what} while it is measured; what it does is reported"
        ));
    }
    match subject.spec.autoscaler {
        Autoscaler::Allow => note(format!(
            "{name} may change {what} while it is measured; what it does is reported"
        )),
        Autoscaler::Pin if kind.can_pin => note(format!(
            "{name} of {what} is pinned for the time of the experiment"
        )),
        Autoscaler::Pin => error(
            format!("{name} acts on {what} and cannot be pinned: it would undo what is tried"),
            kind.rest,
        ),
        Autoscaler::Refuse => error(
            format!("{name} acts on {what}: it would undo what is tried"),
            kind.rest,
        ),
    }
}

/// Whether it changes nothing at the moment.
fn is_at_rest(scaler: &Json) -> bool {
    let paused = "/metadata/annotations/autoscaling.keda.sh~1paused";
    text_at(scaler, "/spec/updatePolicy/updateMode") == Some("Off")
        || text_at(scaler, paused) == Some("true")
}
