//! Search of the Experiment Manager: grid, random, Latin hypercube, Gaussian process.
//!
//! Every method is a pure function of space, history and seed: nothing else has to be remembered,
//! and a replay gives the same points bit for bit.

pub mod axis;
pub mod bayesian;
mod built_in;
pub mod draws;
mod gaussian_process;
pub mod grid;
pub mod history;
pub mod latin_hypercube;
mod matrix;
mod normal;
pub mod random;
pub mod space;
pub mod translate;

pub use built_in::BuiltIn;
pub use history::{Known, Past};
pub use space::{Point, Space};
pub use translate::Translation;
