//! The container that tunables mean.

use em_core::plan::KubernetesSpec;
use serde_json::Value as Json;

use super::ChangeError;
use crate::place::Place;

/// A container of a workload's pod template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    name: String,
}

/// Where a workload keeps the template of its pods.
pub fn template() -> Place {
    Place::of(["spec", "template"])
}

/// Whether an object has a template of pods.
pub fn has_template(object: &Json) -> bool {
    object.pointer("/spec/template/spec/containers").is_some()
}

impl Container {
    /// The container of this name.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
        }
    }

    /// The one that the file names; else the only one; else the one that the template calls its default.
    pub fn of(workload: &Json, spec: &KubernetesSpec) -> Result<Self, ChangeError> {
        let names = names(workload);
        let found = |name: &str| names.iter().any(|one| one == name);
        if let Some(name) = &spec.container {
            return if found(name) {
                Ok(Self::named(name))
            } else {
                Err(ChangeError::NoContainer {
                    object: spec.workload.clone(),
                    wanted: name.clone(),
                    has: names,
                })
            };
        }
        let default = template()
            .key("metadata")
            .key("annotations")
            .key("kubectl.kubernetes.io/default-container");
        let default = default.get(workload).and_then(Json::as_str);
        match (names.as_slice(), default) {
            ([only], _) => Ok(Self::named(only)),
            (_, Some(default)) if found(default) => Ok(Self::named(default)),
            _ => Err(ChangeError::ManyContainers {
                object: spec.workload.clone(),
                has: names,
            }),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it is in the workload.
    pub fn place(&self) -> Place {
        template().key("spec").key("containers").named(&self.name)
    }
}

fn names(workload: &Json) -> Vec<String> {
    let containers = template().key("spec").key("containers");
    let containers = containers.get(workload).and_then(Json::as_array);
    let name = |container: &Json| Some(container.get("name")?.as_str()?.to_owned());
    containers.into_iter().flatten().filter_map(name).collect()
}
