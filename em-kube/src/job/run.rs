//! One load: its runs, one after the other.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use em_core::fault::{Fault, Retry, chain};
use em_core::observe::Window;
use em_core::plan::RunMode;
use em_core::port::{Clock, LoadStatus};
use futures::StreamExt as _;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Pod;
use kube::api::Api;
use kube::runtime::{WatchStreamExt as _, watcher};
use serde_json::Value as Json;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::batches::Seen;
use super::blueprint::{Blueprint, Names, Reading};
use super::make;
use super::pod::Verdict;
use super::progress::Shared;
use super::sight::Sight;
use crate::cluster::Cluster;

/// Time between two looks while nothing is heard.
const TICK: Duration = Duration::from_secs(1);
/// How often a call that may succeed later is made.
const TRIES: u32 = 30;
/// How long the pods may be out of sight.
const BLIND_FOR: Duration = Duration::from_mins(1);
/// How long the last lines of an ended run may take.
const LINES_COME_WITHIN: Duration = Duration::from_secs(15);
/// The same of a failed one.
const LAST_LINES_WITHIN: Duration = Duration::from_secs(2);

/// What watches one load.
#[derive(Debug)]
pub(super) struct Runner {
    pub(super) cluster: Cluster,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) names: Names,
    pub(super) reading: Reading,
    /// None: an earlier manager made the load.
    pub(super) blueprint: Option<Blueprint>,
    pub(super) shared: Shared,
    pub(super) stop: CancellationToken,
}

/// What is known of the time in which a run's pods all ran.
#[derive(Debug, Default)]
struct Span {
    from: Option<Timestamp>,
    to: Option<Timestamp>,
}

impl Runner {
    /// Watches until the load is stopped, has done all, or fails. Its first Job is there already.
    pub(super) async fn run(self) {
        let mut run = 0;
        let ended = loop {
            // Nothing is written while a run is watched: it may be dropped anywhere.
            let watched = tokio::select! {
                biased;
                () = self.stop.cancelled() => break LoadStatus::Finished,
                watched = self.one(run) => watched,
            };
            match (watched, self.reading.run) {
                (Ok(()), RunMode::PerCycle) => {}
                (Ok(()), RunMode::Whole) => break LoadStatus::Finished,
                (Err(why), _) => break LoadStatus::Failed { why },
            }
            match self.next(run + 1).await {
                Ok(true) => run += 1,
                Ok(false) => break LoadStatus::Finished,
                Err(why) => break LoadStatus::Failed { why },
            }
        };
        self.shared.change(|progress| progress.status = ended);
    }

    /// Makes the Job of the next run; false when it was stopped.
    async fn next(&self, run: u32) -> Result<bool, String> {
        let Some(blueprint) = &self.blueprint else {
            return Ok(false);
        };
        let mut tries = 0;
        loop {
            let made = tokio::select! {
                biased;
                () = self.stop.cancelled() => return Ok(false),
                made = make::job(&self.cluster, blueprint, run) => made,
            };
            match made {
                Ok(()) => return Ok(true),
                Err(fault) if is_lasting(&fault) || tries >= TRIES => return Err(fault.chain()),
                Err(_) => tries += 1,
            }
            tokio::time::sleep(TICK).await;
        }
    }

    /// Watches one run to its end.
    async fn one(&self, run: u32) -> Result<(), String> {
        let pods = self.cluster.objects("pod").api().clone();
        let config = watcher::Config::default().labels(&self.names.of_run(run));
        let mut watch = pin!(watcher(pods, config).default_backoff());
        let (workers, success) = (self.reading.workers, &self.reading.success);
        let job = self.uid(run).await?;
        let mut sight = Sight::new(self.pods(), job, workers, success);
        let mut span = Span::default();
        let (began, mut heard, mut asked) = (Instant::now(), Instant::now(), 0);
        loop {
            tokio::select! {
                biased;
                event = watch.next() => match event {
                    Some(Ok(event)) => {
                        heard = Instant::now();
                        sight.take(event);
                    }
                    Some(Err(error)) if heard.elapsed() > BLIND_FOR || is_refused(&error) => {
                        return Err(format!("the pods of the load cannot be watched: {}", chain(&error)));
                    }
                    Some(Err(_)) => {}
                    None => return Err("the watch of the load's pods has ended".to_owned()),
                },
                () = tokio::time::sleep(TICK) => {}
            }
            if !sight.is_listed {
                continue;
            }
            match sight.verdict() {
                Verdict::Waiting(why) => {
                    self.is_in_time(run, began.elapsed(), &sight, why, &mut asked)
                        .await?;
                }
                Verdict::Running => self.begin(&mut span, &sight),
                Verdict::Ending => self.end(&mut span, &sight),
                Verdict::Ended => {
                    self.end(&mut span, &sight);
                    self.take_in(&mut sight, &span).await?;
                    return Ok(());
                }
                Verdict::Failed { pod, why } => {
                    return Err(self.failure(run, &mut sight, &pod, &why).await);
                }
            }
        }
    }

    /// UID of the Job of a run.
    async fn uid(&self, run: u32) -> Result<String, String> {
        let (jobs, name) = (self.cluster.objects("job"), self.names.job(run));
        let mut tries = 0;
        loop {
            match jobs.need(&name).await.map_err(Fault::from) {
                Ok(job) => {
                    let uid = job.pointer("/metadata/uid").and_then(Json::as_str);
                    return Ok(uid.unwrap_or_default().to_owned());
                }
                Err(fault) if is_lasting(&fault) || tries >= TRIES => return Err(fault.chain()),
                Err(_) => tries += 1,
            }
            tokio::time::sleep(TICK).await;
        }
    }

    fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.cluster.client(), self.cluster.namespace())
    }

    /// All pods run.
    fn begin(&self, span: &mut Span, sight: &Sight) {
        if span.from.is_some() {
            return;
        }
        let now = self.clock.now();
        let since = match &self.blueprint {
            Some(_) => now,
            // They ran before anybody looked: the node knows since when, to the second.
            None => sight
                .window()
                .0
                .map_or(now, |at| (at + SignedDuration::from_secs(1)).min(now)),
        };
        span.from = Some(since);
        self.shared.change(|progress| {
            if progress.status == LoadStatus::Ramping {
                progress.status = LoadStatus::Steady { since };
            }
        });
    }

    /// A pod has ended: from here on not all run.
    fn end(&self, span: &mut Span, sight: &Sight) {
        let was_seen = span.from.is_some();
        self.begin(span, sight);
        let (from, to) = sight.window();
        if !was_seen {
            // It was over before anybody saw it run.
            span.from = from.or(span.from);
        }
        let now = self.clock.now();
        let ended = if was_seen { now } else { to.unwrap_or(now) };
        span.to.get_or_insert(ended);
    }

    async fn take_in(&self, sight: &mut Sight, span: &Span) -> Result<(), String> {
        let is_whole = sight.heard(LINES_COME_WITHIN).await;
        let window = self.window(span);
        let (outputs, mut problems) = sight.outputs();
        if !is_whole {
            problems.push("the last lines of a load pod did not come in time".to_owned());
        }
        problems.extend(sight.skew(&window));
        let reading = self.reading.clone();
        let read = move || Seen::read(&reading, &outputs, window);
        let seen = tokio::task::spawn_blocking(read).await;
        let seen = seen
            .map_err(|error| chain(&error))?
            .map_err(|error| chain(&error))?;
        problems.extend(seen.missing.iter().cloned());
        self.shared.change(|progress| {
            let index = u32::try_from(progress.batches.len()).unwrap_or(u32::MAX);
            progress.batches.extend(seen.batches(&self.reading, index));
            for problem in problems {
                if !progress.problems.contains(&problem) {
                    progress.problems.push(problem);
                }
            }
        });
        Ok(())
    }

    /// The time of the run, after that of the one before.
    fn window(&self, span: &Span) -> Window {
        let now = self.clock.now();
        let before = self.shared.look(|progress| {
            let last = progress.batches.last();
            last.map(|batch| batch.window.end)
        });
        let from = span.from.unwrap_or(now);
        let start = before.map_or(from, |before| before.max(from));
        let least = start + SignedDuration::from_millis(1);
        let end = span.to.unwrap_or(now).max(least);
        Window { start, end }
    }

    async fn failure(&self, run: u32, sight: &mut Sight, pod: &str, why: &str) -> String {
        sight.heard(LAST_LINES_WITHIN).await;
        let text = sight.obituary(pod, why);
        let of_job = match self.cluster.objects("job").get(&self.names.job(run)).await {
            Ok(Some(job)) => end_of_job(&job),
            Ok(None) | Err(_) => None,
        };
        let of_job = of_job.map_or_else(String::new, |said| format!("; its Job: {said}"));
        format!("{text}{of_job}")
    }
}

/// What a Job says of its end beyond that a pod has failed.
fn end_of_job(job: &Json) -> Option<String> {
    let conditions = job.pointer("/status/conditions")?.as_array()?;
    let text = |of: &Json, key: &str| of.get(key).and_then(Json::as_str).map(str::to_owned);
    let failed = conditions.iter().find(|condition| {
        let kind = condition.get("type").and_then(Json::as_str);
        matches!(kind, Some("Failed" | "FailureTarget"))
    })?;
    let reason = text(failed, "reason")?;
    let is_known = matches!(reason.as_str(), "BackoffLimitExceeded" | "FailedIndexes");
    let message = text(failed, "message").unwrap_or_default();
    (!is_known).then(|| format!("{reason}: {message}"))
}

fn is_lasting(fault: &Fault) -> bool {
    fault.retry == Retry::Never
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "all others may get better, whatever the client adds"
)]
fn is_refused(error: &watcher::Error) -> bool {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status)) => {
            matches!(status.code, 401 | 403)
        }
        _ => false,
    }
}
