//! Who is to blame, from the stage and the fault; and how often a call is tried again.

use std::time::Duration;

use crate::fault::{Fault, FaultKind};
use crate::journal::{Blame, Failure, Stage};
use crate::plan::Plan;

/// Who is to blame for a fault of a call in a stage.
pub(super) fn blame(stage: Stage, kind: FaultKind) -> Blame {
    match (stage, kind) {
        (Stage::Deploy, FaultKind::Invalid) => Blame::Configuration,
        (Stage::Deploy | Stage::Verify, FaultKind::NotFound | FaultKind::Malformed) => {
            Blame::Target
        }
        (Stage::Verify, FaultKind::Invalid) => Blame::Target,
        (Stage::Load, _) => Blame::Load,
        (_, FaultKind::Cancelled) => Blame::Manager,
        (Stage::Deploy | Stage::Verify | Stage::Barrier | Stage::Collect | Stage::Withdraw, _) => {
            Blame::Cluster
        }
    }
}

/// A fault of a call in a stage as a failure of the iteration.
pub(super) fn failure(stage: Stage, fault: &Fault) -> Failure {
    Failure {
        stage,
        blame: blame(stage, fault.kind),
        fault: Some(fault.kind),
        message: fault.chain(),
    }
}

/// A failure that no port reported.
pub(super) fn failed(stage: Stage, blame: Blame, message: impl Into<String>) -> Failure {
    Failure {
        stage,
        blame,
        fault: None,
        message: message.into(),
    }
}

/// How long one attempt may take, and how many more there are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    pub(super) timeout: Duration,
    pub(super) retries: u32,
}

impl Patience {
    /// For a call whose failures are to blame on `blame`.
    pub(super) fn with(plan: &Plan, blame: Blame, timeout: Duration) -> Self {
        let retries = match blame {
            Blame::Datasource => plan.retries.datasource,
            Blame::Recommender => plan.retries.recommender,
            Blame::Configuration
            | Blame::Target
            | Blame::Load
            | Blame::Cluster
            | Blame::Manager => plan.retries.cluster,
        };
        Self { timeout, retries }
    }

    /// For one question about something on this machine or the cluster.
    pub(super) fn look(plan: &Plan) -> Self {
        Self::with(plan, Blame::Cluster, plan.timeouts.call)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_deployed_as_asked_is_the_configurations_fault() {
        assert_eq!(
            blame(Stage::Deploy, FaultKind::Invalid),
            Blame::Configuration
        );
        assert_eq!(blame(Stage::Deploy, FaultKind::Unavailable), Blame::Cluster);
        assert_eq!(blame(Stage::Verify, FaultKind::Malformed), Blame::Target);
        assert_eq!(blame(Stage::Load, FaultKind::Unavailable), Blame::Load);
        assert_eq!(blame(Stage::Collect, FaultKind::Denied), Blame::Cluster);
    }
}
