//! The quickstart's service: an HTTP server with real tunables and a known best configuration.
//!
//! A request is split into eight pieces. `WORKERS` pieces are worked on at a time, so more
//! workers need fewer rounds; but every worker must be coordinated, which costs time per worker.
//! Pieces are kept in an LRU cache; without it each round reads from a slow store first. At
//! most 40 requests are worked on at once, the others queue in order of arrival: that bounds the
//! throughput, and under too much load the latency grows as in any real service.
//!
//! All work is *waiting* (timers), none is computing: the latency follows [`model`] on any
//! machine that is not overloaded, and the service takes next to no CPU from what measures it.

mod cache;
mod exposition;
pub mod model;
mod service;

pub use exposition::BOUNDS_MS;
pub use service::{Demo, DemoOptions, serve};
