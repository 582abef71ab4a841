//! One suite per port: whatever implements the port passes it, fakes and adapters alike.
//!
//! A suite panics at the first rule that is broken and says which.
#![expect(
    clippy::unwrap_used,
    reason = "a suite is test code: it panics where a rule is broken"
)]

mod store;

pub use store::store;
