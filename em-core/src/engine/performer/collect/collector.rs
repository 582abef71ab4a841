//! What was seen so far in one iteration.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::raw::RawWriter;
use super::sampling::{Sampler, SeriesStore};
use crate::engine::blame::{Patience, failed, failure};
use crate::engine::caller::{between, later};
use crate::engine::notice::IterationNotice;
use crate::engine::performer::iteration::IterationPerformer;
use crate::engine::performer::wanted::of_load;
use crate::fold::{self, Stretch};
use crate::id::MetricName;
use crate::journal::{Blame, Failure, Stage};
use crate::machine::Running;
use crate::observe::{Batch, Collected, Labelled, Observed, Window};
use crate::plan::{LoadSpec, Metric, Warmup};
use crate::port::{Capacity, Incident, IncidentKind, LoadBatch, LoadStatus};

const HEALTH_EVERY: Duration = Duration::from_secs(1);

/// One collection on its way.
pub(super) struct Collector<'a> {
    pub(super) iteration: &'a IterationPerformer,
    pub(super) running: &'a Running,
    pub(super) collected: Collected,
    pub(super) series: SeriesStore,
    pub(super) raw: RawWriter,
    pub(super) incidents: Vec<Incident>,
    pub(super) warnings: BTreeSet<String>,
    pub(super) capacity: Option<Capacity>,
    /// When the labels are next asked for.
    checkpoint: Timestamp,
    /// When the first request fell due, where requests are seen.
    pub(super) load_began: Option<Timestamp>,
    /// When the analyst expects to see enough, and the number of batches that it has seen.
    expected: (Timestamp, usize),
    /// When each batch of the load was complete, beside its window.
    completions: Vec<(Window, Timestamp)>,
    samplers: Vec<Sampler<'a>>,
    next_of_load: u32,
    /// Why the load so far is not to be trusted, if it is not.
    problem: Option<String>,
    health_seen: Timestamp,
}

impl<'a> Collector<'a> {
    pub(super) fn new(
        iteration: &'a IterationPerformer,
        running: &'a Running,
        since: Timestamp,
    ) -> Self {
        let session = &iteration.session;
        let measurement = &session.plan.measurement;
        let first = match measurement.precision {
            // Precise enough may come after any cycle.
            Some(_) => measurement.warmup.expected() + measurement.cycle_duration,
            None => session.wanted.planned,
        };
        let collected = Collected {
            steady_since: since,
            batches: Vec::new(),
            leading: session.wanted.leading.clone(),
            warmup: measurement.warmup,
            cycles: measurement.cycles,
            cycle_duration: measurement.cycle_duration,
            precision: measurement.precision,
            void: Vec::new(),
        };
        Self {
            iteration,
            running,
            collected,
            series: SeriesStore::default(),
            raw: RawWriter::default(),
            incidents: Vec::new(),
            warnings: BTreeSet::new(),
            capacity: None,
            checkpoint: later(since, first),
            load_began: None,
            expected: (later(since, first), 0),
            completions: Vec::new(),
            samplers: Sampler::all(iteration, since),
            next_of_load: 0,
            problem: None,
            health_seen: since,
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.iteration.caller.now()
    }

    /// Whether labelling again may say something new.
    pub(super) fn is_due(&self) -> bool {
        let (expected, seen) = self.expected;
        let now = self.now();
        now >= self.checkpoint || (now >= expected && self.collected.batches.len() > seen)
    }

    /// When the last observation of the stretch until `end` was there.
    pub(super) fn complete_until(&self, end: Timestamp) -> Timestamp {
        let within = self.completions.iter();
        let within = within.filter(|(window, _)| window.start < end);
        within.map(|(_, at)| *at).fold(end, Timestamp::max)
    }

    /// Samples what is wanted of the deployment itself, from sources without history.
    pub(super) async fn look_once(&mut self) {
        for sampler in &mut self.samplers {
            sampler
                .look_at_deployment(self.iteration, self.running, &mut self.series)
                .await;
        }
    }

    /// One look at everything. Answers whether the load is over.
    pub(super) async fn look(&mut self) -> Result<bool, Failure> {
        let is_over = self.look_at_load().await?;
        for sampler in &mut self.samplers {
            let looked = sampler
                .look(self.iteration, self.running, &mut self.series)
                .await;
            self.collected.void.extend(looked.void);
            self.warnings.extend(looked.warnings);
        }
        self.look_at_target().await?;
        self.close_own_batches();
        if self.raw.is_due(self.now()) {
            self.keep_raw().await?;
        }
        Ok(is_over)
    }

    /// Waits until another look is worth it.
    pub(super) async fn wait(&self) {
        let due = self.samplers.iter().map(Sampler::due);
        let health = later(self.health_seen, HEALTH_EVERY);
        let now = self.now();
        let until = due.fold(self.checkpoint.max(now).min(health), Timestamp::min);
        let wait = between(now, until).max(Duration::from_micros(100));
        let session = &self.iteration.session;
        let cx = self.iteration.caller.context(wait);
        let has_load = !matches!(session.plan.load, LoadSpec::None);
        tokio::select! {
            biased;
            () = session.ports.load.changed(&cx), if has_load => {}
            () = session.ports.target.changed(&cx) => {}
            () = tokio::time::sleep(wait) => {}
        }
    }

    /// Labels what there is.
    pub(super) async fn label(&self) -> Labelled {
        let labelled = self.iteration.session.ports.analyst.label(&self.collected);
        let kept = u32::try_from(labelled.kept().count()).unwrap_or(u32::MAX);
        let notice = self.iteration.note(IterationNotice::Measuring {
            cycles: kept,
            of: self.collected.cycles,
        });
        drop(self.iteration.session.notices.send(notice).await);
        labelled
    }

    /// Goes on until `until`, if that is still reasonable.
    pub(super) fn extend(&mut self, until: Timestamp) -> Result<(), Failure> {
        let limit = self.longest();
        if self.now() > later(self.collected.steady_since, limit) {
            let limit = crate::value::duration::spell(limit);
            let message = format!("there were not enough cycles that count within {limit}");
            return Err(failed(Stage::Collect, Blame::Load, message));
        }
        // The last batch comes a moment after its end: it is waited for, not polled for.
        let soon = later(self.now(), self.iteration.session.wanted.batch / 4);
        self.checkpoint = until.max(soon);
        self.expected = (until, self.collected.batches.len());
        Ok(())
    }

    /// The longest collection: four times what was planned, and every extension of the warm-up.
    fn longest(&self) -> Duration {
        let session = &self.iteration.session;
        let extension = match self.collected.warmup {
            Warmup::Auto { at_most, .. } => at_most,
            Warmup::Fixed(_) => Duration::ZERO,
        };
        let precise = self
            .collected
            .precision
            .map(|precision| precision.max_iteration);
        let planned = session.wanted.planned * 4 + extension + Duration::from_secs(10);
        planned.max(precise.unwrap_or_default())
    }

    /// Waits until the load ends by itself.
    pub(super) async fn until_finished(&mut self) -> Result<(), Failure> {
        let limit = later(self.collected.steady_since, self.longest_search());
        while !self.look_at_load().await? {
            self.look_at_target().await?;
            if self.now() > limit {
                let message = "the search for the capacity did not end in time";
                return Err(failed(Stage::Collect, Blame::Load, message));
            }
            self.checkpoint = later(self.now(), HEALTH_EVERY);
            self.wait().await;
        }
        Ok(())
    }

    fn longest_search(&self) -> Duration {
        match self.iteration.job.goal {
            crate::port::LoadGoal::FindCapacity { within } => within * 2 + Duration::from_secs(10),
            crate::port::LoadGoal::Measure { .. } => self.longest(),
        }
    }

    async fn look_at_load(&mut self) -> Result<bool, Failure> {
        let session = &self.iteration.session;
        if matches!(session.plan.load, LoadSpec::None) {
            return Ok(false);
        }
        let ports = &session.ports;
        let look = self
            .iteration
            .caller
            .call(
                "look at the load",
                Patience::look(&session.plan),
                |cx| async move { ports.load.status(&cx).await },
            )
            .await;
        let status = look.map_err(|fault| by_load(&fault))?;
        if let LoadStatus::Failed { why } = status {
            return Err(failed(Stage::Collect, Blame::Load, why));
        }
        self.take_load().await?;
        Ok(status == LoadStatus::Finished)
    }

    /// Takes the batches that the load driver has finished since the last time.
    async fn take_load(&mut self) -> Result<(), Failure> {
        let session = &self.iteration.session;
        let (ports, from) = (&session.ports, self.next_of_load);
        let report = self
            .iteration
            .caller
            .call(
                "read what the load saw",
                Patience::look(&session.plan),
                |cx| async move { ports.load.report(&cx, from).await },
            )
            .await
            .map_err(|fault| by_load(&fault))?;
        // Whether the load can be trusted is a question about all of it: in its first moments, with
        // the first answers still on their way, every load looks as if the target fell behind.
        self.problem = report.problems.into_iter().next();
        self.warnings.extend(report.notes);
        self.capacity = report.capacity.or(self.capacity.take());
        let known = &self.collected.void;
        let fresh: Vec<_> = report
            .void
            .into_iter()
            .filter(|one| !known.contains(one))
            .collect();
        self.collected.void.extend(fresh);
        for batch in report.batches {
            self.next_of_load = batch.index + 1;
            self.take_batch(batch);
        }
        Ok(())
    }

    fn take_batch(&mut self, batch: LoadBatch) {
        self.load_began.get_or_insert(batch.window.start);
        // What was seen before the load was steady is none of the measurement.
        if batch.window.start < self.collected.steady_since {
            return;
        }
        self.completions.push((batch.window, batch.complete));
        let observed = batch.observed.into_iter();
        let mut observed: BTreeMap<MetricName, Observed> = observed
            .map(|(name, seen)| (of_load(&name), seen))
            .collect();
        observed.extend(self.leading_level(batch.window));
        self.push(batch.window, observed);
    }

    fn push(&mut self, window: Window, observed: BTreeMap<MetricName, Observed>) {
        let index = u32::try_from(self.collected.batches.len()).unwrap_or(u32::MAX);
        self.collected.batches.push(Batch {
            index,
            window,
            observed,
        });
    }

    /// Without load of our own, batches are stretches of equal length.
    fn close_own_batches(&mut self) {
        let session = &self.iteration.session;
        if !matches!(session.plan.load, LoadSpec::None | LoadSpec::External(_)) {
            return;
        }
        let length = SignedDuration::try_from(session.wanted.batch).unwrap_or(SignedDuration::MAX);
        loop {
            let last = self.collected.batches.last();
            let start = last.map_or(self.collected.steady_since, |last| last.window.end);
            let end = start.saturating_add(length).unwrap_or(Timestamp::MAX);
            if end > self.now() {
                return;
            }
            let window = Window { start, end };
            let observed = self.leading_level(window).into_iter().collect();
            self.push(window, observed);
        }
    }

    /// What the metric that tells of the warm-up says over one batch, where it is sampled.
    fn leading_level(&self, window: Window) -> Option<(MetricName, Observed)> {
        let name = self.collected.leading.as_ref()?;
        let metric: &Metric = self.iteration.session.plan.metric(name)?;
        let series = self.series.of(name);
        let folded = fold::fold(metric, series, Stretch::alone(window)).ok()?;
        Some((name.clone(), folded.observed?))
    }

    async fn look_at_target(&mut self) -> Result<(), Failure> {
        let now = self.now();
        if now < later(self.health_seen, HEALTH_EVERY) {
            return Ok(());
        }
        let session = &self.iteration.session;
        let (ports, since) = (&session.ports, self.health_seen);
        let look = self
            .iteration
            .caller
            .call(
                "look at the target's health",
                Patience::look(&session.plan),
                |cx| async move { ports.target.health(&cx, since).await },
            )
            .await;
        let incidents = look.map_err(|fault| failure(Stage::Collect, &fault))?;
        self.health_seen = now;
        for incident in incidents {
            self.take_incident(incident)?;
        }
        Ok(())
    }

    fn take_incident(&mut self, incident: Incident) -> Result<(), Failure> {
        if incident.fatal {
            match incident.kind {
                IncidentKind::Exited | IncidentKind::OutOfMemory => {
                    let what = incident.what;
                    return Err(failed(Stage::Collect, Blame::Configuration, what));
                }
                IncidentKind::Restarted
                | IncidentKind::Throttled
                | IncidentKind::Neighbour
                | IncidentKind::Changed => {
                    let window = Window {
                        start: incident.at,
                        end: later(incident.at, Duration::from_millis(1)),
                    };
                    self.collected.void.push((window, incident.what.clone()));
                }
            }
        }
        self.incidents.push(incident);
        Ok(())
    }

    /// Judges the load as a whole. What died at the very end counts, too.
    ///
    /// The load goes on until the deployment is withdrawn: its last answers are of no interest here,
    /// and nobody has to wait for them.
    pub(super) async fn conclude(&mut self) -> Result<(), Failure> {
        self.health_seen = self.health_seen.min(earlier(self.now(), HEALTH_EVERY));
        self.look_at_target().await?;
        match self.problem.take() {
            Some(problem) => Err(failed(Stage::Collect, Blame::Load, problem)),
            None => Ok(()),
        }
    }

    /// Puts into the store what is not there yet.
    pub(super) async fn keep_raw(&mut self) -> Result<(), Failure> {
        let store = &self.iteration.session.ports.store;
        let now = self.iteration.caller.now();
        let fresh = self.series.take_fresh();
        let kept = self
            .raw
            .keep(store.as_ref(), now, &self.collected.batches, fresh)
            .await;
        kept.map_err(|fault| {
            let mut failure = failure(Stage::Collect, &fault);
            failure.blame = Blame::Manager;
            failure
        })
    }
}

fn by_load(fault: &crate::fault::Fault) -> Failure {
    let mut failure = failure(Stage::Collect, fault);
    failure.blame = Blame::Load;
    failure
}

fn earlier(at: Timestamp, by: Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
    at.saturating_sub(by).unwrap_or(Timestamp::MIN)
}
