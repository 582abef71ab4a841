//! What the cluster shows of a deployment, kept up to date by watches: one per kind, no polling.
//!
//! A watch that breaks off lists anew and goes on. What may not be read (nodes, autoscalers) is empty: verdicts then
//! know less, and the survey has said so.

use std::sync::Arc;
use std::time::Duration;

use em_core::fault::FaultKind;
use futures::StreamExt as _;
use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::{Event, Node, Pod};
use kube::api::{Api, DynamicObject};
use kube::runtime::reflector::{self, Lookup, Store};
use kube::runtime::{WatchStreamExt as _, watcher};
use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::cluster::{Cluster, Object};
use crate::fault::KubeError;
use crate::mark;
use crate::scene::Scene;

/// How long the first list may take.
const FIRST_LIST: Duration = Duration::from_secs(10);

/// Watches of everything that a verdict needs.
#[derive(Debug)]
pub struct Watches {
    workloads: Kept<DynamicObject>,
    replica_sets: Kept<ReplicaSet>,
    pods: Kept<Pod>,
    events: Kept<Event>,
    nodes: Kept<Node>,
    autoscalers: Kept<DynamicObject>,
    version: watch::Receiver<u64>,
}

/// Counts what changed.
type Counter = Arc<watch::Sender<u64>>;

/// Which objects are of interest.
#[derive(Debug, Clone)]
pub enum Interest {
    /// The live object of this name, and what its selector matches.
    Live {
        /// Its name.
        name: String,
        /// Its selector, as a label selector; empty: it has no pods.
        selector: String,
    },
    /// Copies with these labels.
    Copies {
        /// The selector.
        selector: String,
    },
}

impl Watches {
    /// Begins to watch; returns when everything that may be read is there.
    pub async fn begin(
        cluster: &Cluster,
        workloads: &Object,
        interest: &Interest,
    ) -> Result<Self, KubeError> {
        let (counter, version) = watch::channel(0);
        let changed = Arc::new(counter);
        let (own, below) = match interest {
            Interest::Live { name, selector } => {
                let by_name = watcher::Config::default().fields(&format!("metadata.name={name}"));
                (by_name, selector)
            }
            Interest::Copies { selector } => {
                (watcher::Config::default().labels(selector), selector)
            }
        };
        let below = watcher::Config::default().labels(below);
        let namespaced = |client| Api::namespaced(client, cluster.namespace());
        let autoscalers = cluster.objects("horizontalpodautoscaler");
        let watches = Self {
            workloads: Kept::of(workloads.api().clone(), workloads.resource(), own, &changed),
            replica_sets: Kept::of(namespaced(cluster.client()), (), below.clone(), &changed),
            pods: Kept::of(
                Api::namespaced(cluster.client(), cluster.namespace()),
                (),
                below,
                &changed,
            ),
            events: Kept::of(
                Api::namespaced(cluster.client(), cluster.namespace()),
                (),
                watcher::Config::default(),
                &changed,
            ),
            nodes: Kept::of(
                Api::all(cluster.client()),
                (),
                watcher::Config::default(),
                &changed,
            ),
            autoscalers: Kept::of(
                autoscalers.api().clone(),
                autoscalers.resource(),
                watcher::Config::default(),
                &changed,
            ),
            version,
        };
        watches.first_lists().await?;
        Ok(watches)
    }

    async fn first_lists(&self) -> Result<(), KubeError> {
        let needed = async {
            tokio::join!(
                self.workloads.is_there(),
                self.replica_sets.is_there(),
                self.pods.is_there(),
                self.events.is_there(),
                self.nodes.is_there(),
                self.autoscalers.is_there(),
            )
        };
        let (workloads, replica_sets, pods, ..) = tokio::time::timeout(FIRST_LIST, needed)
            .await
            .map_err(|_| {
                let what = "the cluster did not list what is watched within 10 s".to_owned();
                KubeError::unfit(FaultKind::Unavailable, what)
            })?;
        for (is_there, what) in [
            (workloads, "workloads"),
            (replica_sets, "replicasets"),
            (pods, "pods"),
        ] {
            if !is_there {
                let what = format!("{what} may not be listed and watched (see `em kube rbac`)");
                return Err(KubeError::unfit(FaultKind::Denied, what));
            }
        }
        Ok(())
    }

    /// What is shown of a workload now. `clone`: only what carries this label of a copy.
    pub fn scene(&self, workload: &str, clone: Option<&str>) -> Scene {
        let is_its = |labels: Option<&std::collections::BTreeMap<String, String>>| {
            clone.is_none_or(|clone| {
                labels
                    .and_then(|labels| labels.get(mark::CLONE))
                    .map(String::as_str)
                    == Some(clone)
            })
        };
        let workloads = self.workloads.store.state();
        let found = workloads
            .iter()
            .find(|object| object.metadata.name.as_deref() == Some(workload));
        let json = |object: &Arc<DynamicObject>| serde_json::to_value(&**object).ok();
        Scene {
            workload: found.and_then(json),
            replica_sets: of(&self.replica_sets.store, |one| {
                is_its(one.metadata.labels.as_ref())
            }),
            pods: of(&self.pods.store, |one| is_its(one.metadata.labels.as_ref())),
            events: of(&self.events.store, |_| true),
            nodes: of(&self.nodes.store, |_| true),
            autoscalers: self
                .autoscalers
                .store
                .state()
                .iter()
                .filter_map(json)
                .collect(),
        }
    }

    /// Pods of every copy.
    pub fn pods(&self) -> Vec<Pod> {
        of(&self.pods.store, |_| true)
    }

    /// How often anything has changed so far.
    pub fn version(&self) -> u64 {
        *self.version.borrow()
    }

    /// Returns when anything has changed since there was this version: a change between a look and the wait for the
    /// next one is not missed.
    pub async fn changed_since(&self, version: u64) {
        let mut receiver = self.version.clone();
        drop(receiver.wait_for(|now| *now > version).await);
    }
}

fn of<K: Lookup<DynamicType = ()> + Clone + 'static>(
    store: &Store<K>,
    keep: impl Fn(&K) -> bool,
) -> Vec<K> {
    let all = store.state();
    all.iter()
        .filter(|one| keep(one))
        .map(|one| (**one).clone())
        .collect()
}

/// The objects of one watch.
#[derive(Debug)]
struct Kept<K: Lookup + Clone + std::fmt::Debug + 'static>
where
    K::DynamicType: Eq + std::hash::Hash + Clone + std::fmt::Debug,
{
    store: Store<K>,
    task: JoinHandle<()>,
}

impl<K> Kept<K>
where
    K: kube::Resource + Lookup<DynamicType = <K as kube::Resource>::DynamicType>,
    K: Clone + DeserializeOwned + std::fmt::Debug + Send + Sync + 'static,
    <K as Lookup>::DynamicType: Eq + std::hash::Hash + Clone + Send + Sync + std::fmt::Debug,
{
    fn of(
        api: Api<K>,
        kind: <K as Lookup>::DynamicType,
        config: watcher::Config,
        changed: &Counter,
    ) -> Self {
        let writer = reflector::store::Writer::new(kind);
        let store = writer.as_reader();
        let task = tokio::spawn(keep(api, config, writer, Arc::clone(changed)));
        Self { store, task }
    }

    /// Whether the first list came. False: it may not be read.
    async fn is_there(&self) -> bool {
        self.store.wait_until_ready().await.is_ok()
    }
}

impl<K: Lookup + Clone + std::fmt::Debug + 'static> Drop for Kept<K>
where
    K::DynamicType: Eq + std::hash::Hash + Clone + std::fmt::Debug,
{
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn keep<K>(
    api: Api<K>,
    config: watcher::Config,
    mut writer: reflector::store::Writer<K>,
    changed: Counter,
) where
    K: kube::Resource + Lookup<DynamicType = <K as kube::Resource>::DynamicType>,
    K: Clone + DeserializeOwned + std::fmt::Debug + Send + Sync + 'static,
    <K as Lookup>::DynamicType: Eq + std::hash::Hash + Clone,
{
    let mut events = watcher(api, config).default_backoff().boxed();
    let mut is_listed = false;
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => {
                is_listed |= matches!(event, watcher::Event::InitDone);
                writer.apply_watcher_event(&event);
                changed.send_modify(|version| *version += 1);
            }
            // What may not be read does not become readable by asking again. What could be read once is asked for on and
            // on: a list that nobody keeps any more would pass for what the cluster shows.
            Err(error) if is_refused(&error) && !is_listed => return,
            Err(error) => tracing::debug!(%error, "a watch broke off and lists anew"),
        }
    }
}

fn is_refused(error: &watcher::Error) -> bool {
    let inner = match error {
        watcher::Error::InitialListFailed(error) | watcher::Error::WatchStartFailed(error) => error,
        watcher::Error::WatchError(status) => return matches!(status.code, 403 | 404),
        watcher::Error::WatchFailed(_) | watcher::Error::NoResourceVersion => return false,
    };
    matches!(inner, kube::Error::Api(status) if matches!(status.code, 403 | 404))
}

/// The label selector of a workload, as the API takes it. Empty: it has none.
pub fn selector_of(workload: &Json) -> String {
    let selector = &workload["spec"]["selector"];
    let labels = selector["matchLabels"].as_object().into_iter().flatten();
    let mut terms: Vec<String> = labels
        .filter_map(|(key, value)| Some(format!("{key}={}", value.as_str()?)))
        .collect();
    for expression in selector["matchExpressions"]
        .as_array()
        .into_iter()
        .flatten()
    {
        let key = expression["key"].as_str().unwrap_or_default();
        let values = expression["values"].as_array().into_iter().flatten();
        let values: Vec<&str> = values.filter_map(Json::as_str).collect();
        let values = values.join(",");
        terms.push(match expression["operator"].as_str().unwrap_or_default() {
            "In" => format!("{key} in ({values})"),
            "NotIn" => format!("{key} notin ({values})"),
            "DoesNotExist" => format!("!{key}"),
            _ => key.to_owned(),
        });
    }
    terms.join(",")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn selectors_are_written_as_the_api_takes_them() {
        let workload = json!({"spec": {"selector": {
            "matchLabels": {"app": "shop"},
            "matchExpressions": [
                {"key": "tier", "operator": "In", "values": ["a", "b"]},
                {"key": "old", "operator": "DoesNotExist"},
            ],
        }}});
        assert_eq!(selector_of(&workload), "app=shop,tier in (a,b),!old");
        assert_eq!(selector_of(&json!({})), "");
    }
}
