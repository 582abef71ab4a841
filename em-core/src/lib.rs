//! Domain, ports, pure state machines and engine of the Experiment Manager.

pub mod value;
