//! The final report: what was asked, what was measured, what it says, and how to use it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::{Deserialize, Serialize};

use crate::configuration::Configuration;
use crate::experiment::{Experiment, Trial};
use crate::id::{ExperimentName, TrialId};
use crate::journal::{Answer, Outcome, Stopped};
use crate::observe::{ConstraintVerdict, Judgement, Summary, TrialLevel, Verdict};
use crate::port::{Analyst, Finding, Severity};
use crate::schedule::{final_history, histories, standings, trial_history};

/// The format of reports that this build writes.
pub const REPORT_FORMAT: u32 = 1;

/// What an experiment says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// Version of this structure, [`REPORT_FORMAT`].
    pub format: u32,
    /// The experiment.
    pub experiment: ExperimentName,
    /// Digest of what gives its numbers their meaning.
    pub identity: String,
    /// When it was first started.
    pub started: Option<Timestamp>,
    /// When the last thing happened that the report tells of.
    pub ended: Timestamp,
    /// Why nothing more was measured; none while it runs.
    pub stopped: Option<Stopped>,
    /// What it answers; none while it runs.
    pub answer: Option<Answer>,
    /// The winner.
    pub winner: Option<TrialId>,
    /// The winner's values.
    pub winning: Option<Configuration>,
    /// The objective, as in the file.
    pub objective: Option<String>,
    /// Offered rate per second.
    pub rate: Option<f64>,
    /// Trials, those that competed for the answer first, the best first.
    pub trials: Vec<TrialReport>,
    /// Blocks that count, by purpose: measuring, screening, verifying.
    pub blocks: BTreeMap<String, u32>,
    /// Iterations that have a result.
    pub iterations: u32,
    /// What should be known beside the numbers.
    pub remarks: Vec<String>,
}

/// What a report says of one trial.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TrialReport {
    /// Its number.
    pub trial: TrialId,
    /// Its name for people.
    pub label: String,
    /// Where it comes from: `baseline`, `listed`, `proposed`, `verifies t7`, `observed`.
    pub origin: String,
    /// Its values; none: whatever the target runs today.
    pub configuration: Option<Configuration>,
    /// How it ended; none while it runs.
    pub outcome: Option<Outcome>,
    /// Blocks with a value.
    pub blocks: u32,
    /// The objective or every compared metric, over its blocks.
    pub levels: Vec<TrialLevel>,
    /// Against the baseline; empty where it does not compete for the answer.
    pub verdicts: Vec<Verdict>,
    /// Its constraints.
    pub constraints: Vec<ConstraintVerdict>,
    /// Statistics of its iterations, in the order in which they ran.
    pub iterations: Vec<Summary>,
}

impl Report {
    /// JSON Schema of a report as it is printed.
    pub fn schema() -> serde_json::Value {
        SchemaSettings::draft2020_12()
            .for_serialize()
            .into_generator()
            .into_root_schema_for::<Self>()
            .to_value()
    }

    /// The report on an experiment as it stands.
    pub fn of(experiment: &Experiment, analyst: &dyn Analyst) -> Self {
        let plan = experiment.plan();
        let conclusion = experiment.phase().conclusion();
        let winner = conclusion.and_then(|conclusion| conclusion.winner);
        let winning = winner
            .and_then(|winner| experiment.trial(winner))
            .and_then(|trial| trial.configuration.as_deref().cloned());
        Self {
            format: REPORT_FORMAT,
            experiment: plan.name.clone(),
            identity: plan.identity.digest.to_string(),
            started: experiment.first_started(),
            ended: experiment.last_event(),
            stopped: conclusion.map(|conclusion| conclusion.stopped),
            answer: conclusion.map(|conclusion| conclusion.answer),
            winner,
            winning,
            objective: plan
                .objective
                .as_ref()
                .map(|some| some.expression.text().to_owned()),
            rate: experiment.rate(),
            trials: trials(experiment, analyst),
            blocks: blocks(experiment),
            iterations: iterations(experiment),
            remarks: remarks(experiment),
        }
    }

    /// What it says of a trial.
    pub fn trial(&self, trial: TrialId) -> Option<&TrialReport> {
        self.trials.iter().find(|one| one.trial == trial)
    }
}

fn trials(experiment: &Experiment, analyst: &dyn Analyst) -> Vec<TrialReport> {
    let history = final_history(experiment);
    let mut judgement = analyst.compare(&history);
    let ranks: BTreeMap<TrialId, usize> = standings(experiment, &history, &judgement)
        .iter()
        .map(|standing| standing.trial)
        .zip(0..)
        .collect();
    add_levels_of_others(experiment, analyst, &history.competing, &mut judgement);
    let rank = |trial: &TrialId| ranks.get(trial).copied().unwrap_or(usize::MAX);
    let mut shares = shares(experiment, judgement);
    let mut reports: Vec<_> = experiment
        .trials()
        .map(|trial| trial_report(trial, shares.remove(&trial.id).unwrap_or_default()))
        .collect();
    reports.sort_by_key(|report| (report.trial == TrialId::BASELINE, rank(&report.trial)));
    reports
}

/// What is said of one trial.
#[derive(Debug, Default)]
struct Share {
    levels: Vec<TrialLevel>,
    verdicts: Vec<Verdict>,
    constraints: Vec<ConstraintVerdict>,
    iterations: Vec<Summary>,
}

/// What is said of each trial, gathered in one walk: there may be very many.
fn shares(experiment: &Experiment, judgement: Judgement) -> BTreeMap<TrialId, Share> {
    let mut shares: BTreeMap<TrialId, Share> = BTreeMap::new();
    for level in judgement.levels {
        shares.entry(level.trial).or_default().levels.push(level);
    }
    for verdict in judgement.verdicts {
        let share = shares.entry(verdict.trial).or_default();
        share.verdicts.push(verdict);
    }
    for constraint in judgement.constraints {
        let share = shares.entry(constraint.trial).or_default();
        share.constraints.push(constraint);
    }
    let places = experiment.blocks().iter().flat_map(|block| &block.places);
    for (trial, place) in places {
        let share = shares.entry(*trial).or_default();
        let summary = place.result().map(|result| result.summary.clone());
        share.iterations.extend(summary);
    }
    shares
}

/// Screened trials do not compete once the best are verified; their levels are shown all the same,
/// and so is the baseline's, as if it were a trial over the blocks that count.
fn add_levels_of_others(
    experiment: &Experiment,
    analyst: &dyn Analyst,
    judged: &[TrialId],
    judgement: &mut Judgement,
) {
    let judged: BTreeSet<_> = judged.iter().collect();
    let screened: Vec<_> = experiment
        .trials()
        .filter(|trial| trial.round().is_some() && !judged.contains(&trial.id))
        .map(|trial| trial.id)
        .collect();
    let of_screened = analyst.compare(&histories(experiment, &screened));
    judgement.levels.extend(of_screened.levels);
    judgement.constraints.extend(of_screened.constraints);
    if experiment.plan().has_baseline()
        && let Some(purpose) = experiment.blocks().last().map(|block| block.purpose)
    {
        let baseline = trial_history(experiment, &[TrialId::BASELINE], purpose);
        judgement.levels.extend(analyst.compare(&baseline).levels);
    }
}

fn trial_report(trial: &Trial, share: Share) -> TrialReport {
    use crate::journal::Origin;
    let origin = match trial.origin {
        Origin::Baseline => "baseline".to_owned(),
        Origin::Listed => "listed".to_owned(),
        Origin::Proposed { .. } => "proposed".to_owned(),
        Origin::Verifies { trial } => format!("verifies {trial}"),
        Origin::Observed => "observed".to_owned(),
    };
    TrialReport {
        trial: trial.id,
        label: trial.label.clone(),
        origin,
        configuration: trial.configuration.as_deref().cloned(),
        outcome: trial.outcome.clone(),
        blocks: trial.measured,
        levels: share.levels,
        verdicts: share.verdicts,
        constraints: share.constraints,
        iterations: share.iterations,
    }
}

fn blocks(experiment: &Experiment) -> BTreeMap<String, u32> {
    use crate::experiment::BlockState;
    use crate::journal::Purpose;
    let mut counts = BTreeMap::new();
    for block in experiment.blocks() {
        let purpose = match (&block.state, block.purpose) {
            (BlockState::Voided { .. }, _) => "voided",
            (BlockState::Open, _) => continue,
            (BlockState::Complete, Purpose::Measuring) => "measuring",
            (BlockState::Complete, Purpose::Screening { .. }) => "screening",
            (BlockState::Complete, Purpose::Verifying) => "verifying",
        };
        *counts.entry(purpose.to_owned()).or_insert(0) += 1;
    }
    counts
}

fn iterations(experiment: &Experiment) -> u32 {
    experiment.trials().map(|trial| trial.measured).sum()
}

fn remarks(experiment: &Experiment) -> Vec<String> {
    let results = experiment
        .blocks()
        .iter()
        .flat_map(|block| block.places.values())
        .filter_map(crate::experiment::Place::result);
    let mut counted: BTreeMap<&str, u32> = BTreeMap::new();
    for remark in results.flat_map(|result| &result.remarks) {
        *counted.entry(remark).or_insert(0) += 1;
    }
    let counted = counted.into_iter();
    let counted = counted.map(|(remark, times)| format!("{remark} ({times} iterations)"));
    let survey = experiment.survey();
    let findings = survey.into_iter().flat_map(|survey| &survey.findings);
    let findings = findings.filter(|finding| finding.severity > Severity::Note);
    findings.map(Finding::sentence).chain(counted).collect()
}
