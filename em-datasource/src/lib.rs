//! Sources of metrics over the network.
//!
//! [`PrometheusDatasource`] asks a server with history, [`ScrapeDatasource`] reads the page of
//! metrics that a target publishes itself. Not here: sources
//! of this machine (`em-local`), and folding series into observations (`em_core::fold`).

mod bucketed;
mod datadog;
mod http;
mod instana;
mod prometheus;
mod push;
mod remote;
mod scrape;
mod selector;
pub mod wire;

pub use datadog::DatadogDatasource;
pub use instana::InstanaDatasource;
pub use prometheus::PrometheusDatasource;
pub use push::{PUSH_TOKEN, PUSH_URL, PushDatasource};
pub use scrape::ScrapeDatasource;
