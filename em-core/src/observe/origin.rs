//! How the values of a metric were come by.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Window;
use crate::id::DatasourceName;
use crate::port::Answer;

/// How the values of a metric were come by in one iteration: enough to ask again and to judge the
/// answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Origin {
    /// The datasource.
    pub datasource: DatasourceName,
    /// The query with every placeholder filled in; of several, the last.
    pub query: String,
    /// The window that was asked about; of several, from the first to the last.
    pub asked: Window,
    /// The window that the source says its answers are about.
    pub answered: Window,
    /// Seconds from one point to the next, where the source keeps or was asked for such a distance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step_s: Option<f64>,
    /// Series, the most in one answer.
    pub series: u64,
    /// Points in all answers.
    pub points: u64,
    /// Those of them that are not finite.
    pub non_finite: u64,
    /// Questions with an answer.
    pub answers: u64,
    /// Status of the last answer, where the source speaks HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The most tries that one answer took.
    pub tries: u32,
    /// Seconds that the slowest answer took.
    pub took_s: f64,
    /// What the source warned of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// More warnings than these say nothing new.
const MOST_WARNINGS: usize = 10;

impl Origin {
    /// What one answer tells of itself.
    pub fn of(
        datasource: &DatasourceName,
        query: &str,
        asked: Window,
        answer: &Answer,
        took: Duration,
    ) -> Self {
        let points = || answer.series.iter().flat_map(|series| &series.points);
        let mut warnings = answer.warnings.clone();
        warnings.truncate(MOST_WARNINGS);
        Self {
            datasource: datasource.clone(),
            query: query.to_owned(),
            asked,
            answered: answer.window,
            step_s: answer.step.map(|step| step.as_secs_f64()),
            series: answer.series.len() as u64,
            points: points().count() as u64,
            non_finite: points().filter(|point| !point.value.is_finite()).count() as u64,
            answers: 1,
            status: answer.status,
            tries: answer.tries,
            took_s: took.as_secs_f64(),
            warnings,
        }
    }

    /// Takes in what a later answer tells.
    pub fn join(&mut self, later: Self) {
        self.query = later.query;
        self.asked = spanning(self.asked, later.asked);
        self.answered = spanning(self.answered, later.answered);
        self.step_s = later.step_s.or(self.step_s);
        self.series = self.series.max(later.series);
        self.points += later.points;
        self.non_finite += later.non_finite;
        self.answers += later.answers;
        self.status = later.status.or(self.status);
        self.tries = self.tries.max(later.tries);
        self.took_s = self.took_s.max(later.took_s);
        for warning in later.warnings {
            if self.warnings.len() < MOST_WARNINGS && !self.warnings.contains(&warning) {
                self.warnings.push(warning);
            }
        }
    }
}

fn spanning(one: Window, other: Window) -> Window {
    Window {
        start: one.start.min(other.start),
        end: one.end.max(other.end),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::Point;

    fn origin(second: i64, value: f64, warning: &str) -> Origin {
        let at = jiff::Timestamp::from_second(second).unwrap();
        let mut answer = Answer::look(at, value);
        answer.series[0].points.push(Point {
            at,
            value: f64::NAN,
        });
        answer.warnings = vec![warning.to_owned()];
        let window = Window { start: at, end: at };
        let took = Duration::from_millis(250);
        Origin::of(&"prom".parse().unwrap(), "up", window, &answer, took)
    }

    #[test]
    fn answers_add_up() {
        let mut all = origin(10, 1.0, "slow");
        all.join(origin(20, 2.0, "slow"));
        all.join(origin(30, 3.0, "cut"));
        assert_eq!((all.series, all.points, all.non_finite), (1, 6, 3));
        assert_eq!((all.answers, all.tries), (3, 1));
        assert_eq!(all.asked.milliseconds(), 20_000);
        assert_eq!(all.warnings, ["slow", "cut"]);
        assert!((all.took_s - 0.25).abs() < 1e-9);
    }
}
