//! How a hold is undone, and its copy beside the target.

use em_core::fault::FaultKind;
use em_core::id::Epoch;
use em_core::plan::ObjectRef;
use em_core::port::Undo;
use k8s_openapi::ByteString;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::Owner;
use crate::change::Original;
use crate::clone::Source;
use crate::cluster::{Cluster, Object};
use crate::fault::KubeError;
use crate::mark;

/// A Secret holds 1 MiB; what goes around the record needs room.
pub const LARGEST_UNDO: usize = 900 * 1024;

const KIND: &str = "kubernetes";
const FORMAT: u32 = 1;
const ENTRY: &str = "undo.json";

/// How a hold is undone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UndoBody {
    /// Context by which the cluster was found.
    pub context: String,
    /// The namespace.
    pub namespace: String,
    /// What is held.
    pub workload: ObjectRef,
    /// Every object that may be changed, the workload first. Empty: nothing is put back, as with clones, for which
    /// `source` is kept.
    pub originals: Vec<Original>,
    /// What clones are made of.
    pub source: Option<Source>,
    /// Whether pods were changed without a roll-out.
    #[serde(default)]
    pub resized: bool,
}

impl UndoBody {
    /// The record that the engine keeps.
    pub fn to_undo(&self) -> Undo {
        Undo {
            kind: KIND.to_owned(),
            format: FORMAT,
            body: serde_json::to_value(self).expect("names and JSON can be written as JSON"),
        }
    }

    /// What the engine kept.
    pub fn of(undo: &Undo) -> Result<Self, KubeError> {
        if undo.kind != KIND || undo.format != FORMAT {
            let what = format!(
                "the undo is of kind {} {}, and this build reads {KIND} {FORMAT} only (use the build that wrote it)",
                undo.kind, undo.format
            );
            return Err(KubeError::unfit(FaultKind::Invalid, what));
        }
        Self::read(&undo.body)
    }

    /// What a Secret of ours says.
    pub fn in_secret(secret: &Json) -> Result<Self, KubeError> {
        let entry = secret.pointer(&format!("/data/{ENTRY}")).cloned();
        let bytes = entry.and_then(|entry| serde_json::from_value::<ByteString>(entry).ok());
        let body = bytes.and_then(|bytes| serde_json::from_slice::<Json>(&bytes.0).ok());
        let name = secret.pointer("/metadata/name").and_then(Json::as_str);
        let unreadable = || {
            let what = format!(
                "Secret {} has no readable {ENTRY}",
                name.unwrap_or_default()
            );
            KubeError::unfit(FaultKind::Malformed, what)
        };
        Self::read(&body.ok_or_else(unreadable)?)
    }

    fn read(body: &Json) -> Result<Self, KubeError> {
        serde_json::from_value(body.clone()).map_err(|error| {
            KubeError::unfit(
                FaultKind::Malformed,
                format!("the undo cannot be read: {error}"),
            )
        })
    }
}

/// The name of the Secret with a hold's undo.
pub fn undo_name(owner: &Owner) -> String {
    let whole = format!("{} {}", mark::key(&owner.key), owner.epoch.store);
    format!("em-undo-{}", mark::short_digest(&whole))
}

/// The copy of an undo in the cluster.
#[derive(Debug)]
pub struct UndoCopy {
    secrets: Object,
    name: String,
}

impl UndoCopy {
    /// The copy that belongs to a hold.
    pub fn of(cluster: &Cluster, owner: &Owner) -> Self {
        Self::named(cluster, &undo_name(owner))
    }

    /// The copy of this name.
    pub fn named(cluster: &Cluster, name: &str) -> Self {
        Self {
            secrets: cluster.objects("secret"),
            name: name.to_owned(),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it says. None: there is no copy.
    pub async fn read(&self) -> Result<Option<UndoBody>, KubeError> {
        let secret = self.secrets.get(&self.name).await?;
        secret.as_ref().map(UndoBody::in_secret).transpose()
    }

    /// Writes it. One that is there already is of a hold that changed nothing yet, and is replaced.
    pub async fn write(&self, owner: &Owner, body: &UndoBody) -> Result<(), KubeError> {
        let text = serde_json::to_string(body).expect("names and JSON can be written as JSON");
        if text.len() > LARGEST_UNDO {
            let what = format!(
                "the record of how to put {} back has {} KiB, and a Secret holds {} KiB at most: it is not changed",
                body.workload,
                text.len() / 1024,
                LARGEST_UNDO / 1024
            );
            return Err(KubeError::unfit(FaultKind::Invalid, what));
        }
        let secret = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": self.name,
                "labels": owner.labels(),
                "annotations": owner.annotations(),
            },
            "type": "experiment-manager.io/undo",
            "stringData": { ENTRY: text },
        });
        if !self.secrets.create(&secret).await? {
            self.secrets.remove(&self.name, None).await?;
            self.secrets.create(&secret).await?;
        }
        Ok(())
    }

    /// The same copy under another owner of the same hold.
    pub async fn remark(&self, epoch: &Epoch) -> Result<(), KubeError> {
        let patch = json!({ "metadata": { "annotations": { mark::EPOCH: epoch.to_string() } } });
        let patch = kube::api::Patch::Merge(patch);
        self.secrets
            .patch(&self.name, &patch, false)
            .await
            .map(drop)
    }

    /// Removes it. Not there = done.
    pub async fn remove(&self) -> Result<(), KubeError> {
        self.secrets.remove(&self.name, None).await
    }
}
