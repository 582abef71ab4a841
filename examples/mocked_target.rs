//! A mocked target: says what it is asked and what it must never be asked, here by an engine whose slot
//! is refused.
use std::collections::BTreeMap;
use std::error::Error;

use em_core::fault::{Fault, FaultKind};
use em_core::id::SlotId;
use em_core::port::{MockLoadDriver, MockTarget, OpContext, SlotInfo, Survey, Undo};

const FILE: &str = r"
name: refused
target: { kind: custom, name: mocked }
tunables: [{ name: workers, range: [1, 8], default: 2, apply: { env: WORKERS } }]
trials: [{ id: eight, values: { workers: 8 } }]
load: { kind: custom, name: mocked }
objective: { minimize: load.response_time.mean }
";

/// A target that is somebody else's. Without expectations for `deploy`, a deployment is a panic.
fn taken() -> MockTarget {
    let mut target = MockTarget::new();
    target.expect_outlives_manager().return_const(false);
    target.expect_remnants().returning(|_| Ok(Vec::new()));
    target.expect_survey().returning(|_, _| {
        let (id, label) = (SlotId(0), "the only one".to_owned());
        let slots = vec![SlotInfo { id, label }];
        Ok(Survey {
            slots,
            ..Survey::default()
        })
    });
    target.expect_acquire().returning(|_, _, _| {
        let refusal = "somebody else holds it";
        Err(Fault::new(FaultKind::Conflict, refusal))
    });
    // Refused is not untouched: the engine asks for the lock to be let go, without an undo.
    let without_undo = |_: &OpContext, undo: &Option<Undo>| undo.is_none();
    let restore = target.expect_restore().withf(without_undo);
    restore.times(1..).returning(|_, _| Ok(()));
    target
}

/// What the engine says when it cannot have the slot.
pub(crate) async fn example() -> Result<String, Box<dyn Error>> {
    let plan = em_examples::plan(FILE)?;
    let mut load = MockLoadDriver::new();
    load.expect_outlives_manager().return_const(false);
    load.expect_metrics().returning(|_| BTreeMap::new());
    let engine = em_examples::engine(taken(), load).build();
    match em_examples::answer(&engine, &plan).await {
        Ok(_) => Err("an answer without a target".into()),
        Err(refused) => Ok(refused.to_string()),
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    em_examples::show(&example().await?);
    Ok(())
}
