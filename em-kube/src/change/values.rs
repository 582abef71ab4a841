//! Values onto a workload: variables, arguments, resources, replicas, image, patches.

use std::collections::BTreeMap;

use em_core::id::TunableName;
use em_core::plan::{Apply, KubernetesSpec, ObjectRef, Plan, ResourceKind, Tunable};
use em_core::template::{Escape, Pieces, Template, replace_argument};
use em_core::value::{Quantity, QuantityFormat, Value};
use regex::Regex;
use serde_json::{Value as Json, json};

use super::container::Container;
use super::error::ChangeError;
use super::{Assigned, patch, resource_places};
use crate::place::Place;

/// Values on their way into objects.
#[derive(Debug)]
pub(super) struct Values<'a> {
    plan: &'a Plan,
    spec: &'a KubernetesSpec,
    assigned: &'a Assigned,
}

/// Pieces of variables, and the tunable that a complaint names.
type Composed = BTreeMap<String, (TunableName, Pieces)>;

impl<'a> Values<'a> {
    pub(super) fn new(plan: &'a Plan, spec: &'a KubernetesSpec, assigned: &'a Assigned) -> Self {
        Self {
            plan,
            spec,
            assigned,
        }
    }

    fn given(&self) -> impl Iterator<Item = (&'a Tunable, &'a Value)> {
        let values = self.assigned;
        self.plan
            .tunables
            .iter()
            .filter_map(|tunable| Some((tunable, values.get(&tunable.name)?)))
    }

    /// All but patches, in file order.
    pub(super) fn onto_workload(&mut self, body: &mut Json) -> Result<(), ChangeError> {
        let mut composed = Composed::new();
        for (tunable, value) in self.given() {
            for apply in &tunable.apply {
                if !matches!(apply, Apply::Patch { .. }) {
                    self.apply(body, tunable, apply, value, &mut composed)?;
                }
            }
        }
        for (variable, (tunable, pieces)) in composed {
            let container = Container::of(body, self.spec)?;
            let place = container.place().key("env").named(&variable);
            let today = todays(&place, body).ok_or_else(|| ChangeError::Elsewhere {
                tunable,
                variable: variable.clone(),
            })?;
            let entry = json!({ "name": variable, "value": pieces.onto(&today) });
            place.set(body, Some(entry));
        }
        Ok(())
    }

    fn apply(
        &self,
        body: &mut Json,
        tunable: &Tunable,
        apply: &Apply,
        value: &Value,
        composed: &mut Composed,
    ) -> Result<(), ChangeError> {
        if let Apply::Replicas = apply {
            let replicas = replicas(tunable, value)?;
            Place::of(["spec", "replicas"]).set(body, Some(json!(replicas)));
            return Ok(());
        }
        let container = Container::of(body, self.spec)?;
        match apply {
            Apply::Env {
                name, piece: None, ..
            } => {
                let entry = json!({ "name": name, "value": value.to_string() });
                container
                    .place()
                    .key("env")
                    .named(name)
                    .set(body, Some(entry));
            }
            Apply::Env {
                name,
                piece: Some(piece),
                replaces,
            } => {
                let text = self.fill(tunable, piece, value)?;
                let new = || (tunable.name.clone(), Pieces::default());
                let (_, pieces) = composed.entry(name.clone()).or_insert_with(new);
                pieces.add(text, regex(tunable, replaces.as_deref())?);
            }
            Apply::Arg { text, replaces } => {
                let text = self.fill(tunable, text, value)?;
                let replaced = regex(tunable, replaces.as_deref())?;
                argument(body, tunable, &container, &text, replaced.as_ref())?;
            }
            Apply::Resource { resource, of } => {
                let amount = amount(tunable, *resource, value)?;
                for place in resource_places(&container, *resource, *of) {
                    place.set(body, Some(json!(amount)));
                }
            }
            Apply::Image { reference } => {
                let image = self.fill(tunable, reference, value)?;
                container.place().key("image").set(body, Some(json!(image)));
            }
            Apply::Replicas | Apply::Patch { .. } | _ => {
                return Err(ChangeError::Unsupported {
                    tunable: tunable.name.clone(),
                });
            }
        }
        Ok(())
    }

    /// The patches of one object, in file order.
    pub(super) fn patches(&self, object: &ObjectRef, body: &mut Json) -> Result<(), ChangeError> {
        for (tunable, value) in self.given() {
            for apply in &tunable.apply {
                let Apply::Patch {
                    kind,
                    object: patched,
                    body: template,
                } = apply
                else {
                    continue;
                };
                if patched.as_ref().unwrap_or(&self.spec.workload) != object {
                    continue;
                }
                let filled = patch::filled(template, &|text| self.filled(tunable, text, value))?;
                patch::apply(*kind, body, &filled).map_err(|problem| ChangeError::Patch {
                    tunable: tunable.name.clone(),
                    object: object.clone(),
                    problem,
                })?;
            }
        }
        Ok(())
    }

    /// A text of a patch. One that is a single placeholder is the value itself, with its type.
    fn filled(&self, tunable: &Tunable, text: &str, value: &Value) -> Result<Json, ChangeError> {
        let failed = |source| ChangeError::Template {
            tunable: tunable.name.clone(),
            source,
        };
        let template = Template::parse(text).map_err(failed)?;
        let names: Vec<&str> = template.names().collect();
        if let [name] = names.as_slice()
            && text == format!("{{{{{name}}}}}")
            && let Some(value) = self.lookup(name, value)
        {
            return Ok(typed(&value));
        }
        self.fill(tunable, &template, value).map(Json::String)
    }

    fn lookup(&self, name: &str, own: &Value) -> Option<Value> {
        if name == "value" {
            return Some(own.clone());
        }
        self.assigned
            .get(&name.parse::<TunableName>().ok()?)
            .cloned()
    }

    fn fill(
        &self,
        tunable: &Tunable,
        template: &Template,
        own: &Value,
    ) -> Result<String, ChangeError> {
        let lookup = |name: &str| self.lookup(name, own);
        let filled = template.render(&lookup, Escape::None);
        filled.map_err(|source| ChangeError::Template {
            tunable: tunable.name.clone(),
            source,
        })
    }
}

fn typed(value: &Value) -> Json {
    match value {
        Value::Quantity(quantity) => json!(quantity.to_string()),
        Value::Bool(_) | Value::Integer(_) | Value::Real(_) | Value::Text(_) => {
            serde_json::to_value(value).unwrap_or_else(|_| json!(value.to_string()))
        }
    }
}

/// The value that a variable has today. None: it is kept elsewhere.
fn todays(place: &Place, body: &Json) -> Option<String> {
    match place.get(body) {
        None => Some(String::new()),
        Some(entry) if entry.get("valueFrom").is_some() => None,
        Some(entry) => {
            let value = entry.get("value").and_then(Json::as_str);
            Some(value.unwrap_or_default().to_owned())
        }
    }
}

fn argument(
    body: &mut Json,
    tunable: &Tunable,
    container: &Container,
    text: &str,
    replaced: Option<&Regex>,
) -> Result<(), ChangeError> {
    let (args, command) = (
        container.place().key("args"),
        container.place().key("command"),
    );
    let (mut arguments, mut words) = (words(&args, body), words(&command, body));
    let mut found = false;
    if let Some(replaced) = replaced {
        found = replace_argument(&mut arguments, text, replaced);
        // The first word is the program.
        found |= replace_argument(words.iter_mut().skip(1), text, replaced);
    }
    if !found {
        if arguments.is_empty() && words.is_empty() {
            return Err(ChangeError::ImageArguments {
                tunable: tunable.name.clone(),
                container: container.name().to_owned(),
            });
        }
        arguments.push(text.to_owned());
    }
    let list = |words: Vec<String>| (!words.is_empty()).then(|| json!(words));
    args.set(body, list(arguments));
    command.set(body, list(words));
    Ok(())
}

fn words(place: &Place, body: &Json) -> Vec<String> {
    let list = place.get(body).and_then(Json::as_array);
    let text = |word: &Json| word.as_str().map(str::to_owned);
    list.into_iter().flatten().filter_map(text).collect()
}

fn regex(tunable: &Tunable, text: Option<&str>) -> Result<Option<Regex>, ChangeError> {
    let failed = |source| ChangeError::Replaces {
        tunable: tunable.name.clone(),
        source: Box::new(source),
    };
    text.map(Regex::new).transpose().map_err(failed)
}

fn replicas(tunable: &Tunable, value: &Value) -> Result<i64, ChangeError> {
    let whole = match value {
        Value::Integer(whole) => Some(*whole),
        Value::Quantity(quantity) => quantity.to_integer(),
        Value::Bool(_) | Value::Real(_) | Value::Text(_) => None,
    };
    let whole = whole.filter(|whole| (0..=100_000).contains(whole));
    whole.ok_or_else(|| wrong(tunable, value, "number of replicas"))
}

/// An amount as Kubernetes writes it.
fn amount(tunable: &Tunable, kind: ResourceKind, value: &Value) -> Result<String, ChangeError> {
    let wanted = match kind {
        ResourceKind::Cpu => "amount of cpu",
        ResourceKind::Memory => "amount of memory",
    };
    let quantity = match value {
        Value::Quantity(quantity) => Some(*quantity),
        Value::Integer(_) | Value::Real(_) => value
            .to_f64()
            .and_then(|number| Quantity::from_f64(number, QuantityFormat::Decimal).ok()),
        Value::Bool(_) | Value::Text(_) => None,
    };
    let quantity = quantity.filter(|quantity| quantity.to_f64() > 0.0);
    let quantity = quantity.ok_or_else(|| wrong(tunable, value, wanted))?;
    Ok(quantity.to_string())
}

fn wrong(tunable: &Tunable, value: &Value, wanted: &'static str) -> ChangeError {
    ChangeError::Value {
        tunable: tunable.name.clone(),
        value: value.to_string(),
        wanted,
    }
}
