//! From what was found to what a metric sees.

use std::collections::BTreeMap;

use em_core::observe::Window;
use em_core::plan::MetricKind;
use em_core::port::{Answer, Labels, OpContext, Point, Series};
use jiff::Timestamp;

use super::Asking;
use super::ask::Found;
use super::decode::Read;
use super::spacing::{Cut, shortest};
use crate::bucketed::Buckets;

/// The answer about a window that holds no whole bucket: nobody need be asked.
pub(super) fn without_a_bucket(cx: &OpContext, window: Window, cut: &Cut) -> Answer {
    Answer {
        series: Vec::new(),
        window,
        warnings: vec![format!("no whole one of {cut} lies in {window}")],
        tries: cx.attempt,
        step: cut.width(),
        status: None,
    }
}

/// What a metric of this kind sees. The error says what the server does wrong.
pub(super) fn of(
    found: Found,
    kind: MetricKind,
    asking: &Asking,
    tries: u32,
) -> Result<Answer, String> {
    let mut warnings = found.warnings;
    let window = effective(asking, found.frame, &mut warnings)?;
    let mut step = asking.cut.width();
    let distinct = distinct(found.series)?;
    let series: Vec<Series> = match asking.cut {
        Cut::Whole => {
            let whole = |(labels, points): (Labels, Vec<Point>)| aggregate(labels, &points, window);
            distinct.into_iter().map(whole).collect::<Result<_, _>>()?
        }
        Cut::Buckets(width) => {
            let times = |points: &Vec<Point>| points.iter().map(|point| point.at).collect();
            let times: Vec<Vec<Timestamp>> = distinct.values().map(times).collect();
            let seen = shortest(times.iter().map(Vec::as_slice));
            if let Some(seen) = seen.filter(|seen| *seen != width) {
                let cut = asking.cut;
                warnings.push(format!(
                    "the points are {seen:?} apart where {cut} were asked for"
                ));
                step = Some(seen);
            }
            let series = distinct.into_iter().map(|(labels, points)| {
                let buckets = Buckets {
                    labels,
                    points,
                    width,
                };
                let mut series = buckets.into_series(kind, window);
                if kind == MetricKind::Value {
                    let last = series.points.len().saturating_sub(1);
                    series.points.drain(..last);
                }
                series
            });
            series.collect()
        }
    };
    let there = series.into_iter().filter(|one| !one.points.is_empty());
    Ok(Answer {
        series: there.collect(),
        window,
        warnings,
        tries,
        step,
        status: found.status,
    })
}

/// What the answer is about: never more than was asked.
fn effective(
    asking: &Asking,
    told: Option<Window>,
    warnings: &mut Vec<String>,
) -> Result<Window, String> {
    let Asking { window, frame, cut } = *asking;
    let milliseconds = |window: Window| {
        let (start, end) = (window.start, window.end);
        (start.as_millisecond(), end.as_millisecond())
    };
    let told = told.filter(|told| milliseconds(*told) != milliseconds(frame));
    let Some(told) = told else {
        // Whoever cuts a window into buckets knows that its ends are lost. A tenth is worth a word.
        if frame.seconds() < 0.9 * window.seconds() {
            warnings.push(format!(
                "of {window} only {frame} counts: the rest is no whole one of {cut}"
            ));
        }
        return Ok(frame);
    };
    let effective = Window {
        start: window.start.max(told.start),
        end: window.end.min(told.end),
    };
    if effective.start > effective.end {
        return Err(format!("answers about {told}, and was asked about {frame}"));
    }
    warnings.push(format!(
        "the server answers about {told} where {frame} was asked for"
    ));
    Ok(effective)
}

/// One value of the whole window, which belongs to its end.
fn aggregate(labels: Labels, points: &[Point], window: Window) -> Result<Series, String> {
    let points = match points {
        [] => Vec::new(),
        [one] => vec![Point {
            at: window.end,
            value: one.value,
        }],
        several => {
            let count = several.len();
            return Err(format!(
                "answers with {count} values where one was asked for"
            ));
        }
    };
    Ok(Series { labels, points })
}

/// Series by their labels. What two pages tell of one thing must be the same.
fn distinct(read: Vec<Read>) -> Result<BTreeMap<Labels, Vec<Point>>, String> {
    let mut distinct: BTreeMap<Labels, Vec<Point>> = BTreeMap::new();
    for Read { labels, points } in read {
        match distinct.get(&labels) {
            Some(known) if *known != points => {
                return Err(format!(
                    "answers with two series that are called {labels:?}"
                ));
            }
            Some(_) => {}
            None => drop(distinct.insert(labels, points)),
        }
    }
    Ok(distinct)
}
