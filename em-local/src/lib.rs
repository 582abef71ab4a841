//! Local targets of the Experiment Manager: process, command, observe, simulated.

pub mod cgroup;
pub mod cores;
pub mod guard;
pub mod launch;
pub mod mark;
pub mod output;
pub mod proc_table;
pub mod stop;
