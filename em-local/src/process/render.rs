//! From a plan and the values of one iteration to what is started: pure, so that a check can show
//! every command and file without starting anything.

use std::collections::BTreeMap;
use std::path::PathBuf;

use em_core::plan::{Apply, Plan, ProcessSpec, Ready, Text};
use em_core::template::{Escape, Template};
use em_core::value::Value;

use super::apply::{Applied, ApplyError, bytes};
use crate::cgroup::Limits;
use crate::fill::{self, FillError, Places, Values, fill, lookup};

/// Everything of one iteration, ready to be written and started.
#[derive(Debug, Clone, PartialEq)]
pub struct Rendered {
    /// Program and arguments.
    pub command: Vec<String>,
    /// Environment on top of the manager's own.
    pub env: BTreeMap<String, String>,
    /// Names of variables with secret values.
    pub secret: Vec<String>,
    /// Files and their text.
    pub files: Vec<(PathBuf, String)>,
    /// Limits, CPUs aside.
    pub limits: Limits,
    /// When it is ready.
    pub ready: RenderedReady,
    /// Commands before.
    pub setup: Vec<Vec<String>>,
    /// Commands after.
    pub teardown: Vec<Vec<String>>,
}

/// How readiness is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RenderedReady {
    /// GET of a path at an authority.
    Http {
        /// `HOST:PORT`.
        authority: String,
        /// Path with query.
        path: String,
    },
    /// A connection to this `HOST:PORT`.
    Tcp(String),
    /// A command that ends with 0.
    Command(Vec<String>),
    /// A text in a line of its output.
    Log(String),
    /// It runs.
    Started,
}

/// The names of ports that a target's own templates use; the empty name is `{{port}}`.
pub fn ports_of(plan: &Plan, spec: &ProcessSpec) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in templates(plan, spec).into_iter().flat_map(Template::names) {
        let port = match name {
            "port" | "address" => Some(""),
            name => name.strip_prefix("ports."),
        };
        if let Some(port) = port
            && !names.iter().any(|known| known == port)
        {
            names.push(port.to_owned());
        }
    }
    names.sort();
    names
}

fn templates<'p>(plan: &'p Plan, spec: &'p ProcessSpec) -> Vec<&'p Template> {
    let ready: &[Template] = match &spec.ready {
        Ready::Command(command) => command,
        Ready::Http(template) | Ready::Tcp(Some(template)) => std::slice::from_ref(template),
        Ready::Tcp(None) | Ready::Log(_) | Ready::Started => &[],
    };
    let texts = spec.env.values().filter_map(|text| match text {
        Text::Template(template) => Some(template),
        Text::Secret(_) => None,
    });
    let mut applied = Vec::new();
    for apply in plan.tunables.iter().flat_map(|tunable| &tunable.apply) {
        if let Apply::Env {
            piece: Some(text), ..
        }
        | Apply::Arg { text, .. } = apply
        {
            applied.push(text);
        }
    }
    let hooks = spec.setup.each.iter().chain(&spec.teardown.each).flatten();
    let files = spec.files.values().map(|file| &file.text);
    let all = spec.command.iter().chain(ready).chain(texts).chain(applied);
    all.chain(hooks).chain(files).collect()
}

/// Fills in everything that one iteration needs.
pub fn render(
    plan: &Plan,
    spec: &ProcessSpec,
    values: &Values,
    places: &Places,
) -> Result<Rendered, ApplyError> {
    let lookup = |name: &str| lookup(places, values, name);
    let (env, secret) = fill::environment("target.env", &spec.env, &lookup)?;
    let limits = Limits {
        cpu: spec.cpu,
        memory_bytes: spec
            .memory
            .and_then(|memory| bytes(&Value::Quantity(memory))),
        cpus: Vec::new(),
    };
    let command = fill::command("target.command", &spec.command, &places.base, &lookup)?;
    let applied = Applied {
        command,
        env,
        limits,
    }
    .with(&plan.tunables, values, &lookup)?;
    Ok(Rendered {
        ready: ready(&spec.ready, places, &lookup)?,
        files: files(spec, places, &lookup)?,
        setup: commands("target.setup.each", &spec.setup.each, places, &lookup)?,
        teardown: commands("target.teardown.each", &spec.teardown.each, places, &lookup)?,
        command: applied.command,
        env: applied.env,
        limits: applied.limits,
        secret,
    })
}

/// Fills in commands that belong to no iteration.
pub fn render_once(
    place: &str,
    hooks: &[Vec<Template>],
    places: &Places,
) -> Result<Vec<Vec<String>>, FillError> {
    let none = Values::new();
    commands(place, hooks, places, &|name: &str| {
        lookup(places, &none, name)
    })
}

fn commands(
    place: &str,
    hooks: &[Vec<Template>],
    places: &Places,
    lookup: &dyn Fn(&str) -> Option<Value>,
) -> Result<Vec<Vec<String>>, FillError> {
    let indexed = hooks.iter().enumerate();
    indexed
        .map(|(index, hook)| {
            fill::command(&format!("{place}[{index}]"), hook, &places.base, lookup)
        })
        .collect()
}

fn files(
    spec: &ProcessSpec,
    places: &Places,
    lookup: &dyn Fn(&str) -> Option<Value>,
) -> Result<Vec<(PathBuf, String)>, FillError> {
    let mut files = Vec::new();
    for (name, file) in &spec.files {
        let Some(path) = places.files.get(name) else {
            continue;
        };
        let escape = match path.extension() {
            Some(extension) if extension == "json" => Escape::Json,
            _ => Escape::None,
        };
        let text = fill(&format!("target.files.{name}"), &file.text, lookup, escape)?;
        files.push((path.clone(), text));
    }
    Ok(files)
}

fn ready(
    ready: &Ready,
    places: &Places,
    lookup: &dyn Fn(&str) -> Option<Value>,
) -> Result<RenderedReady, FillError> {
    let own = || {
        format!(
            "127.0.0.1:{}",
            places.ports.get("").copied().unwrap_or_default()
        )
    };
    let filled = |template: &Template| fill("target.ready", template, lookup, Escape::None);
    Ok(match ready {
        Ready::Http(template) => http(&filled(template)?, own),
        Ready::Tcp(None) => RenderedReady::Tcp(own()),
        Ready::Tcp(Some(template)) => RenderedReady::Tcp(filled(template)?),
        Ready::Command(command) => {
            let words = fill::command("target.ready.command", command, &places.base, lookup)?;
            RenderedReady::Command(words)
        }
        Ready::Log(text) => RenderedReady::Log(text.clone()),
        Ready::Started => RenderedReady::Started,
    })
}

/// A path at our own address, or a whole URL.
fn http(text: &str, own: impl Fn() -> String) -> RenderedReady {
    let Some(rest) = text.strip_prefix("http://") else {
        return RenderedReady::Http {
            authority: own(),
            path: text.to_owned(),
        };
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let path = if path.is_empty() { "/" } else { path };
    RenderedReady::Http {
        authority: authority.to_owned(),
        path: path.to_owned(),
    }
}
