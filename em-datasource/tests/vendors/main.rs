//! Sources that only their vendors run: local servers answer in the shapes that were recorded of them.

mod asking;
mod cloudwatch;
mod datadog;
mod dynatrace;
mod graphite;
mod hosts;
mod influxdb;
mod instana;
mod json;
mod newrelic;
mod signed;
