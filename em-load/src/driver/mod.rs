//! The port `LoadDriver` over the engine: loads of kind `http`.

mod observe;
mod request;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use em_core::fault::{Fault, FaultKind};
use em_core::id::{MetricName, OpKey};
use em_core::plan::LoadSpec;
use em_core::port::{
    Address, Capacity, Clock, LoadDriver, LoadGoal, LoadPlan, LoadReport, LoadStatus, OpContext,
};
use em_core::value::Unit;
use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinHandle;

use crate::capacity::{CapacityBudget, find_capacity};
use crate::moment::Moment;
use crate::request::Destination;
use crate::run::{Progress, Run};
use observe::Pooled;

/// Makes HTTP load inside the manager's process. The load ends with the process.
///
/// ```
/// use std::sync::Arc;
/// use em_core::port::SystemClock;
/// use em_load::HttpDriver;
///
/// let driver = HttpDriver::new(Arc::new(SystemClock));
/// # let _: &dyn em_core::port::LoadDriver = &driver;
/// ```
#[derive(Debug)]
pub struct HttpDriver {
    clock: Arc<dyn Clock>,
    loads: Mutex<Loads>,
}

/// The loads by key, and the order in which they were started.
#[derive(Debug, Default)]
struct Loads {
    by_key: HashMap<OpKey, Arc<Load>>,
    order: Vec<OpKey>,
}

#[derive(Debug)]
enum Load {
    Measuring {
        run: Run,
        origin: Timestamp,
        pooled: Box<Mutex<Pooled>>,
    },
    Searching {
        task: JoinHandle<()>,
        state: tokio::sync::watch::Receiver<Search>,
    },
}

#[derive(Debug, Clone)]
enum Search {
    Running,
    Found(Capacity),
    Failed(String),
}

impl Drop for Load {
    fn drop(&mut self) {
        match self {
            // The run ends itself when dropped.
            Self::Measuring { .. } => {}
            Self::Searching { task, .. } => task.abort(),
        }
    }
}

/// Reports of ended loads that stay readable; an iteration reads its own within seconds.
const KEPT: usize = 16;

impl HttpDriver {
    /// A driver that stamps its batches with this clock.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            loads: Mutex::default(),
        }
    }

    fn loads(&self) -> MutexGuard<'_, Loads> {
        // Every change under this lock is a single insertion or removal.
        self.loads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn load(&self, key: &OpKey) -> Option<Arc<Load>> {
        self.loads().by_key.get(key).map(Arc::clone)
    }

    fn known(&self, key: &OpKey) -> Result<Arc<Load>, Fault> {
        self.load(key).ok_or_else(|| {
            Fault::new(
                FaultKind::NotFound,
                format!("no load was started for {key}"),
            )
        })
    }

    /// The wall-clock time of a moment.
    fn stamp(&self, moment: Moment) -> Timestamp {
        let (now, wall) = (Moment::now(), self.clock.now());
        let ahead = SignedDuration::try_from(moment.since(now)).unwrap_or_default();
        let behind = SignedDuration::try_from(now.since(moment)).unwrap_or_default();
        wall.saturating_add(ahead)
            .and_then(|at| at.saturating_sub(behind))
            .unwrap_or(wall)
    }

    fn measure(&self, plan: &LoadPlan, destination: Destination) -> Result<Load, Fault> {
        let plan = request::run_plan(plan, destination)?;
        let run = Run::start(plan).map_err(Fault::from)?;
        let origin = self.stamp(run.origin());
        Ok(Load::Measuring {
            run,
            origin,
            pooled: Box::default(),
        })
    }
}

fn search(plan: &LoadPlan, destination: Destination, within: Duration) -> Result<Load, Fault> {
    let http = request::http(&plan.spec)?;
    let budget = CapacityBudget {
        within,
        connections: http.connections,
        in_flight: http.in_flight,
        timeout: http.timeout,
    };
    let (tell, state) = tokio::sync::watch::channel(Search::Running);
    let task = tokio::spawn(async move {
        let found = find_capacity(&destination, budget).await;
        tell.send_replace(match found {
            Ok(found) => Search::Found(Capacity {
                rate: found.rate,
                evidence: found.to_string(),
            }),
            Err(error) => Search::Failed(crate::fault::chain(&error)),
        });
    });
    Ok(Load::Searching { task, state })
}

#[async_trait]
impl LoadDriver for HttpDriver {
    async fn check(&self, _cx: &OpContext, plan: &LoadPlan) -> Result<(), Fault> {
        let http = request::http(&plan.spec)?;
        request::check_descriptors(http)?;
        if let LoadGoal::Measure { .. } = plan.goal {
            request::profile(plan, http)?;
        }
        // Nothing is deployed yet; any address shows whether the request can be written.
        request::template(plan, &request::addresses_to_be(http)).map(drop)
    }

    async fn start(
        &self,
        cx: &OpContext,
        plan: &LoadPlan,
        addresses: &[Address],
    ) -> Result<(), Fault> {
        if self.load(&cx.key).is_some() {
            return Ok(());
        }
        let template = request::template(plan, addresses)?;
        let destination = Destination::look_up(template).await.map_err(Fault::from)?;
        let load = match plan.goal {
            LoadGoal::Measure { .. } => self.measure(plan, destination)?,
            LoadGoal::FindCapacity { within } => search(plan, destination, within)?,
        };
        self.loads().keep(cx.key.clone(), load);
        Ok(())
    }

    async fn status(&self, cx: &OpContext) -> Result<LoadStatus, Fault> {
        Ok(self.known(&cx.key)?.status())
    }

    async fn stop(&self, cx: &OpContext) -> Result<(), Fault> {
        let Some(load) = self.load(&cx.key) else {
            return Ok(());
        };
        match &*load {
            Load::Measuring { run, .. } => {
                run.stop();
                run.ended().await;
            }
            Load::Searching { task, .. } => task.abort(),
        }
        Ok(())
    }

    async fn report(&self, cx: &OpContext, from: u32) -> Result<LoadReport, Fault> {
        let load = self.known(&cx.key)?;
        Ok(match &*load {
            Load::Measuring {
                run,
                origin,
                pooled,
            } => {
                let mut pooled = locked(pooled);
                pooled.take_in(run);
                LoadReport {
                    batches: observe::batches(run, *origin, from),
                    capacity: None,
                    void: Vec::new(),
                    problems: pooled.problems(),
                    notes: pooled.notes(),
                }
            }
            Load::Searching { state, .. } => match &*state.borrow() {
                Search::Found(capacity) => LoadReport {
                    capacity: Some(capacity.clone()),
                    ..LoadReport::default()
                },
                Search::Running | Search::Failed(_) => LoadReport::default(),
            },
        })
    }

    fn metrics(&self, spec: &LoadSpec) -> BTreeMap<MetricName, Unit> {
        if let LoadSpec::Http(_) = spec {
            observe::metrics()
        } else {
            BTreeMap::new()
        }
    }

    async fn changed(&self, cx: &OpContext) {
        let tick = tokio::time::sleep(Duration::from_millis(100));
        let Some(load) = self.load(&cx.key) else {
            return tick.await;
        };
        let news = async {
            match &*load {
                Load::Measuring { run, pooled, .. } => {
                    let reported = locked(pooled).count();
                    let mut progress = run.follow();
                    tokio::select! {
                        () = run.more_than(reported) => {}
                        _ = progress.changed() => {}
                    }
                }
                Load::Searching { state, .. } => drop(state.clone().changed().await),
            }
        };
        tokio::select! {
            () = tick => {}
            () = news => {}
        }
    }
}

fn locked(pooled: &Mutex<Pooled>) -> MutexGuard<'_, Pooled> {
    // A panic while the lock was held leaves sums that lack a batch: the next report adds it.
    pooled.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Load {
    fn status(&self) -> LoadStatus {
        match self {
            Self::Measuring { run, origin, .. } => match run.progress() {
                Progress::Ramping => LoadStatus::Ramping,
                Progress::Steady { since } => LoadStatus::Steady {
                    since: observe::at(*origin, since),
                },
                Progress::Finished => LoadStatus::Finished,
                Progress::Failed { why } => LoadStatus::Failed { why },
            },
            Self::Searching { task, state } => match &*state.borrow() {
                Search::Running if task.is_finished() => LoadStatus::Failed {
                    why: "the search for the capacity was stopped".to_owned(),
                },
                Search::Running => LoadStatus::Ramping,
                Search::Found(_) => LoadStatus::Finished,
                Search::Failed(why) => LoadStatus::Failed { why: why.clone() },
            },
        }
    }

    fn has_ended(&self) -> bool {
        matches!(
            self.status(),
            LoadStatus::Finished | LoadStatus::Failed { .. }
        )
    }
}

impl Loads {
    /// Adds a load and forgets ended ones that nobody will ask for any more.
    fn keep(&mut self, key: OpKey, load: Load) {
        if self.by_key.insert(key.clone(), Arc::new(load)).is_none() {
            self.order.push(key);
        }
        let surplus = self.order.len().saturating_sub(KEPT);
        let ended = |key: &OpKey| self.by_key.get(key).is_some_and(|load| load.has_ended());
        let old: Vec<OpKey> = self
            .order
            .iter()
            .filter(|key| ended(key))
            .take(surplus)
            .cloned()
            .collect();
        for key in old {
            self.by_key.remove(&key);
            self.order.retain(|kept| *kept != key);
        }
    }
}
