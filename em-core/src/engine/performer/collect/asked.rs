//! What this iteration asks of a source.

use std::collections::BTreeMap;

use crate::engine::performer::iteration::IterationPerformer;
use crate::fault::Fault;
use crate::machine::Running;
use crate::observe::Window;
use crate::plan::Metric;
use crate::port::{Asked, Placeholders};

/// The query of a metric for this iteration, over a window where the source has history.
pub(super) fn asked(
    iteration: &IterationPerformer,
    running: &Running,
    metric: &Metric,
    window: Option<Window>,
) -> Result<Asked, Fault> {
    let job = &iteration.job;
    let source = iteration.session.plan.datasources.get(&metric.datasource);
    // Values that could not be worked out are no reason to refuse a query that names none.
    let none = BTreeMap::new();
    let placeholders = Placeholders {
        addresses: &running.addresses,
        facts: &running.facts,
        trial: job.trial,
        iteration: job.iteration,
        values: job.values.as_deref().unwrap_or(&none),
        window,
    };
    Asked::of(metric, source, &placeholders)
}
