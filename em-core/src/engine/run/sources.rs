//! A look at the datasources before anything is deployed.

use jiff::Timestamp;

use crate::assign;
use crate::engine::blame::Patience;
use crate::engine::caller::Caller;
use crate::engine::session::Session;
use crate::fault::{Fault, Retry};
use crate::id::{IterationNo, TrialId};
use crate::plan::Metric;
use crate::port::{Asked, Datasource, Finding, Placeholders, Severity};

/// What is wrong with datasources and with the queries that can be asked already.
///
/// # Errors
/// Where a source cannot be asked now and may be later.
pub(super) async fn survey(session: &Session, caller: &Caller) -> Result<Vec<Finding>, Fault> {
    let mut findings = Vec::new();
    for (name, source) in &session.ports.datasources {
        let metrics = session.plan.metrics.iter();
        let metrics: Vec<&Metric> = metrics
            .filter(|metric| metric.datasource == *name)
            .collect();
        if metrics.is_empty() {
            continue;
        }
        let patience = Patience::look(&session.plan);
        let probed = caller
            .call("probe a datasource", patience, |cx| async move {
                source.probe(&cx).await
            })
            .await;
        match probed {
            Ok(health) => findings.extend(health.finding(name)),
            Err(fault) => {
                let is_of_target = source.sampling().is_some();
                findings.push(broken(&format!("datasource {name}"), fault, is_of_target)?);
                continue;
            }
        }
        for metric in metrics {
            findings.extend(look_at(session, caller, metric, source.as_ref()).await?);
        }
    }
    Ok(findings)
}

async fn look_at(
    session: &Session,
    caller: &Caller,
    metric: &Metric,
    source: &dyn Datasource,
) -> Result<Vec<Finding>, Fault> {
    let Some(asked) = &asked(session, metric, caller.now()) else {
        return Ok(Vec::new());
    };
    let patience = Patience {
        timeout: metric.timeout,
        ..Patience::look(&session.plan)
    };
    let validated = caller
        .call("try a query", patience, |cx| async move {
            source.validate(&cx, asked).await
        })
        .await;
    match validated {
        Ok(validation) => Ok(validation.findings(metric)),
        Err(fault) => {
            let is_of_target = source.sampling().is_some();
            let what = format!("metric {}", metric.name);
            Ok(vec![broken(&what, fault, is_of_target)?])
        }
    }
}

/// The query as the baseline would ask it. None: more is known of it only while the target runs.
fn asked(session: &Session, metric: &Metric, now: Timestamp) -> Option<Asked> {
    let baseline = session.plan.baseline.configuration();
    let values = baseline.and_then(|baseline| assign::assign(&session.plan, baseline).ok());
    let placeholders = Placeholders {
        addresses: &[],
        facts: &[],
        trial: TrialId(0),
        iteration: IterationNo(1),
        values: &values.unwrap_or_default(),
        window: Some(session.plan.measurement.cycle_until(now)),
    };
    let source = session.plan.datasources.get(&metric.datasource);
    Asked::of(metric, source, &placeholders).ok()
}

/// What can never work is a finding; what may work later is a reason to wait, unless the target
/// itself is asked, which does not run yet.
fn broken(what: &str, fault: Fault, is_of_target: bool) -> Result<Finding, Fault> {
    let severity = match fault.retry {
        Retry::Never => Severity::Error,
        _ if is_of_target => Severity::Warning,
        Retry::Later | Retry::After(_) => return Err(fault),
    };
    Ok(Finding {
        severity,
        what: format!("{what}: {}", fault.chain()),
        remedy: None,
    })
}
