//! What owners left that are gone.
//!
//! Whether an owner is gone says its Lease alone: it has run out, and nobody touches it for as long as it lasts. What has
//! no Lease is left alone: nothing says whether somebody still works with it.

use em_core::port::Clock;

use super::things::{Thing, Things, What, look};
use crate::cluster::Cluster;
use crate::fault::KubeError;
use crate::hold::LASTS;

/// What may be removed, and what is left alone.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Cleaning {
    /// What is removed, in this order; the cluster removes what belongs to a Lease together with it.
    pub remove: Vec<Thing>,
    /// What goes together with a Lease.
    pub along: Vec<Thing>,
    /// What stays, and why.
    pub left: Vec<(Thing, String)>,
    /// Kinds that could not be looked at.
    pub unseen: Vec<String>,
}

/// Looks twice, as long apart as a Lease lasts where one has run out, and decides. Changes nothing.
pub async fn plan(cluster: &Cluster, clock: &dyn Clock) -> Result<Cleaning, KubeError> {
    let before = look(cluster, false, clock).await?;
    let mut now = before.clone();
    if before.things.iter().any(|thing| thing.is_expired) {
        tokio::time::sleep(LASTS).await;
        now = look(cluster, false, clock).await?;
    }
    Ok(judge(&before, now))
}

/// Decides from two looks.
fn judge(before: &Things, now: Things) -> Cleaning {
    let mut cleaning = Cleaning {
        unseen: now.unseen,
        ..Cleaning::default()
    };
    let fates: Vec<Fate> = now
        .things
        .iter()
        .map(|thing| fate(thing, &before.things, &now.things))
        .collect();
    for (thing, fate) in now.things.into_iter().zip(fates) {
        match fate {
            Fate::Removed => cleaning.remove.push(thing),
            Fate::Along => cleaning.along.push(thing),
            Fate::Left(why) => cleaning.left.push((thing, why)),
        }
    }
    // The lock goes last: what was removed before it cannot be anybody else's meanwhile.
    cleaning
        .remove
        .sort_by_key(|thing| thing.what == What::Lease);
    cleaning
}

/// What becomes of something.
enum Fate {
    Removed,
    Along,
    Left(String),
}

fn fate(thing: &Thing, before: &[Thing], now: &[Thing]) -> Fate {
    let leases = || now.iter().filter(|one| one.what == What::Lease);
    let named = leases().find(|lease| thing.lease.is_some() && lease.lease == thing.lease);
    match thing.what {
        What::Lease if !is_dead(thing, before) => Fate::renewed(),
        What::Lease => holder(thing, now).map_or(Fate::Removed, Fate::held),
        What::Held => match named {
            Some(lease) if !is_dead(lease, before) => Fate::renewed(),
            Some(_) | None => Fate::held(thing),
        },
        What::Copy => match named {
            Some(lease) if !is_dead(lease, before) => Fate::renewed(),
            Some(_) => Fate::Along,
            None => Fate::Left("its Lease is gone: the cluster removes it by itself".to_owned()),
        },
        What::Undo if leases().any(|lease| is_of(lease, thing) && !is_dead(lease, before)) => {
            Fate::renewed()
        }
        What::Undo => held_by(thing, now).map_or(Fate::Removed, Fate::held),
        What::Load => {
            let mut own = leases().filter(|lease| is_beside(lease, thing)).peekable();
            if own.peek().is_none() {
                Fate::unknown(thing)
            } else if own.all(|lease| is_dead(lease, before)) {
                Fate::Removed
            } else {
                Fate::renewed()
            }
        }
    }
}

impl Fate {
    fn renewed() -> Self {
        Self::Left("its experiment is alive: somebody renews its Lease".to_owned())
    }

    fn held(held: &Thing) -> Self {
        let (object, namespace) = (&held.object, &held.namespace);
        Self::Left(format!(
            "{object} is still changed: em kube restore {object} -n {namespace}"
        ))
    }

    fn unknown(thing: &Thing) -> Self {
        let (object, namespace) = (&thing.object, &thing.namespace);
        Self::Left(format!(
            "no Lease tells whether its owner lives (if not: kubectl delete -n {namespace} {object})"
        ))
    }
}

/// Whether a Lease has run out and nobody has touched it between the looks.
fn is_dead(lease: &Thing, before: &[Thing]) -> bool {
    let same = before.iter().find(|one| one.uid == lease.uid);
    lease.is_expired && same.is_some_and(|same| same.is_expired && same.version == lease.version)
}

/// The held object that names this Lease.
fn holder<'a>(lease: &Thing, now: &'a [Thing]) -> Option<&'a Thing> {
    let mut held = now.iter().filter(|thing| thing.what == What::Held);
    held.find(|held| held.lease == lease.lease)
}

/// The held object that names this undo.
fn held_by<'a>(undo: &Thing, now: &'a [Thing]) -> Option<&'a Thing> {
    let mut held = now.iter().filter(|thing| thing.what == What::Held);
    held.find(|held| held.about.as_deref() == Some(undo.object.as_str()))
}

/// Whether a Lease and an undo are of one hold; where it cannot be read, of one experiment.
fn is_of(lease: &Thing, undo: &Thing) -> bool {
    match (&lease.owner, &undo.owner) {
        (Some(lease), Some(undo)) => lease.is_same_hold(undo),
        _ => is_beside(lease, undo),
    }
}

/// Whether both are of one experiment of one store.
fn is_beside(one: &Thing, other: &Thing) -> bool {
    one.experiment == other.experiment && one.store == other.store
}

/// Removes what was decided, each only where it is as it was seen. Answers what was not removed and why.
pub async fn carry_out(cluster: &Cluster, cleaning: &Cleaning) -> Vec<String> {
    let mut failed = Vec::new();
    for thing in &cleaning.remove {
        let (kind, name) = thing.kind_and_name();
        let objects = cluster.objects(kind);
        if let Err(error) = objects.remove_as(name, &thing.uid, &thing.version).await {
            failed.push(em_core::fault::Fault::from(error).chain());
        }
    }
    failed
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::super::things::thing;
    use super::*;
    use crate::mark;

    const NOW: &str = "2026-01-01T01:00:00Z";

    fn marked(kind: &str, name: &str, experiment: &str) -> Json {
        let owner = crate::hold::Owner {
            key: em_core::id::OpKey::Hold {
                experiment: experiment.parse().unwrap(),
                slot: em_core::id::SlotId(0),
                n: 1,
            },
            epoch: "0123456789abcdef.1".parse().unwrap(),
        };
        json!({ "kind": kind, "metadata": {
            "name": name, "namespace": "shop", "uid": format!("uid-{name}"), "resourceVersion": "7",
            "labels": owner.labels(), "annotations": owner.annotations(),
        } })
    }

    fn lease(experiment: &str, renewed: &str) -> Thing {
        let mut lease = marked("Lease", &format!("lease-{experiment}"), experiment);
        lease["spec"] = json!({ "renewTime": renewed, "leaseDurationSeconds": 15 });
        thing("lease", &lease, NOW.parse().unwrap()).unwrap()
    }

    fn undo(experiment: &str) -> Thing {
        let secret = marked("Secret", &format!("undo-{experiment}"), experiment);
        thing("secret", &secret, NOW.parse().unwrap()).unwrap()
    }

    fn job(experiment: &str) -> Thing {
        let mut job = marked("Job", &format!("job-{experiment}"), experiment);
        job["metadata"]["labels"][crate::job::LOAD] = json!("x");
        thing("job", &job, NOW.parse().unwrap()).unwrap()
    }

    fn copy(experiment: &str) -> Thing {
        let mut copy = marked("Deployment", &format!("copy-{experiment}"), experiment);
        copy["metadata"]["labels"][mark::CLONE] = json!("x");
        copy["metadata"]["ownerReferences"] =
            json!([{ "kind": "Lease", "name": format!("lease-{experiment}") }]);
        thing("deployment", &copy, NOW.parse().unwrap()).unwrap()
    }

    fn held(experiment: &str) -> Thing {
        let text = json!({
            "experiment": experiment, "key": "", "epoch": "", "undo": format!("undo-{experiment}"),
            "lease": format!("lease-{experiment}"), "by_hand": "",
        });
        let object = json!({ "metadata": {
            "name": "web", "namespace": "shop", "annotations": { mark::HOLD: text.to_string() },
        } });
        thing("deployment", &object, NOW.parse().unwrap()).unwrap()
    }

    fn all(things: Vec<Thing>) -> Things {
        Things {
            things,
            unseen: Vec::new(),
        }
    }

    fn names(things: &[Thing]) -> Vec<&str> {
        things.iter().map(|thing| thing.object.as_str()).collect()
    }

    const LONG_AGO: &str = "2026-01-01T00:00:00Z";
    const JUST_NOW: &str = "2026-01-01T00:59:55Z";

    #[test]
    fn what_the_dead_left_goes_and_the_lock_goes_last() {
        let dead = lease("gone", LONG_AGO);
        let things = vec![dead, undo("gone"), job("gone"), copy("gone")];
        let cleaning = judge(&all(things.clone()), all(things));
        let removed = names(&cleaning.remove);
        assert_eq!(
            removed,
            ["secret/undo-gone", "job/job-gone", "lease/lease-gone"]
        );
        assert_eq!(names(&cleaning.along), ["deployment/copy-gone"]);
        assert!(cleaning.left.is_empty(), "{:?}", cleaning.left);
    }

    #[test]
    fn nothing_of_the_living_is_touched() {
        let things = vec![
            lease("here", JUST_NOW),
            undo("here"),
            job("here"),
            copy("here"),
        ];
        let cleaning = judge(&all(things.clone()), all(things));
        assert!(cleaning.remove.is_empty(), "{:?}", cleaning.remove);
        assert!(cleaning.along.is_empty());
        assert_eq!(cleaning.left.len(), 4);
    }

    #[test]
    fn a_lease_that_is_touched_between_the_looks_is_alive_whatever_its_clock_says() {
        let before = lease("slow", LONG_AGO);
        let mut now = before.clone();
        now.version = "8".to_owned();
        let cleaning = judge(&all(vec![before]), all(vec![now]));
        assert!(cleaning.remove.is_empty());
    }

    #[test]
    fn what_is_still_changed_keeps_its_undo_and_its_lock() {
        let things = vec![lease("gone", LONG_AGO), undo("gone"), held("gone")];
        let cleaning = judge(&all(things.clone()), all(things));
        assert!(cleaning.remove.is_empty(), "{:?}", cleaning.remove);
        for (thing, why) in &cleaning.left {
            assert!(why.contains("em kube restore deployment/web"), "{thing:?}");
        }
        assert_eq!(cleaning.left.len(), 3);
    }

    #[test]
    fn a_job_without_a_lease_is_left_and_an_undo_of_what_is_back_goes() {
        let things = vec![job("alone"), undo("alone")];
        let cleaning = judge(&all(things.clone()), all(things));
        assert_eq!(names(&cleaning.remove), ["secret/undo-alone"]);
        let (left, why) = &cleaning.left[0];
        assert_eq!(left.object, "job/job-alone");
        assert!(
            why.contains("kubectl delete -n shop job/job-alone"),
            "{why}"
        );
    }
}
