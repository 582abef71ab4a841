//! `em export`: every number of an experiment, for other programs.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use super::{Failure, data_folder, print, record, runtime};
use crate::view::export;

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// Name of the experiment
    name: String,
    /// How it is written
    #[arg(long, value_enum)]
    format: Format,
    /// Where experiments are kept [default: the XDG data home]
    #[arg(long, env = "EM_DATA", value_name = "DIR")]
    data: Option<PathBuf>,
}

/// How numbers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A header and one line per row
    Csv,
    /// The same rows as objects; what is not known is absent
    Json,
}

pub(super) fn export(args: &ExportArgs) -> Result<(), Failure> {
    let data = data_folder(args.data.as_deref())?;
    let name = record::name(&args.name)?;
    let (experiment, report) = runtime()?.block_on(async {
        let store = record::open_to_read(&data).await?;
        let experiment = record::replay(&store, &name).await?;
        let report = record::report(&store, &experiment).await?;
        Ok::<_, Failure>((experiment, report))
    })?;
    let rows = export::rows(&experiment, &report);
    let text = match args.format {
        Format::Csv => export::csv(&rows),
        Format::Json => export::json(&name, &rows),
    };
    print(&text.context("failed to write the rows")?)
}
