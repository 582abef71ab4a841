//! Holding a slot and putting its original back.

use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use jiff::Timestamp;

use crate::engine::blame::Patience;
use crate::engine::caller::Caller;
use crate::engine::driver::Perform;
use crate::engine::notice::{HoldNotice, Notice};
use crate::engine::session::Session;
use crate::id::{OpKey, SlotId};
use crate::journal::Blame;
use crate::machine::{HoldEvent, HoldState};
use crate::port::Undo;

/// Holds one slot.
#[derive(Debug)]
pub(in crate::engine) struct HoldPerformer {
    session: Arc<Session>,
    caller: Caller,
    slot: SlotId,
    refused: Option<String>,
}

impl HoldPerformer {
    pub(in crate::engine) fn new(session: &Arc<Session>, slot: SlotId, n: u32) -> Self {
        let key = OpKey::Hold {
            experiment: session.plan.name.clone(),
            slot,
            n,
        };
        Self {
            caller: session.caller(key),
            session: Arc::clone(session),
            slot,
            refused: None,
        }
    }

    /// Why the slot was refused, where the journal leads to such a state.
    pub(in crate::engine) fn refused_before(&mut self, state: &HoldState) -> Option<String> {
        let called_off = [HoldEvent::Cancel, HoldEvent::Interrupt].map(|event| event.name());
        if let HoldState::Restoring { undo: None, why } = state
            && !called_off.contains(&why.as_str())
        {
            self.refused = Some(why.clone());
        }
        self.refused.clone()
    }

    /// Locks the slot, or takes over the lock that this key has already.
    pub(in crate::engine) async fn acquire(&self) -> Result<Undo, String> {
        let Session { ports, plan, .. } = &*self.session;
        let patience = Patience::with(plan, Blame::Cluster, plan.timeouts.restore);
        let acquired = self
            .caller
            .call("hold the slot", patience, |cx| async move {
                ports.target.acquire(&cx, plan, self.slot).await
            })
            .await;
        acquired.map_err(|fault| fault.chain())
    }

    async fn restore(&self, undo: Option<Undo>) -> HoldEvent {
        let Session { ports, plan, .. } = &*self.session;
        let patience = Patience::with(plan, Blame::Cluster, plan.timeouts.restore);
        let undo = &undo;
        let restored = self
            .caller
            .call("put the original back", patience, |cx| async move {
                ports.target.restore(&cx, undo.clone()).await
            })
            .await;
        match restored {
            Ok(()) => HoldEvent::Restored { note: None },
            Err(fault) => HoldEvent::RestoreFailed { why: fault.chain() },
        }
    }
}

impl Perform<HoldState> for HoldPerformer {
    fn perform<'a>(&'a mut self, state: &'a HoldState) -> BoxFuture<'a, HoldEvent> {
        match state {
            HoldState::Acquiring => self
                .acquire()
                .map(|acquired| match acquired {
                    Ok(undo) => HoldEvent::Acquired { undo },
                    Err(why) => HoldEvent::Refused { why },
                })
                .boxed(),
            HoldState::Restoring { undo, .. } => self.restore(undo.clone()).boxed(),
            HoldState::Held { .. } | HoldState::Stranded { .. } | HoldState::Released { .. } => {
                std::future::pending().boxed()
            }
        }
    }

    fn foregone(&self, _state: &HoldState) -> Option<HoldEvent> {
        None
    }

    fn adopt(&mut self, event: &HoldEvent, _at: Timestamp) {
        if let HoldEvent::Refused { why } = event {
            self.refused = Some(why.clone());
        }
    }

    fn notice(&self, state: &HoldState) -> Option<Notice> {
        let state = match state {
            HoldState::Acquiring => HoldNotice::Acquiring,
            HoldState::Held { undo } => HoldNotice::Held(Arc::new(undo.clone())),
            HoldState::Restoring { .. } => HoldNotice::Closing {
                refused: self.refused.clone(),
            },
            HoldState::Stranded { why, .. } => HoldNotice::Stranded(why.clone()),
            HoldState::Released { .. } => return None,
        };
        let slot = self.slot;
        Some(Notice::Hold { slot, state })
    }
}
