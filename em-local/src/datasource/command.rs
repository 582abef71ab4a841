//! Datasource `command`: looked at by running it. It has no history.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use em_core::fault::{Fault, FaultKind};
use em_core::id::OpKey;
use em_core::observe::Window;
use em_core::plan::OutputRules;
use em_core::port::{
    Answer, Asked, Datasource, Health, OpContext, Point, Sampling, Series, Validation,
};
use em_core::read::printed::PrintedRule;
use em_core::template::Template;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::call::{Call, Called};
use crate::fault::of_kind;
use crate::fill::{self, Places, Values};
use crate::programs;
use crate::rules::Rules;
use crate::surroundings::{Surroundings, mark_of};

/// Time between two looks where the file says nothing.
const USUAL_PERIOD: Duration = Duration::from_secs(1);

/// A command whose output is read. The query of a metric is the name of an output rule.
#[derive(Debug)]
pub struct CommandDatasource {
    surroundings: Surroundings,
    command: Vec<Template>,
    rules: OutputRules,
    every: Duration,
    /// The last look: metrics that are asked together share one.
    last: Mutex<Option<Look>>,
}

#[derive(Debug, Clone)]
struct Look {
    key: OpKey,
    endpoint: Option<String>,
    began: Instant,
    at: Timestamp,
    called: Arc<Called>,
    /// Rules it was used for: whoever asks for the same again wants a new look.
    used: BTreeSet<String>,
}

impl CommandDatasource {
    /// A source that runs `command`, looked at once per `every`.
    pub fn new(
        surroundings: Surroundings,
        command: Vec<Template>,
        rules: OutputRules,
        every: Option<Duration>,
    ) -> Self {
        let every = every.unwrap_or(USUAL_PERIOD);
        Self {
            surroundings,
            command,
            rules,
            every,
            last: Mutex::new(None),
        }
    }

    fn rule(&self, asked: &Asked) -> Result<PrintedRule, Fault> {
        let rules =
            Rules::compile(&self.rules).map_err(|error| of_kind(FaultKind::Invalid, &error))?;
        let found = rules
            .printed()
            .iter()
            .find(|rule| rule.metric.as_str() == asked.text);
        found.cloned().ok_or_else(|| {
            let known: Vec<&str> = rules
                .printed()
                .iter()
                .map(|rule| rule.metric.as_str())
                .collect();
            let message = format!(
                "no output rule is called {:?}; there are {}",
                asked.text,
                known.join(", ")
            );
            Fault::new(FaultKind::Invalid, message)
        })
    }

    /// One look, shared by all that ask within half a period.
    async fn look(&self, cx: &OpContext, asked: &Asked) -> Result<Look, Fault> {
        let mut last = self.last.lock().await;
        if let Some(look) = &mut *last
            && look.key == cx.key
            && look.endpoint == asked.endpoint
            && look.began.elapsed() < self.every / 2
            && look.used.insert(asked.text.clone())
        {
            return Ok(look.clone());
        }
        let began = Instant::now();
        let (at, called) = (self.surroundings.clock.now(), self.call(cx, asked).await?);
        let (key, endpoint) = (cx.key.clone(), asked.endpoint.clone());
        Ok(last
            .insert(Look {
                key,
                endpoint,
                began,
                at,
                called: Arc::new(called),
                used: BTreeSet::from([asked.text.clone()]),
            })
            .clone())
    }

    async fn call(&self, cx: &OpContext, asked: &Asked) -> Result<Called, Fault> {
        let (trial, iteration) = match &cx.key {
            OpKey::Iteration {
                trial, iteration, ..
            } => (trial.0, iteration.0),
            OpKey::Experiment { .. } | OpKey::Hold { .. } => (0, 0),
        };
        let places = Places {
            executable: self.surroundings.executable.clone(),
            address: asked.endpoint.clone(),
            base: self.surroundings.base.clone(),
            trial,
            iteration,
            ..Places::default()
        };
        let none = Values::new();
        let lookup = |name: &str| fill::lookup(&places, &none, name);
        let command = fill::command("command", &self.command, &places.base, &lookup);
        let command = command.map_err(|error| of_kind(FaultKind::Invalid, &error))?;
        let call = Call {
            command,
            env: Vec::new(),
            folder: places.base.clone(),
        };
        let called = call
            .make(&self.surroundings, &mark_of(cx), None::<&()>)
            .await;
        let called = called.and_then(|called| called.ended_with(&[0]));
        called.map_err(|error| of_kind(FaultKind::Unavailable, &error))
    }
}

#[async_trait]
impl Datasource for CommandDatasource {
    async fn probe(&self, _cx: &OpContext) -> Result<Health, Fault> {
        match programs::missing(&self.command, &self.surroundings.base) {
            None => Ok(Health::default()),
            Some(program) => {
                let message = format!("{}: install it", programs::not_there(program));
                Err(Fault::new(FaultKind::NotFound, message))
            }
        }
    }

    async fn validate(&self, _cx: &OpContext, asked: &Asked) -> Result<Validation, Fault> {
        self.rule(asked)?;
        Ok(Validation::default())
    }

    /// A command has no history: whatever the window, the answer is what it prints now.
    async fn query(&self, cx: &OpContext, asked: &Asked, _window: Window) -> Result<Answer, Fault> {
        self.sample(cx, asked).await
    }

    fn sampling(&self) -> Option<Sampling> {
        Some(Sampling { every: self.every })
    }

    async fn sample(&self, cx: &OpContext, asked: &Asked) -> Result<Answer, Fault> {
        let rule = self.rule(asked)?;
        let look = self.look(cx, asked).await?;
        let samples = rule.read(&look.called.stdout);
        let samples = samples.map_err(|error| of_kind(FaultKind::Malformed, &error))?;
        let mut series: BTreeMap<BTreeMap<String, String>, Vec<Point>> = BTreeMap::new();
        for sample in samples {
            let own = sample
                .at
                .and_then(|at| SignedDuration::try_from_secs_f64(at).ok());
            let at = own
                .and_then(|own| Timestamp::from_duration(own).ok())
                .unwrap_or(look.at);
            let mut labels = sample.labels;
            labels.insert("__name__".to_owned(), rule.metric.to_string());
            series.entry(labels).or_default().push(Point {
                at,
                value: sample.value,
            });
        }
        let series = series
            .into_iter()
            .map(|(labels, points)| Series { labels, points });
        Ok(Answer {
            series: series.collect(),
            window: Window {
                start: look.at,
                end: look.at,
            },
            warnings: Vec::new(),
            tries: 1,
            step: None,
            status: None,
        })
    }
}
