//! The built-in analyst: the port over the pure mathematics of this crate.

use std::collections::HashMap;

use em_core::id::TrialId;
use em_core::observe::{
    Block, Collected, Comparison, ConstraintState, ConstraintVerdict, Enough, History, Interval,
    Judgement, Labelled, TrialLevel, Verdict, VerdictKind,
};
use em_core::plan::Direction as Wanted;
use em_core::port::Analyst;

use crate::bounds::Margin;
use crate::interval::student_t;
use crate::label::label;
use crate::looks::Looks;
use crate::moments::mean;
use crate::race::behind;
use crate::summarizer::shown;
use crate::verdict::{Contest, Criteria, Direction, Finding, Kind, judge};
use crate::{Effect, Pair, PairedBlocks, Sample, Scale};

/// Power of the published detectable effect.
const POWER: f64 = 0.8;

/// Verdicts by the exact sign-flip test over blocks, Holm over all comparisons, at most two looks.
#[derive(Debug, Clone, Copy, Default)]
pub struct BuiltInAnalyst;

impl Analyst for BuiltInAnalyst {
    fn label(&self, collected: &Collected) -> Labelled {
        label(collected)
    }

    fn enough(&self, history: &History) -> Enough {
        enough(history)
    }

    fn compare(&self, history: &History) -> Judgement {
        let verdicts = if history.screening {
            Vec::new()
        } else {
            verdicts(history)
        };
        Judgement {
            verdicts,
            constraints: constraints(history),
            levels: levels(history),
        }
    }

    fn hopeless(&self, history: &History) -> Vec<TrialId> {
        let Some(comparison) = history.comparisons.first().filter(|_| history.randomized) else {
            return Vec::new();
        };
        let Some(direction) = comparison.quantity.direction else {
            return Vec::new();
        };
        let losers = behind(&series(history, comparison), direction_of(Some(direction)));
        losers
            .into_iter()
            .map(|index| history.competing[index])
            .collect()
    }
}

fn enough(history: &History) -> Enough {
    let blocks = blocks_of(history);
    if history.screening {
        return Enough::Stop {
            why: "screening decides nothing".to_owned(),
        };
    }
    let looks = looks(history);
    if blocks >= looks.most {
        return Enough::Stop {
            why: format!("{blocks} blocks, the most there may be"),
        };
    }
    if blocks != looks.least {
        return Enough::Continue;
    }
    let open = |verdict: &Verdict| matches!(verdict.kind, VerdictKind::Undecided { .. });
    let verdicts = verdicts(history);
    // Without anything to decide, more blocks only narrow intervals.
    let is_comparable = history.randomized && verdicts.iter().any(|verdict| verdict.blocks > 0);
    if is_comparable && verdicts.iter().any(open) {
        return Enough::Continue;
    }
    Enough::Stop {
        why: format!("decided after {blocks} blocks"),
    }
}

fn looks(history: &History) -> Looks {
    let family = family(history);
    let comparisons = u32::try_from(family).unwrap_or(u32::MAX);
    let least = history.iterations.least(comparisons);
    Looks::new(family, to_usize(least), to_usize(history.iterations.max))
}

fn family(history: &History) -> usize {
    let trials = history.competing.len() + to_usize(history.earlier);
    (trials * history.comparisons.len()).max(1)
}

fn blocks_of(history: &History) -> usize {
    history
        .comparisons
        .iter()
        .map(|comparison| comparison.blocks.len())
        .max()
        .unwrap_or(0)
}

fn verdicts(history: &History) -> Vec<Verdict> {
    let looks = looks(history);
    // One family: Holm ranks the p values of all quantities together.
    let contests: Vec<Contest> = history
        .comparisons
        .iter()
        .flat_map(|one| contests(history, one))
        .collect();
    // Trials that came later have blocks of their own: a look is at what one trial has.
    let blocks = contests
        .iter()
        .filter_map(|contest| contest.blocks.as_ref());
    let blocks = blocks.map(PairedBlocks::blocks).max().unwrap_or(0);
    let criteria = Criteria {
        level: looks.level(blocks),
        equivalence_level: looks.equivalence_level(),
        power: POWER,
        comparisons: family(history),
    };
    let findings = judge(&contests, &criteria);
    let each = history
        .comparisons
        .iter()
        .flat_map(|one| history.competing.iter().map(move |trial| (one, *trial)));
    each.zip(findings.iter().zip(&contests))
        .map(|((one, trial), (finding, contest))| {
            let said = Said {
                kind: kind(finding, history.randomized, &looks),
                smallest_effect: contest
                    .blocks
                    .as_ref()
                    .and_then(|blocks| blocks.relative(finding.detectable?)),
            };
            verdict(history, one, trial, finding, said)
        })
        .collect()
}

fn contests(history: &History, comparison: &Comparison) -> Vec<Contest> {
    let rule = &comparison.quantity;
    let contest = |blocks| Contest {
        blocks,
        direction: direction_of(rule.direction),
        equivalent_within: rule.equivalent_within,
    };
    series(history, comparison)
        .into_iter()
        .map(contest)
        .collect()
}

/// What does not depend on the trial's own numbers alone.
struct Said {
    kind: VerdictKind,
    smallest_effect: Option<f64>,
}

fn verdict(
    history: &History,
    comparison: &Comparison,
    trial: TrialId,
    finding: &Finding,
    said: Said,
) -> Verdict {
    let effect = finding.effect;
    let on = |scale| effect.filter(|effect| effect.scale == scale);
    let (ratio, difference) = (on(Scale::Ratio), on(Scale::Difference));
    Verdict {
        trial,
        quantity: comparison.quantity.name.clone(),
        kind: said.kind,
        ratio: ratio.map(|effect| effect.estimate),
        ratio_interval: ratio.and_then(|effect| over_blocks(&effect)),
        difference: difference.map(|effect| effect.estimate),
        difference_interval: difference.and_then(|effect| over_blocks(&effect)),
        p: finding.p.filter(|_| history.randomized),
        p_adjusted: finding.adjusted_p.filter(|_| history.randomized),
        blocks: u32::try_from(blocks_behind(finding)).unwrap_or(u32::MAX),
        smallest_effect: said.smallest_effect,
        replication: history.replication,
    }
}

fn blocks_behind(finding: &Finding) -> usize {
    finding.effect.map_or(0, |effect| effect.blocks)
}

fn kind(finding: &Finding, is_comparable: bool, looks: &Looks) -> VerdictKind {
    if !is_comparable {
        let why = "not comparable: trials did not run in random order within blocks";
        return VerdictKind::Undecided {
            why: why.to_owned(),
        };
    }
    match finding.kind {
        Kind::Better => VerdictKind::Better,
        Kind::Worse => VerdictKind::Worse,
        Kind::Equivalent => VerdictKind::Equivalent,
        Kind::Undecided { .. } => VerdictKind::Undecided {
            why: why_undecided(finding, looks),
        },
    }
}

fn why_undecided(finding: &Finding, looks: &Looks) -> String {
    let blocks = blocks_behind(finding);
    if blocks == 0 {
        return "no block is shared with a baseline".to_owned();
    }
    let needed = looks.needed();
    if blocks < needed {
        return format!("{needed} blocks needed, {blocks} there");
    }
    let p = finding.adjusted_p.unwrap_or(1.0);
    format!("corrected p = {p:.3} over {blocks} blocks: the difference may be chance")
}

fn over_blocks(effect: &Effect) -> Option<Interval> {
    Some(Interval {
        low: Some(effect.low?),
        high: Some(effect.high?),
        level: effect.confidence,
        method: format!("Student t over {} blocks", effect.blocks),
    })
}

/// Per competing trial, its blocks with the baseline. All trials of a quantity are on one scale:
/// ratios only where every value is positive.
fn series(history: &History, comparison: &Comparison) -> Vec<Option<PairedBlocks>> {
    let pairs = by_trial(history, comparison, |block, trial| {
        let baseline = block.baseline?;
        Some(Pair { baseline, trial })
    });
    let is_positive = pairs
        .iter()
        .flatten()
        .all(|pair| pair.baseline > 0.0 && pair.trial > 0.0);
    let scale = if is_positive {
        Scale::Ratio
    } else {
        Scale::Difference
    };
    pairs
        .iter()
        .map(|pairs| PairedBlocks::on_scale(pairs, scale).ok())
        .collect()
}

/// What each competing trial has in the blocks, in one walk over them: of very many trials few have a
/// place in one block.
fn by_trial<T>(
    history: &History,
    comparison: &Comparison,
    of: impl Fn(&Block, f64) -> Option<T>,
) -> Vec<Vec<T>> {
    let places: HashMap<_, usize> = history.competing.iter().zip(0..).collect();
    let mut all: Vec<Vec<T>> = history.competing.iter().map(|_| Vec::new()).collect();
    for block in &comparison.blocks {
        for (trial, value) in &block.values {
            if let Some(place) = places.get(trial) {
                all[*place].extend(of(block, *value));
            }
        }
    }
    all
}

fn levels(history: &History) -> Vec<TrialLevel> {
    let each = history.comparisons.iter().flat_map(|one| {
        let values = by_trial(history, one, |_, value| Some(value));
        let competing = history.competing.iter();
        competing
            .zip(values)
            .map(move |(trial, values)| (one, *trial, values))
    });
    each.filter_map(|(comparison, trial, values)| {
        let sample = Sample::try_from(values).ok()?;
        let blocks = sample.len();
        let interval = student_t(&sample, 0.95);
        Some(TrialLevel {
            trial,
            quantity: comparison.quantity.name.clone(),
            mean: mean(&sample),
            interval: interval.map(|interval| shown(&interval, &format!("over {blocks} blocks"))),
            blocks: u32::try_from(blocks).unwrap_or(u32::MAX),
        })
    })
    .collect()
}

fn constraints(history: &History) -> Vec<ConstraintVerdict> {
    let mut verdicts = Vec::new();
    for constraint in &history.constraints {
        for trial in &history.competing {
            let margins = constraint.margins.get(trial).cloned().unwrap_or_default();
            let margin = Sample::try_from(margins)
                .ok()
                .map(|sample| Margin::of(&sample, 0.95));
            verdicts.push(ConstraintVerdict {
                trial: *trial,
                text: constraint.text.clone(),
                state: match margin.and_then(|margin| margin.holds()) {
                    Some(true) => ConstraintState::Holds,
                    Some(false) => ConstraintState::Broken,
                    None => ConstraintState::Undecided,
                },
                margin: margin.map(|margin| margin.mean),
                interval: margin.and_then(|margin| bounds(&margin)),
                blocks: margin.map_or(0, |one| u32::try_from(one.blocks).unwrap_or(u32::MAX)),
            });
        }
    }
    verdicts
}

fn bounds(margin: &Margin) -> Option<Interval> {
    let (low, high) = margin.bounds?;
    Some(Interval {
        low: Some(low),
        high: Some(high),
        level: 0.95,
        method: format!("one-sided bounds, Student t over {} blocks", margin.blocks),
    })
}

/// Without a direction less counts as better, which is then only a word for the direction.
fn direction_of(wanted: Option<Wanted>) -> Direction {
    match wanted {
        Some(Wanted::Maximize) => Direction::Maximize,
        Some(Wanted::Minimize) | None => Direction::Minimize,
    }
}

fn to_usize(blocks: u32) -> usize {
    usize::try_from(blocks).unwrap_or(usize::MAX)
}
