//! What a simulated system would show.

use em_core::expression::{EvaluationError, Name};
use em_core::fault::{Fault, FaultKind};
use em_core::id::MetricName;
use em_core::plan::SimulatedSpec;

use super::draw::Draw;
use crate::fill::Values;

/// A formula of the model cannot be evaluated.
#[derive(Debug, thiserror::Error)]
#[error("failed to evaluate target.model.{metric}")]
pub(super) struct ModelError {
    metric: MetricName,
    #[source]
    source: EvaluationError,
}

impl From<ModelError> for Fault {
    fn from(error: ModelError) -> Self {
        crate::fault::of_kind(FaultKind::Invalid, &error)
    }
}

/// One look at a simulated system.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look<'a> {
    pub(super) spec: &'a SimulatedSpec,
    pub(super) values: &'a Values,
    /// The iteration, as its key is written.
    pub(super) key: &'a str,
    /// Hours since the system came to be.
    pub(super) hours: f64,
    /// Number of the look.
    pub(super) number: u64,
}

impl Look<'_> {
    /// What is seen of one metric of the model; none for others.
    pub(super) fn at(&self, metric: &MetricName) -> Result<Option<f64>, ModelError> {
        let Some(formula) = self.spec.model.get(metric) else {
            return Ok(None);
        };
        let value = |name: &Name| match name {
            Name::Tunable(name) => self.values.get(&name.parse().ok()?)?.to_f64(),
            Name::Metric { .. } => None,
        };
        let truth = formula.evaluate(&value);
        let truth = truth.map_err(|source| ModelError {
            metric: metric.clone(),
            source,
        })?;
        let deployment = self.draw("deployment").factor(self.spec.deployment_noise);
        let noise = self.spec.noise.get(metric).copied().unwrap_or_default();
        let noise = self
            .draw(&format!("{metric}/{}", self.number))
            .factor(noise);
        let drift = self.spec.drift.mul_add(self.hours, 1.0);
        Ok(Some(truth * deployment * drift * noise))
    }

    fn draw(&self, purpose: &str) -> Draw {
        Draw::new(self.spec.seed, &format!("{}/{purpose}", self.key))
    }
}
