//! When a run is over, and how it backs out before that.

use super::decide::Run;
use crate::engine::control::WhenPaused;
use crate::engine::error::EngineError;
use crate::experiment::Phase;
use crate::fault::{Fault, FaultKind};
use crate::journal::InterruptCause;
use crate::machine::{HoldEvent, IterationEvent};
use crate::report::Report;
use crate::schedule::HoldView;

impl Run {
    /// Breaks off what runs, then puts back what is held.
    pub(super) fn back_out(&mut self) -> Result<(), EngineError> {
        let keys: Vec<_> = self.fleet.iterations.keys().copied().collect();
        for key in &keys {
            let cause = InterruptCause::Asked;
            self.fleet
                .call_off(*key, IterationEvent::Interrupt { cause });
        }
        if keys.iter().all(|key| self.fleet.stranded.contains_key(key)) {
            let slots: Vec<_> = self.fleet.holds.keys().copied().collect();
            for slot in slots {
                self.fleet.close(slot, HoldEvent::Interrupt);
            }
        }
        let is_stuck = |view: &HoldView| matches!(view, HoldView::Stranded { .. });
        if self.fleet.views.values().all(is_stuck) && self.only_stranded_iterations() {
            return Err(self.stranded().unwrap_or(EngineError::Interrupted));
        }
        Ok(())
    }

    fn only_stranded_iterations(&self) -> bool {
        let mut keys = self.fleet.iterations.keys();
        keys.all(|key| self.fleet.stranded.contains_key(key))
    }

    /// The error that says what could not be put back.
    fn stranded(&self) -> Option<EngineError> {
        let name = self.session.plan.name.clone();
        let hold = self.fleet.views.iter().find_map(|(slot, view)| match view {
            HoldView::Stranded { why } => Some((*slot, why.clone())),
            HoldView::Acquiring | HoldView::Held | HoldView::Closing => None,
        });
        let iteration = || {
            let (key, why) = self.fleet.stranded.first_key_value()?;
            let slot = self.experiment.active().get(key)?.slot;
            Some((slot, why.clone()))
        };
        let (slot, why) = hold.or_else(iteration)?;
        Some(EngineError::Stranded { name, slot, why })
    }

    /// The report once all is over, or the reason to leave without one.
    pub(super) async fn end(&mut self) -> Result<Option<Report>, EngineError> {
        match self.experiment.phase() {
            Phase::Finished { .. } => {}
            Phase::Paused { why, .. } if self.control.when_paused == WhenPaused::Leave => {
                let is_stuck = |view: &HoldView| matches!(view, HoldView::Stranded { .. });
                let is_quiet =
                    self.fleet.views.values().all(is_stuck) && self.only_stranded_iterations();
                let why = why.clone();
                return if is_quiet {
                    Err(self.stranded().unwrap_or(EngineError::Paused { why }))
                } else {
                    Ok(None)
                };
            }
            Phase::Running
            | Phase::Verifying { .. }
            | Phase::Closing { .. }
            | Phase::Paused { .. } => return Ok(None),
        }
        if let Some(report) = self.report.take() {
            return Ok(Some(report));
        }
        let digest = *self
            .experiment
            .report()
            .expect("an experiment is finished only after its report");
        let bytes = self.session.ports.store.get(&digest).await;
        let bytes = bytes.map_err(EngineError::failed("read the report"))?;
        let report = serde_json::from_slice(&bytes).map_err(|source| {
            let fault = Fault::new(FaultKind::Malformed, "it is no report");
            EngineError::failed("read the report")(fault.caused_by(source))
        })?;
        Ok(Some(report))
    }
}
