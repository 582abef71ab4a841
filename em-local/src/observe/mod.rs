//! Target `observe`: nothing is deployed. The hold locks nothing, its undo is empty, and what runs goes
//! on whatever happens to the manager.

use std::time::Duration;

use async_trait::async_trait;
use em_core::fault::Fault;
use em_core::id::SlotId;
use em_core::plan::Plan;
use em_core::port::{
    DeployPlan, Incident, OpContext, Readiness, Remnant, SlotInfo, Survey, Target, Undo,
};
use jiff::Timestamp;

/// Somebody else's system, only looked at.
#[derive(Debug, Clone, Copy, Default)]
pub struct ObserveTarget;

#[async_trait]
impl Target for ObserveTarget {
    async fn survey(&self, _cx: &OpContext, _plan: &Plan) -> Result<Survey, Fault> {
        let slots = vec![SlotInfo {
            id: SlotId(0),
            label: "as it is".to_owned(),
        }];
        Ok(Survey {
            slots,
            ..Survey::default()
        })
    }

    async fn acquire(&self, _cx: &OpContext, _plan: &Plan, _slot: SlotId) -> Result<Undo, Fault> {
        Ok(Undo {
            kind: "observe".to_owned(),
            format: 1,
            body: serde_json::Value::Null,
        })
    }

    async fn deploy(&self, _cx: &OpContext, _plan: &DeployPlan) -> Result<(), Fault> {
        Ok(())
    }

    async fn readiness(&self, _cx: &OpContext, _plan: &DeployPlan) -> Result<Readiness, Fault> {
        Ok(Readiness::Ready {
            facts: Vec::new(),
            addresses: Vec::new(),
        })
    }

    async fn health(&self, _cx: &OpContext, _since: Timestamp) -> Result<Vec<Incident>, Fault> {
        Ok(Vec::new())
    }

    async fn withdraw(&self, _cx: &OpContext) -> Result<(), Fault> {
        Ok(())
    }

    async fn restore(&self, _cx: &OpContext, _undo: Option<Undo>) -> Result<(), Fault> {
        Ok(())
    }

    async fn remnants(&self, _cx: &OpContext) -> Result<Vec<Remnant>, Fault> {
        Ok(Vec::new())
    }

    async fn end_remnant(&self, _cx: &OpContext, _remnant: &Remnant) -> Result<(), Fault> {
        Ok(())
    }

    async fn changed(&self, _cx: &OpContext) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }

    fn outlives_manager(&self) -> bool {
        true
    }
}
