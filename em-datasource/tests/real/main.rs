//! Datasources against real servers: `tests/run datasources` installs and runs them.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod asking;
mod auth;
mod faults;
mod golden;
mod influxdb;
mod native;
mod page;
mod prometheus;
mod servers;
mod sums;
mod tunnel;
mod writing;
