//! Local targets of the Experiment Manager: process, command, observe, simulated.

pub mod artifacts;
pub mod cgroup;
pub mod cores;
pub mod fitness;
pub mod guard;
pub mod launch;
pub mod lock;
pub mod lock_file;
pub mod mark;
pub mod measuring_lock;
pub mod output;
pub mod port;
pub mod proc_table;
pub mod programs;
pub mod readiness;
pub mod stop;
pub mod user;
pub mod workdir;
