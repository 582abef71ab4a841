//! Local targets of the Experiment Manager: process, command, observe, simulated.

pub mod artifacts;
pub mod cgroup;
pub mod cores;
mod fault;
pub mod fill;
pub mod fitness;
pub mod guard;
pub mod launch;
pub mod lock;
pub mod lock_file;
pub mod mark;
pub mod measuring_lock;
pub mod output;
pub mod port;
pub mod proc_facts;
pub mod proc_table;
pub mod process;
pub mod programs;
pub mod readiness;
pub mod remnants;
pub mod stop;
pub mod surroundings;
pub mod user;
pub mod workdir;
