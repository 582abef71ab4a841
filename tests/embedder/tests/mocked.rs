//! A service may test itself against mocks of the ports.

use std::collections::BTreeMap;
use std::sync::Arc;

use em_core::engine::{Control, Engine, WhenPaused};
use em_core::fault::{Fault, FaultKind};
use em_core::file::{FileContext, parse};
use em_core::port::{MockLoadDriver, MockTarget, Survey};
use em_core::store::MemoryStore;
use em_summarize::{BuiltIn, BuiltInAnalyst};

const QUESTION: &str = r"
name: closed
target: { kind: custom, name: office }
tunables: [{ name: clerks, range: [1, 8], default: 1, apply: { env: CLERKS } }]
trials: [{ id: three, values: { clerks: 3 } }]
load: { kind: custom, name: visitors }
objective: { minimize: load.response_time.mean }
";

#[tokio::test]
async fn an_office_that_is_held_is_never_deployed_to() {
    let mut target = MockTarget::new();
    target.expect_outlives_manager().return_const(false);
    target.expect_remnants().returning(|_| Ok(Vec::new()));
    target
        .expect_survey()
        .returning(|_, _| Ok(Survey::slots(1, "counter")));
    target
        .expect_acquire()
        .returning(|_, _, _| Err(Fault::new(FaultKind::Conflict, "the office is held")));
    target.expect_restore().returning(|_, _| Ok(()));
    target.expect_deploy().never();
    let mut load = MockLoadDriver::new();
    load.expect_outlives_manager().return_const(false);
    load.expect_metrics().returning(|_| BTreeMap::new());

    let plan = parse(QUESTION.as_bytes(), &FileContext::bare())
        .unwrap()
        .plan;
    let (target, load) = (Arc::new(target), Arc::new(load));
    let (analyst, store) = (Arc::new(BuiltInAnalyst), Arc::new(MemoryStore::new()));
    let engine = Engine::builder(target, load, analyst, store)
        .summarizer("built-in", Arc::new(BuiltIn))
        .build();
    engine.create(&plan).await.unwrap();
    let control = Control {
        when_paused: WhenPaused::Leave,
        ..Control::default()
    };
    let refused = engine.run(&plan.name, control).await.unwrap_err();
    assert!(refused.to_string().contains("the office is held"));
}
