//! Sources with history: asked once the windows are known.

use tokio::time::Instant;

use super::asked::asked;
use super::collector::Collector;
use crate::engine::blame::Patience;
use crate::engine::caller::{between, later};
use crate::fault::Fault;
use crate::observe::{Origin, Window};
use crate::plan::{Lag, Metric};
use crate::port::Series;

/// The series of a metric over a window, from a source with history.
pub(super) async fn query(
    collector: &mut Collector<'_>,
    metric: &Metric,
    window: Window,
) -> Result<Vec<Series>, Fault> {
    let iteration = collector.iteration;
    let Some(source) = iteration.session.ports.datasources.get(&metric.datasource) else {
        return Ok(Vec::new());
    };
    let asked = &asked(iteration, collector.running, metric, Some(window))?;
    // Samples of the end of the window may come late.
    let lag = match metric.lag {
        Lag::Fixed(lag) => lag,
        Lag::Auto => {
            let cx = iteration.caller.context(metric.timeout);
            source.lag(&cx, asked).await
        }
    };
    let complete = later(window.end, lag);
    tokio::time::sleep(between(iteration.caller.now(), complete)).await;
    let patience = Patience {
        timeout: metric.timeout,
        retries: metric.attempts.saturating_sub(1),
    };
    let (took, answer) = iteration
        .caller
        .call("query a metric", patience, |cx| async move {
            let began = Instant::now();
            let answer = source.query(&cx, asked, window).await?;
            Ok((began.elapsed(), answer))
        })
        .await?;
    let origin = Origin::of(&metric.datasource, &asked.text, window, &answer, took);
    collector.series.note(&metric.name, origin);
    let warnings = answer.warnings.into_iter();
    let warnings = warnings.map(|warning| format!("metric {}: {warning}", metric.name));
    collector.warnings.extend(warnings);
    collector.series.add(&metric.name, answer.series.clone());
    Ok(answer.series)
}
