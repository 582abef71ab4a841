//! The command line.

mod check;
mod export;
mod guard;
mod init;
mod kube;
mod live;
mod logs;
mod order;
mod prune;
mod query;
mod record;
mod run;
mod settle;
mod show;
mod turn;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand, ValueEnum};
use em_core::report::Report;

use crate::experiment_file::Assignment;
use crate::screen;

/// Finds the best configuration of a running system, and proves it
#[derive(Debug, Parser)]
#[command(name = "em", version, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    /// Say more on stderr: what is done, and twice for every look; `RUST_LOG` says it finer
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
}

const EXAMPLES: &str = "\
EXAMPLES
  em run examples/quickstart.yaml                  find the best configuration
  em check examples/quickstart.yaml                what would be done, without doing it
  em check FILE --set measurement.cycles=1         with one value changed
  em query FILE p99 --window 5m                    what the datasource of a metric answers now
  em init process -- ./server --port {{port}}      write a commented file for a program of yours
  em init kubernetes deploy/shop -n shop           write one for a workload of a cluster
  em run FILE --context eu-prod                    a protected context is meant: say so
  em kube list -A                                  what of ours is in a cluster

EXIT CODES
  0  answered
  1  the manager or its surroundings
  2  usage or invalid input
  3  nothing measured
  4  called off
  5  the target is not put back
  130  interrupted; run it again to go on";

/// What plain `em` prints.
const TRY: &str = "\
Try one of these:
  em run examples/quickstart.yaml               find the best configuration of a small service
  em check examples/quickstart.yaml             what an experiment would do, without doing it
  em init process -- ./server --port {{port}}   write an experiment file for a program of yours
";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run an experiment to its answer, or go on with one that was broken off
    #[command(after_help = guard::HELP)]
    Run(RunArgs),
    /// List the experiments there are
    List(ListArgs),
    /// Show the report on an experiment; without a name all are listed
    Show(ShowArgs),
    /// Print what the iterations of an experiment wrote
    Logs(logs::LogsArgs),
    /// Place nothing new, let what runs end, put everything back
    Pause(order::OrderArgs),
    /// Let a paused experiment go on
    Resume(order::ResumeArgs),
    /// Call an experiment off for good, and put everything back
    Cancel(order::OrderArgs),
    /// Put back what could not be put back
    Restore(order::RestoreArgs),
    /// Write every number of an experiment for other programs
    Export(export::ExportArgs),
    /// Remove raw data that nobody names and outputs of old experiments
    Prune(prune::PruneArgs),
    /// Check everything that can be checked without changing anything, and print the plan
    Check(CheckArgs),
    /// Ask the datasources of a file for its metrics now, and print queries, series and warnings
    Query(query::QueryArgs),
    /// Look at what of ours is in a cluster; put it back, or remove it, without a store
    Kube {
        #[command(subcommand)]
        command: kube::KubeCommand,
    },
    /// Write a commented experiment file to stdout
    Init {
        #[command(subcommand)]
        kind: InitKind,
    },
    /// Print the JSON Schema of the experiment file (editors complete and check keys with it), or of
    /// the report that `run` and `show` print with `--output json`
    Schema {
        /// Of what
        #[arg(value_enum, default_value_t = SchemaOf::File)]
        of: SchemaOf,
    },
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

#[derive(Debug, Args)]
struct RunArgs {
    /// The experiment file, YAML or JSON
    file: PathBuf,
    /// Change one value of the file; repeat for more
    #[arg(long = "set", value_name = "PATH=VALUE")]
    set: Vec<Assignment>,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t = Output::Table)]
    output: Output,
    /// Measure a finished experiment anew, as NAME#2
    #[arg(long)]
    again: bool,
    /// Begin anew although the file has changed, as NAME#2
    #[arg(long)]
    new: bool,
    #[command(flatten)]
    agreed: guard::Agreed,
    /// Measure although others measure on this machine; the numbers suffer [env: `EM_BESIDE=1`]
    #[arg(long)]
    beside: bool,
    /// Where experiments are kept [default: the XDG data home]
    #[arg(long, env = "EM_DATA", value_name = "DIR")]
    data: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct ListArgs {
    /// Where experiments are kept [default: the XDG data home]
    #[arg(long, env = "EM_DATA", value_name = "DIR")]
    data: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct ShowArgs {
    /// Name of the experiment; without it all are listed
    name: Option<String>,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t = Output::Table)]
    output: Output,
    /// Where experiments are kept [default: the XDG data home]
    #[arg(long, env = "EM_DATA", value_name = "DIR")]
    data: Option<PathBuf>,
}

/// What a schema is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SchemaOf {
    /// The experiment file
    File,
    /// The report
    Report,
}

/// How a result is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// A ranked table and one sentence
    Table,
    /// The whole report
    Json,
}

#[derive(Debug, Subcommand)]
enum InitKind {
    /// For a program that runs on this machine
    Process {
        /// Program and arguments; `{{port}}` stands for a free port
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },
    /// For a workload of a cluster, from what it has today: resources, JVM or Node options, its Service
    Kubernetes(kube::InitArgs),
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
    let cli = Cli::parse();
    log(cli.verbose);
    match answer(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { code, message }) => {
            screen::say(&format!("em: {message}"));
            ExitCode::from(code)
        }
    }
}

/// Sends what the crates log to stderr.
fn log(verbose: u8) {
    let default = match verbose {
        0 => "warn",
        1 => "info",
        _ => "debug",
    };
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(default));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
}

fn answer(cli: Cli) -> Result<(), Failure> {
    let text = match cli.command {
        None => TRY.to_owned(),
        Some(Command::Query(args)) => return query::query(&args),
        Some(Command::Check(args)) => return check::check(&args),
        Some(Command::Run(args)) => return run::run(&args),
        Some(Command::List(args)) => return show::list(&args),
        Some(Command::Show(args)) => return show::show(&args),
        Some(Command::Logs(args)) => return logs::logs(&args),
        Some(Command::Pause(args)) => return order::pause(&args),
        Some(Command::Resume(args)) => return order::resume(&args),
        Some(Command::Cancel(args)) => return order::cancel(&args),
        Some(Command::Restore(args)) => return order::restore(&args),
        Some(Command::Export(args)) => return export::export(&args),
        Some(Command::Prune(args)) => return prune::prune(&args),
        Some(Command::Kube { command }) => return kube::kube(&command),
        Some(Command::Init {
            kind: InitKind::Process { command },
        }) => init::process(&command),
        Some(Command::Init {
            kind: InitKind::Kubernetes(args),
        }) => kube::init(&args)?,
        Some(Command::Schema { of }) => match of {
            SchemaOf::File => format!("{:#}\n", em_core::file::schema()),
            SchemaOf::Report => format!("{:#}\n", Report::schema()),
        },
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

/// Who asks, for the journal.
fn who() -> String {
    std::env::var("USER")
        .ok()
        .filter(|user| !user.is_empty())
        .unwrap_or_else(|| "somebody".to_owned())
}

/// The folder in which experiments are kept: an absolute path, because commands that get paths in
/// it as arguments start in folders of their own.
fn data_folder(given: Option<&Path>) -> anyhow::Result<PathBuf> {
    if let Some(data) = given {
        return std::path::absolute(data).context("failed to find the data folder");
    }
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let home = variable("XDG_DATA_HOME").map(PathBuf::from);
    home.or_else(|| variable("HOME").map(|home| PathBuf::from(home).join(".local/share")))
        .map(|home| home.join("em"))
        .context("failed to find the data folder: set HOME, XDG_DATA_HOME or EM_DATA")
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

    #[test]
    fn a_data_folder_beside_the_user_is_where_the_user_is() {
        let here = std::env::current_dir().unwrap();
        let found = super::data_folder(Some(std::path::Path::new("./kept/here"))).unwrap();
        assert_eq!(found, here.join("kept/here"));
    }
}
