//! Composition and command line of the Experiment Manager.
//!
//! The only crate that names every adapter. Commands are in [`cli`], one file each; what they show is made by pure functions in
//! [`view`].

pub mod cli;
pub mod compose;
pub mod experiment_file;
pub mod kept;
pub mod screen;
pub mod settings;
pub mod view;
