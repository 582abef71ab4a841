//! Requests that anybody leaves in an experiment's inbox, for its owner to take.

use serde::{Deserialize, Serialize};

use super::error::EngineError;
use super::ports::Engine;
use crate::id::ExperimentName;

/// What somebody asks of a running, or of the next, owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "snake_case")]
pub enum Order {
    /// Place nothing new, let the wave end, put everything back.
    Pause {
        /// Why, or who asks.
        why: String,
    },
    /// Go on.
    Resume,
    /// Call the experiment off for good.
    Cancel {
        /// Who asks.
        by: String,
    },
    /// Try again to put back what could not be put back.
    RestoreAgain,
    /// Somebody has put back what could not be put back.
    RestoredByHand {
        /// Who.
        by: String,
    },
}

impl Engine {
    /// Leaves a request for the owner of an experiment; answers its number.
    pub async fn submit(&self, name: &ExperimentName, order: &Order) -> Result<u64, EngineError> {
        let body = serde_json::to_string(order).expect("orders are plain text");
        let submitted = self.ports.store.submit(name, &body).await;
        submitted.map_err(EngineError::failed(format!("leave a request for {name}")))
    }
}
