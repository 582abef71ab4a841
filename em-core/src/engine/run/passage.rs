//! Leave to measure, block by block.

use std::any::Any;
use std::sync::Arc;

use super::decide::Run;
use crate::engine::error::EngineError;
use crate::engine::gate::Gate;
use crate::experiment::Phase;
use crate::fault::Fault;
use crate::id::BlockNo;
use crate::journal::ExperimentEvent;

/// Leave to measure one block, or to search for the capacity.
#[derive(Debug)]
pub(super) struct Passage {
    block: Option<BlockNo>,
    /// Whatever keeps others out.
    _leave: Leave,
}

/// What a gate hands out.
type Leave = Box<dyn Any + Send>;

impl Run {
    /// Whether the event may be decided now: whoever begins something needs room for its records,
    /// whoever places an iteration waits for leave first. False: before that somebody asks to leave,
    /// or an order or a full disk changes what is to be done.
    pub(super) async fn may_decide(
        &mut self,
        event: &ExperimentEvent,
    ) -> Result<bool, EngineError> {
        let begins = matches!(
            event,
            ExperimentEvent::HoldOpened { .. } | ExperimentEvent::Placed { .. }
        );
        if begins && let Some(why) = self.session.ports.store.shortage().await {
            self.decide(ExperimentEvent::Paused { why, request: None })?;
            self.settle().await?;
            return Ok(false);
        }
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
        let Some(entered) = self.turn(gate.as_ref()).await? else {
            return Ok(false);
        };
        let leave = entered.map_err(EngineError::failed("wait for leave to measure"))?;
        self.passage = Some(Passage {
            block: *block,
            _leave: leave,
        });
        Ok(true)
    }

    /// Waits for the turn, and obeys the inbox meanwhile: the turn may be hours away, and somebody may
    /// want a pause. None: the wait is over without a turn, and the steps are derived anew.
    async fn turn(&mut self, gate: &dyn Gate) -> Result<Option<Result<Leave, Fault>>, EngineError> {
        // One place in the queue, kept from look to look.
        let mut entering = gate.enter();
        loop {
            let look = tokio::time::timeout(self.until_inbox(), &mut entering);
            match self.unless_told_to_leave(Box::pin(look)).await? {
                None => return Ok(None),
                Some(Ok(entered)) => return Ok(Some(entered)),
                Some(Err(_)) => {}
            }
            let before = self.writer.next();
            self.take_requests().await?;
            if self.writer.next() != before {
                self.settle().await?;
                return Ok(None);
            }
        }
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
