//! The store in memory: the reference of the [`Store`](crate::port::Store) port, for tests and for
//! embedders who need no durability.

mod crash;
mod memory;
mod shelf;

pub use crash::Crash;
pub use memory::MemoryStore;
