//! From a plan to the adapters that carry it out: the one list of what this build has.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use em_core::plan::{Plan, TargetSpec};
use em_core::port::Target;
use em_local::command::CommandTarget;
use em_local::launch::Guardian;
use em_local::process::ProcessTarget;
use em_local::surroundings::Surroundings;

/// The target of a plan whose relative paths start at `base`; what it keeps lies below `data`.
pub fn target(plan: &Plan, base: &Path, data: &Path) -> Result<Arc<dyn Target>> {
    let guardian = Guardian::this_executable()
        .context("failed to find the own executable, which guards what is started")?;
    let mut surroundings = Surroundings::new(data).guardian(guardian);
    base.clone_into(&mut surroundings.base);
    Ok(match &plan.target {
        TargetSpec::Process(_) => Arc::new(ProcessTarget::new(surroundings)),
        TargetSpec::Command(_) => Arc::new(CommandTarget::new(surroundings)),
        TargetSpec::Observe | TargetSpec::Simulated(_) | TargetSpec::Custom(_) | _ => {
            bail!("target kind {} is not supported yet", plan.target.kind())
        }
    })
}
