//! Datasource `csv`: a file of comma-separated values that the target or a tool writes.

use std::path::PathBuf;

use async_trait::async_trait;
use em_core::fault::{Fault, FaultKind};
use em_core::observe::Window;
use em_core::port::{Answer, Asked, Datasource, Health, OpContext, Point, Series, Validation};
use em_core::read::TimeFormat;
use em_core::read::csv::{Column, CsvShape};
use jiff::{SignedDuration, Timestamp};

use crate::fault::{blocking, of_kind};
use crate::surroundings::{Surroundings, mark_of};

/// A file in the iteration's working folder, or below the folder of the experiment file. The query of a
/// metric is the name of a column.
#[derive(Debug)]
pub struct CsvDatasource {
    surroundings: Surroundings,
    path: PathBuf,
    time: Option<String>,
}

impl CsvDatasource {
    /// The file `path`, whose column `time` holds seconds since 1970. Without such a column every row
    /// counts, in their order just before the end of the window that is asked for.
    pub fn new(surroundings: Surroundings, path: PathBuf, time: Option<String>) -> Self {
        Self {
            surroundings,
            path,
            time,
        }
    }

    /// Where the file lies for this iteration.
    fn place(&self, cx: &OpContext) -> PathBuf {
        let own = self
            .surroundings
            .work_folder(&mark_of(cx))
            .join("run")
            .join(&self.path);
        if own.exists() {
            own
        } else {
            self.surroundings.resolve(&self.path)
        }
    }

    async fn text(&self, cx: &OpContext) -> Result<String, Fault> {
        let path = self.place(cx);
        let shown = path.display().to_string();
        let read = blocking(move || std::fs::read_to_string(path)).await;
        read.map_err(|error| {
            let message =
                format!("failed to read {shown}: the target or a tool should have written it");
            Fault::new(FaultKind::NotFound, message).caused_by(error)
        })
    }

    fn shape(&self, column: &str) -> CsvShape {
        let time = self.time.as_ref();
        CsvShape {
            values: vec![(column.to_owned(), Column::Named(column.to_owned()))],
            at: time.map(|time| (Column::Named(time.clone()), TimeFormat::Seconds)),
            ..CsvShape::default()
        }
    }
}

/// Rows without a time keep their order, just before the end of the window.
fn before(end: Timestamp, rows: usize) -> Timestamp {
    let nanos = i64::try_from(rows).unwrap_or(i64::MAX);
    let earlier = end.saturating_sub(SignedDuration::from_nanos(nanos));
    earlier.unwrap_or(end)
}

/// A writer may be in the middle of its last line.
fn whole_lines(text: &str) -> &str {
    text.rfind('\n')
        .map_or(text, |end| text.get(..=end).unwrap_or(text))
}

#[async_trait]
impl Datasource for CsvDatasource {
    async fn probe(&self, _cx: &OpContext) -> Result<Health, Fault> {
        Ok(Health::default())
    }

    /// The file is only there while the target runs.
    async fn validate(&self, _cx: &OpContext, asked: &Asked) -> Result<Validation, Fault> {
        if asked.text.trim().is_empty() {
            let message = "the query of a csv metric is the name of a column, and is empty";
            return Err(Fault::new(FaultKind::Invalid, message));
        }
        Ok(Validation::default())
    }

    async fn query(&self, cx: &OpContext, asked: &Asked, window: Window) -> Result<Answer, Fault> {
        let text = self.text(cx).await?;
        let samples = self.shape(&asked.text).read(whole_lines(&text));
        let samples = samples.map_err(|error| of_kind(FaultKind::Malformed, &error))?;
        let count = samples.len();
        let point = |(row, at, value): (usize, Option<f64>, f64)| match at {
            None => Some(Point {
                at: before(window.end, count - row),
                value,
            }),
            Some(seconds) => {
                let at = SignedDuration::try_from_secs_f64(seconds).ok()?;
                let at = Timestamp::from_duration(at).ok()?;
                window.reaches(at).then_some(Point { at, value })
            }
        };
        let points = samples
            .iter()
            .enumerate()
            .filter_map(|(row, sample)| point((row, sample.at, sample.value)));
        let mut points: Vec<Point> = points.collect();
        points.sort_by_key(|point| point.at);
        let labels = [("__name__".to_owned(), asked.text.clone())].into();
        let series = if points.is_empty() {
            Vec::new()
        } else {
            vec![Series { labels, points }]
        };
        Ok(Answer {
            series,
            window,
            warnings: Vec::new(),
            tries: 1,
            step: None,
            status: None,
        })
    }
}
