//! The end of a hold: the original back, marks and locks gone.

use em_core::fault::FaultKind;
use em_core::port::{OpContext, Undo};

use super::put_back::put_back;
use super::{KubernetesTarget, copies, event, resize};
use crate::cluster::Cluster;
use crate::fault::KubeError;
use crate::hold::{Lease, Owner, UndoBody, UndoCopy, lease_name};

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
            // Nobody's or another's: whoever has it now restored first.
            Some(_) | None => return Ok(()),
        }
        let copy = UndoCopy::of(cluster, &owner);
        let body = match undo {
            Some(undo) => Some(UndoBody::of(undo)?),
            None => copy.read().await?,
        };
        if let Some(body) = body {
            if body.resized {
                resize::put_back(cluster, &self.spec, &body).await?;
            }
            let left = put_back(cluster, &body, copy.name(), cx.deadline).await?;
            self.tell_of_end(cluster, &owner, &body, &left).await;
        }
        copy.remove().await?;
        lease.give_up().await
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
        let cluster = self.cluster().await?;
        let mut differs = Vec::new();
        for original in &undo.originals {
            let objects = cluster.objects_like(&original.object).await?;
            let seen = objects.need(&original.object.name).await?;
            let places = original.touched.iter();
            let other = places.filter(|place| place.get(&seen) != place.get(&original.body));
            differs.extend(other.map(|place| format!("{place} of {}", original.object)));
        }
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
