//! The shell around a pure machine: perform, check, journal, adopt, publish - in this order.
//!
//! An act outside is performed only when every event before it is durable. A look that is answered
//! at once may share an append with the event before it: whoever looks changes nothing.

use futures::future::BoxFuture;
use futures::{FutureExt as _, poll};
use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::error::EngineError;
use super::notice::Notice;
use super::stream::StreamWriter;
use crate::machine::{HoldEvent, HoldState, IllegalTransition, IterationEvent, IterationState};

/// A machine as its driver sees it.
pub(super) trait Machine: Clone + PartialEq + Send + Sync + 'static {
    type Event: Clone + Serialize + Send + Sync + 'static;

    fn on(self, event: Self::Event) -> Result<Self, IllegalTransition>;
    fn is_over(&self) -> bool;
    /// What is done while it is in this state.
    fn nature(&self) -> Nature;
}

/// What is done in a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nature {
    /// Nothing: somebody else moves it on.
    Waits,
    /// It only looks: everything may be repeated or broken off.
    Looks,
    /// It changes something outside: what led here must be durable first.
    Acts,
    /// It puts something back: it is not broken off by commands.
    CleansUp,
}

/// Does what a state asks for.
pub(super) trait Perform<M: Machine>: Send {
    /// Performs the state's effect; for ever where it has none.
    fn perform<'a>(&'a mut self, state: &'a M) -> BoxFuture<'a, M::Event>;

    /// An event that follows without anything being done.
    fn foregone(&self, state: &M) -> Option<M::Event>;

    /// Is told each event as it is adopted.
    fn adopt(&mut self, event: &M::Event, at: Timestamp);

    /// What the loop learns of a state, once it is durable.
    fn notice(&self, state: &M) -> Option<Notice>;
}

/// Drives one machine to its end.
#[derive(Debug)]
pub(super) struct Driver<M: Machine, P> {
    pub(super) state: M,
    pub(super) journal: StreamWriter,
    pub(super) performer: P,
    pub(super) commands: mpsc::Receiver<M::Event>,
    pub(super) notices: mpsc::Sender<Notice>,
    pub(super) stop: CancellationToken,
}

/// How a driver ended.
#[derive(Debug)]
pub(super) enum Driven<M> {
    /// The machine is over.
    Over(M),
    /// It was told to leave; the journal is as it is.
    Left,
}

impl<M: Machine, P: Perform<M>> Driver<M, P> {
    /// Drives until the machine is over or `stop` fires. An error leaves the stream as it is.
    pub(super) async fn run(mut self) -> Result<Driven<M>, EngineError> {
        loop {
            if self.state.is_over() {
                self.flush().await?;
                return Ok(Driven::Over(self.state));
            }
            if let Some(event) = self.performer.foregone(&self.state) {
                self.take(&event)?;
                continue;
            }
            if matches!(self.state.nature(), Nature::Acts | Nature::CleansUp) {
                self.flush().await?;
            }
            match self.next_event().await? {
                Some(event) => self.take(&event)?,
                None => return Ok(Driven::Left),
            }
        }
    }

    async fn next_event(&mut self) -> Result<Option<M::Event>, EngineError> {
        let nature = self.state.nature();
        let state = self.state.clone();
        let notice = self.performer.notice(&state);
        if !self.journal.is_flushed() {
            let mut look = self.performer.perform(&state);
            if let std::task::Poll::Ready(event) = poll!(&mut look) {
                return Ok(Some(event));
            }
            // It takes longer: what led here is made durable while it goes on.
            self.journal.flush().await?;
            if let Some(notice) = notice {
                tell(&self.notices, notice).await;
            }
            let event = wait(nature, &self.stop, &mut self.commands, look).await;
            return Ok(event);
        }
        let work = self.performer.perform(&state);
        Ok(wait(nature, &self.stop, &mut self.commands, work).await)
    }

    /// Checks the event, puts it into the next append, adopts the state.
    fn take(&mut self, event: &M::Event) -> Result<(), EngineError> {
        let next = self.state.clone().on(event.clone());
        let next = next.map_err(|source| self.journal.damaged(source))?;
        // A command that came too late says nothing that is worth an entry.
        if next == self.state {
            return Ok(());
        }
        let at = self.journal.push(event);
        self.performer.adopt(event, at);
        self.state = next;
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), EngineError> {
        if !self.journal.is_flushed() {
            self.journal.flush().await?;
            if let Some(notice) = self.performer.notice(&self.state) {
                tell(&self.notices, notice).await;
            }
        }
        Ok(())
    }
}

/// The loop may be gone: then nobody wants to know.
async fn tell(notices: &mpsc::Sender<Notice>, notice: Notice) {
    drop(notices.send(notice).await);
}

/// The next event: a command, or what the work comes to. None: the process leaves.
async fn wait<E>(
    nature: Nature,
    stop: &CancellationToken,
    commands: &mut mpsc::Receiver<E>,
    work: BoxFuture<'_, E>,
) -> Option<E> {
    let cleans_up = nature == Nature::CleansUp;
    tokio::select! {
        biased;
        () = stop.cancelled() => None,
        // Dropping the work may leave a request on its way; what follows a command looks again.
        command = commands.recv(), if !cleans_up => command,
        event = work.fuse() => Some(event),
    }
}

impl Machine for HoldState {
    type Event = HoldEvent;

    fn on(self, event: HoldEvent) -> Result<Self, IllegalTransition> {
        self.on(event)
    }

    fn is_over(&self) -> bool {
        self.is_released()
    }

    fn nature(&self) -> Nature {
        match self {
            Self::Acquiring => Nature::Acts,
            Self::Restoring { .. } => Nature::CleansUp,
            Self::Held { .. } | Self::Stranded { .. } | Self::Released { .. } => Nature::Waits,
        }
    }
}

impl Machine for IterationState {
    type Event = IterationEvent;

    fn on(self, event: IterationEvent) -> Result<Self, IllegalTransition> {
        self.on(event)
    }

    fn is_over(&self) -> bool {
        self.end().is_some()
    }

    fn nature(&self) -> Nature {
        match self {
            Self::Queued | Self::Verifying => Nature::Looks,
            Self::Deploying | Self::Loading(_) | Self::Collecting { .. } => Nature::Acts,
            Self::Withdrawing { .. } => Nature::CleansUp,
            Self::AtBarrier(_) | Self::Stranded { .. } | Self::Ended { .. } => Nature::Waits,
        }
    }
}
