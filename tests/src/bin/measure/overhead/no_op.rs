//! A target and a load that do nothing, at once.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use em_core::fault::{Fault, FaultKind};
use em_core::id::{MetricName, OpKey, SlotId};
use em_core::observe::{Observed, TimedValue, Window};
use em_core::plan::{LoadSpec, Plan};
use em_core::port::{
    Address, Clock, DeployPlan, LoadBatch, LoadDriver, LoadPlan, LoadReport, LoadStatus, OpContext,
    Readiness, SlotInfo, Survey, Target, Undo,
};
use em_core::value::Unit;
use em_local::proc_table;
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use super::plan::WINDOW;
use crate::stopwatch::Stopwatch;

/// What a target saw.
#[derive(Debug)]
pub(super) struct Seen {
    watch: Stopwatch,
    stop_after: Option<(u32, CancellationToken)>,
    inner: Mutex<Deployments>,
}

/// Deployments so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Deployments {
    /// How many.
    pub(super) count: u32,
    /// When the first was asked for.
    pub(super) first: Option<Duration>,
    /// Resident pages of this process then.
    pub(super) pages: u64,
}

impl Seen {
    /// Nothing yet; fires `stop` with the given deployment.
    pub(super) fn new(stop_after: Option<(u32, CancellationToken)>) -> Arc<Self> {
        Arc::new(Self {
            watch: Stopwatch::start(),
            stop_after,
            inner: Mutex::default(),
        })
    }

    /// What was seen so far.
    pub(super) fn deployments(&self) -> Deployments {
        lock(&self.inner).clone()
    }

    fn note(&self) {
        let mut inner = lock(&self.inner);
        inner.count += 1;
        if inner.first.is_none() {
            inner.first = Some(self.watch.elapsed());
            inner.pages = resident_pages();
        }
        if let Some((after, stop)) = &self.stop_after
            && inner.count >= *after
        {
            stop.cancel();
        }
    }
}

/// Memory of this process.
pub(super) fn resident_pages() -> u64 {
    let own = proc_table::read(std::process::id());
    own.expect("a process finds itself in /proc").resident_pages
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A target that is ready at once.
#[derive(Debug)]
pub(super) struct NoTarget {
    pub(super) seen: Arc<Seen>,
    /// How many iterations may run side by side.
    pub(super) slots: u32,
}

#[async_trait]
impl Target for NoTarget {
    async fn survey(&self, _cx: &OpContext, _plan: &Plan) -> Result<Survey, Fault> {
        Ok(Survey {
            slots: (0..self.slots)
                .map(|n| SlotInfo {
                    id: SlotId(n),
                    label: format!("nowhere {n}"),
                })
                .collect(),
            ..Survey::default()
        })
    }

    async fn acquire(&self, _cx: &OpContext, _plan: &Plan, _slot: SlotId) -> Result<Undo, Fault> {
        Ok(Undo {
            kind: "no-op".to_owned(),
            format: 1,
            body: serde_json::Value::Null,
        })
    }

    async fn deploy(&self, _cx: &OpContext, _plan: &DeployPlan) -> Result<(), Fault> {
        self.seen.note();
        Ok(())
    }

    async fn readiness(&self, _cx: &OpContext, _plan: &DeployPlan) -> Result<Readiness, Fault> {
        Ok(Readiness::ready(Vec::new()))
    }

    async fn withdraw(&self, _cx: &OpContext) -> Result<(), Fault> {
        Ok(())
    }

    async fn restore(&self, _cx: &OpContext, _undo: Option<Undo>) -> Result<(), Fault> {
        Ok(())
    }
}

/// A load that is steady at once and sees one value per window.
#[derive(Debug)]
pub(super) struct NoLoad {
    clock: Arc<dyn Clock>,
    started: Mutex<HashMap<OpKey, Timestamp>>,
}

impl NoLoad {
    /// One that stamps by this clock.
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            started: Mutex::default(),
        }
    }

    fn since(&self, cx: &OpContext) -> Result<Timestamp, Fault> {
        let started = lock(&self.started).get(&cx.key).copied();
        started.ok_or_else(|| Fault::new(FaultKind::NotFound, "no load was started"))
    }
}

#[async_trait]
impl LoadDriver for NoLoad {
    async fn check(&self, _cx: &OpContext, _plan: &LoadPlan) -> Result<(), Fault> {
        Ok(())
    }

    async fn start(
        &self,
        cx: &OpContext,
        _plan: &LoadPlan,
        _addresses: &[Address],
    ) -> Result<(), Fault> {
        let now = self.clock.now();
        let mut started = lock(&self.started);
        started.entry(cx.key.clone()).or_insert(now);
        Ok(())
    }

    async fn status(&self, cx: &OpContext) -> Result<LoadStatus, Fault> {
        let since = self.since(cx)?;
        Ok(LoadStatus::Steady { since })
    }

    async fn stop(&self, cx: &OpContext) -> Result<(), Fault> {
        lock(&self.started).remove(&cx.key);
        Ok(())
    }

    async fn report(&self, cx: &OpContext, from: u32) -> Result<LoadReport, Fault> {
        let since = self.since(cx)?;
        let length = SignedDuration::try_from(WINDOW).unwrap_or_default();
        let window = Window {
            start: since,
            end: since + length,
        };
        let batches = (from..1).map(|index| LoadBatch::new(index, window, latency(since)));
        Ok(LoadReport {
            batches: batches.collect(),
            ..LoadReport::default()
        })
    }

    fn metrics(&self, _spec: &LoadSpec) -> BTreeMap<MetricName, Unit> {
        metric()
            .map(|name| (name, Unit::Seconds))
            .into_iter()
            .collect()
    }

    async fn changed(&self, _cx: &OpContext) {
        tokio::time::sleep(WINDOW).await;
    }
}

fn latency(at: Timestamp) -> BTreeMap<MetricName, Observed> {
    let points = vec![TimedValue { at, value: 0.001 }];
    metric()
        .map(|name| (name, Observed::Values { points }))
        .into_iter()
        .collect()
}

fn metric() -> Option<MetricName> {
    "latency".parse().ok()
}
