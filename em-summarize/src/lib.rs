//! Statistics of the Experiment Manager: pure, synchronous, no I/O.
//!
//! Numbers come out with what is needed to judge them: estimator, quantile type, interval method,
//! level of replication, n and effective n. Where data cannot carry an interval there is none.

#![cfg_attr(
    test,
    expect(
        clippy::float_cmp,
        reason = "tests ask for exact values where they are exact"
    )
)]

pub mod analyst;
pub mod block;
pub mod bounds;
pub mod buckets;
pub mod equivalence;
pub mod histogram;
pub mod holm;
pub mod interval;
pub mod label;
pub mod looks;
pub mod moments;
mod pooled;
pub mod quantile;
pub mod race;
pub mod sample;
pub mod sign_flip;
mod student;
pub mod summarizer;
pub mod verdict;
pub mod warmup;

pub use analyst::BuiltInAnalyst;
pub use block::{Effect, Pair, PairedBlocks, Scale};
pub use buckets::Buckets;
pub use histogram::Merged;
pub use interval::{Insufficient, Interval, IntervalMethod};
pub use moments::Moments;
pub use quantile::QuantileType;
pub use sample::{Sample, SampleError};
pub use summarizer::BuiltIn;
