//! One run of load: starts it, watches it, ends it.

use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use crate::batch::Batch;
use crate::dispatcher::{Dispatcher, Limits};
use crate::moment::Moment;
use crate::pacer::{PacerGauges, Pacing};
use crate::profile::Profile;
use crate::recorder::{BatchPlan, OpenBatch, Recorder};
use crate::request::Destination;
use crate::schedule::{Arrivals, Schedule};

/// Everything that determines a run.
#[derive(Debug, Clone)]
pub struct RunPlan {
    /// What to send and where.
    pub destination: Destination,
    /// The offered rate over time.
    pub profile: Profile,
    /// How arrivals are spaced.
    pub arrivals: Arrivals,
    /// The same seed gives the same arrivals.
    pub seed: u64,
    /// Most connections. When all are busy, a request waits for one; its send lag shows it.
    pub connections: u32,
    /// Most requests under way, on a connection or waiting for one. A request due beyond it is
    /// dropped, which makes the percentiles of the run a lower bound.
    pub in_flight: u32,
    /// A request without complete answer after this time (from its send) has failed.
    pub timeout: Duration,
    /// Length of the batches in which results come.
    pub batch: Duration,
    /// When the load ends by itself, from its start; absent: it runs until stopped.
    pub lasts: Option<Duration>,
    /// When to start; absent: at once.
    pub starts: Option<Moment>,
}

impl RunPlan {
    /// A plan with the defaults: Poisson arrivals, seed 1, up to 1000 connections and requests under way, time-out 5 s,
    /// batches of 1 s, open end.
    pub fn new(destination: Destination, profile: Profile) -> Self {
        Self {
            destination,
            profile,
            arrivals: Arrivals::Poisson,
            seed: 1,
            connections: 1000,
            in_flight: 1000,
            timeout: Duration::from_secs(5),
            batch: Duration::from_secs(1),
            lasts: None,
            starts: None,
        }
    }
}

/// Why a run could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// A plan that cannot work.
    #[error("the load cannot run: {what}")]
    Plan {
        /// What is wrong with it.
        what: &'static str,
    },
    /// The system gives no more threads or descriptors.
    #[error("failed to start the load's {what}")]
    Start {
        /// What could not be started.
        what: &'static str,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

/// How far a run is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// Not yet in its last phase.
    Ramping,
    /// In its last phase since this time after the start.
    Steady {
        /// Start of the last phase, from the start of the run.
        since: Duration,
    },
    /// Ended as planned or as asked.
    Finished,
    /// Ended by itself, because going on made no sense.
    Failed {
        /// What happened.
        why: String,
    },
}

impl Progress {
    /// Whether the run has ended and all its batches are there.
    pub fn has_ended(&self) -> bool {
        matches!(self, Self::Finished | Self::Failed { .. })
    }
}

/// A run in progress. Dropping it stops the load without waiting.
///
/// The load runs on two threads of its own; every method here returns at once, except
/// [`Run::ended`].
#[derive(Debug)]
pub struct Run {
    shared: Arc<Shared>,
    origin: Moment,
    stop: CancellationToken,
}

#[derive(Debug)]
struct Shared {
    batches: Mutex<Vec<Batch>>,
    /// How many batches there are, counted up to the first that is missing.
    sealed: watch::Sender<usize>,
    progress: watch::Sender<Progress>,
    gauges: Arc<PacerGauges>,
}

impl Shared {
    fn batches(&self) -> MutexGuard<'_, Vec<Batch>> {
        // A panic while the lock was held leaves a vector that is merely shorter.
        self.batches.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a batch. They come in any order: each is sealed beside the others.
    fn keep(&self, sealed: Batch) {
        let mut kept = self.batches();
        let at = kept.partition_point(|other| other.index < sealed.index);
        kept.insert(at, sealed);
        let is_gapless = kept.last().is_some_and(|last| last.index + 1 == kept.len());
        if is_gapless {
            self.sealed.send_replace(kept.len());
        }
    }
}

impl Run {
    /// Starts the load.
    pub fn start(plan: RunPlan) -> Result<Self, RunError> {
        check(&plan)?;
        let origin = plan.starts.unwrap_or_else(|| Moment::now() + LEAD);
        let gauges = Arc::new(PacerGauges::default());
        let shared = Arc::new(Shared {
            batches: Mutex::default(),
            sealed: watch::Sender::default(),
            progress: watch::Sender::new(Progress::Ramping),
            gauges: Arc::clone(&gauges),
        });
        let stop = CancellationToken::new();
        let (ring, due) = mpsc::channel(RING);
        let pacing = Pacing {
            schedule: Schedule::new(plan.profile.clone(), plan.arrivals, plan.seed),
            origin,
            ends: plan.lasts.map(|lasts| origin + lasts),
            ring,
            gauges,
        };
        let driving = Driving {
            plan,
            origin,
            due,
            shared: Arc::clone(&shared),
            stop: stop.clone(),
        };
        driving.spawn()?;
        pacing.spawn().map_err(|source| {
            stop.cancel();
            RunError::Start {
                what: "pacing thread",
                source,
            }
        })?;
        Ok(Self {
            shared,
            origin,
            stop,
        })
    }

    /// When the load started (or will).
    pub fn origin(&self) -> Moment {
        self.origin
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        self.shared.progress.borrow().clone()
    }

    /// Follows [`Run::progress`].
    pub fn follow(&self) -> watch::Receiver<Progress> {
        self.shared.progress.subscribe()
    }

    /// Asks the load to end; in-flight requests get half a second. Asking twice is asking once.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Waits until the run has ended and all batches are there.
    pub async fn ended(&self) -> Progress {
        let mut progress = self.follow();
        let last = progress.wait_for(Progress::has_ended).await;
        last.map_or(Progress::Finished, |last| last.clone())
    }

    /// The batches that are complete by now, in order.
    pub fn batches(&self) -> Vec<Batch> {
        self.shared.batches().clone()
    }

    /// The complete batches from position `index` on.
    pub fn batches_from(&self, index: usize) -> Vec<Batch> {
        self.shared
            .batches()
            .iter()
            .filter(|batch| batch.index >= index)
            .cloned()
            .collect()
    }

    /// Returns when there are more than `count` batches.
    pub async fn more_than(&self, count: usize) {
        let mut sealed = self.shared.sealed.subscribe();
        // The sender lives as long as this run does.
        drop(sealed.wait_for(|sealed| *sealed > count).await);
    }

    /// Requests that have fallen due so far, as counted by the pacer.
    pub fn due(&self) -> u64 {
        self.shared.gauges.due()
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Time to set the threads up before the first request is due.
const LEAD: Duration = Duration::from_millis(2);
/// Due times on their way to the driver's thread. At 20,000 requests/s this bridges 0.8 s.
const RING: usize = 16_384;

fn check(plan: &RunPlan) -> Result<(), RunError> {
    let what = if plan.connections == 0 {
        "it may use no connection"
    } else if plan.in_flight == 0 {
        "it may have no request under way"
    } else if plan.timeout.is_zero() {
        "its time-out is zero"
    } else if plan.batch.is_zero() {
        "its batches have no length"
    } else if plan.destination.addresses.is_empty() {
        "there is no address to send to"
    } else {
        return Ok(());
    };
    Err(RunError::Plan { what })
}

/// What the driver's thread needs.
struct Driving {
    plan: RunPlan,
    origin: Moment,
    due: mpsc::Receiver<Moment>,
    shared: Arc<Shared>,
    stop: CancellationToken,
}

impl Driving {
    fn spawn(self) -> Result<(), RunError> {
        let failed = |what| move |source| RunError::Start { what, source };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(failed("event loop"))?;
        let body = move || LocalSet::new().block_on(&runtime, self.run());
        let builder = std::thread::Builder::new().name("em-load-driver".to_owned());
        builder.spawn(body).map_err(failed("driving thread"))?;
        Ok(())
    }

    async fn run(mut self) {
        let dispatcher = self.dispatcher();
        let mut sealing = Sealing::new(self.origin, Arc::clone(&self.shared));
        let end = self.drive(&dispatcher, &mut sealing).await;
        let ended = Moment::now();
        if end == Progress::Finished {
            dispatcher.drain(ended, self.plan.timeout.min(GRACE)).await;
        }
        sealing.seal(dispatcher.close(ended));
        sealing.all_done().await;
        self.shared.progress.send_replace(end);
    }

    fn dispatcher(&self) -> Rc<Dispatcher> {
        let plan = &self.plan;
        let steady = self.origin + plan.profile.steady_after();
        let batches = BatchPlan {
            origin: self.origin,
            length: plan.batch,
            steady,
        };
        let recorder = Recorder::new(batches, plan.timeout, Duration::ZERO);
        let limits = Limits {
            connections: plan.connections,
            under_way: plan.in_flight,
            timeout: plan.timeout,
        };
        let gauges = Arc::clone(&self.shared.gauges);
        Dispatcher::new(plan.destination.clone(), limits, gauges, recorder)
    }

    /// Serves due times until the pacer ends or the target is gone.
    async fn drive(&mut self, dispatcher: &Rc<Dispatcher>, sealing: &mut Sealing) -> Progress {
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let since = self.plan.profile.steady_after();
        let steady = sleep((self.origin + since).since(Moment::now()));
        tokio::pin!(steady);
        let mut is_steady = false;
        let mut is_stopping = false;
        let mut batch = Vec::with_capacity(BURST);
        loop {
            // All arms are cancel-safe: `recv_many` takes nothing unless it is chosen.
            tokio::select! {
                biased;
                () = self.stop.cancelled(), if !is_stopping => {
                    // What fell due before the pacer saw this is still sent.
                    is_stopping = true;
                    self.shared.gauges.stop();
                }
                () = &mut steady, if !is_steady => {
                    is_steady = true;
                    self.shared.progress.send_replace(Progress::Steady { since });
                }
                _ = tick.tick() => {
                    dispatcher.tick();
                    if dispatcher.refused_for().is_some_and(|time| time >= REFUSED) {
                        self.shared.gauges.stop();
                        self.give_up(dispatcher).await;
                        return Progress::Failed { why: refused(&self.plan) };
                    }
                }
                // Whoever waits for the last batch of a window is not to wait for the next tick.
                () = dispatcher.completed() => {}
                received = self.due.recv_many(&mut batch, BURST) => {
                    if received == 0 {
                        return Progress::Finished;
                    }
                    batch.drain(..).for_each(|due| dispatcher.take(due));
                }
            }
            sealing.seal(dispatcher.take_complete());
        }
    }

    /// Counts what fell due before the pacer saw the stop.
    async fn give_up(&mut self, dispatcher: &Rc<Dispatcher>) {
        while let Some(due) = self.due.recv().await {
            dispatcher.take(due);
        }
    }
}

/// How often the driver looks after itself.
const TICK: Duration = Duration::from_millis(50);
/// Due times taken in one go, so that other tasks get their turn.
const BURST: usize = 64;
/// Time for requests in flight after a stop.
const GRACE: Duration = Duration::from_millis(500);
/// When every connection has been refused for this long, the target is gone: together with
/// `TICK` and the pacer's nap this keeps the promise of one second.
const REFUSED: Duration = Duration::from_millis(500);

fn refused(plan: &RunPlan) -> String {
    let url = plan.destination.request.display_url();
    format!(
        "every connection to {url} has been refused for {} ms",
        REFUSED.as_millis()
    )
}

/// Compresses batches beside the driver's thread: it must not make the next request late.
struct Sealing {
    origin: Moment,
    shared: Arc<Shared>,
    tasks: JoinSet<()>,
}

impl Sealing {
    fn new(origin: Moment, shared: Arc<Shared>) -> Self {
        Self {
            origin,
            shared,
            tasks: JoinSet::new(),
        }
    }

    fn seal(&mut self, batches: Vec<OpenBatch>) {
        if batches.is_empty() {
            return;
        }
        while self.tasks.try_join_next().is_some() {}
        let (origin, shared) = (self.origin, Arc::clone(&self.shared));
        self.tasks.spawn_blocking(move || {
            for batch in batches {
                shared.keep(batch.seal(origin));
            }
        });
    }

    async fn all_done(&mut self) {
        while self.tasks.join_next().await.is_some() {}
    }
}
