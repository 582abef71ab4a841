//! The driver's own thread: takes due times off the ring, sends, and records.
//!
//! One current-thread runtime, so nothing here is shared between threads and no lock is taken
//! on the way of a request. A request goes to the connection that became idle last; when none
//! is idle, to a new one; when there may be no more, it waits for one, which its send lag and
//! response time show. What is due beyond the cap on requests under way is dropped and counted.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

use crate::connection::{Connection, ExchangeError};
use crate::moment::{Moment, thread_cpu_time};
use crate::outcome::{ErrorClass, Finished};
use crate::pacer::PacerGauges;
use crate::recorder::{OpenBatch, Recorder};
use crate::request::Destination;

/// A request that is due and not dropped.
#[derive(Debug, Clone, Copy)]
struct Accepted {
    batch: usize,
    due: Moment,
}

/// One request on its way.
#[derive(Debug, Clone, Copy)]
struct Assignment {
    request: Accepted,
    sent: Moment,
}

/// What bounds the driver.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) connections: u32,
    pub(crate) under_way: u32,
    pub(crate) timeout: Duration,
}

/// Where an idle worker waits for its next request.
#[derive(Debug, Default)]
struct Slot {
    next: Cell<Option<Assignment>>,
    filled: Notify,
}

#[derive(Debug)]
pub(crate) struct Dispatcher {
    destination: Destination,
    limits: Limits,
    gauges: Arc<PacerGauges>,
    recorder: RefCell<Recorder>,
    complete: RefCell<Vec<OpenBatch>>,
    idle: RefCell<Vec<Rc<Slot>>>,
    workers: Cell<u32>,
    /// Waiting for a connection, in due order.
    waiting: RefCell<VecDeque<Accepted>>,
    connects: Cell<usize>,
    /// Since when every connection has been refused.
    refused_since: Cell<Option<Moment>>,
    stage: Cell<Stage>,
    drained: Notify,
    completed: Notify,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Serving,
    /// Nothing is sent any more; what is in flight may still end. No batch begins.
    Draining,
    /// The books are closed: what ends now was already counted as unfinished.
    Closed,
}

impl Dispatcher {
    pub(crate) fn new(
        destination: Destination,
        limits: Limits,
        gauges: Arc<PacerGauges>,
        recorder: Recorder,
    ) -> Rc<Self> {
        Rc::new(Self {
            destination,
            limits,
            gauges,
            recorder: RefCell::new(recorder),
            complete: RefCell::default(),
            idle: RefCell::default(),
            workers: Cell::new(0),
            waiting: RefCell::default(),
            connects: Cell::new(0),
            refused_since: Cell::new(None),
            stage: Cell::new(Stage::Serving),
            drained: Notify::new(),
            completed: Notify::new(),
        })
    }

    /// Sends the request that is due, lets it wait for a connection, or drops it.
    pub(crate) fn take(self: &Rc<Self>, due: Moment) {
        let now = Moment::now();
        self.let_pass(now);
        let mut recorder = self.recorder.borrow_mut();
        if recorder.under_way() >= u64::from(self.limits.under_way) {
            recorder.dropped(due);
            return;
        }
        let batch = recorder.accepted(due);
        let is_complete = recorder.front_is_complete(now);
        drop(recorder);
        if is_complete {
            self.settle(now);
        }
        self.waiting.borrow_mut().push_back(Accepted { batch, due });
        self.send_waiting();
    }

    /// Gives the request that has waited longest to an idle or a new connection, if there is one.
    fn send_waiting(self: &Rc<Self>) {
        if self.waiting.borrow().is_empty() {
            return;
        }
        let idle = self.idle.borrow_mut().pop();
        if let Some(slot) = idle {
            slot.next.set(self.next_waiting());
            slot.filled.notify_one();
        } else if self.workers.get() < self.limits.connections
            && let Some(next) = self.next_waiting()
        {
            self.workers.set(self.workers.get() + 1);
            tokio::task::spawn_local(Rc::clone(self).work(next));
        }
    }

    /// Takes the request that has waited longest: it counts as sent from now on.
    fn next_waiting(&self) -> Option<Assignment> {
        let request = self.waiting.borrow_mut().pop_front()?;
        let sent = Moment::now();
        self.recorder.borrow_mut().sent(sent);
        Some(Assignment { request, sent })
    }

    /// What must happen even when no request comes: batches end, and requests that found the
    /// ring full are counted.
    pub(crate) fn tick(&self) {
        let now = Moment::now();
        let overflowed = self.gauges.take_overflowed();
        if overflowed > 0 {
            self.recorder.borrow_mut().dropped_n(now, overflowed);
        }
        self.settle(now);
    }

    /// The batches that have become complete since the last call.
    pub(crate) fn take_complete(&self) -> Vec<OpenBatch> {
        self.complete.take()
    }

    /// Returns when an answer has made a batch complete.
    pub(crate) async fn completed(&self) {
        self.completed.notified().await;
    }

    /// For how long every connection has been refused; tries one when in doubt.
    pub(crate) fn refused_for(self: &Rc<Self>) -> Option<Duration> {
        let since = self.refused_since.get()?;
        // At a low rate the next request may be far away, so the driver asks by itself.
        let this = Rc::clone(self);
        tokio::task::spawn_local(async move {
            let _ = this.open().await;
        });
        Some(Moment::now().since(since))
    }

    /// Waits until nothing is in flight, at most for `grace`; no batch begins meanwhile.
    pub(crate) async fn drain(&self, ended: Moment, grace: Duration) {
        self.recorder.borrow_mut().freeze(ended);
        self.stage.set(Stage::Draining);
        let all_ended = async {
            while self.recorder.borrow().under_way() > 0 {
                self.drained.notified().await;
            }
        };
        // What is still out is counted as unfinished.
        let _ = timeout(grace, all_ended).await;
    }

    /// Ends the last batch at `ended` and gives up what is in flight.
    pub(crate) fn close(&self, ended: Moment) -> Vec<OpenBatch> {
        let overflowed = self.gauges.take_overflowed();
        self.recorder.borrow_mut().dropped_n(ended, overflowed);
        self.stage.set(Stage::Closed);
        let mut batches = self.complete.take();
        batches.extend(self.recorder.borrow_mut().close(ended, self.cpu()));
        batches
    }

    /// The life of one connection.
    async fn work(self: Rc<Self>, first: Assignment) {
        let slot = Rc::new(Slot::default());
        let mut connection = None;
        let mut current = first;
        loop {
            let result = self.serve(&mut connection).await;
            self.finish(current, result);
            if connection.is_none() {
                self.workers.set(self.workers.get() - 1);
                self.send_waiting();
                return;
            }
            if let Some(next) = self.next_waiting() {
                current = next;
                continue;
            }
            self.idle.borrow_mut().push(Rc::clone(&slot));
            current = loop {
                slot.filled.notified().await;
                if let Some(next) = slot.next.take() {
                    break next;
                }
            };
        }
    }

    /// One request with its time-out. Leaves a connection behind only if it can be used again.
    async fn serve(&self, connection: &mut Option<Connection>) -> Result<(), ErrorClass> {
        let result = timeout(self.limits.timeout, self.exchange(connection)).await;
        let result = result.unwrap_or(Err(ErrorClass::Timeout));
        if !matches!(result, Ok(()) | Err(ErrorClass::Status)) {
            *connection = None;
        }
        result
    }

    async fn exchange(&self, connection: &mut Option<Connection>) -> Result<(), ErrorClass> {
        let template = &self.destination.request;
        if let Some(open) = connection
            && open.is_reusable().await
        {
            match open.exchange(template).await {
                Ok(()) => return Ok(()),
                Err(ExchangeError::Failed(class)) => return Err(class),
                Err(ExchangeError::Unsent) => {}
            }
        }
        let fresh = connection.insert(self.open().await?);
        match fresh.exchange(template).await {
            Ok(()) => Ok(()),
            Err(ExchangeError::Failed(class)) => Err(class),
            Err(ExchangeError::Unsent) => Err(ErrorClass::Broken),
        }
    }

    async fn open(&self) -> Result<Connection, ErrorClass> {
        let turn = self.connects.get();
        self.connects.set(turn.wrapping_add(1));
        let addresses = &self.destination.addresses;
        let opened = Connection::open(addresses[turn % addresses.len()]).await;
        match &opened {
            Ok(_) => self.refused_since.set(None),
            Err(ErrorClass::Refused) if self.refused_since.get().is_none() => {
                self.refused_since.set(Some(Moment::now()));
            }
            Err(_) => {}
        }
        opened
    }

    fn finish(&self, request: Assignment, result: Result<(), ErrorClass>) {
        if self.stage.get() == Stage::Closed {
            return;
        }
        let done = Moment::now();
        self.let_pass(done);
        if result.is_ok() {
            self.refused_since.set(None);
        }
        let Assignment {
            request: Accepted { batch, due },
            sent,
        } = request;
        let mut recorder = self.recorder.borrow_mut();
        recorder.finished(Finished {
            batch,
            due,
            sent,
            done,
            result,
        });
        if recorder.under_way() == 0 {
            self.drained.notify_one();
        }
        let is_complete = recorder.front_is_complete(done);
        drop(recorder);
        if is_complete {
            self.settle(done);
            self.completed.notify_one();
        }
    }

    /// Begins the next batch if it is time.
    fn let_pass(&self, now: Moment) {
        if self.recorder.borrow().has_ended(now) {
            self.settle(now);
        }
    }

    fn settle(&self, now: Moment) {
        if self.stage.get() != Stage::Serving {
            return;
        }
        let complete = self.recorder.borrow_mut().advance(now, self.cpu());
        self.complete.borrow_mut().extend(complete);
    }

    fn cpu(&self) -> Duration {
        thread_cpu_time() + self.gauges.cpu_time()
    }
}
