//! The pods of one run as they are seen, and what each has printed.

use std::collections::BTreeMap;
use std::time::Duration;

use em_core::observe::Window;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, DynamicObject};
use kube::runtime::watcher::Event;
use serde_json::Value as Json;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::log::{Log, follow};
use super::pod::{self, Stage, Verdict};

/// Two clocks that differ by more than this are not one.
const SKEW: SignedDuration = SignedDuration::from_secs(4);

/// The pods of one run.
#[derive(Debug)]
pub(super) struct Sight {
    api: Api<Pod>,
    /// UID of the Job: pods of an earlier one of its name may still be there.
    job: String,
    workers: u32,
    success: Vec<i32>,
    pods: BTreeMap<String, Json>,
    /// Those of a list that is still coming in.
    coming: BTreeMap<String, Json>,
    /// Whether all have been listed once.
    pub(super) is_listed: bool,
    removed: Option<String>,
    logs: BTreeMap<String, (Log, CancellationToken)>,
    followers: JoinSet<()>,
}

impl Sight {
    pub(super) fn new(api: Api<Pod>, job: String, workers: u32, success: &[i32]) -> Self {
        Self {
            api,
            job,
            workers,
            success: success.to_vec(),
            pods: BTreeMap::new(),
            coming: BTreeMap::new(),
            is_listed: false,
            removed: None,
            logs: BTreeMap::new(),
            followers: JoinSet::new(),
        }
    }

    /// Takes in what a watch says.
    pub(super) fn take(&mut self, event: Event<DynamicObject>) {
        let job = self.job.clone();
        let is_ours = |object: &DynamicObject| {
            let mut owners = object.metadata.owner_references.iter().flatten();
            owners.any(|owner| owner.uid == job)
        };
        match event {
            Event::InitApply(object) | Event::Apply(object) | Event::Delete(object)
                if !is_ours(&object) => {}
            Event::Init => self.coming.clear(),
            Event::InitApply(object) => {
                let pod = to_json(object);
                self.coming.insert(pod::name(&pod).to_owned(), pod);
            }
            Event::InitDone => {
                let coming = std::mem::take(&mut self.coming);
                let gone: Vec<String> = self
                    .pods
                    .keys()
                    .filter(|name| !coming.contains_key(*name))
                    .cloned()
                    .collect();
                for name in gone {
                    self.lose(&name);
                }
                self.pods.extend(coming);
                self.is_listed = true;
            }
            Event::Apply(object) => {
                let pod = to_json(object);
                self.pods.insert(pod::name(&pod).to_owned(), pod);
            }
            Event::Delete(object) => {
                let pod = to_json(object);
                let name = pod::name(&pod).to_owned();
                // Its last state comes with the word that it is gone.
                self.pods.insert(name.clone(), pod);
                self.lose(&name);
            }
        }
        self.listen();
    }

    /// A pod that has ended as it should may go; another one is missed.
    fn lose(&mut self, name: &str) {
        let last = self
            .pods
            .get(name)
            .map(|pod| pod::stage(pod, &self.success));
        if matches!(last, Some(Stage::Ended { .. })) {
            return;
        }
        self.pods.remove(name);
        self.removed.get_or_insert_with(|| name.to_owned());
        if let Some((_, ended)) = self.logs.get(name) {
            ended.cancel();
        }
    }

    /// Follows what every pod prints that prints.
    fn listen(&mut self) {
        for (name, pod) in &self.pods {
            let stage = pod::stage(pod, &self.success);
            let is_failed = matches!(stage, Stage::Failed(_));
            if !self.logs.contains_key(name) && (stage.has_output() || is_failed) {
                let (log, ended) = (Log::default(), CancellationToken::new());
                let follower = follow(self.api.clone(), name.clone(), log.clone(), ended.clone());
                self.followers.spawn(follower);
                self.logs.insert(name.clone(), (log, ended));
            }
            let is_over = is_failed || matches!(stage, Stage::Ended { .. });
            if let Some((_, ended)) = self.logs.get(name)
                && is_over
            {
                ended.cancel();
            }
        }
    }

    /// What the run is.
    pub(super) fn verdict(&self) -> Verdict {
        let pods: Vec<Json> = self.pods.values().cloned().collect();
        let verdict = pod::judge(&pods, self.workers, &self.success);
        match (&self.removed, verdict) {
            (_, failed @ Verdict::Failed { .. }) => failed,
            (Some(pod), _) => Verdict::Failed {
                pod: pod.clone(),
                why: "was removed while it was needed, and not by the manager".to_owned(),
            },
            (None, verdict) => verdict,
        }
    }

    /// How many pods there are.
    pub(super) fn count(&self) -> usize {
        self.pods.len()
    }

    /// From when to when all ran, by the clocks of their nodes, to the second.
    pub(super) fn window(&self) -> (Option<Timestamp>, Option<Timestamp>) {
        let stages = self.pods.values().map(|pod| pod::stage(pod, &self.success));
        let (mut from, mut to) = (None, None);
        for stage in stages {
            let (since, at) = match stage {
                Stage::Running { since } => (since, None),
                Stage::Ended { since, at } => (since, at),
                Stage::Waiting(_) | Stage::Failed(_) => (None, None),
            };
            from = from.max(since);
            to = match (to, at) {
                (Some(to), Some(at)) => Some(std::cmp::min::<Timestamp>(to, at)),
                (to, at) => to.or(at),
            };
        }
        (from, to)
    }

    /// What is wrong with the clocks of the nodes, given when the run was seen to end.
    pub(super) fn skew(&self, window: &Window) -> Option<String> {
        let (_, ended) = self.window();
        let apart = ended?.duration_since(window.end);
        (apart.abs() > SKEW).then(|| {
            format!(
                "the clock of a node and the manager's are about {} s apart: when lines were printed is not known",
                apart.abs().as_secs()
            )
        })
    }

    /// Waits until everything is read that there is, but not longer than this; whether it is.
    pub(super) async fn heard(&mut self, limit: Duration) -> bool {
        let all = async { while self.followers.join_next().await.is_some() {} };
        tokio::time::timeout(limit, all).await.is_ok()
    }

    /// What the workers printed, and what keeps it from being whole.
    pub(super) fn outputs(&self) -> (Vec<Vec<(Timestamp, String)>>, Vec<String>) {
        let logs = self.logs.values().map(|(log, _)| log);
        let problems = logs.clone().filter_map(Log::problem).collect();
        (logs.map(Log::pieces).collect(), problems)
    }

    /// A failed pod for a message: its node, what became of it, and the last that it printed.
    pub(super) fn obituary(&self, pod: &str, why: &str) -> String {
        let node = self
            .pods
            .get(pod)
            .and_then(|pod| pod.pointer("/spec/nodeName"));
        let node = node.and_then(Json::as_str);
        let node = node.map_or_else(String::new, |node| format!(" on node {node}"));
        let mut text = format!("load pod {pod}{node} {why}");
        let lines = self.logs.get(pod).map(|(log, _)| log.last_lines(5));
        if let Some(lines) = lines.filter(|lines| !lines.is_empty()) {
            text = format!("{text}; its last lines: {lines:?}");
        }
        text
    }
}

fn to_json(object: DynamicObject) -> Json {
    serde_json::to_value(object).unwrap_or(Json::Null)
}
