//! What happens while an experiment runs: one line each, and all of it in one.

use std::fmt;

use em_core::engine::EventKind;
use em_core::experiment::Experiment;
use em_core::id::{IterationNo, TrialId};
use em_core::journal::{Outcome, Purpose, Stage};
use em_core::report::Report;

use super::forecast::Forecast;

/// What an experiment does now.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Now {
    planned: Option<u64>,
    done: u64,
    block: Option<String>,
    running: Option<(TrialId, IterationNo, String)>,
    best: Option<String>,
}

impl Now {
    /// As it stands before it runs.
    pub fn of(experiment: &Experiment) -> Self {
        let planned = Forecast::of(experiment.plan()).deployments;
        let placed = experiment
            .blocks()
            .iter()
            .flat_map(|block| block.places.values());
        let placed = placed.flat_map(|place| &place.iterations);
        let all = placed.chain(experiment.calibrating());
        let done = all.filter(|one| one.end.is_some()).count();
        Self {
            planned: planned.map(|(_, most)| most),
            done: u64::try_from(done).unwrap_or(u64::MAX),
            ..Self::default()
        }
    }

    /// Iterations at the most, as planned; none where nothing limits them.
    pub fn planned(&self) -> Option<u64> {
        self.planned
    }

    /// Iterations that have ended.
    pub fn done(&self) -> u64 {
        self.done
    }

    /// Takes an event.
    pub fn take(&mut self, event: &EventKind) {
        match event {
            EventKind::BlockDrawn { block, purpose, .. } => {
                let purpose = match purpose {
                    Purpose::Measuring => "measuring",
                    Purpose::Screening { .. } => "screening",
                    Purpose::Verifying => "verifying",
                };
                self.block = Some(format!("{purpose} {block}"));
            }
            EventKind::Placed {
                trial, iteration, ..
            } => self.running = Some((*trial, *iteration, "waits".to_owned())),
            EventKind::Stage {
                trial,
                iteration,
                stage,
            } => self.running = Some((*trial, *iteration, doing(*stage).to_owned())),
            EventKind::Measuring {
                trial,
                iteration,
                cycles,
                of,
            } => self.running = Some((*trial, *iteration, format!("cycle {cycles}/{of}"))),
            EventKind::IterationEnded { .. } => {
                self.done += 1;
                self.running = None;
            }
            EventKind::Held { .. }
            | EventKind::Released { .. }
            | EventKind::TrialAdded { .. }
            | EventKind::Calibrated { .. }
            | EventKind::TrialFinished { .. }
            | EventKind::VerificationBegun
            | EventKind::Paused { .. }
            | EventKind::Resumed
            | EventKind::Concluded { .. }
            | _ => {}
        }
    }

    /// Takes who is best by the numbers so far.
    pub fn take_best(&mut self, report: &Report) {
        let best = report
            .trials
            .iter()
            .find(|trial| trial.trial != TrialId::BASELINE && !trial.levels.is_empty());
        self.best = best.and_then(|trial| Some(trial.configuration.as_ref()?.to_string()));
    }
}

fn doing(stage: Stage) -> &'static str {
    match stage {
        Stage::Deploy => "deploying",
        Stage::Verify => "looking whether it is ready",
        Stage::Barrier => "waiting for the others",
        Stage::Load => "bringing up the load",
        Stage::Collect => "measuring",
        Stage::Withdraw => "taking it down",
    }
}

impl fmt::Display for Now {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let running = self.running.as_ref();
        let running =
            running.map(|(trial, iteration, doing)| format!("{trial} {iteration} {doing}"));
        let best = self.best.as_ref().map(|best| format!("best so far {best}"));
        let parts = [self.block.clone(), running, best];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        f.write_str(&parts.join(" | "))
    }
}

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

#[cfg(test)]
mod tests {
    use em_core::id::BlockNo;

    use super::*;

    #[test]
    fn one_line_says_block_stage_and_cycle() {
        let mut now = Now::default();
        let (trial, iteration) = (TrialId(3), IterationNo(2));
        now.take(&EventKind::BlockDrawn {
            block: BlockNo(4),
            purpose: Purpose::Verifying,
            iterations: 3,
        });
        now.take(&EventKind::Stage {
            trial,
            iteration,
            stage: Stage::Deploy,
        });
        assert_eq!(now.to_string(), "verifying b4 | t3 i2 deploying");
        now.take(&EventKind::Measuring {
            trial,
            iteration,
            cycles: 1,
            of: 3,
        });
        assert_eq!(now.to_string(), "verifying b4 | t3 i2 cycle 1/3");
        let how = "done".to_owned();
        now.take(&EventKind::IterationEnded {
            trial,
            iteration,
            how,
        });
        assert_eq!(
            (now.to_string(), now.done()),
            ("verifying b4".to_owned(), 1)
        );
    }
}
