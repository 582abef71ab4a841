//! What the examples beside this folder share, so that each shows its own part only; `embed.rs` shows
//! the whole. `tests/four_ways.rs` runs them all, and the Rust code of the README.

use std::error::Error;
use std::sync::Arc;

use em_core::engine::{Control, Engine, EngineBuilder, WhenPaused};
use em_core::file::{FileContext, parse};
use em_core::plan::{Plan, TargetSpec};
use em_core::port::{Clock, LoadDriver, SystemClock, Target};
use em_core::report::Report;
use em_core::store::MemoryStore;
use em_local::simulated::{SimulatedLoad, SimulatedTarget};
use em_summarize::{BuiltIn, BuiltInAnalyst};

/// The plan that an experiment file means.
pub fn plan(text: &str) -> Result<Plan, Box<dyn Error>> {
    Ok(parse(text.as_bytes(), &FileContext::bare())?.plan)
}

/// An engine with the built-in statistics that remembers nothing beyond the process.
pub fn engine(target: impl Target, load: impl LoadDriver) -> EngineBuilder {
    let (target, load) = (Arc::new(target), Arc::new(load));
    let (analyst, store) = (Arc::new(BuiltInAnalyst), Arc::new(MemoryStore::new()));
    Engine::builder(target, load, analyst, store).summarizer("built-in", Arc::new(BuiltIn))
}

/// The same over the formula of a plan of kind `simulated`: for examples about something else.
pub fn rehearsal(plan: &Plan) -> Result<EngineBuilder, Box<dyn Error>> {
    let TargetSpec::Simulated(spec) = &plan.target else {
        return Err(format!("{} is about another kind of target", plan.name).into());
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let target = SimulatedTarget::new(Arc::clone(&clock));
    Ok(engine(target, SimulatedLoad::new(spec.clone(), clock)))
}

/// A target of kind `simulated`: for examples about something else.
pub fn simulated() -> SimulatedTarget {
    SimulatedTarget::new(Arc::new(SystemClock))
}

/// Runs a plan to its answer; where a person is called for, that is an error.
pub async fn answer(engine: &Engine, plan: &Plan) -> Result<Report, Box<dyn Error>> {
    engine.create(plan).await?;
    let control = Control {
        when_paused: WhenPaused::Leave,
        ..Control::default()
    };
    Ok(engine.run(&plan.name, control).await?)
}

/// Prints what an example has found.
#[expect(clippy::print_stdout, reason = "examples are run by people")]
pub fn show(found: &impl std::fmt::Debug) {
    println!("{found:?}");
}

/// Sorts `size` numbers, and says how many seconds that took.
pub fn time_to_sort(size: f64) -> f64 {
    let began = SystemClock.now();
    let mut numbers = Vec::new();
    let mut left = size;
    while left >= 1.0 {
        numbers.push(left.to_bits().reverse_bits());
        left -= 1.0;
    }
    numbers.sort_unstable();
    std::hint::black_box(numbers);
    SystemClock.now().duration_since(began).as_secs_f64()
}

/// The Rust code of the README, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
