//! What commands show, as text: pure functions of plans.

pub mod forecast;
pub mod plan;
pub mod rendered;
