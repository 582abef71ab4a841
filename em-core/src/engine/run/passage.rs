//! Leave to measure, block by block.

use std::any::Any;
use std::sync::Arc;

use super::decide::Run;
use crate::engine::error::EngineError;
use crate::experiment::Phase;
use crate::id::BlockNo;
use crate::journal::ExperimentEvent;

/// Leave to measure one block, or to search for the capacity.
#[derive(Debug)]
pub(super) struct Passage {
    block: Option<BlockNo>,
    /// Whatever keeps others out.
    _leave: Box<dyn Any + Send>,
}

impl Run {
    /// Whether the event may be decided now: whoever places an iteration waits for leave first.
    /// False: somebody asks to leave before it comes.
    pub(super) async fn may_decide(
        &mut self,
        event: &ExperimentEvent,
    ) -> Result<bool, EngineError> {
        let ExperimentEvent::Placed { block, .. } = event else {
            return Ok(true);
        };
        let Some(gate) = self.control.gate.as_ref().map(Arc::clone) else {
            return Ok(true);
        };
        if self.passage.as_ref().is_some_and(|one| one.block == *block) {
            return Ok(true);
        }
        // One block's leave is none for the next: others have their turn in between.
        self.passage = None;
        self.settle().await?;
        let Some(entered) = self.unless_told_to_leave(gate.enter()).await? else {
            return Ok(false);
        };
        let leave = entered.map_err(EngineError::failed("wait for leave to measure"))?;
        self.passage = Some(Passage {
            block: *block,
            _leave: leave,
        });
        Ok(true)
    }

    /// Lets the next one measure once nothing of this run does.
    pub(super) fn let_others_in(&mut self) {
        let experiment = &self.experiment;
        let goes_on = match experiment.phase() {
            Phase::Running | Phase::Verifying { .. } => experiment.open_block().is_some(),
            Phase::Paused { .. } | Phase::Closing { .. } | Phase::Finished { .. } => false,
        };
        if experiment.active().is_empty() && !goes_on {
            self.passage = None;
        }
    }
}
