//! The command line.

mod check;
mod init;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::experiment_file::Assignment;
use crate::screen;

/// Finds the best configuration of a running system, and proves it
#[derive(Debug, Parser)]
#[command(name = "em", version, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

const EXAMPLES: &str = "\
EXAMPLES
  em check examples/quickstart.yaml                what would be done, without doing it
  em check FILE --set measurement.cycles=1         with one value changed
  em init process -- ./server --port {{port}}      write a commented file for a program of yours

EXIT CODES
  0  answered
  1  the manager or its surroundings
  2  usage or invalid input";

/// What plain `em` prints.
const TRY: &str = "\
Try one of these:
  em check examples/quickstart.yaml             what an experiment would do, without doing it
  em init process -- ./server --port {{port}}   write an experiment file for a program of yours
  em --help                                     everything else
";

#[derive(Debug, Subcommand)]
enum Command {
    /// Check everything that can be checked without changing anything, and print the plan
    Check(CheckArgs),
    /// Write a commented experiment file to stdout
    Init {
        #[command(subcommand)]
        kind: InitKind,
    },
    /// Print the JSON Schema of the experiment file: editors complete and check keys with it
    Schema,
    /// Serve the quickstart's service, whose best configuration is known
    Demo(em_load::demo::DemoOptions),
}

#[derive(Debug, Args)]
struct CheckArgs {
    /// The experiment file, YAML or JSON
    file: PathBuf,
    /// Change one value of the file; repeat for more
    #[arg(long = "set", value_name = "PATH=VALUE")]
    set: Vec<Assignment>,
    /// Look at the file only, not at this machine
    #[arg(long)]
    offline: bool,
    /// Where experiments are kept [default: the XDG data home]
    #[arg(long, env = "EM_DATA", value_name = "DIR")]
    data: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum InitKind {
    /// For a program that runs on this machine
    Process {
        /// Program and arguments; `{{port}}` stands for a free port
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },
}

/// Why a command has no answer. The code is the process's own.
#[derive(Debug)]
struct Failure {
    code: u8,
    message: String,
}

impl Failure {
    fn usage(message: impl Into<String>) -> Self {
        let message = message.into();
        Self { code: 2, message }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self {
            code: 1,
            message: format!("{error:#}"),
        }
    }
}

/// Reads the command line, does what it says, answers with the code of the process.
pub fn main() -> ExitCode {
    match answer(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { code, message }) => {
            screen::say(&format!("em: {message}"));
            ExitCode::from(code)
        }
    }
}

fn answer(cli: Cli) -> Result<(), Failure> {
    let text = match cli.command {
        None => TRY.to_owned(),
        Some(Command::Check(args)) => return check::check(&args),
        Some(Command::Init {
            kind: InitKind::Process { command },
        }) => init::process(&command),
        Some(Command::Schema) => format!("{:#}\n", em_core::file::schema()),
        Some(Command::Demo(options)) => {
            let served = runtime()?.block_on(em_load::demo::serve(options));
            return served.map_err(|error| {
                anyhow::Error::new(error)
                    .context("the demo service failed")
                    .into()
            });
        }
    };
    print(&text)
}

fn print(text: &str) -> Result<(), Failure> {
    screen::print(text).map_err(|error| {
        anyhow::Error::new(error)
            .context("failed to print the result")
            .into()
    })
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.map_err(|error| {
        anyhow::Error::new(error)
            .context("failed to start the event loop")
            .into()
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
