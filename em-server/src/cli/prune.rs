//! `em prune`: removes what nobody will ask for any more.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use em_core::experiment::{Experiment, Phase};
use em_core::id::{Digest, ExperimentName};
use em_core::journal::{self, ExperimentEvent, IterationEvent};
use em_core::port::{Clock as _, Entry, Store as _, StreamId, SystemClock};
use em_core::value::duration::parse;
use em_store::SqliteStore;
use jiff::Timestamp;

use super::{Failure, data_folder, print, record, runtime};
use crate::kept;

/// Raw data younger than this may belong to an entry that is about to be written.
const YOUNG: Duration = Duration::from_hours(1);

#[derive(Debug, Args)]
pub(super) struct PruneArgs {
    /// Say what would be removed, and remove nothing
    #[arg(long)]
    dry_run: bool,
    /// Remove outputs and artifacts of experiments that are finished for longer than this
    #[arg(long, value_name = "DURATION", default_value = "30d", value_parser = age)]
    older_than: Duration,
    /// Where experiments are kept [default: the XDG data home]
    #[arg(long, env = "EM_DATA", value_name = "DIR")]
    data: Option<PathBuf>,
}

fn age(text: &str) -> Result<Duration, String> {
    // Days are what retention is thought in; the file's durations end at hours.
    if let Some(days) = text.strip_suffix('d') {
        let days: u32 = days
            .parse()
            .map_err(|_| "write days such as 30d".to_owned())?;
        return Ok(Duration::from_hours(24 * u64::from(days)));
    }
    parse(text).map_err(|error| error.to_string())
}

pub(super) fn prune(args: &PruneArgs) -> Result<(), Failure> {
    let data = data_folder(args.data.as_deref())?;
    let text = runtime()?.block_on(prune_in(args, &data))?;
    print(&text)
}

async fn prune_in(args: &PruneArgs, data: &Path) -> Result<String, Failure> {
    let store = if args.dry_run {
        record::open_to_read(data).await?
    } else {
        record::open_existing(data).await?
    };
    let now = SystemClock.now();
    let named = Named::in_store(&store, now).await?;
    let raw = sweep(args, &store, &named).await?;
    let mut text = format!("{} {raw}\n", verb(args));
    for experiment in &named.experiments {
        if !is_old(experiment, now, args.older_than) {
            continue;
        }
        let name = &experiment.plan().name;
        let folder = kept::folder(data, name);
        if !folder.exists() {
            continue;
        }
        let bytes = kept::size(&folder).context("failed to look at what is kept")?;
        if !args.dry_run {
            fs::remove_dir_all(&folder)
                .with_context(|| format!("failed to remove {}", folder.display()))?;
        }
        let line = format!("{} outputs of {name}: {}\n", verb(args), size(bytes));
        text.push_str(&line);
    }
    Ok(text)
}

fn verb(args: &PruneArgs) -> &'static str {
    if args.dry_run {
        "would remove"
    } else {
        "removed"
    }
}

async fn sweep(args: &PruneArgs, store: &SqliteStore, named: &Named) -> Result<String, Failure> {
    let looked = store.sweepable(named.before, &named.digests).await;
    let (records, bytes) = looked.context("failed to look at raw data")?;
    let freed = if args.dry_run {
        bytes
    } else {
        let swept = store.sweep(named.before, named.digests.clone()).await;
        swept.context("failed to remove raw data")?
    };
    Ok(format!(
        "raw data that no experiment names: {records} records, {}",
        size(freed)
    ))
}

/// Whether it is finished, and was so for longer than `age`.
fn is_old(experiment: &Experiment, now: Timestamp, age: Duration) -> bool {
    let is_finished = matches!(experiment.phase(), Phase::Finished { .. });
    let age = jiff::SignedDuration::try_from(age).unwrap_or(jiff::SignedDuration::MAX);
    is_finished && now.duration_since(experiment.last_event()) >= age
}

/// What experiments still name.
struct Named {
    experiments: Vec<Experiment>,
    digests: HashSet<Digest>,
    /// What was put after this may still be named.
    before: Timestamp,
}

impl Named {
    async fn in_store(store: &SqliteStore, now: Timestamp) -> Result<Self, Failure> {
        let mut named = Self {
            experiments: Vec::new(),
            digests: HashSet::new(),
            before: now - YOUNG,
        };
        for name in record::names(store).await? {
            let experiment = record::replay(store, &name).await?;
            let oldest = experiment.active().values().map(|placing| placing.at).min();
            named.before = named.before.min(oldest.unwrap_or(named.before));
            named.add_streams(store, &name).await?;
            named.experiments.push(experiment);
        }
        Ok(named)
    }

    async fn add_streams(
        &mut self,
        store: &SqliteStore,
        name: &ExperimentName,
    ) -> Result<(), Failure> {
        let streams = store.read_all(name).await;
        let streams = streams.with_context(|| format!("failed to read experiment {name}"))?;
        for (stream, entries) in streams {
            for (seq, entry) in (0..).zip(&entries) {
                self.add(&stream, seq, entry)
                    .with_context(|| format!("failed to read experiment {name}"))?;
            }
        }
        Ok(())
    }

    fn add(&mut self, stream: &StreamId, seq: u64, entry: &Entry) -> anyhow::Result<()> {
        match stream {
            StreamId::Experiment(_) => {
                if let ExperimentEvent::ReportDue { digest } = journal::decode(stream, seq, entry)?
                {
                    self.digests.insert(digest);
                }
            }
            StreamId::Iteration(..) => {
                let event = journal::decode(stream, seq, entry)?;
                if let IterationEvent::Collected { collection, .. } = event {
                    self.digests.extend(collection.raw);
                }
            }
            StreamId::Hold(..) | StreamId::Delivery(..) => {}
        }
        Ok(())
    }
}

fn size(bytes: u64) -> String {
    match bytes {
        0..10_240 => format!("{bytes} B"),
        10_240..10_485_760 => format!("{} KiB", bytes >> 10),
        _ => format!("{} MiB", bytes >> 20),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_days_or_durations() {
        assert_eq!(age("2d"), Ok(Duration::from_hours(48)));
        assert_eq!(age("90s"), Ok(Duration::from_secs(90)));
        assert!(age("soon").is_err() && age("xd").is_err());
    }
}
