//! What tests of the engine and of adapters share: fakes, builders, conformance suites of the ports.
#![expect(
    clippy::unwrap_used,
    reason = "test code: it panics where a rule is broken"
)]

pub mod conformance;

mod clock;
mod datasource;
mod load;
mod mathematics;
mod plan;
mod recommender;
mod target;

pub use clock::ManualClock;
pub use datasource::FakeDatasource;
pub use load::FakeLoad;
pub use mathematics::{PlainAnalyst, PlainSummarizer};
pub use plan::{PlanBuilder, a_plan, a_workload};
pub use recommender::FakeRecommender;
pub use target::{FakeTarget, Outside};
