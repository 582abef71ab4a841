//! A datasource without a source: one rising counter.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use crate::fault::{Fault, FaultKind};
use crate::observe::Window;
use crate::port::{
    Answer, Asked, Clock, Datasource, Health, Labels, OpContext, Point, Sampling, Series,
    Validation,
};

/// Knows one query, `requests`: a counter that grows by `rate` per second since 1 January 2026.
#[derive(Debug, Clone)]
pub struct FakeDatasource {
    clock: Arc<dyn Clock>,
    rate: f64,
    every: Option<Duration>,
}

impl FakeDatasource {
    /// A source without history, looked at once per `every`.
    pub fn sampled(clock: Arc<dyn Clock>, rate: f64, every: Duration) -> Self {
        Self {
            clock,
            rate,
            every: Some(every),
        }
    }

    /// A source with history: one point per second.
    pub fn with_history(clock: Arc<dyn Clock>, rate: f64) -> Self {
        Self {
            clock,
            rate,
            every: None,
        }
    }

    fn point(&self, at: Timestamp) -> Point {
        let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        Point {
            at,
            value: self.rate * at.duration_since(start).as_secs_f64(),
        }
    }
}

fn check(asked: &Asked) -> Result<(), Fault> {
    if asked.text == "requests" {
        return Ok(());
    }
    let message = format!("there is only the query requests, not {:?}", asked.text);
    Err(Fault::new(FaultKind::Invalid, message))
}

fn answer(points: Vec<Point>, window: Window) -> Answer {
    let labels = Labels::from([("__name__".to_owned(), "requests".to_owned())]);
    let series = Series { labels, points };
    Answer {
        series: vec![series],
        window,
        warnings: Vec::new(),
        tries: 1,
        step: None,
        status: None,
    }
}

#[async_trait]
impl Datasource for FakeDatasource {
    async fn probe(&self, _cx: &OpContext) -> Result<Health, Fault> {
        Ok(Health::default())
    }

    async fn validate(&self, _cx: &OpContext, asked: &Asked) -> Result<Validation, Fault> {
        check(asked)?;
        Ok(Validation {
            series: Some(1),
            warnings: Vec::new(),
        })
    }

    async fn query(&self, _cx: &OpContext, asked: &Asked, window: Window) -> Result<Answer, Fault> {
        check(asked)?;
        let whole_seconds = (0..).map(|second| window.start + SignedDuration::from_secs(second));
        let points = whole_seconds
            .take_while(|at| *at <= window.end)
            .map(|at| self.point(at));
        Ok(answer(points.collect(), window))
    }

    fn sampling(&self) -> Option<Sampling> {
        self.every.map(|every| Sampling { every })
    }

    async fn sample(&self, _cx: &OpContext, asked: &Asked) -> Result<Answer, Fault> {
        check(asked)?;
        let now = self.clock.now();
        let window = Window {
            start: now,
            end: now,
        };
        Ok(answer(vec![self.point(now)], window))
    }
}
