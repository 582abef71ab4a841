//! Embeds the engine: an experiment as text, a target, a load, the statistics and a store.
//!
//! `cargo run -p em-examples --example embed`

use std::error::Error;
use std::sync::Arc;

use em_core::engine::{Control, Engine};
use em_core::file::{FileContext, parse};
use em_core::plan::TargetSpec;
use em_core::port::{Clock, SystemClock};
use em_core::report::Report;
use em_core::store::MemoryStore;
use em_local::simulated::{SimulatedLoad, SimulatedTarget};
use em_summarize::{BuiltIn, BuiltInAnalyst};

/// A formula instead of a system: four workers are best, the default is two.
const FILE: &str = r#"
name: embedded
target:
  kind: simulated
  model: { load.response_time: "0.010 + 0.005 * abs(values.workers - 4)" }
tunables: [{ name: workers, range: [1, 8], default: 2, apply: { env: WORKERS } }]
trials: [{ id: four, values: { workers: 4 } }, { id: six, values: { workers: 6 } }]
load: { kind: http, url: "http://{{address}}/", rate: 200 }
objective: { minimize: load.response_time.mean }
measurement: { warmup: 0s, cycles: 1, cycle_duration: 200ms, iterations: { max: 7 } }
"#;

/// Runs the experiment to its answer.
pub(crate) async fn example() -> Result<Report, Box<dyn Error>> {
    let plan = parse(FILE.as_bytes(), &FileContext::bare())?.plan;
    let TargetSpec::Simulated(spec) = &plan.target else {
        return Err("the file is about another kind of target".into());
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let engine = Engine::builder(
        Arc::new(SimulatedTarget::new(Arc::clone(&clock))),
        Arc::new(SimulatedLoad::new(spec.clone(), clock)),
        Arc::new(BuiltInAnalyst),
        Arc::new(MemoryStore::new()),
    )
    .summarizer("built-in", Arc::new(BuiltIn))
    .build();
    engine.create(&plan).await?;
    Ok(engine.run(&plan.name, Control::default()).await?)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let best = example().await?.winning;
    em_examples::show(&best);
    Ok(())
}
