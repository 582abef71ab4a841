//! `em show`: what is stored, without changing anything.

use std::sync::Arc;

use anyhow::Context as _;
use em_core::experiment::Experiment;
use em_core::id::ExperimentName;
use em_core::journal::{self, ExperimentEvent};
use em_core::port::{Store as _, StreamFilter, StreamId, SystemClock};
use em_core::report::Report;
use em_store::SqliteStore;
use em_summarize::BuiltInAnalyst;

use super::run::print_report;
use super::{Failure, ShowArgs, data_folder, print, runtime};

pub(super) fn show(args: &ShowArgs) -> Result<(), Failure> {
    let data = data_folder(args.data.as_deref())?;
    runtime()?.block_on(async {
        let store = SqliteStore::open_to_read(&data, Arc::new(SystemClock)).await;
        let store =
            store.with_context(|| format!("failed to open the store in {}", data.display()))?;
        match &args.name {
            None => list(&store).await,
            Some(name) => {
                let name: ExperimentName = name
                    .parse()
                    .map_err(|error| Failure::usage(format!("{error}")))?;
                let experiment = replay(&store, &name).await?;
                print_report(&Report::of(&experiment, &BuiltInAnalyst), args.output)
            }
        }
    })
}

async fn list(store: &SqliteStore) -> Result<(), Failure> {
    let filter = StreamFilter {
        experiment: None,
        experiments_only: true,
    };
    let heads = store
        .list(&filter)
        .await
        .context("failed to list the experiments")?;
    let mut text = String::new();
    for head in heads {
        let name = head.stream.experiment().clone();
        let experiment = replay(store, &name).await?;
        let line = format!(
            "{name}  {}  {}\n",
            experiment.phase().name(),
            experiment.last_event()
        );
        text.push_str(&line);
    }
    print(&text)
}

async fn replay(store: &SqliteStore, name: &ExperimentName) -> Result<Experiment, Failure> {
    let stream = StreamId::Experiment(name.clone());
    let entries = store
        .read(&stream)
        .await
        .with_context(|| format!("failed to read {stream}"))?;
    let Some(first) = entries.first() else {
        return Err(Failure::usage(format!(
            "there is no experiment {name}; `em show` lists them"
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
