//! What stands below the table: the winner ready to apply, remarks, where time went, the record.

use std::path::Path;
use std::time::Duration;

use em_core::experiment::{Experiment, Place};
use em_core::journal::Timing;
use em_core::report::Report;
use em_core::value::duration::spell;

use super::rendered;

/// The lines below a report; empty where nothing was measured yet.
pub fn below(experiment: &Experiment, report: &Report, data: &Path) -> String {
    let mut lines = Vec::new();
    if let Some(ready) = ready_to_apply(experiment, report) {
        lines.push(format!("To apply it:\n{ready}"));
    }
    for remark in &report.remarks {
        lines.push(format!("Note: {remark}."));
    }
    if let Some(time) = time(&timings(experiment)) {
        lines.push(time);
    }
    let name = &report.experiment;
    lines.push(format!(
        "Kept in {}: `em show {name}` prints this again, `em export {name} --format csv` every number.",
        data.display()
    ));
    lines.join("\n")
}

/// The winner as the target would get it: environment and arguments of a process, else its values.
fn ready_to_apply(experiment: &Experiment, report: &Report) -> Option<String> {
    let winning = report.winning.as_ref()?;
    let executable = std::env::current_exe().ok()?;
    let command = rendered::command(experiment.plan(), winning, Path::new(""), &executable);
    let text = match command {
        Ok(Some(command)) => command,
        Ok(None) | Err(_) => format!("  {winning}\n"),
    };
    Some(text.trim_end().to_owned())
}

/// Timings of all iterations that have a result.
fn timings(experiment: &Experiment) -> Vec<Timing> {
    let places = experiment
        .blocks()
        .iter()
        .flat_map(|block| block.places.values());
    places
        .filter_map(Place::result)
        .map(|result| result.timing)
        .collect()
}

/// What the manager added, beside what the file asked for.
fn time(timings: &[Timing]) -> Option<String> {
    let of = |part: fn(&Timing) -> Duration, share: f64| {
        let mut all: Vec<Duration> = timings.iter().map(part).collect();
        all.sort();
        Some(spell(rounded(nearest_rank(&all, share)?)))
    };
    Some(format!(
        "Time per iteration (median): {} to deploy, {} until the load is steady, {} of measuring, {} until the last answer; the manager added {} (p50), {} (p99).",
        of(|one| one.deploy, 0.5)?,
        of(|one| one.ramp, 0.5)?,
        of(|one| one.collect, 0.5)?,
        of(|one| one.answers, 0.5)?,
        of(|one| one.dead, 0.5)?,
        of(|one| one.dead, 0.99)?,
    ))
}

/// The smallest value that at least this share of all does not exceed.
fn nearest_rank(sorted: &[Duration], share: f64) -> Option<Duration> {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "iterations are few, and the rank is within them"
    )]
    let rank = (sorted.len() as f64 * share).ceil().max(1.0) as usize;
    sorted.get(rank - 1).copied()
}

/// To three digits or so: nobody reads nanoseconds.
fn rounded(time: Duration) -> Duration {
    let step: u128 = match time.as_nanos() {
        0..10_000_000 => 10_000,
        10_000_000..1_000_000_000 => 1_000_000,
        _ => 10_000_000,
    };
    let nanos = (time.as_nanos() + step / 2) / step * step;
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_manager_added_stands_beside_what_was_asked_for() {
        let timing = |ms| Timing {
            deploy: Duration::from_micros(31_234),
            ramp: Duration::from_millis(2),
            collect: Duration::from_millis(1503),
            answers: Duration::from_millis(55),
            dead: Duration::from_millis(ms),
        };
        let all: Vec<Timing> = (1..=100).map(timing).collect();
        assert_eq!(
            time(&all).unwrap(),
            "Time per iteration (median): 31ms to deploy, 2ms until the load is steady, 1s500ms of measuring, 55ms until the last answer; the manager added 50ms (p50), 99ms (p99)."
        );
        assert_eq!(time(&[]), None);
    }
}
