//! What happens while an experiment runs, one line each.

use em_core::engine::EventKind;
use em_core::journal::{Outcome, Purpose};

/// The line that an event is worth; none for those that only a machine wants to see.
pub fn line(event: &EventKind) -> Option<String> {
    match event {
        EventKind::TrialAdded { trial, label } => {
            let is_named = trial.to_string() != *label;
            let name = if is_named {
                format!(": {label}")
            } else {
                String::new()
            };
            Some(format!("{trial} joins{name}"))
        }
        EventKind::BlockDrawn {
            block,
            purpose,
            iterations,
        } => {
            let purpose = match purpose {
                Purpose::Measuring => "measuring".to_owned(),
                Purpose::Screening { round } => format!("screening round {round}"),
                Purpose::Verifying => "verifying".to_owned(),
            };
            Some(format!(
                "block {block} ({purpose}), {iterations} iterations"
            ))
        }
        EventKind::IterationEnded {
            trial,
            iteration,
            how,
        } => Some(format!("  {trial} {iteration}: {how}")),
        EventKind::Calibrated { capacity, rate } => Some(format!(
            "the baseline sustains {capacity:.0} requests/s; every iteration is offered {rate:.1}"
        )),
        EventKind::TrialFinished { trial, outcome } => match outcome {
            Outcome::Measured => None,
            Outcome::Infeasible { why } => Some(format!("{trial} is infeasible: {why}")),
            Outcome::Invalid { why } => Some(format!("{trial} is invalid: {why}")),
            Outcome::Failed { blame, why } => Some(format!("{trial} failed ({blame}): {why}")),
            Outcome::Cancelled => Some(format!("{trial} is called off")),
        },
        EventKind::VerificationBegun => Some("the best are measured again".to_owned()),
        EventKind::Paused { why } => Some(format!("paused: {why}")),
        EventKind::Resumed => Some("it goes on".to_owned()),
        // Stages pass by in seconds, and the answer is printed in full.
        EventKind::Concluded { .. }
        | EventKind::Held { .. }
        | EventKind::Released { .. }
        | EventKind::Placed { .. }
        | EventKind::Stage { .. }
        | EventKind::Measuring { .. }
        | _ => None,
    }
}
