//! The command line.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use em_core::value::duration;
use em_load::demo::DemoOptions;
use jiff::Timestamp;

/// Open-model HTTP load: requests go out when they are due, whatever the target does
#[derive(Debug, Parser)]
#[command(
    version,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_long_help = TEACHING
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) load: Option<LoadArgs>,
}

const TEACHING: &str = "\
HOW TO READ THE RESULT
  response   from the moment a request was due until its answer was complete: what a user waits
  service    from the moment it was sent: what the target takes
  send lag   the difference: how late this program (or a free connection) was
  A target that stalls for 200 ms lets many requests fall due meanwhile. They all wait, and the
  response time shows it. A tool that waits for an answer before it sends the next request would
  report one slow request instead.
  Time-outs and dropped requests count in the response time with at least the time-out.

EXAMPLES
  em-load http://127.0.0.1:8080/ --rate 500 --duration 30s
  em-load http://127.0.0.1:8080/ --rate 2000 --ramp 10s --arrivals constant --json > a.json
  em-load merge a.json b.json        # two drivers, one result; percentiles are pooled, not averaged
  em-load null-server                # what this machine can do at best: load it with the above

EXIT CODES
  0  measured
  1  the load failed, or its own checks say that the numbers are not to be trusted
  2  the command line makes no sense";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Merge the JSON reports of drivers that ran side by side
    Merge(MergeArgs),
    /// Serve an answer without work: the floor of every measurement
    NullServer(NullServerArgs),
    /// Serve the quickstart's service, whose best configuration is known
    Demo(DemoOptions),
}

#[derive(Debug, Args)]
pub(crate) struct MergeArgs {
    /// Reports written with --json
    #[arg(required = true)]
    pub(crate) reports: Vec<PathBuf>,
    /// Print JSON instead of a table
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct NullServerArgs {
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:8080")]
    pub(crate) listen: SocketAddr,
}

#[derive(Debug, Args)]
pub(crate) struct LoadArgs {
    /// What to request: http://HOST:PORT/PATH
    pub(crate) url: String,
    /// Requests per second
    #[arg(long, short, default_value_t = 100.0)]
    pub(crate) rate: f64,
    /// How long the steady load lasts
    #[arg(long, short, default_value = "10s", value_parser = duration::parse)]
    pub(crate) duration: Duration,
    /// Raise the rate from 0 over this time first; left out of the result
    #[arg(long, value_parser = duration::parse)]
    pub(crate) ramp: Option<Duration>,
    /// How requests are spaced
    #[arg(long, value_enum, default_value_t = Spacing::Poisson)]
    pub(crate) arrivals: Spacing,
    /// The same seed gives the same due times
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Most connections; when all are busy, requests wait for one
    #[arg(long, short, default_value_t = 1000)]
    pub(crate) connections: u32,
    /// Most requests under way; what is due beyond is dropped and counted [default: as connections,
    /// at least 1000]
    #[arg(long)]
    pub(crate) in_flight: Option<u32>,
    /// Give a request up after this time
    #[arg(long, default_value = "5s", value_parser = duration::parse)]
    pub(crate) timeout: Duration,
    /// HTTP method
    #[arg(long, short = 'X', default_value = "GET")]
    pub(crate) method: String,
    /// Header as "Name: value"; repeat for more
    #[arg(long = "header", short = 'H')]
    pub(crate) headers: Vec<String>,
    /// Header whose value is a secret: NAME=VARIABLE takes it from the environment
    #[arg(long = "header-env", value_name = "NAME=VARIABLE")]
    pub(crate) secret_headers: Vec<String>,
    /// Send this file as the body
    #[arg(long)]
    pub(crate) body_file: Option<PathBuf>,
    /// Status codes that count as a success, like 200-299,404 [default: 200-399]
    #[arg(long, value_delimiter = ',', value_parser = codes)]
    pub(crate) accept: Vec<RangeInclusive<u16>>,
    /// Start at this time (RFC 3339), to run several drivers together
    #[arg(long, value_name = "TIMESTAMP")]
    pub(crate) start_at: Option<Timestamp>,
    /// Print JSON (with histograms, for `em-load merge`) instead of a table
    #[arg(long)]
    pub(crate) json: bool,
    /// No progress on stderr
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Spacing {
    /// Evenly
    Constant,
    /// At random, as from many independent users
    Poisson,
}

/// `404` or `200-299`.
fn codes(text: &str) -> Result<RangeInclusive<u16>, String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let code = |part: &str| match part.trim().parse() {
        Ok(code) if (100..=599).contains(&code) => Ok(code),
        Ok(_) | Err(_) => Err(format!("{part:?} is not a status code (100 to 599)")),
    };
    let range = code(first)?..=code(last)?;
    if range.is_empty() {
        Err(format!("{text:?} holds no status code"))
    } else {
        Ok(range)
    }
}
