//! What a changed file may change about an experiment that was begun with another one.
//!
//! The identity says what the numbers mean, and is never changed. Everything else may be, as long
//! as what was measured keeps its place in it.

use serde::{Deserialize, Serialize};

use super::Experiment;
use crate::file::differences;
use crate::journal::Origin;
use crate::plan::Plan;

/// What follows from an amendment where the experiment is finished already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Consequence {
    /// Nothing: labels, limits on calls.
    Noted,
    /// What is stored is judged anew.
    Judged,
    /// More is measured.
    Measured,
}

/// How a plan differs from the one that an experiment goes by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Amendment {
    /// Keys of the file.
    pub what: Vec<String>,
    /// The greatest of their consequences.
    pub consequence: Consequence,
}

impl Experiment {
    /// How `plan` differs from the present one: none = not at all. The error names what may not
    /// change: numbers before and after it could not be compared.
    pub fn amendment(&self, plan: &Plan) -> Result<Option<Amendment>, Vec<String>> {
        let refused = self.refused(plan);
        if !refused.is_empty() {
            return Err(refused);
        }
        let old = self.plan();
        let differing: Vec<(&str, Consequence)> = parts(old)
            .into_iter()
            .zip(parts(plan))
            .filter(|(before, after)| before.2 != after.2)
            .map(|((name, consequence, _), _)| (name, consequence))
            .collect();
        let consequence = differing.iter().map(|(_, consequence)| *consequence).max();
        Ok(consequence.map(|consequence| Amendment {
            what: differing
                .iter()
                .map(|(name, _)| (*name).to_owned())
                .collect(),
            consequence,
        }))
    }

    fn refused(&self, plan: &Plan) -> Vec<String> {
        let old = self.plan();
        let mut refused = differences(&old.identity, &plan.identity);
        let mut refuse = |what: &str| refused.push(what.to_owned());
        // As text: what was read from the journal knows quantities by their text only.
        if text(&old.baseline) != text(&plan.baseline) {
            refuse("baseline");
        }
        let same = |(before, after)| text(before) == text(after);
        let kept =
            old.trials.len() <= plan.trials.len() && old.trials.iter().zip(&plan.trials).all(same);
        if !kept {
            refuse("trials (only new ones at the end)");
        }
        if old.search.is_some() && plan.search.is_none() {
            refuse("search (name it beside the trials)");
        }
        let measured = self
            .trials()
            .filter(|trial| !trial.is_baseline() && trial.origin != Origin::Observed)
            .filter_map(|trial| trial.configuration.as_deref());
        let mut outside = measured.filter(|some| !some.check(&plan.tunables).is_empty());
        if let Some(outside) = outside.next() {
            refuse(&format!("tunables ({outside} was measured)"));
        }
        refused
    }
}

/// The parts of a plan that are no part of its identity, as text: equal texts mean the same.
fn parts(plan: &Plan) -> [(&'static str, Consequence, String); 11] {
    use Consequence::{Judged, Measured, Noted};
    let domains: Vec<_> = plan
        .tunables
        .iter()
        .map(|one| (&one.name, &one.domain))
        .collect();
    [
        ("description", Noted, plan.description.clone()),
        ("labels", Noted, text(&plan.labels)),
        ("timeouts", Noted, text(&plan.timeouts)),
        ("retries", Noted, text(&plan.retries)),
        ("artifacts", Noted, text(&plan.artifacts)),
        ("objective", Judged, text(&plan.objective)),
        ("constraints", Judged, text(&plan.constraints)),
        ("tunables", Measured, text(&domains)),
        ("trials", Measured, text(&plan.trials)),
        ("search", Measured, text(&plan.search)),
        ("budget", Measured, text(&plan.budget)),
    ]
}

fn text(part: &impl Serialize) -> String {
    serde_json::to_string(part).expect("plans are JSON")
}
