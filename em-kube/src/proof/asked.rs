//! What was asked of the pods of a workload.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::Value as Json;

use crate::place::{Place, Step};

/// What was asked of the pods of a workload.
#[derive(Clone)]
pub struct Asked {
    /// The workload as it was deployed.
    workload: Json,
    /// Its template before the plan changed it.
    original: Option<Json>,
    container: String,
    touched: BTreeSet<Touched>,
    hidden: BTreeSet<String>,
    accept: Vec<String>,
    revision: Option<String>,
}

/// Something that the plan sets.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Touched {
    /// A variable of the container.
    Variable(String),
    /// All arguments (`args`) or the command (`command`) of the container.
    Words(&'static str),
    /// An amount: (`limit` or `request`, `cpu`).
    Amount(Side, String),
    /// The image of the container.
    Image,
    /// The number of pods.
    Replicas,
    /// Anything else of the pod template; the place is below the template.
    Other(Place),
}

/// Which amount of a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Side {
    Limit,
    Request,
}

impl Side {
    /// The first part of its fact's name.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Limit => "limit",
            Self::Request => "request",
        }
    }

    /// Its key below `resources`.
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Limit => "limits",
            Self::Request => "requests",
        }
    }
}

impl Asked {
    /// Nothing yet of this workload; `container` is the one that tunables mean.
    pub fn of(workload: Json, container: &str) -> Self {
        Self {
            workload,
            original: None,
            container: container.to_owned(),
            touched: BTreeSet::new(),
            hidden: BTreeSet::new(),
            accept: Vec::new(),
            revision: None,
        }
    }

    /// These places of the workload are set by the plan and have to be seen in its pods.
    #[must_use]
    pub fn touching<'a>(mut self, places: impl IntoIterator<Item = &'a Place>) -> Self {
        for place in places {
            let touched = self.touched_by(place);
            self.touched.extend(touched);
        }
        self
    }

    /// The workload before the plan changed it. Arguments that it has, too, are compared but not shown: they
    /// are not the plan's, and may be secret.
    #[must_use]
    pub fn instead_of(self, original: &Json) -> Self {
        Self {
            original: original.pointer("/spec/template").cloned(),
            ..self
        }
    }

    /// The values of these variables are secret: they are compared, and never shown.
    #[must_use]
    pub fn hiding(mut self, variables: impl IntoIterator<Item = String>) -> Self {
        self.hidden.extend(variables);
        self
    }

    /// Facts of these names, and all below them (`limit` covers `limit.cpu`), may differ.
    #[must_use]
    pub fn accepting(self, accept: &[String]) -> Self {
        Self {
            accept: accept.to_owned(),
            ..self
        }
    }

    /// The pods have to be of this revision: a template hash or the name of a controller revision.
    #[must_use]
    pub fn revision(self, revision: &str) -> Self {
        Self {
            revision: Some(revision.to_owned()),
            ..self
        }
    }

    /// Name of the container.
    pub fn container(&self) -> &str {
        &self.container
    }

    /// A text of the workload.
    pub(super) fn text(&self, pointer: &str) -> Option<&str> {
        self.workload.pointer(pointer)?.as_str()
    }

    /// The number of pods.
    pub(super) fn replicas(&self) -> Option<u64> {
        self.workload.pointer("/spec/replicas")?.as_u64()
    }

    /// The template of the pods; none where the workload has none.
    pub(super) fn template(&self) -> Option<&Json> {
        self.workload.pointer("/spec/template")
    }

    /// The container as it was asked.
    pub(super) fn container_asked(&self) -> Option<&Json> {
        self.place().get(self.template()?)
    }

    /// The container as it was before.
    pub(super) fn container_before(&self) -> Option<&Json> {
        self.place().get(self.original.as_ref()?)
    }

    fn place(&self) -> Place {
        Place::of(["spec", "containers"]).named(&self.container)
    }

    pub(super) fn touched(&self) -> &BTreeSet<Touched> {
        &self.touched
    }

    pub(super) fn is_touched(&self, touched: &Touched) -> bool {
        self.touched.contains(touched)
    }

    pub(super) fn is_hidden(&self, variable: &str) -> bool {
        self.hidden.contains(variable)
    }

    pub(super) fn accept(&self) -> &[String] {
        &self.accept
    }

    pub(super) fn revision_asked(&self) -> Option<&str> {
        self.revision.as_deref()
    }

    /// What of the pods a place of the workload is about; nothing where it is not about pods.
    fn touched_by(&self, place: &Place) -> Vec<Touched> {
        let words: Vec<String> = place.steps().iter().map(word).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let own = format!("[{}]", self.container);
        match words.as_slice() {
            ["spec", "replicas"] => vec![Touched::Replicas],
            [
                "spec",
                "template",
                "spec",
                "containers",
                container,
                rest @ ..,
            ] if *container == own => self.touched_in_container(place, rest),
            ["spec", "template", _, ..] => vec![Touched::Other(below_template(place))],
            _ => Vec::new(),
        }
    }

    fn touched_in_container(&self, place: &Place, rest: &[&str]) -> Vec<Touched> {
        let asked = self.container_asked();
        let named = |list: &str| {
            let entries = asked.and_then(|asked| asked.get(list)?.as_array());
            let names = entries.into_iter().flatten().filter_map(name_of);
            names.map(str::to_owned).collect::<Vec<_>>()
        };
        match rest {
            ["env"] => named("env").into_iter().map(Touched::Variable).collect(),
            ["env", name, ..] => vec![Touched::Variable(inner(name))],
            ["args"] => vec![Touched::Words("args")],
            ["command"] => vec![Touched::Words("command")],
            ["image"] => vec![Touched::Image],
            ["resources", "limits", name] => vec![amount(Side::Limit, name)],
            ["resources", "requests", name] => vec![amount(Side::Request, name)],
            ["resources", side @ ("limits" | "requests")] => self.amounts_of(side),
            ["resources"] => ["limits", "requests"]
                .into_iter()
                .flat_map(|side| self.amounts_of(side))
                .collect(),
            _ => vec![Touched::Other(below_template(place))],
        }
    }

    /// Every amount of one side that is asked; CPU and memory whether they are or not.
    fn amounts_of(&self, key: &str) -> Vec<Touched> {
        let side = if key == "limits" {
            Side::Limit
        } else {
            Side::Request
        };
        let asked = self.container_asked();
        let amounts = asked.and_then(|asked| asked.get("resources")?.get(key)?.as_object());
        let names = amounts.into_iter().flat_map(|map| map.keys());
        let names = names.map(String::as_str).chain(["cpu", "memory"]);
        names.map(|name| amount(side, name)).collect()
    }
}

fn amount(side: Side, name: &str) -> Touched {
    Touched::Amount(side, name.to_owned())
}

fn word(step: &Step) -> String {
    match step {
        Step::Key(key) => key.clone(),
        Step::Named(name) => format!("[{name}]"),
    }
}

/// `[NAME]` without its brackets.
fn inner(word: &str) -> String {
    let word = word.strip_prefix('[').unwrap_or(word);
    word.strip_suffix(']').unwrap_or(word).to_owned()
}

fn name_of(entry: &Json) -> Option<&str> {
    entry.get("name")?.as_str()
}

/// A place of the workload as a place of its pods.
fn below_template(place: &Place) -> Place {
    let steps = place.steps().iter().skip(2);
    steps.fold(Place::default(), |place, step| match step {
        Step::Key(key) => place.key(key),
        Step::Named(name) => place.named(name),
    })
}

impl fmt::Debug for Asked {
    /// The workload may hold secrets: names only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asked")
            .field("workload", &self.text("/metadata/name"))
            .field("container", &self.container)
            .field("touched", &self.touched)
            .field("accept", &self.accept)
            .finish_non_exhaustive()
    }
}
