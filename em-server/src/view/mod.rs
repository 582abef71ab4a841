//! What commands show, as text: pure functions of plans and reports.

pub mod design;
pub mod export;
pub mod forecast;
pub mod intent;
pub mod plan;
pub mod progress;
pub mod rendered;
pub mod report;
pub mod section;
pub mod summary;
