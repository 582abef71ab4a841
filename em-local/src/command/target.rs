//! The port.

use std::time::Duration;

use async_trait::async_trait;
use em_core::fault::Fault;
use em_core::id::{OpKey, SlotId, TunableName};
use em_core::plan::{CommandSpec, Plan, TargetSpec};
use em_core::port::{
    Address, DeployPlan, Fact, Finding, Incident, OpContext, Readiness, Remnant, Severity,
    SlotInfo, Survey, Target, Undo,
};
use em_core::template::Template;
use em_core::value::{Quantity, Value};
use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::error::CommandTargetError;
use super::hold::{self, By, Hold};
use super::undo::UndoBody;
use crate::call::{Call, Called};
use crate::fault::blocking;
use crate::fill::{self, Places, Values};
use crate::held::Held;
use crate::programs;
use crate::remnants;
use crate::surroundings::{Surroundings, mark_of};

/// Between two looks: each is a command.
const TICK: Duration = Duration::from_millis(200);

/// Any system, through commands that take and print JSON.
#[derive(Debug)]
pub struct CommandTarget {
    surroundings: Surroundings,
    holds: Held<Hold>,
}

impl CommandTarget {
    /// A target in these surroundings.
    pub fn new(surroundings: Surroundings) -> Self {
        Self {
            surroundings,
            holds: Held::new(),
        }
    }

    async fn call(
        &self,
        cx: &OpContext,
        plan: &DeployPlan,
        command: &[Template],
        input: &Json,
    ) -> Result<Called, CommandTargetError> {
        let spec = spec_of(&plan.plan)?;
        let (trial, iteration) = match &cx.key {
            OpKey::Iteration {
                trial, iteration, ..
            } => (trial.0, iteration.0),
            OpKey::Experiment { .. } | OpKey::Hold { .. } => (0, 0),
        };
        let places = Places {
            executable: self.surroundings.executable.clone(),
            address: spec.address.clone(),
            base: self.surroundings.base.clone(),
            trial,
            iteration,
            ..Places::default()
        };
        let lookup = |name: &str| fill::lookup(&places, &plan.values, name);
        let (mut env, _) = fill::environment("target.env", &spec.env, &lookup)?;
        let reports = plan.environment.iter();
        env.extend(reports.map(|(name, value)| (name.clone(), value.expose().to_owned())));
        let call = Call {
            command: fill::command("target", command, &places.base, &lookup)?,
            env: env.into_iter().collect(),
            folder: places.base.clone(),
        };
        let called = call
            .make(&self.surroundings, &mark_of(cx), Some(input))
            .await;
        called.map_err(CommandTargetError::call("reach"))
    }

    async fn release(
        &self,
        cx: &OpContext,
        undo: Option<Undo>,
        by: By,
    ) -> Result<(), CommandTargetError> {
        let cell = self.holds.cell(&cx.key);
        let mut held = cell.lock().await;
        hold::restore(&self.surroundings, cx, &mut held, undo.as_ref(), by).await?;
        self.holds.forget(&cx.key);
        Ok(())
    }

    async fn facts(
        &self,
        cx: &OpContext,
        plan: &DeployPlan,
    ) -> Result<Vec<Fact>, CommandTargetError> {
        let spec = spec_of(&plan.plan)?;
        if spec.facts.is_empty() {
            return Ok(Vec::new());
        }
        let input = json!({ "act": "facts", "values": *plan.values });
        let called = self.call(cx, plan, &spec.facts, &input).await?;
        let printed = called.ended_with(&[0]).and_then(|called| called.json());
        let printed = printed.map_err(CommandTargetError::call("read the facts of"))?;
        facts_in(&printed, &plan.values)
    }
}

fn spec_of(plan: &Plan) -> Result<&CommandSpec, CommandTargetError> {
    let TargetSpec::Command(spec) = &plan.target else {
        return Err(CommandTargetError::OtherKind {
            kind: plan.target.kind().to_owned(),
        });
    };
    Ok(spec)
}

/// Facts named like tunables are compared with the values that were asked for; a quantity in whatever
/// spelling (`1Gi`, `1073741824`).
fn facts_in(printed: &Json, values: &Values) -> Result<Vec<Fact>, CommandTargetError> {
    let wrong = || CommandTargetError::Facts {
        printed: printed.to_string().chars().take(200).collect(),
    };
    let map = printed.as_object().ok_or_else(wrong)?;
    let one = |(name, seen): (&String, &Json)| {
        let asked = name
            .parse::<TunableName>()
            .ok()
            .and_then(|name| values.get(&name));
        let text = match seen {
            Json::Null => None,
            Json::String(text) => Some(text.clone()),
            Json::Bool(_) | Json::Number(_) | Json::Array(_) | Json::Object(_) => {
                Some(seen.to_string())
            }
        };
        let seen = match (asked, text) {
            (Some(asked), Some(text)) if is_same(asked, &text) => Some(asked.to_string()),
            (_, text) => text,
        };
        let asked = asked.map(ToString::to_string);
        Fact {
            name: name.clone(),
            asked,
            seen,
        }
    };
    Ok(map.iter().map(one).collect())
}

fn is_same(asked: &Value, seen: &str) -> bool {
    match asked {
        Value::Quantity(asked) => seen.parse::<Quantity>().is_ok_and(|seen| seen == *asked),
        Value::Real(_) | Value::Integer(_) => seen
            .parse::<f64>()
            .ok()
            .zip(asked.to_f64())
            .is_some_and(|(seen, asked)| seen.total_cmp(&asked).is_eq()),
        Value::Bool(_) | Value::Text(_) => asked.to_string() == seen,
    }
}

/// Today's values, where the snapshot is an object (or has one called `values`) that names tunables.
fn today(snapshot: &Json, plan: &Plan) -> std::collections::BTreeMap<TunableName, Value> {
    let map = snapshot.get("values").unwrap_or(snapshot);
    let read = |name: &TunableName| {
        let value = serde_json::from_value::<Value>(map.get(name.as_str())?.clone()).ok()?;
        Some((name.clone(), value))
    };
    plan.tunables
        .iter()
        .filter_map(|tunable| read(&tunable.name))
        .collect()
}

#[async_trait]
impl Target for CommandTarget {
    async fn survey(&self, cx: &OpContext, plan: &Plan) -> Result<Survey, Fault> {
        let spec = spec_of(plan)?;
        let slots = vec![SlotInfo {
            id: SlotId(0),
            label: "the target".to_owned(),
        }];
        let mut survey = Survey {
            slots,
            ..Survey::default()
        };
        let commands = [
            &spec.snapshot,
            &spec.apply,
            &spec.ready,
            &spec.facts,
            &spec.restore,
        ];
        for command in commands {
            if let Some(program) = programs::missing(command, &self.surroundings.base) {
                survey.findings.push(Finding {
                    severity: Severity::Error,
                    what: programs::not_there(program),
                    remedy: Some("install it, or write its whole path".to_owned()),
                });
            }
        }
        if survey.findings.is_empty() {
            let snapshot = hold::look(&self.surroundings, cx, spec).await?;
            survey.today = today(&snapshot, plan);
        }
        Ok(survey)
    }

    async fn acquire(&self, cx: &OpContext, plan: &Plan, _slot: SlotId) -> Result<Undo, Fault> {
        let spec = spec_of(plan)?;
        let cell = self.holds.cell(&cx.key);
        let mut held = cell.lock().await;
        if let Some(hold) = &*held {
            return Ok(hold.undo.clone());
        }
        let hold = hold::acquire(&self.surroundings, cx, spec).await?;
        Ok(held.insert(hold).undo.clone())
    }

    async fn deploy(&self, cx: &OpContext, plan: &DeployPlan) -> Result<(), Fault> {
        if plan.values.is_empty() {
            return Ok(hold::deploy_original(&self.surroundings, cx, &plan.undo).await?);
        }
        let spec = spec_of(&plan.plan)?;
        let snapshot = UndoBody::of(&plan.undo)?.snapshot;
        let input = json!({ "act": "apply", "values": *plan.values, "undo": snapshot });
        let called = self.call(cx, plan, &spec.apply, &input).await?;
        called
            .ended_with(&[0])
            .map_err(CommandTargetError::call("apply a configuration to"))?;
        Ok(())
    }

    async fn readiness(&self, cx: &OpContext, plan: &DeployPlan) -> Result<Readiness, Fault> {
        let spec = spec_of(&plan.plan)?;
        if !spec.ready.is_empty() {
            let input = json!({ "act": "ready", "values": *plan.values });
            let called = self.call(cx, plan, &spec.ready, &input).await?;
            if let Err(error) = called.ended_with(&[0]) {
                return Ok(Readiness::Progressing {
                    why: error.to_string(),
                });
            }
        }
        let address = spec.address.iter();
        let address = address.map(|authority| Address {
            name: "port".to_owned(),
            authority: authority.clone(),
        });
        let addresses = address.collect();
        Ok(Readiness::Ready {
            facts: self.facts(cx, plan).await?,
            addresses,
        })
    }

    /// The commands say nothing of what happens meanwhile.
    async fn health(&self, _cx: &OpContext, _since: Timestamp) -> Result<Vec<Incident>, Fault> {
        Ok(Vec::new())
    }

    /// In place, so there is nothing to take down but what a call may have left running.
    async fn withdraw(&self, cx: &OpContext) -> Result<(), Fault> {
        let (mark, root) = (mark_of(cx), self.surroundings.work_root());
        let ended = blocking(move || remnants::end_all_of(&mark, &root)).await;
        ended.map_err(|why| {
            let message = format!("failed to clear away what {} left: {why}", cx.key);
            Fault::new(em_core::fault::FaultKind::Unavailable, message)
        })
    }

    async fn restore(&self, cx: &OpContext, undo: Option<Undo>) -> Result<(), Fault> {
        Ok(self.release(cx, undo, By::Us).await?)
    }

    async fn accept(&self, cx: &OpContext, undo: Option<Undo>) -> Result<(), Fault> {
        Ok(self.release(cx, undo, By::Hand).await?)
    }

    async fn remnants(&self, _cx: &OpContext) -> Result<Vec<Remnant>, Fault> {
        let root = self.surroundings.work_root();
        Ok(blocking(move || remnants::find(&root)).await)
    }

    async fn end_remnant(&self, _cx: &OpContext, remnant: &Remnant) -> Result<(), Fault> {
        remnants::end_one(remnant).await
    }

    async fn changed(&self, _cx: &OpContext) {
        tokio::time::sleep(TICK).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_compared_by_value_where_they_are_named_like_tunables() {
        let values = Values::from([
            (
                "memory".parse().unwrap(),
                Value::Quantity("1Gi".parse().unwrap()),
            ),
            ("workers".parse().unwrap(), Value::Integer(8)),
        ]);
        let printed = json!({"memory": 1_073_741_824_u64, "workers": "4", "version": "16.2"});
        let facts = facts_in(&printed, &values).unwrap();
        let fact = |name: &str| {
            let fact = facts.iter().find(|fact| fact.name == name).unwrap();
            (fact.asked.as_deref(), fact.seen.as_deref())
        };
        assert_eq!(fact("memory"), (Some("1Gi"), Some("1Gi")));
        assert_eq!(fact("workers"), (Some("8"), Some("4")));
        assert_eq!(fact("version"), (None, Some("16.2")));
        assert!(facts_in(&json!([1]), &values).is_err());
        let nested = facts_in(&json!({"a": {"b": 1}}), &values).unwrap();
        assert_eq!(nested[0].seen.as_deref(), Some(r#"{"b":1}"#));
    }
}
