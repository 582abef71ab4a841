//! The end of a hold: the original back, marks and locks gone.

use em_core::fault::FaultKind;
use em_core::port::{OpContext, Undo};

use super::put_back::{differences, put_back};
use super::{KubernetesTarget, copies, event};
use crate::cluster::Cluster;
use crate::fault::KubeError;
use crate::hold::{Annotation, Lease, Owner, UndoBody, UndoCopy, lease_name};

impl KubernetesTarget {
    pub(super) async fn restore_in_place(
        &self,
        cx: &OpContext,
        undo: Option<&Undo>,
    ) -> Result<(), KubeError> {
        let cluster = self.cluster().await?;
        let owner = Owner::of(cx);
        let lease = Lease::new(cluster, &lease_name(&self.spec.workload), owner.clone());
        match lease.seen().await? {
            Some(seen) if lease.is_ours(&seen) => {}
            // Another's: whoever took it over restored first.
            Some(_) => return Ok(()),
            // Nobody took over: a Lease that was removed by hand leaves our mark on what is changed.
            None if self.is_marked_by(&owner).await? => {}
            None => return Ok(()),
        }
        let copy = UndoCopy::of(cluster, &owner);
        let body = match undo {
            Some(undo) => Some(UndoBody::of(undo)?),
            None => copy.read().await?,
        };
        if let Some(body) = body {
            let left = put_back(cluster, &body, copy.name(), cx.deadline).await?;
            self.tell_of_end(cluster, &owner, &body, &left).await;
        }
        copy.remove().await?;
        lease.give_up().await
    }

    /// Whether the live object says that this owner holds it.
    async fn is_marked_by(&self, owner: &Owner) -> Result<bool, KubeError> {
        let objects = self
            .cluster()
            .await?
            .objects_like(&self.spec.workload)
            .await?;
        let live = objects.get(&self.spec.workload.name).await?;
        let annotation = live.as_ref().and_then(Annotation::of);
        Ok(annotation
            .and_then(|annotation| annotation.owner())
            .as_ref()
            == Some(owner))
    }

    async fn tell_of_end(
        &self,
        cluster: &Cluster,
        owner: &Owner,
        body: &UndoBody,
        left: &[String],
    ) {
        for left in left {
            tracing::warn!(workload = %body.workload, "{left}");
        }
        let Some(original) = body.originals.first() else {
            return;
        };
        let mut message = format!("{owner} has put this object back");
        if !left.is_empty() {
            message = format!("{message}; {}", left.join("; "));
        }
        event::tell(
            cluster,
            &*self.clock,
            &original.body,
            "ExperimentEnded",
            &message,
        )
        .await;
    }

    pub(super) async fn restore_slot(&self, cx: &OpContext) -> Result<(), KubeError> {
        let cluster = self.cluster().await?;
        let owner = Owner::of(cx);
        Lease::new(cluster, &copies::slot_lease(&owner), owner)
            .give_up()
            .await
    }

    /// Checks that the target shows what the undo says, without writing to it.
    pub(super) async fn check_restored(&self, undo: &UndoBody) -> Result<(), KubeError> {
        let differs = differences(self.cluster().await?, undo).await?;
        if differs.is_empty() {
            return Ok(());
        }
        let what = format!("not yet as it was: {}", differs.join(", "));
        Err(KubeError::unfit(FaultKind::Conflict, what))
    }

    pub(super) async fn unmark(&self, cx: &OpContext, undo: &UndoBody) -> Result<(), KubeError> {
        let cluster = self.cluster().await?;
        let copy = UndoCopy::of(cluster, &Owner::of(cx));
        put_back(cluster, undo, copy.name(), cx.deadline)
            .await
            .map(drop)
    }
}
