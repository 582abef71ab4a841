//! Requests from the inbox become events that name them.

use super::decide::Run;
use crate::engine::error::EngineError;
use crate::engine::order::Order;
use crate::experiment::Phase;
use crate::journal::ExperimentEvent;
use crate::machine::{HoldEvent, IterationEvent};
use crate::port::Request;

impl Run {
    /// Takes what was asked for since the last time, where it is time to look.
    pub(super) async fn take_requests(&mut self) -> Result<(), EngineError> {
        if !self.inbox_is_due() {
            return Ok(());
        }
        let name = &self.session.plan.name;
        let after = self.experiment.requests_taken();
        let requests = self.session.ports.store.requests(name, after).await;
        let requests =
            requests.map_err(EngineError::failed(format!("read the inbox of {name}")))?;
        for request in requests {
            let event = self.event_of(&request);
            let event = match self.experiment.check(&event) {
                Ok(()) => event,
                Err(illegal) => taken(&request, format!("it came too late: {illegal}")),
            };
            self.decide(event)?;
        }
        Ok(())
    }

    fn event_of(&mut self, request: &Request) -> ExperimentEvent {
        let number = Some(request.number);
        match serde_json::from_str(&request.body) {
            Ok(Order::Pause { why }) => ExperimentEvent::Paused {
                why,
                request: number,
            },
            Ok(Order::Resume) => ExperimentEvent::Resumed { request: number },
            Ok(Order::Cancel { by }) => ExperimentEvent::Cancelled {
                by,
                request: number,
            },
            Ok(Order::RestoreAgain) => {
                self.restore(request, &HoldEvent::Retry, &IterationEvent::Retry)
            }
            Ok(Order::RestoredByHand { by }) => {
                let hold = HoldEvent::DoneByHand { by: by.clone() };
                self.restore(request, &hold, &IterationEvent::DoneByHand { by })
            }
            Err(error) => taken(request, format!("this build does not know it: {error}")),
        }
    }

    /// Tells what is stranded; an experiment that was paused for it goes on.
    fn restore(
        &mut self,
        request: &Request,
        hold: &HoldEvent,
        iteration: &IterationEvent,
    ) -> ExperimentEvent {
        let told = self.fleet.tell_stranded(hold, iteration);
        if told > 0 && matches!(self.experiment.phase(), Phase::Paused { .. }) {
            return ExperimentEvent::Resumed {
                request: Some(request.number),
            };
        }
        taken(request, format!("{told} were told"))
    }
}

fn taken(request: &Request, note: String) -> ExperimentEvent {
    ExperimentEvent::RequestTaken {
        request: request.number,
        note,
    }
}
