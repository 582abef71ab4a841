//! Domain, ports, pure state machines and engine of the Experiment Manager.

pub mod expression;
pub mod template;
pub mod value;
