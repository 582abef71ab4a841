//! Queries with every placeholder filled in.

use crate::engine::performer::iteration::IterationPerformer;
use crate::fault::{Fault, FaultKind};
use crate::machine::Running;
use crate::observe::Window;
use crate::plan::{DatasourceKind, Metric};
use crate::port::Asked;
use crate::template::{Escape, TemplateError};
use crate::value::Value;

/// The query of a metric for this iteration, over a window where the source has history.
pub(super) fn asked(
    iteration: &IterationPerformer,
    running: &Running,
    metric: &Metric,
    window: Option<Window>,
) -> Result<Asked, Fault> {
    let lookup = |name: &str| value_of(iteration, running, window, name);
    let spec = iteration.session.plan.datasources.get(&metric.datasource);
    let refused = |source: TemplateError| {
        let message = format!("failed to fill in the query of metric {}", metric.name);
        Fault::new(FaultKind::Invalid, message).caused_by(source)
    };
    let (escape, endpoint) = match spec.map(|spec| &spec.kind) {
        Some(DatasourceKind::Scrape { url }) => {
            let url = url.render(&lookup, Escape::None).map_err(refused)?;
            (Escape::PromQl, Some(url))
        }
        Some(
            DatasourceKind::Command { .. }
            | DatasourceKind::Csv { .. }
            | DatasourceKind::Target
            | DatasourceKind::Custom { .. },
        )
        | None => {
            let address = running.addresses.first();
            (
                Escape::None,
                address.map(|address| address.authority.clone()),
            )
        }
    };
    let text = metric.query.text.render(&lookup, escape).map_err(refused)?;
    Ok(Asked { text, endpoint })
}

/// The value of a placeholder.
fn value_of(
    iteration: &IterationPerformer,
    running: &Running,
    window: Option<Window>,
    name: &str,
) -> Option<Value> {
    let job = &iteration.job;
    let text = |text: String| Some(Value::Text(text));
    let address = |name: &str| {
        let known = running.addresses.iter().find(|known| known.name == name);
        known.map(|known| known.authority.clone())
    };
    let port = |authority: String| authority.rsplit_once(':').map(|(_, port)| port.to_owned());
    match name {
        "address" => text(running.addresses.first()?.authority.clone()),
        "port" => text(port(running.addresses.first()?.authority.clone())?),
        "trial" => Some(Value::Integer(i64::from(job.trial.0))),
        "iteration" => Some(Value::Integer(i64::from(job.iteration.0))),
        "start" => text(window?.start.to_string()),
        "end" => text(window?.end.to_string()),
        "window" => Value::real(window?.seconds()).ok(),
        other => {
            if let Some(named) = other.strip_prefix("ports.") {
                return text(port(address(named)?)?);
            }
            let name = other.parse().ok()?;
            job.values.as_ref().ok()?.get(&name).cloned()
        }
    }
}
