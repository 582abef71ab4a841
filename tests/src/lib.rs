//! What tests of the whole house share: where the repository is, and what Cargo knows of it.

pub mod capabilities;
pub mod house;
pub mod http;
pub mod prometheus;
