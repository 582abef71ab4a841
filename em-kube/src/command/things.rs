//! Everything of ours in a cluster, whoever made it.

use em_core::plan::ObjectRef;
use em_core::port::Clock;
use jiff::Timestamp;
use kube::api::{Api, DynamicObject, ListParams};
use serde::Serialize;
use serde_json::Value as Json;

use crate::cluster::{Cluster, resource_of};
use crate::fault::KubeError;
use crate::hold::{Annotation, Owner, UndoBody, is_expired};
use crate::job::LOAD;
use crate::mark;

/// What something of ours is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// The lock of a hold.
    Lease,
    /// An object of somebody's that an experiment changes.
    Held,
    /// The record of how a hold is undone.
    Undo,
    /// A part of a copy of a workload.
    Copy,
    /// A part of a load.
    Load,
}

impl What {
    /// Its word for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Lease => "lease",
            Self::Held => "held",
            Self::Undo => "undo",
            Self::Copy => "copy",
            Self::Load => "load",
        }
    }
}

/// Something of ours in a cluster.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Thing {
    /// What it is for.
    pub what: What,
    /// Namespace.
    pub namespace: String,
    /// Kind and name.
    pub object: String,
    /// The experiment, as far as it can be read.
    pub experiment: String,
    /// The store of the manager that made it.
    pub store: String,
    /// Since when it is there; of a held object that is not known.
    pub since: Option<Timestamp>,
    /// When a Lease was last renewed.
    pub renewed: Option<Timestamp>,
    /// Whether a Lease has run out, by its own time and our clock.
    pub is_expired: bool,
    /// The Lease to which it belongs, where it says.
    pub lease: Option<String>,
    /// What it is about: the Secret of a held object, the object of an undo.
    pub about: Option<String>,
    /// The hold or act.
    #[serde(skip)]
    pub owner: Option<Owner>,
    /// Its UID.
    #[serde(skip)]
    pub uid: String,
    /// Its version.
    #[serde(skip)]
    pub version: String,
}

impl Thing {
    /// Its kind and its name.
    pub fn kind_and_name(&self) -> (&str, &str) {
        self.object.split_once('/').unwrap_or(("", &self.object))
    }
}

/// What is there, and what could not be looked at.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Things {
    /// All of ours, by namespace.
    pub things: Vec<Thing>,
    /// Kinds that could not be listed, with the reason: there may be more.
    pub unseen: Vec<String>,
}

/// Kinds in which ours are found by their label, and kinds whose objects may be held.
const LABELLED: [&str; 4] = ["lease", "secret", "service", "job"];
const HELD: [&str; 5] = [
    "deployment",
    "statefulset",
    "daemonset",
    "configmap",
    "horizontalpodautoscaler",
];

/// Looks for everything of ours in the cluster's namespace, or `everywhere`. An error: nothing could be looked at.
pub async fn look(
    cluster: &Cluster,
    everywhere: bool,
    clock: &dyn Clock,
) -> Result<Things, KubeError> {
    let mut found = Things::default();
    let mut refused = None;
    let labelled = LABELLED.iter().map(|kind| (*kind, mark::STORE));
    let kinds = labelled.chain(HELD.iter().map(|kind| (*kind, "")));
    let mut seen = 0;
    for (kind, selector) in kinds {
        match list(cluster, kind, selector, everywhere).await {
            Ok(objects) => {
                seen += 1;
                let things = objects.iter();
                found
                    .things
                    .extend(things.filter_map(|one| thing(kind, one, clock.now())));
            }
            Err(error) => {
                let fault = em_core::fault::Fault::from(error);
                found.unseen.push(format!("{kind}s: {}", fault.chain()));
                refused.get_or_insert(fault);
            }
        }
    }
    if let Some(fault) = refused.filter(|_| seen == 0) {
        return Err(KubeError::unfit(fault.kind, fault.chain()));
    }
    found.things.extend(custom(cluster, &found.things).await);
    let place = |thing: &Thing| (thing.namespace.clone(), thing.experiment.clone());
    found.things.sort_by_key(place);
    Ok(found)
}

async fn list(
    cluster: &Cluster,
    kind: &str,
    selector: &str,
    everywhere: bool,
) -> Result<Vec<Json>, KubeError> {
    let Some(resource) = resource_of(kind).filter(|_| everywhere) else {
        return cluster.objects(kind).list(selector).await;
    };
    let api: Api<DynamicObject> = Api::all_with(cluster.client(), &resource);
    let params = ListParams::default().labels(selector);
    let listed = api.list(&params).await;
    let listed = listed.map_err(KubeError::of(format!("list {kind}s of all namespaces")))?;
    let objects = listed.items.iter();
    Ok(objects
        .filter_map(|object| serde_json::to_value(object).ok())
        .collect())
}

/// Held objects of kinds that not every cluster has: the undo names them.
async fn custom(cluster: &Cluster, things: &[Thing]) -> Vec<Thing> {
    let mut found = Vec::new();
    for undo in things.iter().filter(|thing| thing.what == What::Undo) {
        let object = undo.about.as_deref().unwrap_or_default();
        let Ok(object) = object.parse::<ObjectRef>() else {
            continue;
        };
        if !object.is_custom() || undo.namespace != cluster.namespace() {
            continue;
        }
        let Ok(objects) = cluster.objects_like(&object).await else {
            continue;
        };
        if let Ok(Some(seen)) = objects.get(&object.name).await
            && let Some(held) = held(&object.kind, &seen)
        {
            found.push(held);
        }
    }
    found
}

/// What an object of a kind is to us. None: nothing.
pub(super) fn thing(kind: &str, object: &Json, now: Timestamp) -> Option<Thing> {
    if Annotation::is_on(object) {
        return held(kind, object);
    }
    let label = |name: &str| object["metadata"]["labels"][name].as_str();
    label(mark::STORE)?;
    let mut thing = bare(kind, object);
    thing.owner = Owner::in_marks(object);
    thing.what = if kind == "lease" {
        thing.is_expired = is_expired(object, now);
        thing.renewed = at(&object["spec"]["renewTime"]);
        thing.lease = Some(thing.kind_and_name().1.to_owned());
        What::Lease
    } else if label(mark::CLONE).is_some() {
        let owners = object["metadata"]["ownerReferences"].as_array();
        let lease = owners
            .into_iter()
            .flatten()
            .find(|one| one["kind"] == "Lease");
        thing.lease = lease.and_then(|lease| Some(lease["name"].as_str()?.to_owned()));
        What::Copy
    } else if label(LOAD).is_some() {
        What::Load
    } else if kind == "secret" {
        let body = UndoBody::in_secret(object).ok();
        thing.about = body.map(|body| body.workload.to_string());
        What::Undo
    } else {
        return None;
    };
    Some(thing)
}

fn held(kind: &str, object: &Json) -> Option<Thing> {
    if !Annotation::is_on(object) {
        return None;
    }
    let mut thing = Thing {
        what: What::Held,
        since: None,
        ..bare(kind, object)
    };
    if let Some(annotation) = Annotation::of(object) {
        thing.owner = annotation.owner();
        thing.experiment = annotation.experiment;
        let owner = thing.owner.as_ref();
        thing.store = owner.map_or_else(String::new, |owner| owner.epoch.store.clone());
        thing.lease = Some(annotation.lease);
        thing.about = Some(format!("secret/{}", annotation.undo));
    }
    Some(thing)
}

fn bare(kind: &str, object: &Json) -> Thing {
    let metadata = &object["metadata"];
    let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
    Thing {
        what: What::Copy,
        namespace: text(&metadata["namespace"]),
        object: format!("{kind}/{}", text(&metadata["name"])),
        experiment: text(&metadata["labels"][mark::EXPERIMENT]),
        store: text(&metadata["labels"][mark::STORE]),
        since: at(&metadata["creationTimestamp"]),
        renewed: None,
        is_expired: false,
        lease: None,
        about: None,
        owner: None,
        uid: text(&metadata["uid"]),
        version: text(&metadata["resourceVersion"]),
    }
}

fn at(value: &Json) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}
