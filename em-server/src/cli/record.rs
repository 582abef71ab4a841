//! Reaching into the store: opening it, and an experiment as its journal tells it.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use em_core::experiment::{Experiment, Phase};
use em_core::id::ExperimentName;
use em_core::journal::{self, ExperimentEvent};
use em_core::port::{Store as _, StreamFilter, StreamId, SystemClock};
use em_core::report::Report;
use em_store::SqliteStore;
use em_summarize::BuiltInAnalyst;

use super::Failure;

/// The store, to look only: nothing is made, migrated or written.
pub(super) async fn open_to_read(data: &Path) -> Result<SqliteStore, Failure> {
    let store = SqliteStore::open_to_read(data, Arc::new(SystemClock)).await;
    let store = store.with_context(|| format!("failed to open the store in {}", data.display()))?;
    Ok(store)
}

/// The store, to write to. It is not made where there is none: what would be asked of it?
pub(super) async fn open_existing(data: &Path) -> Result<SqliteStore, Failure> {
    drop(open_to_read(data).await?);
    open(data).await
}

/// The store, made where there is none.
pub(super) async fn open(data: &Path) -> Result<SqliteStore, Failure> {
    let store = SqliteStore::open(data, Arc::new(SystemClock)).await;
    let store = store.with_context(|| format!("failed to open the store in {}", data.display()))?;
    Ok(store)
}

/// A name as somebody typed it.
pub(super) fn name(text: &str) -> Result<ExperimentName, Failure> {
    text.parse()
        .map_err(|error| Failure::usage(format!("{error}")))
}

/// Names of all experiments.
pub(super) async fn names(store: &SqliteStore) -> Result<Vec<ExperimentName>, Failure> {
    let filter = StreamFilter {
        experiment: None,
        experiments_only: true,
    };
    let heads = store
        .list(&filter)
        .await
        .context("failed to list the experiments")?;
    Ok(heads
        .into_iter()
        .map(|head| head.stream.experiment().clone())
        .collect())
}

/// An experiment as its journal tells it.
pub(super) async fn replay(
    store: &SqliteStore,
    name: &ExperimentName,
) -> Result<Experiment, Failure> {
    let stream = StreamId::Experiment(name.clone());
    let entries = store
        .read(&stream)
        .await
        .with_context(|| format!("failed to read {stream}"))?;
    let Some(first) = entries.first() else {
        return Err(Failure::usage(format!(
            "there is no experiment {name}; `em list` says which there are"
        )));
    };
    let read = |seq: usize| -> anyhow::Result<ExperimentEvent> {
        let number = u64::try_from(seq).context("the stream is too long")?;
        Ok(journal::decode(&stream, number, &entries[seq])?)
    };
    let mut experiment =
        Experiment::created(first.at, &read(0)?).with_context(|| format!("{stream} is damaged"))?;
    for (seq, entry) in entries.iter().enumerate().skip(1) {
        let applied = experiment.apply(entry.at, &read(seq)?);
        applied.with_context(|| format!("entry {seq} of {stream} is damaged"))?;
    }
    Ok(experiment)
}

/// What an experiment says: the report that was kept when it ended, or what it would say by now.
pub(super) async fn report(
    store: &SqliteStore,
    experiment: &Experiment,
) -> Result<Report, Failure> {
    let is_finished = matches!(experiment.phase(), Phase::Finished { .. });
    let Some(digest) = experiment.report().filter(|_| is_finished) else {
        return Ok(Report::of(experiment, &BuiltInAnalyst));
    };
    let bytes = store
        .get(digest)
        .await
        .context("failed to read the report")?;
    let report = serde_json::from_slice(&bytes).context("what is kept is no report")?;
    Ok(report)
}
