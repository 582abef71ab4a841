//! Sources of metrics over the network.
//!
//! [`PrometheusDatasource`] asks a server with history, [`ScrapeDatasource`] reads the page of
//! metrics that a target publishes itself, [`JsonDatasource`] reads numbers in JSON documents.
//! Not here: sources of this machine (`em-local`), and folding series into observations
//! (`em_core::fold`).

mod bucketed;
mod instant;
mod json;
mod look;
mod prometheus;
mod remote;
mod scrape;
mod selector;

pub use json::JsonDatasource;
pub use prometheus::PrometheusDatasource;
pub use scrape::ScrapeDatasource;
