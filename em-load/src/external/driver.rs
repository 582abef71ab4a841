//! The port `LoadDriver` for load that somebody else makes: it waits, and watches.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use em_core::fault::{Fault, FaultKind, chain};
use em_core::id::{MetricName, OpKey};
use em_core::observe::Window;
use em_core::plan::{DatasourceSpec, ExternalLoad, LoadSpec, Metric};
use em_core::port::{
    Address, Asked, Clock, Datasource, LoadDriver, LoadPlan, LoadReport, LoadStatus, OpContext,
    Placeholders,
};
use em_core::value::Unit;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use super::{CounterSample, ExternalDetector, ExternalRule, ExternalStatus};

/// Waits for load on the target, seen by a counter of a datasource, and tells when it changes.
///
/// The wait and the watch end with the process that has them.
#[derive(Debug)]
pub struct ExternalDriver {
    clock: Arc<dyn Clock>,
    counter: Counter,
    period: Duration,
    /// In the order in which they began.
    waits: Mutex<VecDeque<(OpKey, Wait)>>,
}

/// The counter, and who is asked for it.
#[derive(Debug, Clone)]
struct Counter {
    metric: Metric,
    spec: DatasourceSpec,
    source: Arc<dyn Datasource>,
}

/// One wait and what follows it.
#[derive(Debug)]
struct Wait {
    seen: watch::Receiver<Seen>,
    task: JoinHandle<()>,
}

impl Drop for Wait {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What was seen so far.
#[derive(Debug, Clone)]
struct Seen {
    status: LoadStatus,
    /// What the wait lacks.
    why: String,
    void: Vec<(Window, String)>,
}

/// Waits that stay readable; an iteration reads its own within seconds of its end.
const KEPT: usize = 64;
/// How often a source with history is asked where the file says nothing.
const PERIOD: Duration = Duration::from_secs(5);
/// Part of a period after which an answer is given up.
const PATIENCE: f64 = 0.9;

impl ExternalDriver {
    /// Waits for the load that `metric` counts, a counter of this source, which is looked at as
    /// often as `spec` says, or else as it wants.
    pub fn new(
        clock: Arc<dyn Clock>,
        metric: Metric,
        spec: DatasourceSpec,
        source: Arc<dyn Datasource>,
    ) -> Self {
        let own = source.sampling().map(|sampling| sampling.every);
        Self {
            clock,
            period: spec.every.or(own).unwrap_or(PERIOD),
            counter: Counter {
                metric,
                spec,
                source,
            },
            waits: Mutex::default(),
        }
    }

    fn waits(&self) -> MutexGuard<'_, VecDeque<(OpKey, Wait)>> {
        // Every change under this lock is a single insertion or removal.
        self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Follows what the wait of this key sees; none where nobody waits.
    fn follow(&self, key: &OpKey) -> Option<watch::Receiver<Seen>> {
        let waits = self.waits();
        let wait = waits.iter().find(|(of, _)| of == key);
        wait.map(|(_, wait)| wait.seen.clone())
    }

    fn seen(&self, cx: &OpContext) -> Result<Seen, Fault> {
        let seen = self.follow(&cx.key).ok_or_else(|| {
            let message = format!("nobody waits for load for {}", cx.key);
            Fault::new(FaultKind::NotFound, message)
        })?;
        Ok(seen.borrow().clone())
    }

    fn rule(&self, load: &ExternalLoad) -> ExternalRule {
        ExternalRule {
            rate: load.rate,
            period: self.period,
            timeout: load.timeout,
            shift: load.shift,
        }
    }
}

#[async_trait]
impl LoadDriver for ExternalDriver {
    async fn check(&self, cx: &OpContext, _plan: &LoadPlan) -> Result<(), Fault> {
        self.counter.source.probe(cx).await.map(drop)
    }

    async fn start(
        &self,
        cx: &OpContext,
        plan: &LoadPlan,
        addresses: &[Address],
    ) -> Result<(), Fault> {
        if self.follow(&cx.key).is_some() {
            return Ok(());
        }
        let LoadSpec::External(load) = &*plan.spec else {
            let message = format!("load {} is not external", plan.spec.kind());
            return Err(Fault::new(FaultKind::Invalid, message));
        };
        let (tell, seen) = watch::channel(Seen {
            status: LoadStatus::Ramping,
            why: "nothing was seen yet".to_owned(),
            void: Vec::new(),
        });
        let watcher = Watcher {
            clock: Arc::clone(&self.clock),
            counter: self.counter.clone(),
            asked: self.counter.asked(cx, plan, addresses)?,
            cx: cx.clone(),
            began: self.clock.now(),
            rule: self.rule(load),
            tell,
        };
        let task = tokio::spawn(watcher.run());
        let mut waits = self.waits();
        waits.push_back((cx.key.clone(), Wait { seen, task }));
        if waits.len() > KEPT {
            waits.pop_front();
        }
        Ok(())
    }

    async fn status(&self, cx: &OpContext) -> Result<LoadStatus, Fault> {
        Ok(self.seen(cx)?.status)
    }

    /// The load is somebody else's and goes on: it is only not watched any more.
    async fn stop(&self, cx: &OpContext) -> Result<(), Fault> {
        let waits = self.waits();
        if let Some((_, wait)) = waits.iter().find(|(of, _)| *of == cx.key) {
            wait.task.abort();
        }
        Ok(())
    }

    async fn report(&self, cx: &OpContext, _from: u32) -> Result<LoadReport, Fault> {
        Ok(LoadReport {
            void: self.seen(cx)?.void,
            ..LoadReport::default()
        })
    }

    fn metrics(&self, _spec: &LoadSpec) -> BTreeMap<MetricName, Unit> {
        BTreeMap::new()
    }

    async fn changed(&self, cx: &OpContext) {
        if let Some(mut seen) = self.follow(&cx.key) {
            // What was seen up to now is no news.
            seen.mark_unchanged();
            if seen.changed().await.is_ok() {
                return;
            }
        }
        // Nobody watches any more.
        tokio::time::sleep(self.period).await;
    }
}

impl Counter {
    fn asked(
        &self,
        cx: &OpContext,
        plan: &LoadPlan,
        addresses: &[Address],
    ) -> Result<Asked, Fault> {
        let OpKey::Iteration {
            trial, iteration, ..
        } = &cx.key
        else {
            let message = format!("{} is no iteration", cx.key);
            return Err(Fault::new(FaultKind::Invalid, message));
        };
        let placeholders = Placeholders {
            addresses,
            facts: &[],
            trial: *trial,
            iteration: *iteration,
            values: &plan.values,
            window: None,
        };
        Asked::of(&self.metric, Some(&self.spec), &placeholders)
    }

    /// The newest point of each series together; none where there is no finite one.
    async fn look(
        &self,
        cx: &OpContext,
        asked: &Asked,
        window: Window,
    ) -> Result<Option<(Timestamp, f64)>, Fault> {
        let answer = if self.source.sampling().is_some() {
            self.source.sample(cx, asked).await?
        } else {
            self.source.query(cx, asked, window).await?
        };
        let newest = answer
            .series
            .iter()
            .filter_map(|series| series.points.last());
        let newest: Vec<_> = newest.filter(|point| point.value.is_finite()).collect();
        let at = newest.iter().map(|point| point.at).max();
        let count: f64 = newest.iter().map(|point| point.value).sum();
        Ok(at.map(|at| (at, count)))
    }
}

/// Looks at the counter, period by period.
struct Watcher {
    clock: Arc<dyn Clock>,
    counter: Counter,
    asked: Asked,
    cx: OpContext,
    began: Timestamp,
    rule: ExternalRule,
    tell: watch::Sender<Seen>,
}

impl Watcher {
    async fn run(self) {
        let mut ticks = interval(self.rule.period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut detector = ExternalDetector::new(self.rule);
        let mut watch = loop {
            ticks.tick().await;
            let (sample, trouble) = self.sample().await;
            match detector.look(self.now(), sample) {
                ExternalStatus::Waiting { why } => {
                    let why = trouble.unwrap_or(why);
                    self.tell.send_modify(|seen| seen.why = why);
                }
                ExternalStatus::Steady { since } => {
                    let since = self.at(since);
                    self.tell
                        .send_modify(|seen| seen.status = LoadStatus::Steady { since });
                }
                ExternalStatus::Failed(problem) => {
                    self.tell.send_modify(|seen| {
                        let why = format!("{problem}: {}", seen.why);
                        seen.status = LoadStatus::Failed { why };
                    });
                    return;
                }
            }
            if let Some(watch) = detector.watch() {
                break watch;
            }
        };
        loop {
            ticks.tick().await;
            let (sample, _) = self.sample().await;
            if let Some(shift) = watch.look(self.now(), sample) {
                let window = Window {
                    start: self.at(shift.since),
                    end: self.at(shift.at),
                };
                let now = match shift.now {
                    Some(now) => format!("it is {now:.1}"),
                    None => "its counter is not seen any more".to_owned(),
                };
                let what = format!("the load was {:.1} per second, and {now}", shift.before);
                self.tell.send_modify(|seen| seen.void.push((window, what)));
            }
        }
    }

    /// The newest sample, or why there is none.
    async fn sample(&self) -> (Option<CounterSample>, Option<String>) {
        let end = self.clock.now();
        let span = SignedDuration::try_from(self.rule.period * 3).unwrap_or(SignedDuration::MAX);
        let window = Window {
            start: end.saturating_sub(span).unwrap_or(end),
            end,
        };
        let mut cx = self.cx.clone();
        cx.deadline = end + self.rule.period;
        let look = self.counter.look(&cx, &self.asked, window);
        // An answer that comes later belongs to the next look.
        match tokio::time::timeout(self.rule.period.mul_f64(PATIENCE), look).await {
            Ok(Ok(Some((at, count)))) => (
                Some(CounterSample {
                    at: self.since(at),
                    count,
                }),
                None,
            ),
            Ok(Ok(None)) => (None, Some("the counter has no value".to_owned())),
            Ok(Err(fault)) => (None, Some(chain(&fault))),
            Err(_) => (
                None,
                Some("the source of the counter does not answer in time".to_owned()),
            ),
        }
    }

    fn now(&self) -> Duration {
        self.since(self.clock.now())
    }

    /// Time since the wait began; what was before it is its beginning.
    fn since(&self, at: Timestamp) -> Duration {
        Duration::try_from(at.duration_since(self.began)).unwrap_or_default()
    }

    fn at(&self, since: Duration) -> Timestamp {
        let since = SignedDuration::try_from(since).unwrap_or(SignedDuration::MAX);
        self.began.saturating_add(since).unwrap_or(Timestamp::MAX)
    }
}
