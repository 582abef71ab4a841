//! `target` of kind `process`: a command per iteration.

use std::collections::BTreeMap;
use std::time::Duration;

use super::reader::{Keys, Reader, Unsupported};
use super::scene::{Place, Scene};
use super::target::{environment, slots, time_or};
use crate::plan::{FileTemplate, Hooks, LimitFallback, ProcessSpec, Ready, StopSpec, Workdir};
use crate::port::WINDOW_PLACEHOLDERS;
use crate::template::{Delimiters, Template};

/// Keys of `kind: process`.
pub(super) const KEYS: [&str; 14] = [
    "kind", "command", "env", "files", "workdir", "user", "ready", "setup", "teardown", "stop",
    "cpu", "memory", "limits", "slots",
];

const NOT_YET: Unsupported = &["restore"];

const SIGNALS: [&str; 7] = ["TERM", "INT", "QUIT", "HUP", "USR1", "USR2", "KILL"];

/// Names that placeholders have already: no file can be called so.
const TAKEN: [&str; 9] = [
    "em",
    "port",
    "ports",
    "address",
    "value",
    "trial",
    "iteration",
    "pods",
    "workload",
];

pub(super) fn read<'a>(reader: &Reader<'a>, scene: &Scene<'a>) -> Option<ProcessSpec> {
    let keys = reader.keys(&KEYS, NOT_YET)?;
    let command = keys
        .required("command")
        .and_then(|command| scene.command(&command, Place::Target));
    let env = environment(&keys, scene, Place::Target);
    let files = files(&keys, scene);
    let workdir = workdir(&keys, scene);
    let user = match keys.get("user") {
        Some(reader) => reader.text().map(|text| Some(text.to_owned())),
        None => Some(None),
    };
    let ready = ready(&keys, scene, command.as_deref());
    let (setup, teardown) = (
        hooks(&keys, "setup", scene),
        hooks(&keys, "teardown", scene),
    );
    let stop = stop(&keys);
    let cpu = optional(&keys, "cpu", |reader| reader.number(0.01..=4096.0));
    let memory = optional(&keys, "memory", |reader| {
        let quantity = reader.quantity()?;
        if quantity.to_f64() < 1_048_576.0 {
            reader.refuse_with(
                format!("{quantity} is less than 1Mi, too little for any program"),
                "write it with its suffix, such as 512Mi",
            );
            return None;
        }
        Some(quantity)
    });
    let limits = optional(&keys, "limits", |reader| {
        reader.one_of(&[
            ("require", LimitFallback::Require),
            ("best-effort", LimitFallback::BestEffort),
        ])
    });
    let slots = slots(&keys);
    Some(ProcessSpec {
        command: command?,
        env: env?,
        files: files?,
        workdir: workdir?,
        user: user?,
        ready: ready?,
        setup: setup?,
        teardown: teardown?,
        stop: stop?,
        cpu: cpu?,
        memory: memory?,
        limits: limits?.unwrap_or_default(),
        slots: slots?,
    })
}

/// A key that may be absent: the outer `None` says that it is there and wrong.
#[expect(
    clippy::option_option,
    reason = "absent and wrong are two things, and `?` tells them apart"
)]
pub(super) fn optional<'a, T>(
    keys: &Keys<'a>,
    key: &str,
    read: impl FnOnce(&Reader<'a>) -> Option<T>,
) -> Option<Option<T>> {
    match keys.get(key) {
        Some(reader) => read(&reader).map(Some),
        None => Some(None),
    }
}

fn files<'a>(keys: &Keys<'a>, scene: &Scene<'a>) -> Option<BTreeMap<String, FileTemplate>> {
    let Some(reader) = keys.get("files") else {
        return Some(BTreeMap::new());
    };
    let mut files = BTreeMap::new();
    for (name, reader) in reader.any_map()? {
        let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
        let is_taken = TAKEN.contains(&name) || WINDOW_PLACEHOLDERS.contains(&name);
        if !is_name || is_taken {
            reader.refuse_with(
                format!("{name:?} cannot name a file"),
                "it becomes the placeholder of its path: a letter, then letters, digits, '_', '-' or '.', and no name that placeholders have already",
            );
            continue;
        }
        if let Some(file) = file(&reader, scene) {
            files.insert(name.to_owned(), file);
        }
    }
    Some(files)
}

fn file<'a>(reader: &Reader<'a>, scene: &Scene<'a>) -> Option<FileTemplate> {
    if reader.map_if_any().is_none() {
        return file_of(reader, scene, &Delimiters::default());
    }
    let keys = reader.keys(&["path", "delimiters"], &[])?;
    let delimiters = match keys.get("delimiters") {
        None => Delimiters::default(),
        Some(reader) => {
            let [open, close] = reader.pair()?;
            Delimiters::new(open.text()?, close.text()?)
                .map_err(|error| reader.refuse(error))
                .ok()?
        }
    };
    file_of(&keys.required("path")?, scene, &delimiters)
}

fn file_of<'a>(
    reader: &Reader<'a>,
    scene: &Scene<'a>,
    delimiters: &Delimiters,
) -> Option<FileTemplate> {
    let path = reader.text()?;
    let text = scene.file(reader, path, delimiters)?;
    Some(FileTemplate {
        path: scene.path(path),
        text,
    })
}

fn workdir<'a>(keys: &Keys<'a>, scene: &Scene<'a>) -> Option<Workdir> {
    let Some(reader) = keys.get("workdir") else {
        return Some(Workdir::Fresh);
    };
    if let Some(text) = reader.text_if_any() {
        return Some(Workdir::At(scene.path(text)));
    }
    let keys = reader.keys(&["copy_of", "at"], &[])?;
    match (keys.get("copy_of"), keys.get("at")) {
        (Some(copy), None) => copy.text().map(|path| Workdir::CopyOf(scene.path(path))),
        (None, Some(at)) => at.text().map(|path| Workdir::At(scene.path(path))),
        _ => {
            reader.refuse("exactly one of copy_of and at is wanted");
            None
        }
    }
}

/// Without a word about it: ready when the address accepts connections, where the command has a port; else when it runs.
fn ready<'a>(keys: &Keys<'a>, scene: &Scene<'a>, command: Option<&[Template]>) -> Option<Ready> {
    let Some(reader) = keys.get("ready") else {
        let names = command.unwrap_or_default().iter().flat_map(Template::names);
        let has_port = names
            .into_iter()
            .any(|name| matches!(name, "port" | "address"));
        return Some(if has_port {
            Ready::Tcp(None)
        } else {
            Ready::Started
        });
    };
    match reader.text_if_any() {
        Some("started") => return Some(Ready::Started),
        Some("tcp") => return Some(Ready::Tcp(None)),
        Some(_) => {
            reader.refuse_with(
                "this is no way to be ready",
                "write {http: PATH}, {tcp: HOST:PORT}, {command: [..]}, {log: TEXT}, tcp or started",
            );
            return None;
        }
        None => {}
    }
    let keys = reader.keys(&["http", "tcp", "command", "log"], &["condition"])?;
    let given: Vec<&str> = ["http", "tcp", "command", "log"]
        .into_iter()
        .filter(|key| keys.has(key))
        .collect();
    let [way] = given.as_slice() else {
        reader.refuse("exactly one of http, tcp, command and log is wanted");
        return None;
    };
    let value = keys.get(way)?;
    match *way {
        "http" => {
            let template = scene.template(&value, Place::Target)?;
            if !template.text().starts_with('/') && !template.text().starts_with("http://") {
                let what = format!("{:?} is no path", template.text());
                value.refuse_with(what, "write \"/\", \"/health\" or a whole http:// URL");
                return None;
            }
            Some(Ready::Http(template))
        }
        "tcp" => scene
            .template(&value, Place::Target)
            .map(|template| Ready::Tcp(Some(template))),
        "command" => scene.command(&value, Place::Target).map(Ready::Command),
        _ => match value.text()? {
            "" => {
                value.refuse("an empty text is in every line of output");
                None
            }
            text => Some(Ready::Log(text.to_owned())),
        },
    }
}

fn hooks<'a>(keys: &Keys<'a>, key: &str, scene: &Scene<'a>) -> Option<Hooks> {
    let Some(reader) = keys.get(key) else {
        return Some(Hooks::default());
    };
    let keys = reader.keys(&["once", "each"], &[])?;
    let commands = |key: &str| match keys.get(key) {
        Some(reader) => commands(&reader, scene),
        None => Some(Vec::new()),
    };
    let (once, each) = (commands("once"), commands("each"));
    Some(Hooks {
        once: once?,
        each: each?,
    })
}

fn commands<'a>(reader: &Reader<'a>, scene: &Scene<'a>) -> Option<Vec<Vec<Template>>> {
    let entries = reader.list()?;
    if entries
        .first()
        .is_some_and(|first| first.text_if_any().is_some())
    {
        reader.refuse_with(
            "this is a list of commands, and each is a list of words",
            "write [[program, argument]]",
        );
        return None;
    }
    let read: Vec<Option<Vec<Template>>> = entries
        .iter()
        .map(|entry| scene.command(entry, Place::Target))
        .collect();
    read.into_iter().collect()
}

fn stop(keys: &Keys<'_>) -> Option<StopSpec> {
    let default = StopSpec::default();
    let Some(reader) = keys.get("stop") else {
        return Some(default);
    };
    let keys = reader.keys(&["signal", "grace"], &[])?;
    let signal = match keys.get("signal") {
        Some(reader) => {
            let text = reader.text()?;
            let name = text.strip_prefix("SIG").unwrap_or(text);
            let known = SIGNALS.map(|signal| (signal, signal));
            if SIGNALS.contains(&name) {
                Some(name.to_owned())
            } else {
                reader.one_of(&known).map(str::to_owned)
            }
        }
        None => Some(default.signal),
    };
    let grace = time_or(&keys, "grace", Duration::from_secs(10));
    Some(StopSpec {
        signal: signal?,
        grace: grace?,
    })
}
