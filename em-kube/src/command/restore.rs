//! A held object put back by what the cluster alone knows of it: no store is needed.

use em_core::fault::FaultKind;
use em_core::id::Epoch;
use em_core::plan::ObjectRef;
use em_core::port::Clock;
use jiff::Timestamp;
use serde_json::Value as Json;

use crate::cluster::Cluster;
use crate::fault::KubeError;
use crate::hold::{Annotation, Lease, Owner, UndoBody, UndoCopy, is_kept};
use crate::mark;
use crate::target::{differences, put_back};

/// A held object, and how it is put back.
#[derive(Debug)]
pub struct Held {
    object: ObjectRef,
    annotation: Annotation,
    body: UndoBody,
    /// Places that are not as they were.
    differs: Vec<String>,
}

/// What putting back did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Restored {
    /// Places that are as they were again.
    pub back: Vec<String>,
    /// What was left alone, and why.
    pub left: Vec<String>,
}

/// Looks at an object. None: nobody holds it, there is nothing to put back.
pub async fn look(cluster: &Cluster, object: &ObjectRef) -> Result<Option<Held>, KubeError> {
    let objects = cluster.objects_like(object).await?;
    let seen = objects.need(&object.name).await?;
    if !Annotation::is_on(&seen) {
        return Ok(None);
    }
    let annotation =
        Annotation::of(&seen).ok_or_else(|| by_hand(object, "its annotation cannot be read"))?;
    let copy = UndoCopy::named(cluster, &annotation.undo);
    let body = copy.read().await?.ok_or_else(|| {
        by_hand(
            object,
            &format!("Secret {} with the original is gone", annotation.undo),
        )
    })?;
    let differs = differences(cluster, &body).await?;
    Ok(Some(Held {
        object: object.clone(),
        annotation,
        body,
        differs,
    }))
}

/// Nothing is left that knows the original.
fn by_hand(object: &ObjectRef, why: &str) -> KubeError {
    let what = format!(
        "{object} cannot be put back: {why} (write what it is to be by hand, then take our marks off: kubectl annotate {object} {}- {}-)",
        mark::HOLD,
        mark::APPLIED
    );
    KubeError::unfit(FaultKind::NotFound, what)
}

impl Held {
    /// The object that was asked for.
    pub fn object(&self) -> &ObjectRef {
        &self.object
    }

    /// The experiment that changes it.
    pub fn experiment(&self) -> &str {
        &self.annotation.experiment
    }

    /// Its store and how often it was claimed there.
    pub fn epoch(&self) -> &str {
        &self.annotation.epoch
    }

    /// The Lease of the hold.
    pub fn lease(&self) -> &str {
        &self.annotation.lease
    }

    /// Every object that the hold may have changed.
    pub fn objects(&self) -> impl Iterator<Item = &ObjectRef> {
        self.body.originals.iter().map(|original| &original.object)
    }

    /// Places that are not as they were.
    pub fn differs(&self) -> &[String] {
        &self.differs
    }

    /// Whether pods were changed without a roll-out.
    pub fn is_resized(&self) -> bool {
        self.body.resized
    }

    /// Whether its owner is alive. Where its Lease has run out that takes as long as a Lease lasts: clocks differ.
    pub async fn is_owned(&self, cluster: &Cluster, clock: &dyn Clock) -> Result<bool, KubeError> {
        is_kept(cluster, &self.annotation.lease, clock).await
    }

    /// Puts everything back that nobody else changed meanwhile, and removes the undo and the lock. Returns when the
    /// cluster shows it.
    pub async fn put_back(
        &self,
        cluster: &Cluster,
        deadline: Timestamp,
    ) -> Result<Restored, KubeError> {
        self.fence(cluster).await?;
        let left = put_back(cluster, &self.body, &self.annotation.undo, deadline).await?;
        let still = differences(cluster, &self.body).await?;
        UndoCopy::named(cluster, &self.annotation.undo)
            .remove()
            .await?;
        self.unlock(cluster).await?;
        let back = self.differs.iter().filter(|place| !still.contains(place));
        Ok(Restored {
            back: back.cloned().collect(),
            left,
        })
    }

    /// Marks the objects as a later owner's: one that is alive after all cannot write to them any more.
    async fn fence(&self, cluster: &Cluster) -> Result<(), KubeError> {
        let Ok(epoch) = self.annotation.epoch.parse::<Epoch>() else {
            return Ok(());
        };
        let later = Epoch {
            counter: epoch.counter.saturating_add(1),
            ..epoch
        };
        let marked = Annotation {
            epoch: later.to_string(),
            ..self.annotation.clone()
        };
        for object in self.objects() {
            self.remark(cluster, object, &marked).await?;
        }
        Ok(())
    }

    async fn remark(
        &self,
        cluster: &Cluster,
        object: &ObjectRef,
        marked: &Annotation,
    ) -> Result<(), KubeError> {
        let objects = cluster.objects_like(object).await?;
        let mark = |seen: &Json| {
            let mut wanted = seen.clone();
            marked.onto(&mut wanted);
            let own = Annotation::of(seen).filter(|now| now.undo == self.annotation.undo);
            own.map(|_| wanted)
        };
        objects.edit(&object.name, mark).await.map(drop)
    }

    /// Gives the Lease up where it is of this hold.
    async fn unlock(&self, cluster: &Cluster) -> Result<(), KubeError> {
        let Some(seen) = cluster.objects("lease").get(&self.annotation.lease).await? else {
            return Ok(());
        };
        let holder = Owner::in_marks(&seen);
        let own = self.annotation.owner();
        match (holder, own) {
            (Some(holder), Some(own)) if holder.is_same_hold(&own) => {
                Lease::new(cluster, &self.annotation.lease, holder)
                    .give_up()
                    .await
            }
            // Somebody else has locked it meanwhile.
            _ => Ok(()),
        }
    }
}
