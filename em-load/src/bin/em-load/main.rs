//! `em-load`: open-model HTTP load from the command line. The work is done by the library.

mod args;
mod generate;
mod table;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use em_load::{NullServer, Report};

use args::{Cli, Command, MergeArgs, NullServerArgs};

/// Why the program ends without an answer, and with which code.
#[derive(Debug)]
enum Failure {
    /// The load, the target or this machine: code 1.
    Run(String),
    /// What was asked for makes no sense: code 2.
    Usage(String),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(answer(cli)),
        Err(error) => Err(Failure::Run(format!(
            "failed to start the event loop: {error}"
        ))),
    };
    let (message, code) = match result {
        Ok(code) => return code,
        Err(Failure::Run(message)) => (message, 1),
        Err(Failure::Usage(message)) => (message, 2),
    };
    say(&format!("em-load: {message}"));
    ExitCode::from(code)
}

async fn answer(cli: Cli) -> Result<ExitCode, Failure> {
    match (cli.command, cli.load) {
        (Some(Command::Merge(args)), _) => merge(&args),
        (Some(Command::NullServer(args)), _) => null_server(&args).await,
        (Some(Command::Demo(options)), _) => em_load::demo::serve(options)
            .await
            .map(|()| ExitCode::SUCCESS)
            .map_err(|error| Failure::Run(format!("the demo service failed: {error}"))),
        (None, Some(args)) => generate::run(&args).await,
        (None, None) => Err(Failure::Usage("give a URL, or see --help".to_owned())),
    }
}

fn merge(args: &MergeArgs) -> Result<ExitCode, Failure> {
    let mut merged: Option<Report> = None;
    for path in &args.reports {
        let failed = |error: &dyn std::error::Error| {
            Failure::Usage(format!("{}: {}", path.display(), chain(error)))
        };
        let text = std::fs::read_to_string(path).map_err(|error| failed(&error))?;
        let report = Report::from_json(&text).map_err(|error| failed(&error))?;
        match &mut merged {
            None => merged = Some(report),
            Some(merged) => merged.merge(&report),
        }
    }
    let merged = merged.ok_or_else(|| Failure::Usage("nothing to merge".to_owned()))?;
    print_report(&merged, args.json)
}

async fn null_server(args: &NullServerArgs) -> Result<ExitCode, Failure> {
    let failed = |error: std::io::Error| {
        Failure::Run(format!(
            "the null server at {} failed: {error}",
            args.listen
        ))
    };
    let server = NullServer::bind(args.listen).await.map_err(failed)?;
    say(&format!(
        "null server on http://{}/, Ctrl-C ends it",
        server.address()
    ));
    tokio::select! {
        ended = server.serve() => ended.map(|never| match never {}).map_err(failed),
        _ = tokio::signal::ctrl_c() => Ok(ExitCode::SUCCESS),
    }
}

/// Prints a report to stdout. The code says whether its numbers can be believed.
fn print_report(report: &Report, as_json: bool) -> Result<ExitCode, Failure> {
    let text = if as_json {
        report.to_json() + "\n"
    } else {
        table::of(report)
    };
    let written = std::io::stdout().lock().write_all(text.as_bytes());
    written.map_err(|error| Failure::Run(format!("failed to print the report: {error}")))?;
    let problems = report.steady.checks().problems();
    if as_json {
        for problem in &problems {
            say(&format!("problem: {problem}"));
        }
    }
    Ok(if problems.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    })
}

/// One line to stderr. Nobody reading is no reason to fail.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// The error with its causes, on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
