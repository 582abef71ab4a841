//! Load driver `command`: any tool that makes load and prints or logs what it saw.
//!
//! - `run: per-cycle`: one run of the tool is one batch; when it ends, it is started again, until the
//!   load is stopped. `{{duration_s}}` is the length of one cycle.
//! - `run: whole`: one run covers warm-up and all cycles, which is `{{duration_s}}`. Its numbers are known when it has ended, and
//!   are then laid into batches: what came with a time or in many lines where it came, what came once
//!   into every batch, per-request logs in the order of their lines, evenly.
//!
//! The tool runs under a guard in a folder of its own and is not in the target's cgroup.

mod batches;
mod driver;
mod run;

pub use driver::CommandLoadDriver;
