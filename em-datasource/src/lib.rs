//! Sources of metrics over the network.
//!
//! | kind | who answers |
//! |---|---|
//! | [`PrometheusDatasource`] | Prometheus, and all that answer like it |
//! | [`CloudWatchDatasource`], [`DatadogDatasource`], [`DynatraceDatasource`], [`InstanaDatasource`], [`NewRelicDatasource`] | their vendors |
//! | [`InfluxDbDatasource`], [`GraphiteDatasource`] | databases of time series |
//! | [`JsonDatasource`] | whoever gives JSON documents |
//! | [`ScrapeDatasource`] | the page of metrics that a target publishes itself |
//! | [`PushDatasource`] | the workload, which reports to us |
//!
//! Not here: sources of this machine (`em-local`), and folding series into observations
//! (`em_core::fold`).

mod bucketed;
mod cloudwatch;
mod datadog;
mod distinct;
mod dynatrace;
mod graphite;
mod influxdb;
mod instana;
mod instant;
mod json;
mod look;
mod native;
mod newrelic;
mod prometheus;
mod push;
mod remote;
mod scrape;
mod selector;
mod spelled;
pub mod wire;

pub use cloudwatch::CloudWatchDatasource;
pub use datadog::DatadogDatasource;
pub use dynatrace::DynatraceDatasource;
pub use graphite::GraphiteDatasource;
pub use influxdb::InfluxDbDatasource;
pub use instana::InstanaDatasource;
pub use json::JsonDatasource;
pub use newrelic::NewRelicDatasource;
pub use prometheus::PrometheusDatasource;
pub use push::{PUSH_TOKEN, PUSH_URL, PushDatasource};
pub use remote::{HostPattern, HostPatternError, HostPolicy};
pub use scrape::ScrapeDatasource;
