//! Requests from the inbox become events that name them.

use super::decide::Run;
use crate::engine::blame::Patience;
use crate::engine::error::EngineError;
use crate::engine::order::Order;
use crate::engine::session::Session;
use crate::experiment::Phase;
use crate::id::OpKey;
use crate::journal::ExperimentEvent;
use crate::machine::{HoldEvent, IterationEvent};
use crate::port::Request;
use crate::schedule::HoldView;

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
            let event = self.event_of(&request).await;
            let event = match self.experiment.check(&event) {
                Ok(()) => event,
                Err(illegal) => taken(&request, format!("it came too late: {illegal}")),
            };
            self.decide(event)?;
        }
        Ok(())
    }

    async fn event_of(&mut self, request: &Request) -> ExperimentEvent {
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
                if let Some(why) = self.not_back().await {
                    return taken(request, why);
                }
                let hold = HoldEvent::DoneByHand { by: by.clone() };
                self.restore(request, &hold, &IterationEvent::DoneByHand { by })
            }
            Err(error) => taken(request, format!("this build does not know it: {error}")),
        }
    }

    /// What is not back although somebody says so; none where everything is, which is unlocked then.
    async fn not_back(&mut self) -> Option<String> {
        let Session { ports, plan, .. } = &*self.session;
        let mut said = Vec::new();
        for (slot, n, undo) in self.fleet.stranded_holds() {
            let caller = self.session.caller(OpKey::Hold {
                experiment: plan.name.clone(),
                slot,
                n,
            });
            let undo = undo.as_deref();
            let accepted = caller.call(
                "look at what was put back",
                Patience::look(plan),
                |cx| async move { ports.target.accept(&cx, undo.cloned()).await },
            );
            if let Err(fault) = accepted.await {
                let why = fault.chain();
                said.push(format!("slot {slot}: {why}"));
                self.fleet.views.insert(slot, HoldView::Stranded { why });
            }
        }
        (!said.is_empty()).then(|| said.join("; "))
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
