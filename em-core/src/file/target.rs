//! `target`: what is under test.

use std::collections::BTreeMap;
use std::time::Duration;

use super::kubernetes;
use super::process;
use super::reader::{Keys, Reader};
use super::scene::{Place, Scene};
use super::simulated;
use crate::plan::{CommandSpec, CustomSpec, TargetSpec, Text};

/// The kinds of targets.
pub(super) const KINDS: [&str; 6] = [
    "process",
    "kubernetes",
    "command",
    "observe",
    "simulated",
    "custom",
];

/// Keys of `kind: command`.
pub(super) const COMMAND_KEYS: [&str; 9] = [
    "kind", "snapshot", "apply", "ready", "facts", "restore", "env", "lock", "address",
];

/// Keys of `kind: custom`.
pub(super) const CUSTOM_KEYS: [&str; 3] = ["kind", "name", "slots"];

/// Reads the target.
pub(super) fn read<'a>(reader: &Reader<'a>, scene: &Scene<'a>) -> Option<TargetSpec> {
    let kind = kind(reader)?;
    match kind {
        "process" => {
            process::read(reader, scene).map(|process| TargetSpec::Process(Box::new(process)))
        }
        "kubernetes" => kubernetes::read(reader, scene)
            .map(|kubernetes| TargetSpec::Kubernetes(Box::new(kubernetes))),
        "command" => {
            let keys = reader.keys(&COMMAND_KEYS, &[])?;
            command(&keys, scene).map(TargetSpec::Command)
        }
        "observe" => {
            reader.keys(&["kind"], &[])?;
            Some(TargetSpec::Observe)
        }
        "simulated" => simulated::read(reader).map(TargetSpec::Simulated),
        _ => {
            let keys = reader.keys(&CUSTOM_KEYS, &[])?;
            let slots = slots(&keys);
            let name = keys.required("name")?.text()?.to_owned();
            Some(TargetSpec::Custom(CustomSpec {
                name,
                slots: slots?,
            }))
        }
    }
}

fn kind<'a>(reader: &Reader<'a>) -> Option<&'a str> {
    if reader.map_if_any().is_none() {
        reader.wanted("a map");
        return None;
    }
    let found = reader.peek("kind");
    let Some(kind) = found else {
        let remedy = format!("one of {}", KINDS.join(", "));
        reader.refuse_with("the key \"kind\" is missing", remedy);
        return None;
    };
    kind.one_of(&KINDS.map(|kind| (kind, kind)))
}

/// What says that nothing is deployed.
pub(super) fn observing(target: &TargetSpec) -> &'static str {
    if matches!(target, TargetSpec::Kubernetes(_)) {
        "policy observe"
    } else {
        "kind observe"
    }
}

/// How many iterations run side by side.
pub(super) fn slots(keys: &Keys<'_>) -> Option<u32> {
    keys.get("slots")
        .map_or(Some(1), |slots| slots.count(1..=1024))
}

/// A map of environment variables.
pub(super) fn environment<'a>(
    keys: &Keys<'a>,
    scene: &Scene<'a>,
    place: Place,
) -> Option<BTreeMap<String, Text>> {
    let Some(entries) = keys.get("env") else {
        return Some(BTreeMap::new());
    };
    let mut texts = BTreeMap::new();
    for (name, reader) in entries.any_map()? {
        if !is_variable(name) {
            reader.refuse(format!("{name:?} is no name of an environment variable"));
        }
        if let Some(text) = scene.secret_or_text(&reader, name, place) {
            texts.insert(name.to_owned(), text);
        }
    }
    Some(texts)
}

pub(super) fn is_variable(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_graphic() && c != '=')
}

fn command<'a>(keys: &Keys<'a>, scene: &Scene<'a>) -> Option<CommandSpec> {
    let argv = |key: &str| {
        keys.required(key)
            .and_then(|r| scene.command(&r, Place::Target))
    };
    let optional = |key: &str| match keys.get(key) {
        Some(reader) => scene.command(&reader, Place::Target),
        None => Some(Vec::new()),
    };
    let text = |key: &str| match keys.get(key) {
        Some(reader) => reader.text().map(|text| Some(text.to_owned())),
        None => Some(None),
    };
    let (snapshot, apply, restore) = (argv("snapshot"), argv("apply"), argv("restore"));
    let (ready, facts) = (optional("ready"), optional("facts"));
    let env = environment(keys, scene, Place::Target);
    let (lock, address) = (text("lock"), text("address"));
    if let (Some(reader), Some(Some(address))) = (keys.get("address"), &address) {
        check_address(&reader, address);
    }
    Some(CommandSpec {
        snapshot: snapshot?,
        apply: apply?,
        ready: ready?,
        facts: facts?,
        restore: restore?,
        env: env?,
        lock: lock?,
        address: address?,
    })
}

fn check_address(reader: &Reader<'_>, address: &str) {
    let port = address
        .rsplit_once(':')
        .map(|(_, port)| port.parse::<u16>());
    if !matches!(port, Some(Ok(1..))) {
        reader.refuse_with(
            format!("{address:?} is not an address"),
            "write HOST:PORT, such as \"127.0.0.1:5432\"",
        );
    }
}

/// A duration with a default.
pub(super) fn time_or(keys: &Keys<'_>, key: &str, default: Duration) -> Option<Duration> {
    keys.get(key)
        .map_or(Some(default), |reader| reader.some_time())
}
