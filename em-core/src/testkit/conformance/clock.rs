//! The rules of the [`Clock`] port.

use crate::port::Clock;

/// Puts a clock through its rules.
///
/// # Panics
/// When a rule is broken.
pub fn clock(clock: &dyn Clock) {
    let mut last = clock.now();
    for _ in 0..10_000 {
        let now = clock.now();
        assert!(now >= last, "time goes back from {last} to {now}");
        last = now;
    }
}
