//! What `GetMetricData` answers: series by label, page by page.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use em_core::fault::{Fault, FaultKind};
use em_core::observe::Window;
use em_core::plan::MetricKind;
use em_core::port::{Labels, Point, Series};
use serde::Deserialize;

use super::judge::malformed;
use crate::bucketed::Buckets;
use crate::instant::instant;

/// One page of an answer.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Page {
    metric_data_results: Vec<One>,
    #[serde(default)]
    next_token: Option<String>,
    #[serde(default)]
    messages: Option<Vec<Message>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct One {
    #[serde(default)]
    label: Option<String>,
    /// Starts of periods, seconds since 1970. Empty lists may be left out.
    #[serde(default)]
    timestamps: Option<Vec<f64>>,
    #[serde(default)]
    values: Option<Vec<Option<f64>>>,
    #[serde(default)]
    status_code: Option<String>,
    #[serde(default)]
    messages: Option<Vec<Message>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Message {
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    value: Option<String>,
}

/// All pages so far.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Points, and whether all of them came, by label.
    series: BTreeMap<String, (Vec<Point>, bool)>,
    pub(super) warnings: Vec<String>,
    pub(super) status: Option<u16>,
    pub(super) skew: Option<i64>,
}

impl Found {
    /// Adds a page; how the answer goes on.
    pub(super) fn add(&mut self, server: &str, page: Page) -> Result<Option<String>, Fault> {
        self.warn(page.messages);
        let mut seen = BTreeSet::new();
        for one in page.metric_data_results {
            let label = one.label.clone().unwrap_or_default();
            if !seen.insert(label.clone()) {
                let message = format!(
                    "two series have the label {label:?} (tell them apart: Label: \"${{PROP('Dim.NAME')}}\")"
                );
                return Err(Fault::new(FaultKind::Invalid, message));
            }
            let is_whole = one.is_whole(server)?;
            let points = one.points(server)?;
            self.warn(one.messages);
            let (all, is_complete) = self.series.entry(label).or_default();
            all.extend(points);
            *is_complete = is_whole;
        }
        Ok(page.next_token.filter(|token| !token.is_empty()))
    }

    /// Every series as what its periods hold, once there is no page more.
    fn buckets(&mut self, server: &str, width: Duration) -> Result<Vec<Buckets>, Fault> {
        let series = std::mem::take(&mut self.series).into_iter();
        series
            .map(|(label, (points, is_complete))| {
                if !is_complete {
                    let message = format!("{server} answers only a part of {label:?}");
                    return Err(Fault::new(FaultKind::Unavailable, message));
                }
                let labels = Labels::from([("label".to_owned(), label)]);
                Ok(Buckets {
                    labels,
                    points,
                    width,
                })
            })
            .collect()
    }

    /// What a metric of this kind sees of the periods of a window.
    pub(super) fn in_periods(
        &mut self,
        server: &str,
        width: Duration,
        kind: MetricKind,
        window: Window,
    ) -> Result<Vec<Series>, Fault> {
        let buckets = self.buckets(server, width)?.into_iter();
        let series = buckets.map(|one| one.into_series(kind, window));
        Ok(series.filter(|one| !one.points.is_empty()).collect())
    }

    fn warn(&mut self, messages: Option<Vec<Message>>) {
        for message in messages.into_iter().flatten() {
            let words: Vec<String> = message.code.into_iter().chain(message.value).collect();
            let warning = words.join(": ");
            if !warning.is_empty() && !self.warnings.contains(&warning) {
                self.warnings.push(warning);
            }
        }
    }
}

impl One {
    /// Whether nothing of it is still to come.
    fn is_whole(&self, server: &str) -> Result<bool, Fault> {
        let code = self.status_code.as_deref();
        let (kind, what) = match code {
            Some("Complete") => return Ok(true),
            Some("PartialData") => return Ok(false),
            Some("Forbidden") => (FaultKind::Denied, "Forbidden"),
            Some("InternalError") => (FaultKind::Unavailable, "InternalError"),
            Some(other) => (FaultKind::Malformed, other),
            None => (FaultKind::Malformed, "nothing"),
        };
        let label = self.label.as_deref().unwrap_or_default();
        let said = self.messages.iter().flatten();
        let said: Vec<&str> = said
            .filter_map(|message| message.value.as_deref())
            .collect();
        let message = format!("{server} says {what} of {label:?} {}", said.join("; "));
        Err(Fault::new(kind, message.trim_end()))
    }

    fn points(&self, server: &str) -> Result<Vec<Point>, Fault> {
        let times = self.timestamps.as_deref().unwrap_or_default();
        let values = self.values.as_deref().unwrap_or_default();
        if times.len() != values.len() {
            let what = format!("{} values for {} times", values.len(), times.len());
            return Err(malformed(server, &what));
        }
        let mut points = Vec::with_capacity(times.len());
        for (time, value) in times.iter().zip(values) {
            let at = instant(*time);
            let at = at.ok_or_else(|| malformed(server, &format!("the time {time}")))?;
            points.extend(value.map(|value| Point { at, value }));
        }
        Ok(points)
    }
}
