//! Open-model HTTP load generator of the Experiment Manager.
//!
//! Requests go out when they are *due*, whatever the target does; what a user waits is counted
//! from the due time. So a target that stalls shows it, instead of slowing its own load down.
//! A [`Run`] is one stretch of load: [`Profile`] and [`Arrivals`] make the [`Schedule`], a thread
//! of its own keeps the time, another one sends over keep-alive connections, and results come
//! as [`Batch`]es with exact counts and mergeable distributions.
//!
//! Not here: judging the numbers (`em-summarize`), deploying what is loaded (`em-local`,
//! `em-kube`). TLS and HTTP/2 are not spoken yet.

mod batch;
mod capacity;
mod checks;
mod connection;
mod counts;
pub mod demo;
mod dispatcher;
mod driver;
pub mod external;
mod fault;
mod moment;
mod null_server;
mod outcome;
mod pacer;
mod profile;
mod recorder;
mod recording;
mod report;
mod request;
mod run;
mod schedule;
mod wire;

pub use batch::{Batch, PackedTimes, Times};
pub use capacity::{Bracket, Capacity, CapacityBudget, CapacityError, Step, find_capacity};
pub use checks::SelfChecks;
pub use counts::Counts;
pub use driver::HttpDriver;
pub use moment::Moment;
pub use null_server::NullServer;
pub use outcome::ErrorClass;
pub use profile::{Phase, Profile, ProfileError};
pub use recording::{Exact, Packed, Recording, RecordingError};
pub use report::{Report, RunFacts, Stretch};
pub use request::{Destination, LookupError, RequestError, RequestTemplate};
pub use run::{Progress, Run, RunError, RunPlan};
pub use schedule::{Arrivals, Schedule};
pub use wire::ReportError;
