//! The service, and how an experiment changes it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use em_core::fault::{Fault, FaultKind};
use em_core::id::{OpKey, SlotId};
use em_core::plan::Plan;
use em_core::port::{DeployPlan, Fact, OpContext, Readiness, Survey, Target, Undo};
use em_core::value::Value;
use tokio::sync::Semaphore;

/// What a clerk needs for a visitor.
const SERVICE: Duration = Duration::from_millis(8);

/// An office where visitors wait for a clerk. Clones are the same office.
#[derive(Debug, Clone)]
pub struct Office(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// Clerks at work in ordinary days.
    clerks: u32,
    /// The hold of the experiment that changes the office.
    held_by: Option<OpKey>,
    /// The counter that is open now, and the iteration that opened it.
    counter: Option<(OpKey, Arc<Counter>)>,
}

/// A counter with its clerks and its line.
#[derive(Debug)]
pub(crate) struct Counter {
    clerks: Semaphore,
    staff: u32,
    waiting: std::sync::atomic::AtomicU32,
}

impl Office {
    /// An office with this many clerks.
    pub fn new(clerks: u32) -> Self {
        Self(Arc::new(Mutex::new(State {
            clerks,
            held_by: None,
            counter: None,
        })))
    }

    /// Clerks at work in ordinary days.
    pub fn clerks(&self) -> u32 {
        self.lock().clerks
    }

    /// Whether an experiment holds the office, or a counter of one is open.
    pub fn is_disturbed(&self) -> bool {
        let state = self.lock();
        state.held_by.is_some() || state.counter.is_some()
    }

    pub(crate) fn counter(&self) -> Result<Arc<Counter>, Fault> {
        let open = self.lock().counter.clone();
        open.map(|(_, counter)| counter)
            .ok_or_else(|| Fault::new(FaultKind::NotFound, "no counter is open"))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counter {
    fn of(staff: u32) -> Self {
        Self {
            clerks: Semaphore::new(staff as usize),
            staff,
            waiting: 0.into(),
        }
    }

    /// Waits for a clerk and is served.
    pub(crate) async fn serve(&self) {
        use std::sync::atomic::Ordering::Relaxed;
        self.waiting.fetch_add(1, Relaxed);
        let clerk = self.clerks.acquire().await;
        self.waiting.fetch_sub(1, Relaxed);
        tokio::time::sleep(SERVICE).await;
        drop(clerk);
    }

    /// Visitors without a clerk.
    pub(crate) fn waiting(&self) -> u32 {
        self.waiting.load(std::sync::atomic::Ordering::Relaxed)
    }
}

#[async_trait]
impl Target for Office {
    async fn survey(&self, _: &OpContext, _: &Plan) -> Result<Survey, Fault> {
        let today = Value::Integer(self.clerks().into());
        let mut survey = Survey::slots(1, "counter");
        survey.today = [("clerks".parse().expect("it is a name"), today)].into();
        Ok(survey)
    }

    /// The same key twice is one hold, and answers the same undo.
    async fn acquire(&self, cx: &OpContext, _: &Plan, _: SlotId) -> Result<Undo, Fault> {
        let mut state = self.lock();
        if state.held_by.as_ref().is_some_and(|key| *key != cx.key) {
            return Err(Fault::new(FaultKind::Conflict, "the office is held"));
        }
        state.held_by = Some(cx.key.clone());
        let body = serde_json::json!({ "clerks": state.clerks });
        let (kind, format) = ("office".to_owned(), 1);
        Ok(Undo { kind, format, body })
    }

    /// Without a value, as the baseline `live` has it, the office stays as it is.
    async fn deploy(&self, cx: &OpContext, plan: &DeployPlan) -> Result<(), Fault> {
        let mut state = self.lock();
        if state.counter.as_ref().is_none_or(|(key, _)| *key != cx.key) {
            let staff = wanted(plan).unwrap_or(state.clerks);
            state.counter = Some((cx.key.clone(), Arc::new(Counter::of(staff))));
        }
        Ok(())
    }

    async fn readiness(&self, _: &OpContext, plan: &DeployPlan) -> Result<Readiness, Fault> {
        let staff = self.counter()?.staff;
        let asked = wanted(plan).unwrap_or(staff);
        Ok(Readiness::ready(vec![Fact::new("clerks", &asked, &staff)]))
    }

    async fn withdraw(&self, cx: &OpContext) -> Result<(), Fault> {
        let mut state = self.lock();
        state.counter.take_if(|(key, _)| *key == cx.key);
        Ok(())
    }

    /// Writes only under this key's lock.
    async fn restore(&self, cx: &OpContext, undo: Option<Undo>) -> Result<(), Fault> {
        let mut state = self.lock();
        if state.held_by.as_ref() == Some(&cx.key) {
            let before = undo.and_then(|undo| undo.body["clerks"].as_u64()?.try_into().ok());
            state.clerks = before.unwrap_or(state.clerks);
            state.held_by = None;
        }
        Ok(())
    }
}

fn wanted(plan: &DeployPlan) -> Option<u32> {
    match plan.value("clerks")? {
        Value::Integer(clerks) => u32::try_from(*clerks).ok(),
        _ => None,
    }
}
