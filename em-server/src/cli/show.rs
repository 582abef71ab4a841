//! `em show`: what is stored, without changing anything.

use std::fmt::Write as _;
use std::path::Path;

use em_core::experiment::{Experiment, Phase};
use em_store::SqliteStore;

use super::run::print_report;
use super::{Failure, ListArgs, ShowArgs, data_folder, print, record, runtime};

pub(super) fn show(args: &ShowArgs) -> Result<(), Failure> {
    let data = data_folder(args.data.as_deref())?;
    let Some(name) = &args.name else {
        return list_in(&data);
    };
    let name = record::name(name)?;
    runtime()?.block_on(async {
        let store = record::open_to_read(&data).await?;
        let experiment = record::replay(&store, &name).await?;
        let report = record::report(&store, &experiment).await?;
        print_report(&experiment, &report, args.output, &data)
    })
}

/// `em list`, and `em show` without a name.
pub(super) fn list(args: &ListArgs) -> Result<(), Failure> {
    list_in(&data_folder(args.data.as_deref())?)
}

fn list_in(data: &Path) -> Result<(), Failure> {
    runtime()?.block_on(async {
        let store = record::open_to_read(data).await?;
        print(&lines(&store).await?)
    })
}

/// One line per experiment: name, where it stands, when something last happened to it.
async fn lines(store: &SqliteStore) -> Result<String, Failure> {
    let mut rows = Vec::new();
    for name in record::names(store).await? {
        let experiment = record::replay(store, &name).await?;
        rows.push((
            name.to_string(),
            standing(&experiment),
            experiment.last_event(),
        ));
    }
    let width = |of: fn(&(String, String, jiff::Timestamp)) -> &str| {
        rows.iter().map(|row| of(row).chars().count()).max()
    };
    let names = width(|row| &row.0).unwrap_or(0);
    let standings = width(|row| &row.1).unwrap_or(0);
    let mut text = String::new();
    for (name, standing, at) in &rows {
        writeln!(text, "{name:<names$}  {standing:<standings$}  {at:.0}")
            .expect("writing to a string cannot fail");
    }
    Ok(text)
}

fn standing(experiment: &Experiment) -> String {
    let phase = experiment.phase();
    let conclusion = phase.conclusion();
    match (phase, conclusion) {
        (Phase::Paused { why, .. }, _) => format!("paused: {why}"),
        (_, Some(conclusion)) => {
            let answer = serde_json::to_value(conclusion.answer).ok();
            let answer = answer.as_ref().and_then(|answer| answer.as_str());
            let answer = answer.unwrap_or_default().replace('_', " ");
            format!("{}: {answer}", phase.name().to_lowercase())
        }
        (_, None) => {
            let blocks = experiment.blocks().len();
            format!("{}: {blocks} blocks", phase.name().to_lowercase())
        }
    }
}
