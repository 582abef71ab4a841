//! Questions: instant, range, and what the server tells of itself.

use std::time::Duration;

use em_core::fault::{Fault, FaultKind};
use em_core::observe::Window;
use em_core::plan::QueryMethod;
use em_core::port::{OpContext, Series};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::PrometheusDatasource;
use super::judge::{Judged, judge};
use super::spacing;
use crate::remote::{Content, Reply};

/// A server refuses more points of one series at once: `(end - start) / step` may be 11,000.
const MOST_STEPS: i64 = 11_000;

impl PrometheusDatasource {
    /// The value of a query at one instant.
    pub(super) async fn instant(
        &self,
        cx: &OpContext,
        query: &str,
        at: Timestamp,
    ) -> Result<Judged, Fault> {
        let form = self.form(query, vec![("time", seconds(at))]);
        let reply = self.send(cx, "/api/v1/query", &form).await?;
        judge(self.remote.shown(), &reply, self.spec.allow_partial)
    }

    /// The values of a query from the start of a window on, one per step, in parts where there are many.
    pub(super) async fn range(
        &self,
        cx: &OpContext,
        query: &str,
        window: Window,
        step: Duration,
    ) -> Result<Judged, Fault> {
        let step = i64::try_from(step.as_millis()).unwrap_or(i64::MAX).max(1);
        let mut whole: Option<Judged> = None;
        for part in parts(window, step) {
            let part = self.range_once(cx, query, part, step).await?;
            match &mut whole {
                None => whole = Some(part),
                Some(whole) => join(whole, part),
            }
        }
        whole.ok_or_else(|| {
            let message = format!("the window {window} ends before it begins");
            Fault::new(FaultKind::Invalid, message)
        })
    }

    async fn range_once(
        &self,
        cx: &OpContext,
        query: &str,
        window: Window,
        step: i64,
    ) -> Result<Judged, Fault> {
        let bounds = vec![
            ("start", seconds(window.start)),
            ("end", seconds(window.end)),
            ("step", in_seconds(step)),
        ];
        let form = self.form(query, bounds);
        let reply = self.send(cx, "/api/v1/query_range", &form).await?;
        let judged = judge(self.remote.shown(), &reply, self.spec.allow_partial)?;
        Ok(Judged {
            step: Some(Duration::from_millis(step.unsigned_abs())),
            ..judged
        })
    }

    fn form<'a>(&'a self, query: &str, more: Vec<(&'a str, String)>) -> Vec<(&'a str, String)> {
        let mut form = vec![("query", query.to_owned())];
        form.extend(more);
        // One that aligns and caches is asked to do neither; others ignore it.
        form.push(("nocache", "1".to_owned()));
        if !self.spec.allow_partial {
            form.push(("partial_response", "false".to_owned()));
        }
        for (name, value) in &self.spec.params {
            form.retain(|(known, _)| known != name);
            form.push((name, value.clone()));
        }
        form
    }

    async fn send(
        &self,
        cx: &OpContext,
        path: &str,
        form: &[(&str, String)],
    ) -> Result<Reply, Fault> {
        let content = match self.spec.method {
            QueryMethod::Post => Content::Form(form),
            QueryMethod::Get => Content::Query(form),
        };
        self.remote.ask(cx, path, content).await
    }

    /// The longest interval of all targets; none where the server does not tell.
    pub(super) async fn scrape_interval(&self, cx: &OpContext) -> Result<Option<Duration>, Fault> {
        let active = [("state", "active".to_owned())];
        let content = Content::Query(&active);
        let reply = self.remote.ask(cx, "/api/v1/targets", content).await?;
        let told: Option<Told<Targets>> = serde_json::from_slice(&reply.body).ok();
        let targets = told.map(|told| told.data.active).unwrap_or_default();
        let intervals = targets
            .iter()
            .filter_map(|target| spacing::duration(&target.interval));
        Ok(intervals.max())
    }

    /// Its version, where it tells.
    pub(super) async fn version(&self, cx: &OpContext) -> Option<String> {
        let content = Content::Query(&[]);
        let reply = self.remote.ask(cx, "/api/v1/status/buildinfo", content);
        let reply = reply.await.ok()?;
        let told: Told<BuildInfo> = serde_json::from_slice(&reply.body).ok()?;
        told.data.version.filter(|version| !version.is_empty())
    }

    /// Its clock minus ours at the middle of the question.
    pub(super) async fn skew(&self, cx: &OpContext) -> Option<i64> {
        let before = self.now();
        // Without a time: the server's own.
        let form = [("query", "time()".to_owned()), ("nocache", "1".to_owned())];
        let reply = self.send(cx, "/api/v1/query", &form).await.ok()?;
        let after = self.now();
        let judged = judge(self.remote.shown(), &reply, true).ok()?;
        let theirs = judged.series.first()?.points.first()?.value;
        let half = after.duration_since(before) / 2;
        let ours = before.saturating_add(half).ok()?;
        #[expect(
            clippy::cast_precision_loss,
            reason = "milliseconds since 1970 are below 2^53"
        )]
        let skew = theirs.mul_add(1e3, -(ours.as_millisecond() as f64));
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a skew that does not fit is cut off"
        )]
        Some(skew.round() as i64)
    }
}

#[derive(Deserialize)]
struct Told<T> {
    data: T,
}

#[derive(Deserialize)]
struct BuildInfo {
    version: Option<String>,
}

#[derive(Deserialize)]
struct Targets {
    #[serde(default, rename = "activeTargets")]
    active: Vec<TargetState>,
}

#[derive(Deserialize)]
struct TargetState {
    #[serde(default, rename = "scrapeInterval")]
    interval: String,
}

/// A time as servers read it: seconds with milliseconds.
fn seconds(at: Timestamp) -> String {
    in_seconds(at.as_millisecond())
}

fn in_seconds(milliseconds: i64) -> String {
    let sign = if milliseconds < 0 { "-" } else { "" };
    let milliseconds = milliseconds.unsigned_abs();
    format!("{sign}{}.{:03}", milliseconds / 1000, milliseconds % 1000)
}

/// A window in parts that a server answers; both ends belong to a part, so the next begins a step later.
fn parts(window: Window, step: i64) -> Vec<Window> {
    let steps = |count: i64| SignedDuration::from_millis(step.saturating_mul(count));
    let mut parts = Vec::new();
    let mut next = Some(window.start);
    while let Some(start) = next.filter(|start| *start <= window.end) {
        let longest = start.saturating_add(steps(MOST_STEPS));
        let end = longest.unwrap_or(window.end).min(window.end);
        parts.push(Window { start, end });
        let taken = end.duration_since(start).as_millis() / i128::from(step) + 1;
        let taken = i64::try_from(taken).unwrap_or(i64::MAX);
        next = start.checked_add(steps(taken)).ok();
    }
    parts
}

/// Adds the points of a later part; series are known by their labels.
fn join(whole: &mut Judged, part: Judged) {
    for later in part.series {
        let same = |one: &&mut Series| one.labels == later.labels;
        match whole.series.iter_mut().find(same) {
            Some(known) => known.points.extend(later.points),
            None => whole.series.push(later),
        }
    }
    whole.has_natives |= part.has_natives;
    whole.warn(part.warnings);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_share_no_step_and_leave_none_out() {
        let window = |milliseconds: i64| {
            let start = Timestamp::UNIX_EPOCH;
            let end = start + SignedDuration::from_millis(milliseconds);
            Window { start, end }
        };
        let lengths = |parts: Vec<Window>| {
            let length = |part: &Window| part.milliseconds();
            parts.iter().map(length).collect::<Vec<_>>()
        };
        assert_eq!(lengths(parts(window(0), 100)), [0]);
        assert_eq!(lengths(parts(window(1_100_000), 100)), [1_100_000]);
        assert_eq!(lengths(parts(window(1_100_100), 100)), [1_100_000, 0]);
        let three = parts(window(2_300_050), 100);
        assert_eq!(lengths(three.clone()), [1_100_000, 1_100_000, 99_850]);
        assert!(three.windows(2).all(|pair| pair[1].start > pair[0].end));
        let turned = Window {
            start: window(9).end,
            end: window(0).end,
        };
        assert!(parts(turned, 100).is_empty());
    }

    #[test]
    fn times_keep_their_milliseconds() {
        assert_eq!(in_seconds(1_700_000_000_005), "1700000000.005");
        assert_eq!(in_seconds(-1_500), "-1.500");
    }
}
