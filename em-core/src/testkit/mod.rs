//! What tests of the engine and of adapters share: conformance suites of the ports.

pub mod conformance;
