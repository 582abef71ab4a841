//! The built-in mathematics keep the rules of their ports.

use em_core::testkit::conformance;
use em_summarize::{BuiltIn, BuiltInAnalyst};

#[test]
fn the_summarizer_keeps_the_rules() {
    conformance::summarizer(&BuiltIn);
}

#[test]
fn the_analyst_keeps_the_rules() {
    conformance::analyst(&BuiltInAnalyst);
}
