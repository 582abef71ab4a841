//! Variables: what was asked, as Kubernetes resolves it, against what a process has.

use std::collections::BTreeMap;

use em_core::port::Fact;
use serde_json::Value as Json;

use super::agree::{self, Shown};
use super::asked::{Asked, Touched};
use super::seen::{EnvironmentSource, PodSeen, ProcessSeen};

/// A text with `$(NAME)` filled in as Kubernetes does: a name that is not known stays as it is, and `$$` is `$`.
pub(super) fn expand(text: &str, lookup: &dyn Fn(&str) -> Option<String>) -> String {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        expanded.push_str(before);
        let reference = after.strip_prefix('(').and_then(|it| it.split_once(')'));
        if let Some(after) = after.strip_prefix('$') {
            expanded.push('$');
            rest = after;
        } else if let Some((name, after)) = reference {
            match lookup(name) {
                Some(value) => expanded.push_str(&value),
                None => expanded.extend(["$(", name, ")"]),
            }
            rest = after;
        } else {
            expanded.push('$');
            rest = after;
        }
    }
    expanded.push_str(rest);
    expanded
}

/// The variables of a container as its template declares them.
#[derive(Debug)]
pub(super) struct Declared<'a> {
    entries: Vec<(&'a str, &'a Json)>,
}

/// A text of the template with its references filled in.
#[derive(Debug)]
pub(super) struct Filled {
    /// For people: only what the template itself says in plain text is filled in.
    pub(super) shown: String,
    /// What a process may have for it.
    texts: Vec<String>,
    /// Whether it refers to something that the template does not say in plain text, and that may be secret.
    pub(super) is_secret: bool,
}

impl Filled {
    /// Whether this text is what was asked.
    pub(super) fn is(&self, text: &str) -> bool {
        self.texts.iter().any(|known| known == text)
    }
}

impl<'a> Declared<'a> {
    pub(super) fn of(container: &'a Json) -> Self {
        let entries = container.get("env").and_then(Json::as_array);
        let entries = entries.into_iter().flatten();
        let named = entries.filter_map(|entry| Some((entry.get("name")?.as_str()?, entry)));
        Self {
            entries: named.collect(),
        }
    }

    /// The text that is declared. None: it is not declared, or its value comes from elsewhere.
    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        let (_, entry) = self
            .entries
            .iter()
            .rev()
            .find(|(known, _)| *known == name)?;
        plain(entry)
    }

    /// Names of all variables whose values come from elsewhere: Secrets, `ConfigMap`s, fields.
    pub(super) fn kept_elsewhere(&self) -> Vec<&'a str> {
        let elsewhere = self
            .entries
            .iter()
            .filter(|(_, entry)| plain(entry).is_none());
        elsewhere.map(|(name, _)| *name).collect()
    }

    /// The value of a variable, which may refer to those before it.
    pub(super) fn variable(&self, name: &str, process: &ProcessSeen) -> Option<Filled> {
        let text = self.text(name)?;
        let index = self.entries.iter().rposition(|(known, _)| *known == name)?;
        let before = self.entries.get(..index).unwrap_or_default();
        Some(fill(text, before, process))
    }

    /// An argument, which may refer to all variables.
    pub(super) fn argument(&self, text: &str, process: &ProcessSeen) -> Filled {
        fill(text, &self.entries, process)
    }
}

/// What an entry says in plain text; one without a value is empty.
fn plain(entry: &Json) -> Option<&str> {
    let is_elsewhere = entry.get("valueFrom").is_some_and(|from| !from.is_null());
    let value = entry.get("value").and_then(Json::as_str);
    (!is_elsewhere).then(|| value.unwrap_or_default())
}

fn fill(text: &str, entries: &[(&str, &Json)], process: &ProcessSeen) -> Filled {
    let is_secret = std::cell::Cell::new(false);
    let mut known: BTreeMap<&str, Option<String>> = BTreeMap::new();
    for (name, entry) in entries {
        let value =
            plain(entry).map(|value| expand(value, &|other| known.get(other).cloned().flatten()));
        known.insert(name, value);
    }
    let from_template = |name: &str| known.get(name).cloned().flatten();
    // An earlier variable may itself refer to what only the process knows, so the process's word counts first.
    let from_process = |name: &str| process.variable(name).map(str::to_owned);
    let declared_only = |name: &str| {
        let is_declared = known.contains_key(name);
        let found = from_process(name).filter(|_| is_declared);
        found.or_else(|| from_template(name))
    };
    let shown = expand(text, &|name| {
        let found = from_template(name);
        is_secret.set(is_secret.get() || found.is_none());
        found
    });
    // Names of Services are known to Kubernetes and not to the template; those of the image are known to neither.
    let with_services = expand(text, &|name| {
        from_process(name).or_else(|| from_template(name))
    });
    let texts = vec![shown.clone(), expand(text, &declared_only), with_services];
    Filled {
        shown,
        texts,
        is_secret: is_secret.get(),
    }
}

/// Text of a fact whose value is not shown.
const SAME: &str = "as asked";
const DIFFERS: &str = "differs";

/// One fact for each variable that the plan sets, and whose environment was read.
pub(super) fn facts(asked: &Asked, pods: &[PodSeen]) -> Vec<Fact> {
    let mut facts = Vec::new();
    if let Some(container) = asked.container_asked() {
        let declared = Declared::of(container);
        let touched = asked.touched().iter();
        let variables = touched.filter_map(|touched| match touched {
            Touched::Variable(name) => Some(name.as_str()),
            Touched::Words(_)
            | Touched::Amount(..)
            | Touched::Image
            | Touched::Replicas
            | Touched::Other(_) => None,
        });
        facts.extend(variables.filter_map(|name| fact(asked, &declared, name, pods)));
        let elsewhere = declared.kept_elsewhere();
        if !elsewhere.is_empty() {
            facts.push(Fact {
                name: "env.from".to_owned(),
                asked: None,
                seen: Some(elsewhere.join(" ")),
            });
        }
    }
    facts.extend(agree::noted(
        "env.source",
        pods.iter().map(|pod| (pod.name(), Some(source(pod)))),
    ));
    facts
}

fn fact(asked: &Asked, declared: &Declared<'_>, name: &str, pods: &[PodSeen]) -> Option<Fact> {
    let without_process = declared.variable(name, &ProcessSeen::default())?;
    let is_hidden = asked.is_hidden(name);
    let shown = pods.iter().map(|pod| {
        let shown = compare(asked, declared, name, pod);
        let hides = is_hidden || without_process.is_secret;
        (pod.name(), if hides { hide(shown) } else { shown })
    });
    let shown: Vec<_> = shown.collect();
    let wanted = if is_hidden {
        SAME
    } else {
        &without_process.shown
    };
    Some(agree::asked(&format!("env.{name}"), wanted, &shown))
}

fn compare(asked: &Asked, declared: &Declared<'_>, name: &str, pod: &PodSeen) -> Shown {
    let (seen, is_same) = if pod.process.environment.is_some() {
        let wanted = declared.variable(name, &pod.process);
        let seen = pod.process.variable(name);
        let is_same = seen.is_some_and(|seen| wanted.is_some_and(|wanted| wanted.is(seen)));
        (seen, is_same)
    } else {
        let container = pod.container(asked.container());
        let seen = container.and_then(|container| Declared::of(container).text(name));
        (seen, seen.is_some() && seen == declared.text(name))
    };
    match seen {
        Some(_) if is_same => Shown::AsAsked,
        Some(seen) => Shown::Other(seen.to_owned()),
        None => Shown::Absent,
    }
}

/// The same without its text.
pub(super) fn hide(shown: Shown) -> Shown {
    match shown {
        Shown::Other(_) => Shown::Other(DIFFERS.to_owned()),
        Shown::AsAsked | Shown::Absent => shown,
    }
}

/// Where the environment is from, and why from there.
fn source(pod: &PodSeen) -> String {
    match (&pod.process.environment, &pod.process.why_not) {
        (Some((EnvironmentSource::Process, _)), _) => "process".to_owned(),
        (Some((EnvironmentSource::Container, _)), _) => "container".to_owned(),
        (None, Some(why)) => format!("declared: {why}"),
        (None, None) => "declared".to_owned(),
    }
}
