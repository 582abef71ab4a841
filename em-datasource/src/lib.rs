//! Sources of metrics over the network.
//!
//! [`PrometheusDatasource`] asks a server with history, [`ScrapeDatasource`] reads the page of
//! metrics that a target publishes itself. Not here: sources
//! of this machine (`em-local`), and folding series into observations (`em_core::fold`).

mod bucketed;
mod graphite;
mod http;
mod influxdb;
mod prometheus;
mod remote;
mod scrape;
mod selector;

pub use graphite::GraphiteDatasource;
pub use influxdb::InfluxDbDatasource;
pub use prometheus::PrometheusDatasource;
pub use scrape::ScrapeDatasource;
