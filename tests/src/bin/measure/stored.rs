//! What a store keeps of an experiment.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use em_core::id::{BlockNo, ExperimentName, TrialId};
use em_core::journal::{
    self, Blame, Collection, ExperimentEvent, InterruptCause, IterationEnd, Timing,
};
use em_core::machine::IterationEvent;
use em_core::port::{Store as _, StreamId, SystemClock};
use em_store::SqliteStore;

/// One experiment as its journal tells it.
#[derive(Debug)]
pub(crate) struct Stored {
    /// Id of the store, the first part of every mark.
    pub(crate) store: String,
    /// Bytes of raw data.
    pub(crate) raw_bytes: u64,
    /// What was collected, of each iteration that was measured.
    pub(crate) collected: Vec<Collection>,
    events: Vec<ExperimentEvent>,
}

impl Stored {
    /// Reads the experiment `name` in the data folder `data`.
    pub(crate) fn read(data: &Path, name: &str) -> Result<Self> {
        let name: ExperimentName = name.parse().context("an experiment has another name")?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("failed to start an event loop")?;
        runtime.block_on(read(data, name))
    }

    /// Time that the manager added to each iteration that has a result.
    pub(crate) fn dead_times(&self) -> Vec<Duration> {
        self.timings().iter().map(|timing| timing.dead).collect()
    }

    /// Time that passed at each step of each iteration that has a result.
    pub(crate) fn timings(&self) -> Vec<Timing> {
        let ends = self.ends();
        let results = ends.filter_map(|end| match end {
            IterationEnd::Done(result) => Some(result.timing),
            IterationEnd::Failed(_) | IterationEnd::Interrupted { .. } => None,
        });
        results.collect()
    }

    /// Iterations that were placed, and that ended.
    pub(crate) fn placed_and_ended(&self) -> (usize, usize) {
        let placed = self.events.iter();
        let placed = placed.filter(|event| matches!(event, ExperimentEvent::Placed { .. }));
        (placed.count(), self.ends().count())
    }

    /// Iterations that were lost because a manager died.
    pub(crate) fn lost(&self) -> usize {
        let died = |end: &&IterationEnd| {
            matches!(
                end,
                IterationEnd::Interrupted {
                    cause: InterruptCause::ManagerDied,
                    ..
                }
            )
        };
        self.ends().filter(died).count()
    }

    /// Iterations that were placed or that ended more than once.
    pub(crate) fn doubled(&self) -> usize {
        let (mut placed, mut ended) = (BTreeSet::new(), BTreeSet::new());
        let mut doubled = 0;
        for event in &self.events {
            let is_new = if let ExperimentEvent::Placed {
                trial, iteration, ..
            } = event
            {
                placed.insert((*trial, *iteration))
            } else if let ExperimentEvent::IterationEnded {
                trial, iteration, ..
            } = event
            {
                ended.insert((*trial, *iteration))
            } else {
                true
            };
            doubled += usize::from(!is_new);
        }
        doubled
    }

    /// Iterations that ended without a result.
    pub(crate) fn without_result(&self) -> usize {
        self.ends()
            .filter(|end| !matches!(end, IterationEnd::Done(_)))
            .count()
    }

    /// Why iterations failed for which their load is to blame: the driver or the target came too late.
    pub(crate) fn late(&self) -> Vec<String> {
        let failed = self.ends().filter_map(|end| match end {
            IterationEnd::Failed(failure) if failure.blame == Blame::Load => {
                Some(failure.message.clone())
            }
            IterationEnd::Failed(_) | IterationEnd::Done(_) | IterationEnd::Interrupted { .. } => {
                None
            }
        });
        failed.collect()
    }

    /// Places of blocks that count, each with its number of results.
    pub(crate) fn results(&self) -> BTreeMap<(BlockNo, TrialId), usize> {
        let events = || self.events.iter();
        let voided: BTreeSet<_> = events()
            .filter_map(|event| {
                let ExperimentEvent::BlockVoided { block, .. } = event else {
                    return None;
                };
                Some(*block)
            })
            .collect();
        let placed = events().filter_map(|event| {
            let ExperimentEvent::Placed {
                trial,
                iteration,
                block,
                ..
            } = event
            else {
                return None;
            };
            let block = (*block).filter(|block| !voided.contains(block))?;
            Some(((*trial, *iteration), block))
        });
        let placed: BTreeMap<_, _> = placed.collect();
        let mut places: BTreeMap<_, _> = placed
            .iter()
            .map(|((trial, _), block)| ((*block, *trial), 0))
            .collect();
        for event in events() {
            if let ExperimentEvent::IterationEnded {
                trial,
                iteration,
                end: IterationEnd::Done(_),
                ..
            } = event
                && let Some(block) = placed.get(&(*trial, *iteration))
            {
                *places.entry((*block, *trial)).or_insert(0) += 1;
            }
        }
        places
    }

    fn ends(&self) -> impl Iterator<Item = &IterationEnd> {
        self.events.iter().filter_map(|event| {
            let ExperimentEvent::IterationEnded { end, .. } = event else {
                return None;
            };
            Some(end)
        })
    }
}

async fn read(data: &Path, name: ExperimentName) -> Result<Stored> {
    let store = SqliteStore::open_to_read(data, Arc::new(SystemClock)).await;
    let store = store.with_context(|| format!("failed to open the store in {}", data.display()))?;
    let stream = StreamId::Experiment(name.clone());
    let entries = store
        .read(&stream)
        .await
        .context("failed to read a stream")?;
    let usage = store.usage().await.context("failed to read raw data")?;
    let mut events = Vec::new();
    for (seq, entry) in (0..).zip(&entries) {
        events.push(journal::decode(&stream, seq, entry).context("failed to read an event")?);
    }
    let collected = collections(&store, &name, &events).await?;
    let id = store.id().to_owned();
    store.close().await;
    Ok(Stored {
        store: id,
        raw_bytes: usage.bytes,
        collected,
        events,
    })
}

async fn collections(
    store: &SqliteStore,
    name: &ExperimentName,
    events: &[ExperimentEvent],
) -> Result<Vec<Collection>> {
    let mut collections = Vec::new();
    for event in events {
        let ExperimentEvent::Placed {
            trial, iteration, ..
        } = event
        else {
            continue;
        };
        let stream = StreamId::Iteration(name.clone(), *trial, *iteration);
        let entries = store.read(&stream).await;
        let entries = entries.context("failed to read the stream of an iteration")?;
        for (seq, entry) in (0..).zip(&entries) {
            let event = journal::decode(&stream, seq, entry);
            let event = event.context("failed to read an event of an iteration")?;
            if let IterationEvent::Collected { collection, .. } = event {
                collections.push(*collection);
            }
        }
    }
    Ok(collections)
}
