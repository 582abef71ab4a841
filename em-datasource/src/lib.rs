//! Sources of metrics over the network.
//!
//! [`ScrapeDatasource`] reads the page of metrics that a target publishes itself. Not here: sources
//! of this machine (`em-local`), and folding series into observations (`em_core::fold`).

mod http;
mod scrape;

pub use scrape::ScrapeDatasource;
