//! Recorded scenes, and changes to them.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use em_core::plan::ReadyWhen;
use em_kube::readiness::{Verdict, Wanted, judge};
use em_kube::scene::Scene;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};

/// A recorded scene, as JSON that can be changed before it is read.
#[derive(Debug, Clone)]
pub(crate) struct Recorded {
    pub(crate) json: Json,
    /// Of the annotation; none: any.
    pub(crate) iteration: Option<String>,
    pub(crate) settle: Duration,
    pub(crate) ready: Option<ReadyWhen>,
    pub(crate) asked_at: Timestamp,
    pub(crate) now: Timestamp,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenes")
}

/// Names of all scenes.
pub(crate) fn all() -> Vec<String> {
    let files = std::fs::read_dir(folder()).unwrap();
    let names = files.map(|file| file.unwrap().path());
    let scenes = names.filter(|path| path.extension().is_some_and(|it| it == "json"));
    let mut names: Vec<String> = scenes
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

pub(crate) fn recorded(name: &str) -> Recorded {
    let text = std::fs::read_to_string(folder().join(format!("{name}.json"))).unwrap();
    let json: Json = serde_json::from_str(&text).unwrap();
    let text = |key: &str| json.get(key).and_then(Json::as_str);
    Recorded {
        iteration: text("iteration").map(str::to_owned),
        settle: Duration::ZERO,
        ready: None,
        asked_at: text("asked_at").unwrap().parse().unwrap(),
        now: text("now").unwrap().parse().unwrap(),
        json,
    }
}

impl Recorded {
    /// Something else at a place that is there, or a new key of a map that is there.
    pub(crate) fn with(mut self, pointer: &str, value: Json) -> Self {
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        let parent = self.json.pointer_mut(parent).unwrap();
        match parent {
            Json::Array(list) => *list.get_mut(key.parse::<usize>().unwrap()).unwrap() = value,
            Json::Object(map) => drop(map.insert(key.to_owned(), value)),
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {
                panic!("{pointer} is in no list or map")
            }
        }
        self
    }

    /// One more in a list that is there.
    pub(crate) fn and(mut self, pointer: &str, value: Json) -> Self {
        let list = self.json.pointer_mut(pointer).unwrap();
        list.as_array_mut().unwrap().push(value);
        self
    }

    /// A condition of that type instead of the one that is there.
    pub(crate) fn condition(mut self, list: &str, condition: Json) -> Self {
        let conditions = self.json.pointer_mut(list).unwrap().as_array_mut().unwrap();
        conditions.retain(|one| one.get("type") != condition.get("type"));
        conditions.push(condition);
        self
    }

    /// A warning about the first pod.
    pub(crate) fn warning(self, reason: &str, message: &str) -> Self {
        let uid = self.json.pointer("/pods/0/metadata/uid").unwrap().clone();
        let at = self.now.to_string();
        self.and(
            "/events",
            json!({"reason": reason, "message": message, "type": "Warning", "metadata": {},
                "firstTimestamp": at, "lastTimestamp": at,
                "involvedObject": {"kind": "Pod", "uid": uid}}),
        )
    }

    /// The same, that much later.
    pub(crate) fn later(mut self, time: Duration) -> Self {
        self.now = self.now.checked_add(time).unwrap();
        self
    }

    pub(crate) fn settle(mut self, settle: Duration) -> Self {
        self.settle = settle;
        self
    }

    pub(crate) fn any_iteration(mut self) -> Self {
        self.iteration = None;
        self
    }

    pub(crate) fn scene(&self) -> Scene {
        read(&self.json)
    }

    pub(crate) fn wanted(&self) -> Wanted<'_> {
        Wanted {
            iteration: self.iteration.as_deref(),
            settle: self.settle,
            ready: self.ready.as_ref(),
            asked_at: self.asked_at,
        }
    }

    pub(crate) fn verdict(&self) -> Verdict {
        judge(&self.scene(), &self.wanted(), self.now)
    }
}

fn read(json: &Json) -> Scene {
    let mut scene = Scene::default();
    for part in [
        "workload",
        "replica_sets",
        "pods",
        "events",
        "nodes",
        "autoscalers",
    ] {
        read_part(&mut scene, part, json.get(part).unwrap()).unwrap();
    }
    scene
}

/// Puts one part of a file into a scene; none where its objects cannot be read.
pub(crate) fn read_part(scene: &mut Scene, part: &str, json: &Json) -> Option<()> {
    match part {
        "workload" => scene.workload = Some(json.clone()).filter(|json| !json.is_null()),
        "replica_sets" => scene.replica_sets = list(json)?,
        "pods" => scene.pods = list(json)?,
        "events" => scene.events = list(json)?,
        "nodes" => scene.nodes = list(json)?,
        "autoscalers" => scene.autoscalers = list(json)?,
        other => panic!("a scene has no {other}"),
    }
    Some(())
}

fn list<T: DeserializeOwned>(json: &Json) -> Option<Vec<T>> {
    if json.is_null() {
        return Some(Vec::new());
    }
    serde_json::from_value(json.clone()).ok()
}
