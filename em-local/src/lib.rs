//! Local adapters of the Experiment Manager, for Linux.
//!
//! | port | kind in the file | here |
//! |---|---|---|
//! | `Target` | `process` | [`process::ProcessTarget`] |
//! | `Target` | `command` | [`command::CommandTarget`] |
//! | `Target` | `observe` | [`observe::ObserveTarget`] |
//! | `Target` | `simulated` | [`simulated::SimulatedTarget`], and its load [`simulated::SimulatedLoad`] |
//! | `LoadDriver` | `command` | [`command_load::CommandLoadDriver`] |
//! | `Datasource` | `command`, `csv` | [`datasource::CommandDatasource`], [`datasource::CsvDatasource`] |
//!
//! Everything that is started hangs below a [`guard`], carries a [`mark`], and is gone moments after its
//! manager, however that one ended. What the adapters need to know of their program is in
//! [`surroundings::Surroundings`].

pub mod artifacts;
pub mod call;
pub mod cgroup;
pub mod command;
pub mod command_load;
pub mod cores;
pub mod datasource;
mod distribution;
mod fault;
pub mod fill;
pub mod fitness;
pub mod guard;
mod held;
pub mod launch;
pub mod lock;
pub mod lock_file;
pub mod mark;
pub mod measuring_lock;
pub mod observe;
pub mod output;
pub mod port;
pub mod proc_facts;
pub mod proc_table;
pub mod process;
pub mod programs;
pub mod readiness;
mod record;
pub mod remnants;
mod rules;
pub mod simulated;
pub mod stop;
pub mod surroundings;
pub mod user;
pub mod workdir;
