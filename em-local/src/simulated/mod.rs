//! Target `simulated`: a formula instead of a system, and the load that goes with it.
//!
//! The model gives the true value of each metric under a configuration. What is seen of it is
//! `true * deployment * drift * noise`: a factor drawn once per iteration, a relative change per hour
//! of the clock, and a factor drawn anew at every look. All draws follow from the seed, the key of the
//! act and the number of the look, so a rehearsal repeats. Time is whatever the clock says: with a
//! clock of its own a rehearsal takes as long as its waits.

mod draw;
mod load;
mod model;
mod target;

pub use load::SimulatedLoad;
pub use target::SimulatedTarget;
