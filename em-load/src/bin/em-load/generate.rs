//! Making load: from arguments to a run, with progress.

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use em_core::port::{Clock as _, SystemClock};
use em_load::{
    Arrivals, Destination, Moment, Phase, Profile, Progress, Report, RequestTemplate, Run,
    RunFacts, RunPlan, Stretch,
};
use jiff::Timestamp;
use tokio::time::{MissedTickBehavior, interval};

use crate::args::{LoadArgs, Spacing};
use crate::{Failure, chain, print_report, say};

pub(crate) async fn run(args: &LoadArgs) -> Result<ExitCode, Failure> {
    let plan = plan(args).await?;
    let started = args.start_at.unwrap_or_else(|| SystemClock.now());
    let facts = RunFacts::of(&plan, started);
    let run = Run::start(plan).map_err(|error| Failure::Run(chain(&error)))?;
    let end = watch(&run, args).await;
    if let Progress::Failed { why } = end {
        return Err(Failure::Run(why));
    }
    print_report(&Report::new(facts, &run.batches()), args.json)
}

async fn plan(args: &LoadArgs) -> Result<RunPlan, Failure> {
    let request = request(args)?;
    let usage = |error: &dyn std::error::Error| Failure::Usage(chain(error));
    let profile = Profile::new(&phases(args)).map_err(|error| usage(&error))?;
    let lasts = profile.steady_after() + args.duration;
    let destination = Destination::look_up(request);
    let destination = destination
        .await
        .map_err(|error| Failure::Run(chain(&error)))?;
    Ok(RunPlan {
        arrivals: match args.arrivals {
            Spacing::Constant => Arrivals::Constant,
            Spacing::Poisson => Arrivals::Poisson,
        },
        seed: args.seed,
        connections: args.connections,
        in_flight: args.in_flight.unwrap_or_else(|| args.connections.max(1000)),
        timeout: args.timeout,
        lasts: Some(lasts),
        starts: args.start_at.map(moment_of).transpose()?,
        ..RunPlan::new(destination, profile)
    })
}

fn phases(args: &LoadArgs) -> Vec<Phase> {
    let ramp = args.ramp.map(|lasts| Phase::Ramp {
        from: 0.0,
        to: args.rate,
        lasts,
    });
    let steady = Phase::Constant {
        rate: args.rate,
        lasts: None,
    };
    ramp.into_iter().chain([steady]).collect()
}

fn request(args: &LoadArgs) -> Result<RequestTemplate, Failure> {
    let usage = |error: &dyn std::error::Error| Failure::Usage(chain(error));
    let mut request = RequestTemplate::get(&args.url).map_err(|error| usage(&error))?;
    request = request
        .method(&args.method)
        .map_err(|error| usage(&error))?;
    for header in &args.headers {
        let (name, value) = header.split_once(':').ok_or_else(|| {
            Failure::Usage("a --header has no colon; write \"Name: value\"".to_owned())
        })?;
        request = request
            .header(name.trim(), value.trim())
            .map_err(|error| usage(&error))?;
    }
    for header in &args.secret_headers {
        let (name, variable) = header.split_once('=').ok_or_else(|| {
            Failure::Usage("a --header-env has no '='; write NAME=VARIABLE".to_owned())
        })?;
        let value = std::env::var(variable)
            .map_err(|error| Failure::Usage(format!("--header-env {name}: {variable}: {error}")))?;
        request = request
            .header(name, &value)
            .map_err(|error| usage(&error))?;
    }
    if let Some(path) = &args.body_file {
        let body = std::fs::read(path)
            .map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))?;
        request = request.body(body);
    }
    if !args.accept.is_empty() {
        request = request
            .accept(args.accept.clone())
            .map_err(|error| usage(&error))?;
    }
    Ok(request)
}

/// The moment on the monotonic clock that a time of day will have, if nobody sets the clock.
fn moment_of(time: Timestamp) -> Result<Moment, Failure> {
    let ahead = Duration::try_from(time.duration_since(SystemClock.now()))
        .map_err(|_| Failure::Usage(format!("--start-at {time} is in the past")))?;
    Ok(Moment::now() + ahead)
}

/// Shows progress until the load has ended; Ctrl-C ends it early, with a result.
async fn watch(run: &Run, args: &LoadArgs) -> Progress {
    let mut tick = interval(Duration::from_secs(1));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut shown = 0;
    let ended = run.ended();
    tokio::pin!(ended);
    loop {
        tokio::select! {
            biased;
            progress = &mut ended => {
                finish_line(run, args, shown);
                return progress;
            }
            _ = tokio::signal::ctrl_c() => {
                say("\nem-load: ending early; the result is of what was measured");
                run.stop();
            }
            _ = tick.tick(), if !args.quiet => shown = show(run, shown),
        }
    }
}

/// One line of the batches since `shown`: rewritten in place on a terminal.
fn show(run: &Run, shown: usize) -> usize {
    let fresh = run.batches_from(shown);
    let Some(last) = fresh.last() else {
        return shown;
    };
    let stretch = Stretch::of(&fresh);
    let millis = |quantile| {
        let time = stretch
            .times
            .response_time
            .quantile(quantile)
            .unwrap_or_default();
        time.as_secs_f64() * 1e3
    };
    let phase = if last.is_steady { "steady" } else { "ramp  " };
    let line = format!(
        "{:>6.1} s  {phase}  offered {:>6}  ok {:>6}  errors {:>4}  dropped {:>4}  p50 {:>9.2} ms  p99 {:>9.2} ms",
        last.to.as_secs_f64(),
        stretch.counts.offered,
        stretch.counts.answered,
        stretch.counts.errors(),
        stretch.counts.dropped,
        millis(0.5),
        millis(0.99),
    );
    if std::io::stderr().is_terminal() {
        let _ = write!(std::io::stderr().lock(), "\r{line}");
    } else {
        say(&line);
    }
    last.index + 1
}

fn finish_line(run: &Run, args: &LoadArgs, shown: usize) {
    if args.quiet {
        return;
    }
    show(run, shown);
    if std::io::stderr().is_terminal() {
        say("");
    }
}
