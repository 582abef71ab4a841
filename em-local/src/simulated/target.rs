//! The port `Target`.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use em_core::fault::{Fault, FaultKind};
use em_core::id::{OpKey, SlotId};
use em_core::journal::Blame;
use em_core::plan::{Plan, SimulatedFailure, SimulatedSpec, TargetSpec};
use em_core::port::{
    Address, Clock, DeployPlan, Incident, IncidentKind, OpContext, Readiness, Remnant, SlotInfo,
    Survey, Target, Undo,
};
use jiff::Timestamp;

use super::draw::Draw;
use super::model::Look;
use crate::fill::Values;

/// A formula instead of a system.
#[derive(Debug)]
pub struct SimulatedTarget {
    clock: Arc<dyn Clock>,
    since: Timestamp,
    deployed: Mutex<HashMap<OpKey, Deployed>>,
}

#[derive(Debug)]
struct Deployed {
    spec: SimulatedSpec,
    values: Arc<Values>,
    at: Timestamp,
    looks: u64,
}

impl Deployed {
    fn fails(&self, cx: &OpContext, failure: SimulatedFailure) -> bool {
        fails(&self.spec, cx, failure)
    }
}

fn fails(spec: &SimulatedSpec, cx: &OpContext, failure: SimulatedFailure) -> bool {
    let share = spec.failures.get(&failure).copied().unwrap_or_default();
    Draw::new(spec.seed, &format!("{}/{failure:?}", cx.key)).uniform() < share
}

impl SimulatedTarget {
    /// A system that comes to be now.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            since: clock.now(),
            clock,
            deployed: Mutex::default(),
        }
    }

    fn with<T>(&self, cx: &OpContext, act: impl FnOnce(&mut Deployed) -> T) -> Result<T, Fault> {
        let mut deployed = self.deployed.lock().unwrap_or_else(PoisonError::into_inner);
        let found = deployed.get_mut(&cx.key).ok_or_else(|| {
            Fault::new(
                FaultKind::NotFound,
                format!("nothing is deployed for {}", cx.key),
            )
        })?;
        Ok(act(found))
    }
}

fn spec_of(plan: &Plan) -> Result<&SimulatedSpec, Fault> {
    let TargetSpec::Simulated(spec) = &plan.target else {
        let message = format!("the plan's target is {}, not simulated", plan.target.kind());
        return Err(Fault::new(FaultKind::Invalid, message));
    };
    Ok(spec)
}

#[async_trait]
impl Target for SimulatedTarget {
    async fn survey(&self, _cx: &OpContext, plan: &Plan) -> Result<Survey, Fault> {
        let slot = |number| SlotInfo {
            id: SlotId(number),
            label: format!("simulated {number}"),
        };
        let slots = (0..spec_of(plan)?.slots).map(slot).collect();
        let today = plan.tunables.iter();
        let today = today
            .filter_map(|one| Some((one.name.clone(), one.default.clone()?)))
            .collect();
        Ok(Survey {
            slots,
            today,
            ..Survey::default()
        })
    }

    async fn acquire(&self, _cx: &OpContext, _plan: &Plan, _slot: SlotId) -> Result<Undo, Fault> {
        Ok(Undo {
            kind: "simulated".to_owned(),
            format: 1,
            body: serde_json::Value::Null,
        })
    }

    async fn deploy(&self, cx: &OpContext, plan: &DeployPlan) -> Result<(), Fault> {
        let spec = spec_of(&plan.plan)?;
        if fails(spec, cx, SimulatedFailure::Deploy) {
            let message = "the simulated system refuses the deployment (target.failures.deploy)";
            return Err(Fault::new(FaultKind::Invalid, message));
        }
        let mut deployed = self.deployed.lock().unwrap_or_else(PoisonError::into_inner);
        deployed.entry(cx.key.clone()).or_insert_with(|| Deployed {
            spec: spec.clone(),
            values: Arc::clone(&plan.values),
            at: self.clock.now(),
            looks: 0,
        });
        Ok(())
    }

    async fn readiness(&self, cx: &OpContext, _plan: &DeployPlan) -> Result<Readiness, Fault> {
        self.with(cx, |deployed| {
            if deployed.fails(cx, SimulatedFailure::Ready) {
                let why = "the simulated system does not become ready (target.failures.ready)";
                return Readiness::Stuck {
                    why: why.to_owned(),
                    blame: Blame::Target,
                };
            }
            let address = Address {
                name: "port".to_owned(),
                authority: "simulated:80".to_owned(),
            };
            Readiness::Ready {
                facts: Vec::new(),
                addresses: vec![address],
            }
        })
    }

    async fn health(&self, cx: &OpContext, since: Timestamp) -> Result<Vec<Incident>, Fault> {
        self.with(cx, |deployed| {
            let dies = deployed.fails(cx, SimulatedFailure::Health) && deployed.at >= since;
            let what = "the simulated system has ended (target.failures.health)".to_owned();
            let incident = Incident {
                at: deployed.at,
                kind: IncidentKind::Exited,
                what,
                fatal: true,
            };
            dies.then_some(incident).into_iter().collect()
        })
    }

    async fn withdraw(&self, cx: &OpContext) -> Result<(), Fault> {
        self.deployed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&cx.key);
        Ok(())
    }

    async fn restore(&self, _cx: &OpContext, _undo: Option<Undo>) -> Result<(), Fault> {
        Ok(())
    }

    async fn remnants(&self, _cx: &OpContext) -> Result<Vec<Remnant>, Fault> {
        Ok(Vec::new())
    }

    async fn end_remnant(&self, _cx: &OpContext, _remnant: &Remnant) -> Result<(), Fault> {
        Ok(())
    }

    async fn changed(&self, _cx: &OpContext) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }

    async fn usage(&self, cx: &OpContext) -> Result<BTreeMap<String, f64>, Fault> {
        let now = self.clock.now();
        let hours = now.duration_since(self.since).as_secs_f64() / 3600.0;
        let key = cx.key.to_string();
        self.with(cx, |deployed| {
            deployed.looks += 1;
            let (spec, values) = (&deployed.spec, &deployed.values);
            let look = Look {
                spec,
                values,
                key: &key,
                hours,
                number: deployed.looks,
            };
            let own = spec
                .model
                .keys()
                .filter(|metric| !metric.as_str().starts_with("load."));
            let seen =
                own.map(|metric| Ok(look.at(metric)?.map(|value| (metric.to_string(), value))));
            seen.filter_map(Result::transpose).collect()
        })?
    }
}
