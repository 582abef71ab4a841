//! A report as text for people.

use std::fmt::Write as _;
use std::time::Duration;

use em_load::{Arrivals, Counts, ErrorClass, Recording, Report, RunFacts, SelfChecks};

pub(crate) fn of(report: &Report) -> String {
    let mut text = String::new();
    write(&mut text, report).expect("writing to a string cannot fail");
    text
}

fn write(text: &mut String, report: &Report) -> std::fmt::Result {
    report
        .runs
        .iter()
        .try_for_each(|run| writeln!(text, "{}", headline(run)))?;
    writeln!(text)?;
    times(text, report)?;
    writeln!(text)?;
    counts(text, &report.steady.counts)?;
    writeln!(text)?;
    checks(text, &report.steady.checks())
}

fn headline(run: &RunFacts) -> String {
    let arrivals = match run.arrivals {
        Arrivals::Constant => "evenly spaced".to_owned(),
        Arrivals::Poisson => format!("Poisson (seed {})", run.seed),
    };
    format!(
        "{}  {} requests/s, {arrivals}, since {:.0}",
        run.url, run.rate, run.started
    )
}

fn times(text: &mut String, report: &Report) -> std::fmt::Result {
    type Pick = fn(&Recording) -> Option<Duration>;
    let rows: [(&str, Pick); 9] = [
        ("mean", Recording::mean),
        ("min", Recording::min),
        ("p50", |times| times.quantile(0.5)),
        ("p75", |times| times.quantile(0.75)),
        ("p90", |times| times.quantile(0.9)),
        ("p95", |times| times.quantile(0.95)),
        ("p99", |times| times.quantile(0.99)),
        ("p99.9", |times| times.quantile(0.999)),
        ("max", Recording::max),
    ];
    let times = &report.steady.times;
    writeln!(
        text,
        "{:8}{:>14}{:>14}{:>14}",
        "ms", "response", "service", "send lag"
    )?;
    for (name, pick) in rows {
        let cells = [&times.response_time, &times.service_time, &times.send_lag].map(pick);
        let [response, service, lag] = cells.map(millis);
        writeln!(text, "{name:8}{response:>14}{service:>14}{lag:>14}")?;
    }
    Ok(())
}

fn millis(time: Option<Duration>) -> String {
    time.map_or_else(
        || "-".to_owned(),
        |time| format!("{:.3}", time.as_secs_f64() * 1e3),
    )
}

fn counts(text: &mut String, counts: &Counts) -> std::fmt::Result {
    let span = counts.span.as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 requests")]
    let per_second = |count: u64| if span > 0.0 { count as f64 / span } else { 0.0 };
    writeln!(text, "{:12}{:>12.3} s", "steady for", span)?;
    for (name, count) in [
        ("offered", counts.offered),
        ("achieved", counts.achieved),
        ("successes", counts.throughput),
        ("dropped", counts.dropped),
        ("errors", counts.errors()),
        ("unfinished", counts.unfinished),
    ] {
        writeln!(text, "{name:12}{count:>12}{:>12.1}/s", per_second(count))?;
    }
    for class in ErrorClass::ALL {
        let count = counts.errors_of(class);
        if count > 0 {
            writeln!(text, "  {:10}{count:>12}", class.name())?;
        }
    }
    let mean = if span > 0.0 {
        counts.in_flight_time.as_secs_f64() / span
    } else {
        0.0
    };
    writeln!(
        text,
        "{:12}{:>12} at most, {mean:.2} on average",
        "in flight", counts.in_flight_peak
    )
}

fn checks(text: &mut String, checks: &SelfChecks) -> std::fmt::Result {
    let percent = |share: Option<f64>| {
        share.map_or_else(|| "-".to_owned(), |share| format!("{:.2} %", share * 100.0))
    };
    let rows = [
        (
            "Little's law gap",
            percent(checks.little_gap),
            "about 2 % and less",
        ),
        (
            "achieved / offered",
            percent(checks.achieved_over_offered),
            "99 % and more, less what is in flight",
        ),
        (
            "driver's CPU",
            percent(checks.client_cpu_share),
            "70 % of a core and less",
        ),
        (
            "send lag p99 / service p50",
            percent(checks.lag_over_service),
            "10 % and less",
        ),
        (
            "send lag p99 / response p99",
            percent(checks.lag_over_response),
            "50 % and less",
        ),
    ];
    writeln!(text, "self checks")?;
    for (name, value, goal) in rows {
        writeln!(text, "  {name:28}{value:>12}   good: {goal}")?;
    }
    checks
        .notes()
        .iter()
        .try_for_each(|note| writeln!(text, "note: {note}"))?;
    checks
        .problems()
        .iter()
        .try_for_each(|problem| writeln!(text, "PROBLEM: {problem}"))
}
