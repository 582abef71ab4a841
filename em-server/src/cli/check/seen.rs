//! What stored runs of the same target, load and metrics have shown, for the forecast of the next.

use std::path::Path;
use std::time::Duration;

use em_core::experiment::{Experiment, Place};
use em_core::observe::{Block, Comparison, History};
use em_core::plan::Plan;
use em_core::schedule::{final_history, histories};
use em_summarize::{Moments, Pair, PairedBlocks, Scale};

use crate::cli::record;
use crate::view::design::Seen;

/// The parts of an identity that decide how much blocks differ.
const SAME: [&str; 3] = ["target", "load", "metrics"];

/// What the latest such run has shown; none where there is none, or no store that can be read: a forecast
/// does without.
pub(super) async fn of(plan: &Plan, data: &Path) -> Option<Seen> {
    let store = record::open_to_read(data).await.ok()?;
    let mut latest: Option<Seen> = None;
    for name in record::names(&store).await.ok()? {
        let Ok(experiment) = record::replay(&store, &name).await else {
            continue;
        };
        let is_later = latest
            .as_ref()
            .is_none_or(|latest| latest.at < experiment.last_event());
        if is_later && is_alike(experiment.plan(), plan) {
            latest = seen_in(&experiment).or(latest);
        }
    }
    latest
}

/// Whether blocks of the one tell how blocks of the other will differ.
fn is_alike(a: &Plan, b: &Plan) -> bool {
    let objective = |plan: &Plan| {
        let objective = plan.objective.as_ref();
        objective.map(|objective| objective.expression.text().to_owned())
    };
    let (one, other) = (&a.measurement, &b.measurement);
    SAME.iter()
        .all(|part| a.identity.parts.get(*part) == b.identity.parts.get(*part))
        && objective(a) == objective(b)
        && (one.cycles, one.cycle_duration, one.redeploy)
            == (other.cycles, other.cycle_duration, other.redeploy)
}

/// None where nothing was measured.
fn seen_in(experiment: &Experiment) -> Option<Seen> {
    let seen = Seen {
        experiment: experiment.plan().name.to_string(),
        at: experiment.last_event(),
        spread: spread(experiment),
        around: around(experiment),
    };
    (seen.spread.is_some() || seen.around.is_some()).then_some(seen)
}

/// Standard deviation of log ratios to the baseline, pooled over all trials and quantities. Of a search
/// whose best were never verified, that of its screening.
fn spread(experiment: &Experiment) -> Option<f64> {
    pooled(&final_history(experiment)).or_else(|| {
        let all: Vec<_> = experiment.trials().map(|trial| trial.id).collect();
        pooled(&histories(experiment, &all))
    })
}

/// The root of the mean variance, each weighted by its degrees of freedom.
fn pooled(history: &History) -> Option<f64> {
    let (mut squares, mut freedom) = (0.0, 0.0);
    for comparison in &history.comparisons {
        for trial in &history.competing {
            let Some((sd, blocks)) = deviation(comparison, *trial) else {
                continue;
            };
            squares += sd * sd * (blocks - 1.0);
            freedom += blocks - 1.0;
        }
    }
    (freedom > 0.0 && squares > 0.0).then(|| (squares / freedom).sqrt())
}

fn deviation(comparison: &Comparison, trial: em_core::id::TrialId) -> Option<(f64, f64)> {
    let pair = |block: &Block| {
        let (baseline, trial) = (block.baseline?, *block.values.get(&trial)?);
        Some(Pair { baseline, trial })
    };
    let pairs: Vec<Pair> = comparison.blocks.iter().filter_map(pair).collect();
    let blocks = PairedBlocks::new(&pairs).ok()?;
    let moments = Moments::of(blocks.differences());
    let count = u32::try_from(moments.n).ok()?;
    (blocks.scale() == Scale::Ratio).then_some((moments.sd?, f64::from(count)))
}

/// What a deployment took beyond its windows, on average: starting, becoming ready, steady load.
fn around(experiment: &Experiment) -> Option<Duration> {
    let whole = experiment.mean_iteration_time()?;
    let places = experiment
        .blocks()
        .iter()
        .flat_map(|block| block.places.values());
    let collected: Vec<Duration> = places
        .filter_map(Place::result)
        .map(|result| result.timing.collect)
        .collect();
    let count = u32::try_from(collected.len())
        .ok()
        .filter(|count| *count > 0)?;
    let mean = collected.iter().sum::<Duration>() / count;
    Some(whole.saturating_sub(mean))
}
