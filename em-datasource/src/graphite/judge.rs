//! Series of an answer, and what is odd about them.

use std::collections::BTreeSet;
use std::time::Duration;

use em_core::fault::{Fault, FaultKind};
use em_core::observe::Window;
use em_core::port::{Labels, Point, Series};
use jiff::Timestamp;

use super::decode::{Datapoint, Tag, Target, Time, Value, read};
use crate::distinct::first_twice;
use crate::remote::{Reply, fault_of_status};

/// Series of an answer that counts.
#[derive(Debug, Default)]
pub(crate) struct Judged {
    /// Those that have a value in the window.
    pub(crate) series: Vec<Series>,
    /// Time from one point to the next.
    pub(super) step: Option<Duration>,
    pub(super) warnings: Vec<String>,
}

/// Reads an answer about a window.
pub(crate) fn judge(server: &str, reply: &Reply, window: Window) -> Result<Judged, Fault> {
    if !reply.status.is_success() {
        let said = reply.first_line();
        return Err(fault_of_status(server, reply.status, &reply.headers, &said));
    }
    let targets = read(&reply.body).map_err(|source| {
        let message = format!("failed to read the answer of {server}");
        Fault::new(FaultKind::Malformed, message).caused_by(source)
    })?;
    let mut judged = Judged::default();
    judged.steps(&targets);
    let labels = labels(&targets)?;
    let (mut told, mut kept) = (0, 0);
    for (target, labels) in targets.iter().zip(labels) {
        let mut points = points(server, target)?;
        told += points.len();
        points.retain(|point| window.reaches(point.at));
        kept += points.len();
        if !points.is_empty() {
            judged.series.push(Series { labels, points });
        }
    }
    if kept == 0 && told > 0 {
        let apart = judged.step.map(|step| format!(": they are {step:?} apart"));
        judged.warnings.push(format!(
            "no value lies within the window{}",
            apart.unwrap_or_default()
        ));
    }
    Ok(judged)
}

impl Judged {
    /// How far apart the points are: one without a value says so, too.
    fn steps(&mut self, targets: &[Target]) {
        let steps: BTreeSet<Duration> = targets.iter().filter_map(step).collect();
        if let (Some(shortest), Some(longest)) = (steps.first(), steps.last())
            && shortest != longest
        {
            self.warnings.push(format!(
                "the series are kept in steps of {shortest:?} to {longest:?}, so their values stand at different times"
            ));
        }
        self.step = median(targets.iter().flat_map(distances).collect());
    }
}

fn step(target: &Target) -> Option<Duration> {
    median(distances(target).collect())
}

fn distances(target: &Target) -> impl Iterator<Item = Duration> {
    let pairs = target.datapoints.windows(2);
    pairs.filter_map(|pair| {
        let (Datapoint(_, Time(one)), Datapoint(_, Time(next))) = (pair.first()?, pair.last()?);
        Duration::try_from(next.duration_since(*one)).ok()
    })
}

fn median(mut distances: Vec<Duration>) -> Option<Duration> {
    distances.sort_unstable();
    distances.get(distances.len() / 2).copied()
}

/// Labels of each series: its tags, or its name. Functions may give several series the same tags;
/// then the names tell them apart.
fn labels(targets: &[Target]) -> Result<Vec<Labels>, Fault> {
    let mut labels: Vec<Labels> = targets.iter().map(labels_of).collect();
    if first_twice(labels.iter()).is_some() {
        for (labels, target) in labels.iter_mut().zip(targets) {
            labels.insert("target".to_owned(), target.name.clone());
        }
    }
    match first_twice(labels.iter()) {
        None => Ok(labels),
        Some(twice) => {
            let message = format!("the query answers {twice:?} twice: name each series once");
            Err(Fault::new(FaultKind::Invalid, message))
        }
    }
}

fn labels_of(target: &Target) -> Labels {
    let tags = target.tags.iter().flatten();
    let labels: Labels = tags
        .map(|(name, Tag(value))| (name.clone(), value.clone()))
        .collect();
    if labels.is_empty() {
        return Labels::from([("target".to_owned(), target.name.clone())]);
    }
    labels
}

/// The values of a series in order of time.
fn points(server: &str, target: &Target) -> Result<Vec<Point>, Fault> {
    let datapoints = target.datapoints.iter();
    let mut points: Vec<Point> = datapoints
        .filter_map(|Datapoint(Value(value), Time(at))| {
            let value = (*value)?;
            Some(Point { at: *at, value })
        })
        .collect();
    points.sort_by_key(|point| point.at);
    let twice = |pair: &&[Point]| pair.first().map(at) == pair.last().map(at);
    if let Some(point) = points.windows(2).find(twice).and_then(<[Point]>::first) {
        let message = format!(
            "{server} answers two values of {:?} at {}",
            target.name, point.at
        );
        return Err(Fault::new(FaultKind::Malformed, message));
    }
    Ok(points)
}

fn at(point: &Point) -> Timestamp {
    point.at
}
