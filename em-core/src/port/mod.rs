//! Ports: what the engine needs from the outside, as object-safe traits.
//!
//! Methods look once or act once; the engine waits. So deadlines, retries and cancellation live in
//! one place. Every act is named by an [`OpKey`](crate::id::OpKey): the same key twice is one act
//! in effect. Each port has a conformance suite in `testkit::conformance`.

mod analyst;
mod asked;
mod clock;
mod context;
mod datasource;
mod load;
mod recommender;
mod store;
mod summarizer;
mod target;

pub use analyst::Analyst;
pub use asked::{Asked, Placeholders, WINDOW_PLACEHOLDERS, end_of_window};
pub use clock::{Clock, SystemClock};
pub use context::OpContext;
pub use datasource::{Answer, Datasource, Health, Labels, Point, Sampling, Series, Validation};
pub use load::{Capacity, LoadBatch, LoadDriver, LoadGoal, LoadPlan, LoadReport, LoadStatus};
pub use recommender::{PastTrial, Recommender, Suggestion};
pub use store::{Claim, Entry, Request, Store, StreamFilter, StreamHead, StreamId};
pub use summarizer::Summarizer;
pub use target::{
    Address, DeployPlan, Fact, Finding, Incident, IncidentKind, Readiness, Remnant, Severity,
    SlotInfo, Survey, Target, Undo,
};

#[cfg(any(test, feature = "mock"))]
pub use {
    analyst::MockAnalyst, clock::MockClock, datasource::MockDatasource, load::MockLoadDriver,
    recommender::MockRecommender, store::MockStore, summarizer::MockSummarizer, target::MockTarget,
};
