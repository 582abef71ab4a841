//! Reading a workload of any kind.

use jiff::Timestamp;
use serde_json::Value as Json;

/// A workload as the cluster shows it.
#[derive(Clone, Copy)]
pub(crate) struct Workload<'a>(pub(crate) &'a Json);

/// Kinds whose status is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Deployment,
    StatefulSet,
    DaemonSet,
    /// Whatever else has pods.
    Other,
}

/// A condition of its status.
#[derive(Clone, Copy)]
pub(crate) struct Condition<'a> {
    pub(crate) status: &'a str,
    pub(crate) reason: &'a str,
    pub(crate) message: &'a str,
    pub(crate) since: Option<Timestamp>,
    pub(crate) updated: Option<Timestamp>,
}

impl<'a> Workload<'a> {
    pub(crate) fn kind(self) -> Kind {
        if !self.text("/apiVersion").unwrap_or("").starts_with("apps/") {
            return Kind::Other;
        }
        match self.text("/kind") {
            Some("Deployment") => Kind::Deployment,
            Some("StatefulSet") => Kind::StatefulSet,
            Some("DaemonSet") => Kind::DaemonSet,
            _ => Kind::Other,
        }
    }

    /// As people write it: `deployment/checkout`.
    pub(crate) fn name(self) -> String {
        let kind = self.text("/kind").unwrap_or("workload");
        let name = self.text("/metadata/name").unwrap_or("(without a name)");
        format!("{}/{name}", kind.to_ascii_lowercase())
    }

    pub(crate) fn uid(self) -> &'a str {
        self.text("/metadata/uid").unwrap_or_default()
    }

    pub(crate) fn at(self, pointer: &str) -> Option<&'a Json> {
        self.0.pointer(pointer)
    }

    pub(crate) fn text(self, pointer: &str) -> Option<&'a str> {
        self.at(pointer)?.as_str()
    }

    pub(crate) fn number(self, pointer: &str) -> Option<i64> {
        self.at(pointer)?.as_i64()
    }

    /// A count of its status. Kubernetes leaves a count out where it is 0.
    pub(crate) fn count(self, name: &str) -> i64 {
        let status = self.at("/status");
        let count = status.and_then(|status| status.get(name)?.as_i64());
        count.unwrap_or(0)
    }

    pub(crate) fn is_set(self, pointer: &str) -> bool {
        self.at(pointer).is_some_and(|value| !value.is_null())
    }

    pub(crate) fn annotation(self, name: &str) -> Option<&'a str> {
        self.at("/metadata/annotations")?.get(name)?.as_str()
    }

    /// An annotation that its pods get.
    pub(crate) fn template_annotation(self, name: &str) -> Option<&'a str> {
        let annotations = self.at("/spec/template/metadata/annotations")?;
        annotations.get(name)?.as_str()
    }

    pub(crate) fn generation(self) -> Option<i64> {
        self.number("/metadata/generation")
    }

    pub(crate) fn observed(self) -> Option<i64> {
        self.number("/status/observedGeneration")
    }

    /// How many pods it is to have; none where its kind has no such number.
    pub(crate) fn wanted(self) -> Option<i64> {
        match self.kind() {
            Kind::Deployment | Kind::StatefulSet => {
                Some(self.number("/spec/replicas").unwrap_or(1))
            }
            Kind::DaemonSet => self.number("/status/desiredNumberScheduled"),
            Kind::Other => None,
        }
    }

    pub(crate) fn condition(self, name: &str) -> Option<Condition<'a>> {
        let conditions = self.at("/status/conditions")?.as_array()?;
        let found = conditions
            .iter()
            .find(|condition| condition.get("type").and_then(Json::as_str) == Some(name))?;
        let text = |key: &str| found.get(key).and_then(Json::as_str).unwrap_or_default();
        Some(Condition {
            status: text("status"),
            reason: text("reason"),
            message: text("message"),
            since: text("lastTransitionTime").parse().ok(),
            updated: text("lastUpdateTime").parse().ok(),
        })
    }
}
