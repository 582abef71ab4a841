//! A report as a ranked table, one plain sentence, and the winning configuration ready to apply.

use std::fmt::Write as _;

use em_core::configuration::Configuration;
use em_core::journal::{Answer, Outcome};
use em_core::observe::{ConstraintState, Interval, Verdict, VerdictKind};
use em_core::report::{Report, TrialReport};

/// The trials, the best first, one line each: a value and its interval, the ratio to the baseline and
/// its interval, verdict, blocks, constraints that do not hold; below, why some have no numbers.
pub fn table(report: &Report) -> String {
    let head = [
        "trial",
        "value",
        "ratio",
        "verdict",
        "blocks",
        "configuration",
    ];
    let mut rows = vec![head.map(str::to_owned)];
    rows.extend(report.trials.iter().map(row));
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        let cells = row.iter().zip(&widths);
        let line: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        writeln!(text, "{}", line.join("  ").trim_end()).expect("writing to a string cannot fail");
    }
    for (label, why) in report.trials.iter().filter_map(unmeasured) {
        writeln!(text, "{label}: {why}").expect("writing to a string cannot fail");
    }
    text
}

/// Why a trial has no numbers: too long for a column, told below the table.
fn unmeasured(trial: &TrialReport) -> Option<(&str, &str)> {
    match trial.outcome.as_ref()? {
        Outcome::Infeasible { why } | Outcome::Invalid { why } | Outcome::Failed { why, .. } => {
            Some((&trial.label, why))
        }
        Outcome::Measured | Outcome::Cancelled => None,
    }
}

fn row(trial: &TrialReport) -> [String; 6] {
    let level = trial.levels.first();
    let verdict = trial.verdicts.first();
    let value = level.map_or_else(String::new, |level| {
        number_with(level.mean, level.interval.as_ref())
    });
    let ratio = verdict.and_then(|verdict| {
        let ratio = verdict.ratio?;
        Some(number_with(ratio, verdict.ratio_interval.as_ref()))
    });
    let configuration = trial.configuration.as_ref();
    [
        trial.label.clone(),
        value,
        ratio.unwrap_or_default(),
        judged(trial, verdict),
        trial.blocks.to_string(),
        configuration.map_or_else(String::new, Configuration::to_string),
    ]
}

/// The verdict, or why there is none; then every constraint that does not hold.
fn judged(trial: &TrialReport, verdict: Option<&Verdict>) -> String {
    let mut text = match (&trial.outcome, verdict) {
        (Some(Outcome::Infeasible { .. }), _) => "infeasible".to_owned(),
        (Some(Outcome::Invalid { .. }), _) => "invalid".to_owned(),
        (Some(Outcome::Failed { blame, .. }), _) => format!("failed ({blame})"),
        (Some(Outcome::Cancelled), _) => "cancelled".to_owned(),
        (Some(Outcome::Measured) | None, Some(verdict)) => said(&verdict.kind),
        (Some(Outcome::Measured) | None, None) => trial.origin.clone(),
    };
    for constraint in &trial.constraints {
        let state = match constraint.state {
            ConstraintState::Holds => continue,
            ConstraintState::Broken => "broken",
            ConstraintState::Undecided => "undecided",
        };
        write!(text, "; {} {state}", constraint.text).expect("writing to a string cannot fail");
    }
    text
}

fn said(kind: &VerdictKind) -> String {
    match kind {
        VerdictKind::Better => "better".to_owned(),
        VerdictKind::Worse => "worse".to_owned(),
        VerdictKind::Equivalent => "equivalent".to_owned(),
        VerdictKind::Undecided { why } => format!("undecided ({why})"),
    }
}

/// What the experiment answers, in one sentence.
pub fn sentence(report: &Report) -> String {
    let objective = report.objective.as_deref().unwrap_or("the metrics");
    let Some(answer) = report.answer else {
        return format!("{} has no answer yet.", report.experiment);
    };
    match answer {
        Answer::Found => found(report, objective),
        Answer::NoBetter => format!("No configuration is better than the baseline in {objective}."),
        Answer::Undecided => {
            format!("The blocks do not say whether a configuration is better in {objective}.")
        }
        Answer::NoFeasible => "No configuration keeps the constraints.".to_owned(),
        Answer::NothingMeasured => "Nothing was measured.".to_owned(),
    }
}

fn found(report: &Report, objective: &str) -> String {
    let winner = report.winner.and_then(|winner| report.trial(winner));
    let Some(winner) = winner else {
        return format!("A best configuration was found for {objective}.");
    };
    let values = winner.configuration.as_ref();
    let values = values.map_or_else(|| winner.label.clone(), Configuration::to_string);
    let gain = winner.verdicts.first().and_then(|verdict| {
        let interval = verdict.ratio_interval.as_ref()?;
        let percent = |ratio: f64| 100.0 * (ratio - 1.0);
        Some(format!(
            ": {objective} changes by {:+.1} % ({:+.1} % to {:+.1} %, {:.0} % confidence) against the baseline, over {} blocks",
            percent(verdict.ratio?),
            percent(interval.low?),
            percent(interval.high?),
            100.0 * interval.level,
            verdict.blocks,
        ))
    });
    format!("{values} is best{}.", gain.unwrap_or_default())
}

/// A number with the ends of its interval, four digits each.
fn number_with(value: f64, interval: Option<&Interval>) -> String {
    let end = |end: Option<f64>| end.map_or_else(|| "open".to_owned(), number);
    match interval {
        Some(interval) => format!(
            "{} [{}, {}]",
            number(value),
            end(interval.low),
            end(interval.high)
        ),
        None => number(value),
    }
}

/// Four significant digits; very small and very large ones with an exponent.
fn number(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let size = value.abs();
    let decimals = [
        (1000.0, 0),
        (100.0, 1),
        (10.0, 2),
        (1.0, 3),
        (0.1, 4),
        (0.01, 5),
        (0.001, 6),
    ];
    if size >= 1e7 {
        return format!("{value:.3e}");
    }
    match decimals.iter().find(|(least, _)| size >= *least) {
        Some((_, decimals)) => format!("{value:.decimals$}"),
        None => format!("{value:.3e}"),
    }
}

#[cfg(test)]
mod tests {
    use em_core::id::TrialId;
    use em_core::observe::{ConstraintVerdict, Replication, TrialLevel};
    use em_core::report::REPORT_FORMAT;
    use em_core::value::Value;

    use super::*;

    fn interval(low: f64, high: f64) -> Interval {
        Interval {
            low: Some(low),
            high: Some(high),
            level: 0.95,
            method: "Student t over 7 blocks".to_owned(),
        }
    }

    fn trial(number: u32, workers: i64, mean: f64) -> TrialReport {
        let trial = TrialId(number);
        let name = "workers".parse().unwrap();
        TrialReport {
            trial,
            label: trial.to_string(),
            origin: "proposed".to_owned(),
            configuration: Some([(name, Value::Integer(workers))].into_iter().collect()),
            outcome: Some(Outcome::Measured),
            blocks: 7,
            levels: vec![TrialLevel {
                trial,
                quantity: "load.response_time.p99".to_owned(),
                mean,
                interval: Some(interval(0.9 * mean, 1.1 * mean)),
                blocks: 7,
            }],
            verdicts: Vec::new(),
            constraints: Vec::new(),
            iterations: Vec::new(),
        }
    }

    fn judged(mut trial: TrialReport, kind: VerdictKind, ratio: f64) -> TrialReport {
        trial.verdicts.push(Verdict {
            trial: trial.trial,
            quantity: "load.response_time.p99".to_owned(),
            kind,
            ratio: Some(ratio),
            ratio_interval: Some(interval(ratio - 0.01, ratio + 0.01)),
            difference: None,
            difference_interval: None,
            p: Some(0.015_625),
            p_adjusted: Some(0.031_25),
            blocks: 7,
            smallest_effect: Some(0.02),
            replication: Replication::Deployment,
        });
        trial
    }

    fn report(answer: Answer) -> Report {
        let better = judged(trial(13, 6, 0.0521), VerdictKind::Better, 0.611);
        let why = "6 blocks needed, 5 there".to_owned();
        let mut unsure = judged(trial(14, 9, 0.0613), VerdictKind::Undecided { why }, 0.72);
        unsure.constraints.push(ConstraintVerdict {
            trial: unsure.trial,
            text: "load.error_share <= 0.1%".to_owned(),
            state: ConstraintState::Broken,
            margin: Some(-0.002),
            interval: None,
            blocks: 7,
        });
        let mut baseline = trial(0, 2, 0.0853);
        baseline.origin = "baseline".to_owned();
        Report {
            format: REPORT_FORMAT,
            experiment: "demo".parse().unwrap(),
            identity: "00".to_owned(),
            started: None,
            ended: "2026-01-01T00:00:00Z".parse().unwrap(),
            stopped: None,
            answer: Some(answer),
            winner: Some(TrialId(13)),
            winning: better.configuration.clone(),
            objective: Some("load.response_time.p99".to_owned()),
            rate: Some(120.0),
            trials: vec![better, unsure, baseline],
            blocks: std::collections::BTreeMap::new(),
            iterations: 21,
            remarks: Vec::new(),
        }
    }

    #[test]
    fn the_table_has_a_line_per_trial_with_intervals_and_what_is_wrong() {
        assert_eq!(
            table(&report(Answer::Found)),
            "\
trial  value                       ratio                    verdict                                                                blocks  configuration
t13    0.05210 [0.04689, 0.05731]  0.6110 [0.6010, 0.6210]  better                                                                 7       workers=6
t14    0.06130 [0.05517, 0.06743]  0.7200 [0.7100, 0.7300]  undecided (6 blocks needed, 5 there); load.error_share <= 0.1% broken  7       workers=9
t0     0.08530 [0.07677, 0.09383]                           baseline                                                               7       workers=2
"
        );
    }

    #[test]
    fn a_trial_without_numbers_says_why_below_the_table() {
        let mut failed = report(Answer::Found);
        failed.trials[1].outcome = Some(Outcome::Invalid {
            why: "the load was absent".to_owned(),
        });
        let shown = table(&failed);
        assert!(shown.contains("  invalid; "), "{shown}");
        assert!(shown.ends_with("t14: the load was absent\n"), "{shown}");
    }

    #[test]
    fn the_sentence_says_the_gain_and_how_sure_it_is() {
        assert_eq!(
            sentence(&report(Answer::Found)),
            "workers=6 is best: load.response_time.p99 changes by -38.9 % (-39.9 % to -37.9 %, 95 % confidence) against the baseline, over 7 blocks."
        );
        assert_eq!(
            sentence(&report(Answer::NoBetter)),
            "No configuration is better than the baseline in load.response_time.p99."
        );
    }

    #[test]
    fn numbers_keep_four_digits() {
        let shown: Vec<String> = [0.0, 0.000_012_34, 0.052_14, 1.0, 98.765, 123_456.7, 1.5e9]
            .into_iter()
            .map(number)
            .collect();
        assert_eq!(
            shown,
            [
                "0", "1.234e-5", "0.05214", "1.000", "98.77", "123457", "1.500e9"
            ]
        );
    }
}
