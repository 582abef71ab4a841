//! A target without a system: it remembers what it would have changed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use jiff::Timestamp;

use crate::fault::{Fault, FaultKind};
use crate::id::{Epoch, OpKey, SlotId};
use crate::journal::Blame;
use crate::plan::Plan;
use crate::port::{
    Address, DeployPlan, Fact, Incident, OpContext, Readiness, Remnant, SlotInfo, Survey, Target,
    Undo,
};

/// The outside of a [`FakeTarget`]: survives the manager, and is shared by all targets made of it.
#[derive(Debug, Clone, Default)]
pub struct Outside {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Locks by slot.
    locks: BTreeMap<SlotId, (OpKey, Epoch)>,
    /// Deployments by key: slot, values as text, owner.
    deployed: Vec<(OpKey, SlotId, String, Epoch)>,
    /// How often each configuration was deployed.
    deployments: u32,
    /// Broken rules of the port.
    broken: Vec<String>,
    /// Restores that are still to fail.
    failing_restores: u32,
    /// Slots that belong to somebody else.
    refused: bool,
    /// Values whose deployment never becomes ready.
    stuck: Option<String>,
    /// What is seen instead of what was asked.
    seen: Option<String>,
}

impl Outside {
    /// An untouched outside.
    pub fn new() -> Self {
        Self::default()
    }

    /// What is out there: locks and deployments.
    pub fn left(&self) -> usize {
        let inner = self.lock();
        inner.locks.len() + inner.deployed.len()
    }

    /// Deployments so far.
    pub fn deployments(&self) -> u32 {
        self.lock().deployments
    }

    /// Rules of the port that the engine broke.
    pub fn broken(&self) -> Vec<String> {
        self.lock().broken.clone()
    }

    /// What a manager's death takes with it: deployments, not locks.
    pub fn manager_died(&self) {
        self.lock().deployed.clear();
    }

    /// Lets this many restores fail.
    pub fn fail_restores(&self, times: u32) {
        self.lock().failing_restores = times;
    }

    /// Refuses every slot from now on, or no longer.
    pub fn refuse(&self, refused: bool) {
        self.lock().refused = refused;
    }

    /// Deployments whose values read like this are stuck.
    pub fn stick(&self, values: &str) {
        self.lock().stuck = Some(values.to_owned());
    }

    /// What is read back instead of what was asked.
    pub fn see(&self, values: &str) {
        self.lock().seen = Some(values.to_owned());
    }

    /// Leaves something of an earlier owner.
    pub fn leave(&self, key: OpKey, epoch: Epoch) {
        let entry = (key, SlotId(0), "left".to_owned(), epoch);
        self.lock().deployed.push(entry);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }
}

/// A target that changes an [`Outside`].
#[derive(Debug)]
pub struct FakeTarget {
    outside: Outside,
    slots: u32,
    outlives: bool,
}

impl FakeTarget {
    /// A target with this many slots.
    pub fn new(outside: &Outside, slots: u32) -> Self {
        Self {
            outside: outside.clone(),
            slots,
            outlives: false,
        }
    }

    /// The same, whose deployments go on when the manager dies.
    #[must_use]
    pub fn outliving(mut self) -> Self {
        self.outlives = true;
        self
    }
}

fn spelled(plan: &DeployPlan) -> String {
    let values = plan.values.iter();
    let pairs = values.map(|(name, value)| format!("{name}={value}"));
    pairs.collect::<Vec<_>>().join(" ")
}

#[async_trait]
impl Target for FakeTarget {
    async fn survey(&self, _cx: &OpContext, _plan: &Plan) -> Result<Survey, Fault> {
        let slots = (0..self.slots).map(|slot| SlotInfo {
            id: SlotId(slot),
            label: format!("fake {slot}"),
        });
        Ok(Survey {
            slots: slots.collect(),
            ..Survey::default()
        })
    }

    async fn acquire(&self, cx: &OpContext, _plan: &Plan, slot: SlotId) -> Result<Undo, Fault> {
        let mut inner = self.outside.lock();
        let taken = inner
            .locks
            .get(&slot)
            .is_some_and(|(key, _)| *key != cx.key);
        if inner.refused || taken {
            return Err(Fault::new(
                FaultKind::Conflict,
                "somebody else holds the slot",
            ));
        }
        inner.locks.insert(slot, (cx.key.clone(), cx.epoch.clone()));
        Ok(Undo {
            kind: "fake".to_owned(),
            format: 1,
            body: serde_json::json!({ "slot": slot.0 }),
        })
    }

    async fn deploy(&self, cx: &OpContext, plan: &DeployPlan) -> Result<(), Fault> {
        let mut inner = self.outside.lock();
        if !inner.locks.contains_key(&plan.slot) {
            inner
                .broken
                .push(format!("{} deployed without a hold", cx.key));
        }
        if plan.undo.body["slot"] != plan.slot.0 {
            inner
                .broken
                .push(format!("{} deployed without the undo of its slot", cx.key));
        }
        let values = spelled(plan);
        let here = inner
            .deployed
            .iter()
            .find(|(_, slot, ..)| *slot == plan.slot);
        let problem = match here {
            Some((key, _, before, _)) if *key == cx.key && *before == values => return Ok(()),
            Some((key, ..)) => Some(format!("{} deployed over {key}", cx.key)),
            None => None,
        };
        inner.broken.extend(problem);
        let entry = (cx.key.clone(), plan.slot, values, cx.epoch.clone());
        inner.deployed.push(entry);
        inner.deployments += 1;
        Ok(())
    }

    async fn readiness(&self, cx: &OpContext, plan: &DeployPlan) -> Result<Readiness, Fault> {
        let inner = self.outside.lock();
        if !inner.deployed.iter().any(|(key, ..)| *key == cx.key) {
            return Err(Fault::new(FaultKind::NotFound, "nothing is deployed"));
        }
        let values = spelled(plan);
        if inner.stuck.as_ref() == Some(&values) {
            return Ok(Readiness::Stuck {
                why: "it exits at once".to_owned(),
                blame: Blame::Configuration,
            });
        }
        let fact = Fact {
            name: "values".to_owned(),
            asked: Some(values.clone()),
            seen: Some(inner.seen.clone().unwrap_or(values)),
        };
        let address = Address {
            name: "port".to_owned(),
            authority: format!("127.0.0.1:{}", 9000 + plan.slot.0),
        };
        Ok(Readiness::Ready {
            facts: vec![fact],
            addresses: vec![address],
        })
    }

    async fn health(&self, _cx: &OpContext, _since: Timestamp) -> Result<Vec<Incident>, Fault> {
        Ok(Vec::new())
    }

    async fn withdraw(&self, cx: &OpContext) -> Result<(), Fault> {
        self.outside
            .lock()
            .deployed
            .retain(|(key, ..)| *key != cx.key);
        Ok(())
    }

    async fn restore(&self, cx: &OpContext, undo: Option<Undo>) -> Result<(), Fault> {
        let mut inner = self.outside.lock();
        if inner.failing_restores > 0 {
            inner.failing_restores -= 1;
            return Err(Fault::new(
                FaultKind::Denied,
                "the original is not accepted",
            ));
        }
        let OpKey::Hold { slot, .. } = &cx.key else {
            panic!("restored under {}", cx.key);
        };
        let problem = undo
            .filter(|undo| undo.body["slot"] != slot.0)
            .map(|_| format!("{} restored with another slot's undo", cx.key));
        inner.broken.extend(problem);
        if inner.locks.get(slot).is_some_and(|(key, _)| *key == cx.key) {
            inner.locks.remove(slot);
        }
        Ok(())
    }

    async fn remnants(&self, _cx: &OpContext) -> Result<Vec<Remnant>, Fault> {
        let inner = self.outside.lock();
        let deployed = inner.deployed.iter().map(|(key, _, what, epoch)| Remnant {
            key: key.clone(),
            epoch: epoch.clone(),
            what: what.clone(),
            handle: key.to_string(),
        });
        Ok(deployed.collect())
    }

    async fn end_remnant(&self, _cx: &OpContext, remnant: &Remnant) -> Result<(), Fault> {
        let mut inner = self.outside.lock();
        inner.deployed.retain(|(key, ..)| *key != remnant.key);
        Ok(())
    }

    fn outlives_manager(&self) -> bool {
        self.outlives
    }
}
