//! Tests with real processes, sockets and files on this machine.
#![expect(clippy::unwrap_used, reason = "in a test, a panic is the report")]
#![expect(clippy::print_stderr, reason = "a skipped test says why")]

mod cgroup;
mod command;
mod conformance;
mod guard;
mod load;
mod process;
mod simulated;
mod support;
