//! The engine and what it is made of.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::error::EngineError;
use crate::id::DatasourceName;
use crate::plan::{DatasourceKind, Plan};
use crate::port::{
    Analyst, Clock, Datasource, LoadDriver, Recommender, Store, Summarizer, SystemClock, Target,
};

/// Everything that the engine needs from outside.
#[derive(Debug)]
pub(super) struct Ports {
    pub(super) target: Arc<dyn Target>,
    pub(super) load: Arc<dyn LoadDriver>,
    pub(super) datasources: BTreeMap<DatasourceName, Arc<dyn Datasource>>,
    pub(super) summarizers: BTreeMap<String, Arc<dyn Summarizer>>,
    pub(super) analyst: Arc<dyn Analyst>,
    pub(super) recommender: Option<Arc<dyn Recommender>>,
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Arc<dyn Clock>,
}

impl Ports {
    /// What the plan needs and nobody gave.
    pub(super) fn check(&self, plan: &Plan) -> Result<(), EngineError> {
        let missing = |what: String| Err(EngineError::Missing { what });
        if plan.search.is_some() && self.recommender.is_none() {
            return missing("a recommender".to_owned());
        }
        for metric in &plan.metrics {
            let name = &metric.datasource;
            let is_target = plan
                .datasources
                .get(name)
                .map_or(name.as_str() == "target", |source| {
                    matches!(source.kind, DatasourceKind::Target)
                });
            if !is_target && !self.datasources.contains_key(name) {
                return missing(format!("datasource {name}"));
            }
            if !self.summarizers.contains_key(&metric.summarizer) {
                return missing(format!("summarizer {}", metric.summarizer));
            }
        }
        if self.summarizers.contains_key(BUILT_IN) {
            Ok(())
        } else {
            missing(format!("summarizer {BUILT_IN}"))
        }
    }
}

/// The summarizer of load metrics, and of every metric that names no other.
pub(super) const BUILT_IN: &str = "built-in";

/// Runs experiments.
///
/// One engine runs any number of experiments, each by one call of [`run`](Self::run).
#[derive(Debug, Clone)]
pub struct Engine {
    pub(super) ports: Arc<Ports>,
}

impl Engine {
    /// An engine of the ports without which nothing can be measured.
    pub fn builder(
        target: Arc<dyn Target>,
        load: Arc<dyn LoadDriver>,
        analyst: Arc<dyn Analyst>,
        store: Arc<dyn Store>,
    ) -> EngineBuilder {
        EngineBuilder {
            ports: Ports {
                target,
                load,
                datasources: BTreeMap::new(),
                summarizers: BTreeMap::new(),
                analyst,
                recommender: None,
                store,
                clock: Arc::new(SystemClock),
            },
        }
    }
}

/// Collects the ports of an [`Engine`].
#[derive(Debug)]
#[must_use = "a builder does nothing until build()"]
pub struct EngineBuilder {
    ports: Ports,
}

impl EngineBuilder {
    /// Adds a datasource under the name that plans use.
    pub fn datasource(mut self, name: DatasourceName, source: Arc<dyn Datasource>) -> Self {
        self.ports.datasources.insert(name, source);
        self
    }

    /// Adds a summarizer under the name that plans use; `built-in` is the usual one.
    pub fn summarizer(mut self, name: impl Into<String>, summarizer: Arc<dyn Summarizer>) -> Self {
        self.ports.summarizers.insert(name.into(), summarizer);
        self
    }

    /// Sets who proposes configurations.
    pub fn recommender(mut self, recommender: Arc<dyn Recommender>) -> Self {
        self.ports.recommender = Some(recommender);
        self
    }

    /// Sets where stamps come from; the system's clock unless set.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.ports.clock = clock;
        self
    }

    /// The engine.
    pub fn build(self) -> Engine {
        Engine {
            ports: Arc::new(self.ports),
        }
    }
}
