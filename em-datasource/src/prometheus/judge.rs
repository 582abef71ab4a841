//! Whether an answer counts, and what it means where it does not.

use std::time::Duration;

use em_core::fault::{Fault, FaultKind};
use em_core::port::Series;

use super::decode::Envelope;
use super::native;
use crate::distinct::first_twice;
use crate::remote::{Reply, fault_of_status};

/// Series of an answer that counts, and what the server warns of.
#[derive(Debug)]
pub(crate) struct Judged {
    pub(crate) result_type: String,
    pub(crate) series: Vec<Series>,
    /// Whether there are native histograms, of which several series are made.
    pub(crate) has_natives: bool,
    pub(crate) text: Option<String>,
    pub(crate) warnings: Vec<String>,
    pub(crate) status: u16,
    /// What a range query was asked for.
    pub(crate) step: Option<Duration>,
}

impl Judged {
    /// Adds what another answer warns of.
    pub(super) fn warn(&mut self, warnings: Vec<String>) {
        for warning in warnings {
            if !self.warnings.contains(&warning) {
                self.warnings.push(warning);
            }
        }
    }
}

/// Reads an answer of the query API.
pub(crate) fn judge(server: &str, reply: &Reply, allow_partial: bool) -> Result<Judged, Fault> {
    let read: Result<Envelope<'_>, _> = serde_json::from_slice(&reply.body);
    let envelope = match read {
        Ok(envelope) => envelope,
        // What stands between (a proxy, a server that starts) speaks no JSON.
        Err(_) if !reply.status.is_success() => return Err(not_json(server, reply)),
        Err(source) => {
            let message = format!("failed to read the answer of {server}");
            return Err(Fault::new(FaultKind::Malformed, message).caused_by(source));
        }
    };
    if envelope.status != "success" || !reply.status.is_success() {
        return Err(refused(server, reply, &envelope));
    }
    let warnings = envelope.warnings.unwrap_or_default();
    let (about_query, about_data): (Vec<_>, Vec<_>) = warnings
        .into_iter()
        .partition(|warning| warning.starts_with("PromQL"));
    if (envelope.is_partial || !about_data.is_empty()) && !allow_partial {
        let why = match about_data.first() {
            Some(why) => format!(": {why}"),
            None => String::new(),
        };
        let message = format!(
            "{server} answers only in part{why} (allow_partial: true at the datasource takes it as it is)"
        );
        return Err(Fault::new(FaultKind::Unavailable, message));
    }
    let data = envelope.data.ok_or_else(|| {
        let message = format!("{server} answers with success and without data");
        Fault::new(FaultKind::Malformed, message)
    })?;
    let infos = envelope.infos.unwrap_or_default();
    let reads = data.result.series;
    let has_natives = reads.iter().any(|read| !read.histograms.is_empty());
    let series = native::series(reads);
    orderly(server, &series)?;
    Ok(Judged {
        result_type: data.result_type.into_owned(),
        has_natives,
        series,
        text: data.result.text,
        warnings: about_query
            .into_iter()
            .chain(about_data)
            .chain(infos)
            .collect(),
        status: reply.status.as_u16(),
        step: None,
    })
}

/// Series that cannot be told apart, or whose points go back in time, say nothing of one metric.
fn orderly(server: &str, series: &[Series]) -> Result<(), Fault> {
    let malformed = |what: String| {
        let message = format!("{server} answers {what}");
        Err(Fault::new(FaultKind::Malformed, message))
    };
    if let Some(twice) = first_twice(series.iter().map(|one| &one.labels)) {
        return malformed(format!("two series {twice:?}"));
    }
    let is_in_order = |one: &&Series| one.points.is_sorted_by(|point, next| point.at < next.at);
    match series.iter().find(|one| !is_in_order(one)) {
        None => Ok(()),
        Some(one) => malformed(format!("points of {:?} out of order of time", one.labels)),
    }
}

fn refused(server: &str, reply: &Reply, envelope: &Envelope<'_>) -> Fault {
    let said = envelope.error.as_deref().unwrap_or_default();
    let kind = envelope.error_type.as_deref().unwrap_or_default();
    if reply.status.is_success() {
        let message = format!("{server} answers with {kind}: {said}");
        return Fault::new(FaultKind::Invalid, message);
    }
    let fault = fault_of_status(server, reply.status, &reply.headers, said);
    let is_slow = kind == "timeout" || said.contains("query timed out");
    if is_slow {
        // Some say it with the status of a broken query; a busy server gets less busy.
        return Fault::new(FaultKind::Unavailable, fault.message);
    }
    fault
}

fn not_json(server: &str, reply: &Reply) -> Fault {
    fault_of_status(server, reply.status, &reply.headers, &reply.first_line())
}
