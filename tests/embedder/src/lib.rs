//! A ticket office that finds out by itself how many clerks it needs: a service that embeds the engine, with a target,
//! a load driver, a datasource and a summarizer of its own. Only the judgement, the Analyst, is the usual one.

mod line;
mod office;
mod visitors;
mod worst_tenth;

use std::error::Error;
use std::sync::Arc;

use em_core::engine::{Control, Engine};
use em_core::file::{FileContext, parse};
use em_core::port::{Clock, SystemClock};
use em_core::report::Report;
use em_core::store::MemoryStore;
use em_summarize::{BuiltIn, BuiltInAnalyst};

pub use line::Line;
pub use office::Office;
pub use visitors::Visitors;
pub use worst_tenth::WorstTenth;

/// What the service asks: how does the line do with two more clerks?
pub const QUESTION: &str = r#"
name: clerks
target: { kind: custom, name: office }
tunables: [{ name: clerks, range: [1, 8], apply: { env: CLERKS } }]
baseline: live
trials: [{ id: three, values: { clerks: 3 } }]
load: { kind: custom, name: visitors }
datasources: { line: { kind: custom, name: line } }
metrics: [{ name: line, datasource: line, query: waiting, as: gauge, summarizer: worst-tenth }]
objective: { minimize: line.worst_tenth }
constraints: ["load.response_time.mean <= 1s"]
measurement: { warmup: 0s, cycles: 1, cycle_duration: 200ms, iterations: { max: 6 } }
"#;

/// Runs the experiment over the office and answers its report.
///
/// # Errors
/// A question that is no experiment, or an engine that could not go on.
pub async fn ask(office: &Office, question: &str) -> Result<Report, Box<dyn Error>> {
    let context = FileContext::bare().summarizer("worst-tenth", &WorstTenth);
    let plan = parse(question.as_bytes(), &context)?.plan;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let engine = Engine::builder(
        Arc::new(office.clone()),
        Arc::new(Visitors::new(office, Arc::clone(&clock))),
        Arc::new(BuiltInAnalyst),
        Arc::new(MemoryStore::new()),
    )
    .datasource("line".parse()?, Arc::new(Line::new(office, clock)))
    .summarizer("built-in", Arc::new(BuiltIn))
    .summarizer("worst-tenth", Arc::new(WorstTenth))
    .build();
    engine.create(&plan).await?;
    Ok(engine.run(&plan.name, Control::default()).await?)
}
