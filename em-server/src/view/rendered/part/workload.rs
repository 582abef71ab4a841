//! A workload of a cluster: what the values make of it, as far as that does not depend on what it is today.

use anyhow::{Context as _, Result};
use em_core::plan::{Apply, KubernetesSpec, ObjectRef, Plan, Tunable};
use em_core::template::{Escape, Template};
use em_core::value::Value;
use em_local::fill::{self, Values};
use serde_json::Value as Json;

use super::Part;
use crate::view::plan::{named_patch, named_resource};

pub(super) fn parts(plan: &Plan, spec: &KubernetesSpec, values: &Values) -> Result<Vec<Part>> {
    let mut parts = Vec::new();
    for tunable in &plan.tunables {
        // One that does not exist under these values changes nothing.
        let Some(value) = values.get(&tunable.name) else {
            continue;
        };
        let one = One {
            tunable,
            value,
            values,
        };
        for apply in &tunable.apply {
            parts.extend(one.part(apply, &spec.workload)?);
        }
    }
    Ok(parts)
}

/// One tunable with its value, among the others.
struct One<'a> {
    tunable: &'a Tunable,
    value: &'a Value,
    values: &'a Values,
}

impl One<'_> {
    fn part(&self, apply: &Apply, workload: &ObjectRef) -> Result<Option<Part>> {
        let words = |name: String, word: String| Some(Part::words(name, vec![word]));
        Ok(match apply {
            Apply::Env { name, piece, .. } => {
                let text = match piece {
                    Some(piece) => self.filled(piece)?,
                    None => self.value.to_string(),
                };
                words(format!("env {name}"), text)
            }
            Apply::Arg { text, .. } => words(
                format!("argument of {}", self.tunable.name),
                self.filled(text)?,
            ),
            Apply::Resource { resource, of } => {
                words(named_resource(*resource, *of), self.value.to_string())
            }
            Apply::Replicas => words("replicas".to_owned(), self.value.to_string()),
            Apply::Image { reference } => words("image".to_owned(), self.filled(reference)?),
            Apply::Patch { kind, object, body } => {
                let object = object.as_ref().unwrap_or(workload);
                let name = format!("{} by {}", named_patch(*kind, object), self.tunable.name);
                let filled = self.patch(body)?;
                Some(Part::lines(name, vec![filled.to_string()]))
            }
            _ => None,
        })
    }

    fn filled(&self, template: &Template) -> Result<String> {
        let place = format!("tunable {}", self.tunable.name);
        let lookup = |name: &str| self.lookup(name);
        Ok(fill::fill(&place, template, &lookup, Escape::None)?)
    }

    fn lookup(&self, name: &str) -> Option<Value> {
        if name == "value" {
            return Some(self.value.clone());
        }
        self.values.get(&name.parse().ok()?).cloned()
    }

    /// A text that is a single placeholder is the value itself, with its type.
    fn patch(&self, body: &Json) -> Result<Json> {
        Ok(match body {
            Json::String(text) => {
                let template = Template::parse(text).context("failed to read a patch")?;
                let names: Vec<&str> = template.names().collect();
                match names.as_slice() {
                    [name] if *text == format!("{{{{{name}}}}}") => {
                        serde_json::to_value(self.lookup(name))
                            .context("failed to write a value")?
                    }
                    _ => Json::String(self.filled(&template)?),
                }
            }
            Json::Array(entries) => {
                let entries = entries.iter().map(|entry| self.patch(entry));
                Json::Array(entries.collect::<Result<_>>()?)
            }
            Json::Object(map) => {
                let entries = map
                    .iter()
                    .map(|(key, value)| Ok((key.clone(), self.patch(value)?)));
                Json::Object(entries.collect::<Result<_>>()?)
            }
            Json::Null | Json::Bool(_) | Json::Number(_) => body.clone(),
        })
    }
}
