//! What watchers are told: consequences of durable events only.

use super::decide::Run;
use crate::engine::control::{EngineEvent, EventKind};
use crate::engine::notice::{HoldNotice, IterationNotice, Notice};
use crate::journal::{ExperimentEvent, IterationEnd, Stage};

impl Run {
    pub(super) fn tell(&self, event: &ExperimentEvent) {
        if self.control.events.is_some()
            && let Some(kind) = kind_of(event)
        {
            self.send(kind);
        }
    }

    pub(super) fn tell_notice(&self, notice: &Notice) {
        if self.control.events.is_none() {
            return;
        }
        let kind = match notice {
            Notice::Hold { slot, state } => match state {
                HoldNotice::Held(_) => EventKind::Held { slot: *slot },
                HoldNotice::Acquiring | HoldNotice::Closing { .. } | HoldNotice::Stranded(_) => {
                    return;
                }
            },
            Notice::Iteration {
                trial,
                iteration,
                state,
            } => match state {
                IterationNotice::Measuring { cycles, of } => EventKind::Measuring {
                    trial: *trial,
                    iteration: *iteration,
                    cycles: *cycles,
                    of: *of,
                },
                IterationNotice::In(stage) => EventKind::Stage {
                    trial: *trial,
                    iteration: *iteration,
                    stage: *stage,
                },
                IterationNotice::AtBarrier => EventKind::Stage {
                    trial: *trial,
                    iteration: *iteration,
                    stage: Stage::Barrier,
                },
                IterationNotice::Stranded(_) => return,
            },
        };
        self.send(kind);
    }

    fn send(&self, kind: EventKind) {
        if let Some(events) = &self.control.events {
            let at = self.now();
            // Nobody listens: nobody misses it.
            drop(events.send(EngineEvent { at, kind }));
        }
    }
}

fn kind_of(event: &ExperimentEvent) -> Option<EventKind> {
    Some(match event {
        ExperimentEvent::HoldClosed { slot, .. } => EventKind::Released { slot: *slot },
        ExperimentEvent::TrialAdded { trial, label, .. } => EventKind::TrialAdded {
            trial: *trial,
            label: label.clone(),
        },
        ExperimentEvent::BlockDrawn {
            block,
            purpose,
            waves,
        } => EventKind::BlockDrawn {
            block: *block,
            purpose: *purpose,
            iterations: waves.iter().map(Vec::len).sum(),
        },
        ExperimentEvent::Placed {
            trial,
            iteration,
            block,
            slot,
            ..
        } => EventKind::Placed {
            trial: *trial,
            iteration: *iteration,
            block: *block,
            slot: *slot,
        },
        ExperimentEvent::IterationEnded {
            trial,
            iteration,
            end,
        } => EventKind::IterationEnded {
            trial: *trial,
            iteration: *iteration,
            how: how(end),
        },
        ExperimentEvent::Calibrated { capacity, rate } => EventKind::Calibrated {
            capacity: capacity.rate,
            rate: *rate,
        },
        ExperimentEvent::TrialFinished { trial, outcome } => EventKind::TrialFinished {
            trial: *trial,
            outcome: outcome.clone(),
        },
        ExperimentEvent::VerificationBegun { .. } => EventKind::VerificationBegun,
        ExperimentEvent::Paused { why, .. } => EventKind::Paused { why: why.clone() },
        ExperimentEvent::Resumed { .. } => EventKind::Resumed,
        ExperimentEvent::Concluded { answer, winner, .. } => EventKind::Concluded {
            answer: *answer,
            winner: *winner,
        },
        ExperimentEvent::Created { .. }
        | ExperimentEvent::Started { .. }
        | ExperimentEvent::Surveyed { .. }
        | ExperimentEvent::Asked { .. }
        | ExperimentEvent::BlockVoided { .. }
        | ExperimentEvent::HoldOpened { .. }
        | ExperimentEvent::Dropped { .. }
        | ExperimentEvent::Cancelled { .. }
        | ExperimentEvent::Amended { .. }
        | ExperimentEvent::RequestTaken { .. }
        | ExperimentEvent::ReportDue { .. }
        | ExperimentEvent::Finished => return None,
    })
}

fn how(end: &IterationEnd) -> String {
    match end {
        IterationEnd::Done(_) => "done".to_owned(),
        IterationEnd::Failed(failure) => {
            format!(
                "failed in {}, blame {}: {}",
                failure.stage, failure.blame, failure.message
            )
        }
        IterationEnd::Interrupted { .. } => "interrupted".to_owned(),
    }
}
