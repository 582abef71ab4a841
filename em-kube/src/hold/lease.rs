//! The lock on a workload or on the slot of a clone.

use std::time::Duration;

use em_core::fault::FaultKind;
use em_core::plan::ObjectRef;
use em_core::port::Clock;
use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::Owner;
use crate::cluster::{Cluster, Object};
use crate::fault::KubeError;
use crate::mark;
use crate::place::Place;

/// How long a Lease counts without being renewed.
pub const LASTS: Duration = Duration::from_secs(15);

/// Between two looks whether it is gone.
const GOING: Duration = Duration::from_millis(50);

/// Characters that the name of an object may have where other names are made of it.
const LONGEST_NAME: usize = 60;

/// The name of the Lease on a workload.
pub fn lease_name(workload: &ObjectRef) -> String {
    mark::object_name(
        &format!("em-{}-{}", workload.kind, workload.name),
        LONGEST_NAME,
    )
}

/// A Lease.
#[derive(Debug, Clone)]
pub struct Lease {
    leases: Object,
    name: String,
    owner: Owner,
}

/// What taking a Lease met.
#[derive(Debug, Clone, PartialEq)]
pub enum Taken {
    /// It was free.
    Fresh,
    /// This hold has it already.
    Again,
    /// Somebody let it expire, and it was taken from them: now, or before and what they left is not put back yet.
    From(Owner),
}

impl Lease {
    /// The Lease of this name, for this owner.
    pub fn new(cluster: &Cluster, name: &str, owner: Owner) -> Self {
        Self {
            leases: cluster.objects("lease"),
            name: name.to_owned(),
            owner,
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// For whom it is.
    pub fn owner(&self) -> &Owner {
        &self.owner
    }

    /// As the cluster has it.
    pub async fn seen(&self) -> Result<Option<Json>, KubeError> {
        self.leases.get(&self.name).await
    }

    /// Takes it where it is free, ours, or expired; else says who has it.
    pub async fn take(&self, clock: &dyn Clock) -> Result<Taken, KubeError> {
        // Each round ends the call or has seen somebody else be faster.
        for _ in 0..8 {
            let Some(seen) = self.seen().await? else {
                if self.leases.create(&self.body(clock.now())).await? {
                    return Ok(Taken::Fresh);
                }
                continue;
            };
            let holder = Owner::in_marks(&seen);
            let is_ours = holder
                .as_ref()
                .is_some_and(|holder| holder.is_same_hold(&self.owner));
            if !is_ours && !is_expired(&seen, clock.now()) {
                return Err(self.taken_by(holder.as_ref()));
            }
            if !is_ours && self.is_renewed_meanwhile(&seen).await? {
                return Err(self.taken_by(holder.as_ref()));
            }
            match self.write(&seen, clock.now()).await {
                // Whoever took it may have ended before all was put back.
                Ok(()) if is_ours => return Ok(former(&seen).map_or(Taken::Again, Taken::From)),
                Ok(()) => return Ok(holder.map_or(Taken::Fresh, Taken::From)),
                Err(error) if error.is_conflict() || error.is_not_found() => {}
                Err(error) => return Err(error),
            }
        }
        Err(self.taken_by(None))
    }

    /// Clocks differ: an expired Lease counts as given up only when nobody touches it for its whole time.
    async fn is_renewed_meanwhile(&self, seen: &Json) -> Result<bool, KubeError> {
        tokio::time::sleep(LASTS).await;
        let now = self.seen().await?;
        let version = |lease: &Json| lease.pointer("/metadata/resourceVersion").cloned();
        Ok(now.is_some_and(|now| version(&now) != version(seen)))
    }

    /// Renews it; whether it still is ours.
    pub async fn renew(&self, clock: &dyn Clock) -> Result<bool, KubeError> {
        let Some(seen) = self.seen().await? else {
            return Ok(false);
        };
        if !self.is_ours(&seen) {
            return Ok(false);
        }
        match self.write(&seen, clock.now()).await {
            Ok(()) => Ok(true),
            // Whoever was faster is seen at the next look.
            Err(error) if error.is_conflict() => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether this is held by this very owner: the same hold under a newer epoch is somebody else.
    pub fn is_ours(&self, seen: &Json) -> bool {
        Owner::in_marks(seen).is_some_and(|holder| holder == self.owner)
    }

    /// Gives it up and returns when it is gone, with all that it owns. Not there, or somebody else's = nothing to do.
    pub async fn give_up(&self) -> Result<(), KubeError> {
        while let Some(seen) = self.seen().await?.filter(|seen| self.is_ours(seen)) {
            if seen.pointer("/metadata/deletionTimestamp").is_none() {
                let uid = seen.pointer("/metadata/uid").and_then(Json::as_str);
                self.leases.remove(&self.name, uid).await?;
            }
            tokio::time::sleep(GOING).await;
        }
        Ok(())
    }

    /// What its former owner left is put back.
    pub async fn forget_former(&self) -> Result<(), KubeError> {
        let place = Place::of(["metadata", "annotations"]).key(mark::FORMER);
        let forget = |seen: &Json| {
            let mut wanted = seen.clone();
            place.set(&mut wanted, None);
            self.is_ours(seen).then_some(wanted)
        };
        self.leases.edit(&self.name, forget).await.map(drop)
    }

    async fn write(&self, seen: &Json, now: Timestamp) -> Result<(), KubeError> {
        let mut wanted = seen.clone();
        let body = self.body(now);
        let metadata = Place::of(["metadata"]);
        for (place, key) in [("labels", mark::EXPERIMENT), ("labels", mark::STORE)]
            .into_iter()
            .chain([("annotations", mark::KEY), ("annotations", mark::EPOCH)])
        {
            let place = metadata.key(place).key(key);
            place.set(&mut wanted, place.get(&body).cloned());
        }
        let is_ours = Owner::in_marks(seen).is_some_and(|holder| holder.is_same_hold(&self.owner));
        let keys: &[&str] = if is_ours {
            &["holderIdentity", "renewTime", "leaseDurationSeconds"]
        } else {
            &[
                "holderIdentity",
                "renewTime",
                "leaseDurationSeconds",
                "acquireTime",
            ]
        };
        for key in keys {
            let place = Place::of(["spec"]).key(key);
            place.set(&mut wanted, place.get(&body).cloned());
        }
        if !is_ours {
            let former = Owner::in_marks(seen).map(|former| json!(former.text()));
            metadata
                .key("annotations")
                .key(mark::FORMER)
                .set(&mut wanted, former);
            let transitions = Place::of(["spec", "leaseTransitions"]);
            let before = transitions
                .get(seen)
                .and_then(Json::as_i64)
                .unwrap_or_default();
            transitions.set(&mut wanted, Some(json!(before + 1)));
        }
        self.leases.change(seen, &wanted).await.map(drop)
    }

    fn body(&self, now: Timestamp) -> Json {
        let now = micro_time(now);
        json!({
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {
                "name": self.name,
                "labels": self.owner.labels(),
                "annotations": self.owner.annotations(),
            },
            "spec": {
                "holderIdentity": format!("{} {}", self.owner.key, self.owner.epoch),
                "leaseDurationSeconds": LASTS.as_secs(),
                "acquireTime": now,
                "renewTime": now,
                "leaseTransitions": 0,
            },
        })
    }

    fn taken_by(&self, holder: Option<&Owner>) -> KubeError {
        let holder = holder.map_or_else(|| "somebody else".to_owned(), ToString::to_string);
        let what = format!(
            "it is held by {holder} (Lease {}; wait for its end, or end that experiment: em cancel)",
            self.name
        );
        KubeError::unfit(FaultKind::Conflict, what)
    }
}

/// From whom it was taken, while what they left is not put back.
fn former(lease: &Json) -> Option<Owner> {
    let place = Place::of(["metadata", "annotations"]).key(mark::FORMER);
    Owner::read(place.get(lease)?.as_str()?)
}

/// Times of Leases have microseconds.
fn micro_time(at: Timestamp) -> String {
    format!("{at:.6}")
}

/// Whether somebody keeps this Lease. Where it has run out by our clock that takes its whole time: clocks differ.
pub async fn is_kept(cluster: &Cluster, name: &str, clock: &dyn Clock) -> Result<bool, KubeError> {
    let leases = cluster.objects("lease");
    let Some(seen) = leases.get(name).await? else {
        return Ok(false);
    };
    if !is_expired(&seen, clock.now()) {
        return Ok(true);
    }
    tokio::time::sleep(LASTS).await;
    let version = |lease: &Json| lease.pointer("/metadata/resourceVersion").cloned();
    let now = leases.get(name).await?;
    Ok(now.is_some_and(|now| version(&now) != version(&seen)))
}

/// Whether a Lease has run out, by our clock.
pub fn is_expired(lease: &Json, now: Timestamp) -> bool {
    let spec = &lease["spec"];
    let renewed = spec["renewTime"].as_str();
    let renewed = renewed.and_then(|text| text.parse::<Timestamp>().ok());
    let lasts = spec["leaseDurationSeconds"].as_i64().unwrap_or_default();
    renewed.is_none_or(|renewed| now.as_second().saturating_sub(renewed.as_second()) > lasts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_expires_by_its_own_time() {
        let now: Timestamp = "2026-01-01T00:01:00Z".parse().unwrap();
        let lease =
            |renewed: &str| json!({"spec": {"renewTime": renewed, "leaseDurationSeconds": 15}});
        assert!(is_expired(&lease("2026-01-01T00:00:40.000000Z"), now));
        assert!(!is_expired(&lease("2026-01-01T00:00:50.000000Z"), now));
        assert!(!is_expired(&lease("2026-01-01T00:02:00.000000Z"), now));
        assert!(is_expired(&json!({"spec": {}}), now));
        assert_eq!(micro_time(now), "2026-01-01T00:01:00.000000Z");
    }
}
