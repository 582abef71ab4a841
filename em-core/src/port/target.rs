//! The system under test.

use std::collections::BTreeMap;
use std::fmt::{Debug, Display};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::OpContext;
use crate::configuration::Configuration;
use crate::fault::{Fault, FaultKind};
use crate::id::{Epoch, OpKey, SlotId, TunableName};
use crate::journal::Blame;
use crate::plan::{Plan, Secret};
use crate::value::Value;

/// The system under test.
///
/// `acquire` and `restore` act under an [`OpKey::Hold`]; `deploy`, `readiness`, `health` and
/// `withdraw` under an [`OpKey::Iteration`]; `survey` and `remnants` under an
/// [`OpKey::Experiment`].
#[cfg_attr(any(test, feature = "mock"), mockall::automock)]
#[async_trait]
pub trait Target: Debug + Send + Sync + 'static {
    /// Looks only: today's value of every tunable, the slots, and what would go wrong.
    async fn survey(&self, cx: &OpContext, plan: &Plan) -> Result<Survey, Fault>;

    /// Locks the slot for the owner `cx.epoch`, then reads the original under the lock and writes
    /// a copy of the undo beside the target. Twice under one key answers the same undo.
    async fn acquire(&self, cx: &OpContext, plan: &Plan, slot: SlotId) -> Result<Undo, Fault>;

    /// Starts a fresh deployment of one configuration; returns without waiting for it.
    /// Twice under one key is one deployment.
    async fn deploy(&self, cx: &OpContext, plan: &DeployPlan) -> Result<(), Fault>;

    /// One look at the deployment.
    async fn readiness(&self, cx: &OpContext, plan: &DeployPlan) -> Result<Readiness, Fault>;

    /// What happened to the deployment since `since`. The default sees nothing: right for a target
    /// to which nothing can happen while it is measured.
    async fn health(&self, cx: &OpContext, since: Timestamp) -> Result<Vec<Incident>, Fault> {
        let _ = (cx, since);
        Ok(Vec::new())
    }

    /// Ends what this iteration started. Nothing to do = success; twice is once.
    async fn withdraw(&self, cx: &OpContext) -> Result<(), Fault>;

    /// Puts the original back, returns when the target shows it, then unlocks.
    ///
    /// Writes only under this key's lock: no lock and no mark = already restored; another's lock =
    /// taken over by somebody who restored first. Without an undo it unlocks what `acquire` may
    /// have left.
    async fn restore(&self, cx: &OpContext, undo: Option<Undo>) -> Result<(), Fault>;

    /// Somebody says that the original is back: checks that the target shows it, then unlocks;
    /// fails with what still differs. The default takes them at their word.
    async fn accept(&self, cx: &OpContext, undo: Option<Undo>) -> Result<(), Fault> {
        let _ = (cx, undo);
        Ok(())
    }

    /// Everything out there that carries a mark of this kind of target, with its key and owner.
    /// The default knows of nothing: right where all that is deployed ends with this process.
    async fn remnants(&self, cx: &OpContext) -> Result<Vec<Remnant>, Fault> {
        let _ = cx;
        Ok(Vec::new())
    }

    /// Ends a remnant that belongs to nobody any more. The default refuses: who finds remnants
    /// says how to end them.
    async fn end_remnant(&self, cx: &OpContext, remnant: &Remnant) -> Result<(), Fault> {
        let _ = cx;
        let message = format!("this target does not know how to end {}", remnant.what);
        Err(Fault::new(FaultKind::Invalid, message))
    }

    /// Returns when another look is worth it. The default is a tick.
    async fn changed(&self, cx: &OpContext) {
        let _ = cx;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }

    /// Numbers that the target knows of the deployment (CPU seconds, memory): name to total or
    /// level now. They are metrics of the datasource `target`.
    async fn usage(&self, cx: &OpContext) -> Result<BTreeMap<String, f64>, Fault> {
        let _ = cx;
        Ok(BTreeMap::new())
    }

    /// Whether a deployment goes on when the manager dies.
    fn outlives_manager(&self) -> bool {
        false
    }
}

/// What a look at the target before anything is done has found.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Survey {
    /// Today's value of every tunable that can be read.
    pub today: BTreeMap<TunableName, Value>,
    /// Where iterations can run.
    pub slots: Vec<SlotInfo>,
    /// What would go wrong, and what is worth knowing.
    #[serde(default)]
    pub findings: Vec<Finding>,
    /// Facts about the target that belong to the result: versions, machine.
    #[serde(default)]
    pub facts: BTreeMap<String, String>,
}

impl Survey {
    /// `count` slots, called `label 0`, `label 1`, ...; nothing else is found.
    pub fn slots(count: u32, label: &str) -> Self {
        let slots = (0..count).map(|slot| SlotInfo {
            id: SlotId(slot),
            label: format!("{label} {slot}"),
        });
        Self {
            slots: slots.collect(),
            ..Self::default()
        }
    }
}

/// A place where one iteration can run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotInfo {
    /// Its number.
    pub id: SlotId,
    /// For people: `cores 0-3`.
    pub label: String,
}

/// Something that a look found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What was found and what follows from it.
    pub what: String,
    /// What to do about it.
    pub remedy: Option<String>,
}

impl Finding {
    /// What was found and what to do about it.
    pub fn sentence(&self) -> String {
        match &self.remedy {
            Some(remedy) => format!("{} ({remedy})", self.what),
            None => self.what.clone(),
        }
    }
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// Results may suffer.
    Warning,
    /// The experiment cannot run.
    Error,
}

/// How to put a slot's original back; opaque to everybody but the target that wrote it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Undo {
    /// Kind of target.
    pub kind: String,
    /// Version of `body`.
    pub format: u32,
    /// The record.
    pub body: serde_json::Value,
}

impl Undo {
    /// The record of a target on which nothing has to be put back.
    pub fn nothing(kind: &str) -> Self {
        Self {
            kind: kind.to_owned(),
            format: 1,
            body: serde_json::Value::Null,
        }
    }
}

/// One deployment of one configuration.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DeployPlan {
    /// The experiment.
    pub plan: Arc<Plan>,
    /// Where it runs.
    pub slot: SlotId,
    /// The searched values. For a baseline `live`: empty.
    pub configuration: Arc<Configuration>,
    /// Every value that is applied, derived ones included, conditional ones only where they exist.
    pub values: Arc<BTreeMap<TunableName, Value>>,
    /// How to put the slot back; some targets deploy relative to it.
    pub undo: Arc<Undo>,
    /// Variables that datasources want the workload to have, so that it can report to them. A
    /// target whose deployments have no environment leaves them out.
    pub environment: BTreeMap<String, Secret>,
}

impl DeployPlan {
    /// A deployment of `configuration`, with `values` worked out from it.
    pub fn new(
        plan: Arc<Plan>,
        slot: SlotId,
        configuration: Arc<Configuration>,
        values: Arc<BTreeMap<TunableName, Value>>,
        undo: Arc<Undo>,
    ) -> Self {
        Self {
            plan,
            slot,
            configuration,
            values,
            undo,
            environment: BTreeMap::new(),
        }
    }

    /// The same with these variables for the workload.
    #[must_use]
    pub fn with_environment(self, environment: BTreeMap<String, Secret>) -> Self {
        Self {
            environment,
            ..self
        }
    }

    /// The value of a tunable. None: there is no such tunable, or it has no value here.
    pub fn value(&self, name: &str) -> Option<&Value> {
        super::load::value(&self.values, name)
    }
}

/// One look at a deployment.
#[derive(Debug, Clone, PartialEq)]
pub enum Readiness {
    /// It is there, and this is what really runs.
    Ready {
        /// What was asked and what is seen.
        facts: Vec<Fact>,
        /// Where it can be reached; the first is `{{address}}`.
        addresses: Vec<Address>,
    },
    /// Not yet.
    Progressing {
        /// What it waits for.
        why: String,
    },
    /// It will not become ready.
    Stuck {
        /// Why.
        why: String,
        /// Whose fault it is, as far as the target can tell.
        blame: Blame,
    },
}

impl Readiness {
    /// It is there, without an address: whoever makes the load knows the way.
    pub fn ready(facts: Vec<Fact>) -> Self {
        Self::Ready {
            facts,
            addresses: Vec::new(),
        }
    }
}

/// Something that was read back from what really runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// What: `env.WORKERS`, `arg.2`, `limit.memory`.
    pub name: String,
    /// What the plan asked for; none where it says nothing.
    pub asked: Option<String>,
    /// What is there; none where it is absent.
    pub seen: Option<String>,
}

impl Fact {
    /// Asked for and seen: the engine refuses to measure where they differ.
    pub fn new(name: &str, asked: &dyn Display, seen: &dyn Display) -> Self {
        Self {
            name: name.to_owned(),
            asked: Some(asked.to_string()),
            seen: Some(seen.to_string()),
        }
    }
}

/// Where a deployment can be reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// Name of the port; `port` for the one that has none.
    pub name: String,
    /// Host and port.
    pub authority: String,
}

/// Something that happened to a deployment while it was measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// When it was seen.
    pub at: Timestamp,
    /// What it is.
    pub kind: IncidentKind,
    /// For people.
    pub what: String,
    /// Whether what was measured around it is void.
    pub fatal: bool,
}

/// Kinds of incidents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum IncidentKind {
    /// It ended.
    Exited,
    /// It was started again.
    Restarted,
    /// The memory limit killed it.
    OutOfMemory,
    /// The CPU limit held it back.
    Throttled,
    /// Others used the machine.
    Neighbour,
    /// Somebody else changed it.
    Changed,
}

/// Something of ours that is still out there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remnant {
    /// The act that left it.
    pub key: OpKey,
    /// On whose behalf.
    pub epoch: Epoch,
    /// For people: `process 4711 (nginx)`.
    pub what: String,
    /// The target's own handle of it.
    pub handle: String,
}
