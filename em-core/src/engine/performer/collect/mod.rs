//! Measuring: from steady load until the analyst has enough, then what it says.

mod asked;
mod collector;
mod history;
mod raw;
mod sampling;
mod summary;

use jiff::Timestamp;

use super::iteration::IterationPerformer;
use crate::engine::blame::failed;
use crate::engine::caller::between;
use crate::journal::{Blame, Collection, Failure, IterationResult, Stage, Timing};
use crate::machine::{IterationEvent, Running};
use crate::observe::{Labelled, Steadiness, Window};
use crate::port::LoadGoal;

use collector::Collector;

pub(super) async fn collect(
    iteration: &IterationPerformer,
    running: &Running,
    since: Timestamp,
) -> Result<IterationEvent, Failure> {
    let mut collector = Collector::new(iteration, running, since);
    collector.look_once().await;
    let (labelled, end) = if matches!(iteration.job.goal, LoadGoal::FindCapacity { .. }) {
        // It has no window; it is over when the search is.
        collector.until_finished().await?;
        (nothing_labelled(since), collector.now())
    } else {
        let labelled = until_enough(&mut collector).await?;
        let end = end_of(&labelled).unwrap_or(since);
        (labelled, end)
    };
    collector.conclude().await?;
    let summary = summary::summarize(&mut collector, &labelled).await?;
    collector.keep_raw().await?;
    if collector.capacity.is_none() && matches!(iteration.job.goal, LoadGoal::FindCapacity { .. }) {
        let message = "the load driver found no capacity";
        return Err(failed(Stage::Collect, Blame::Load, message));
    }
    let result = IterationResult {
        summary,
        capacity: collector.capacity.take(),
        timing: timing(&collector, since, end),
        remarks: iteration.session.remarks.clone(),
    };
    let collection = Collection {
        window: Window {
            start: since,
            end: end.max(since),
        },
        raw: std::mem::take(&mut collector.raw.digests),
        labelled,
        incidents: std::mem::take(&mut collector.incidents),
        facts: running.facts.clone(),
        warnings: std::mem::take(&mut collector.warnings)
            .into_iter()
            .collect(),
    };
    Ok(IterationEvent::Collected {
        collection: Box::new(collection),
        result: Box::new(result),
    })
}

/// Looks at each event outside, labels at each checkpoint, until the labels say it is enough.
async fn until_enough(collector: &mut Collector<'_>) -> Result<Labelled, Failure> {
    loop {
        let is_over = collector.look().await?;
        if !is_over && !collector.is_due() {
            collector.wait().await;
            continue;
        }
        let labelled = collector.label().await;
        match &labelled.steadiness {
            Steadiness::Enough => return Ok(labelled),
            Steadiness::Unstable { why } => {
                let message = format!("it did not settle: {why}");
                return Err(failed(Stage::Collect, Blame::Load, message));
            }
            Steadiness::Extend { .. } if is_over => {
                let kept = labelled.kept().count();
                let message = format!(
                    "the load ended after {kept} of {} cycles",
                    collector.collected.cycles
                );
                return Err(failed(Stage::Collect, Blame::Load, message));
            }
            Steadiness::Extend { until } => collector.extend(*until)?,
        }
        collector.wait().await;
    }
}

fn end_of(labelled: &Labelled) -> Option<Timestamp> {
    labelled.cycles.last().map(|cycle| cycle.window.end)
}

fn nothing_labelled(since: Timestamp) -> Labelled {
    Labelled {
        warmup_end: since,
        method: "none: it looked for the capacity".to_owned(),
        cycles: Vec::new(),
        steadiness: Steadiness::Enough,
    }
}

fn timing(collector: &Collector<'_>, since: Timestamp, end: Timestamp) -> Timing {
    let iteration = collector.iteration;
    let stamps = &iteration.stamps;
    let span = |start: Option<Timestamp>, end: Option<Timestamp>| {
        start
            .zip(end)
            .map_or_else(Default::default, |(start, end)| between(start, end))
    };
    let last_fact = if iteration.job.is_alone {
        stamps.verified
    } else {
        stamps.opened
    };
    let first_request = collector.load_began.or(stamps.load_asked);
    let complete = collector.complete_until(end);
    Timing {
        deploy: span(stamps.begun, stamps.verified),
        ramp: span(stamps.opened, Some(since)),
        collect: between(since, end),
        answers: between(end, complete),
        dead: span(last_fact, first_request) + between(complete, collector.now()),
    }
}
