//! Starting the load, and waiting until it is steady.

use std::sync::Arc;
use std::time::Duration;

use super::iteration::IterationPerformer;
use crate::engine::blame::{Patience, failed, failure};
use crate::engine::caller::{between, later};
use crate::journal::{Blame, Failure, Stage};
use crate::machine::{IterationEvent, Running};
use crate::plan::{LoadSpec, Phase, Plan};
use crate::port::{LoadGoal, LoadPlan, LoadStatus};

/// The longest time without another look, whatever the driver says of changes.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

pub(super) async fn load(
    iteration: &IterationPerformer,
    running: &Running,
) -> Result<IterationEvent, Failure> {
    let (ports, plan) = (&iteration.session.ports, &iteration.session.plan);
    let caller = &iteration.caller;
    let asked = caller.now();
    if matches!(plan.load, LoadSpec::None) {
        return Ok(IterationEvent::LoadSteady { since: asked });
    }
    let load_plan = &load_plan(iteration);
    let patience = Patience::with(plan, Blame::Load, plan.timeouts.call);
    caller
        .call("start the load", patience, |cx| async move {
            ports.load.start(&cx, load_plan, &running.addresses).await
        })
        .await
        .map_err(|fault| failure(Stage::Load, &fault))?;
    // A search for the capacity has no steady phase: it is watched from its start.
    if matches!(load_plan.goal, LoadGoal::FindCapacity { .. }) {
        return Ok(IterationEvent::LoadSteady { since: asked });
    }
    let limit = ramp(plan);
    let deadline = later(asked, limit);
    loop {
        let look = caller
            .call("look at the load", Patience::look(plan), |cx| async move {
                ports.load.status(&cx).await
            })
            .await;
        match look.map_err(|fault| failure(Stage::Load, &fault))? {
            LoadStatus::Steady { since } => return Ok(IterationEvent::LoadSteady { since }),
            // A short tool may be through before anybody looked.
            LoadStatus::Finished => return Ok(IterationEvent::LoadSteady { since: asked }),
            LoadStatus::Failed { why } => return Err(failed(Stage::Load, Blame::Load, why)),
            LoadStatus::Ramping => {}
        }
        let left = between(caller.now(), deadline);
        if left.is_zero() {
            let limit = crate::value::duration::spell(limit);
            let message = format!("the load was not steady within {limit}");
            return Err(failed(Stage::Load, Blame::Load, message));
        }
        let cx = caller.context(left);
        drop(tokio::time::timeout(left.min(LOOK_AGAIN), ports.load.changed(&cx)).await);
    }
}

fn load_plan(iteration: &IterationPerformer) -> LoadPlan {
    let session = &iteration.session;
    let wanted = &session.wanted;
    let job = &iteration.job;
    LoadPlan::new(Arc::clone(&wanted.load), job.goal, job.seed, wanted.planned)
        .batch(wanted.batch)
        .cycle(session.plan.measurement.cycle_duration)
        .values(job.values.clone().unwrap_or_default())
}

/// How long it may take until the load is steady.
fn ramp(plan: &Plan) -> Duration {
    match &plan.load {
        LoadSpec::Http(http) => {
            let phases = http.phases.iter().map(|phase| match phase {
                Phase::Ramp { lasts, .. } => *lasts,
                Phase::Constant { lasts, .. } => lasts.unwrap_or_default(),
            });
            plan.timeouts.load + phases.sum::<Duration>()
        }
        // Who waits for it says itself that it did not come.
        LoadSpec::External(external) => external.timeout + plan.timeouts.load,
        LoadSpec::Command(_) | LoadSpec::Job(_) | LoadSpec::None | LoadSpec::Custom { .. } => {
            plan.timeouts.load
        }
    }
}
