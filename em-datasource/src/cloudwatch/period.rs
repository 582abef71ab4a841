//! How long periods are.

use std::time::Duration;

use em_core::observe::Window;
use jiff::{SignedDuration, Timestamp};

/// As many values as one metric needs at most.
const MOST: u64 = 1_000;
/// Lengths below a minute that are kept of metrics that are sent so often.
const SHORT: [u64; 5] = [1, 5, 10, 20, 30];
/// How long values are kept at least so finely: age, and the shortest period of what is older.
const KEPT: [(SignedDuration, u64); 3] = [
    (SignedDuration::from_hours(63 * 24), 3_600),
    (SignedDuration::from_hours(15 * 24), 300),
    (SignedDuration::from_hours(3), 60),
];

/// The period to ask for: a minute or as the file wants it, as far as values are kept so finely.
pub(super) fn of(window: Window, every: Option<Duration>, now: Timestamp) -> u64 {
    let seconds = u64::try_from(window.milliseconds()).unwrap_or_default();
    let fewest = seconds.div_ceil(1_000).div_ceil(MOST);
    let every = every.map_or(60, |every| {
        every.as_secs() + u64::from(every.subsec_nanos() > 0)
    });
    let wanted = every.max(fewest).max(1);
    let age = now.duration_since(window.start);
    let kept = KEPT.iter().find(|(oldest, _)| age >= *oldest);
    let multiple = match kept {
        Some((_, shortest)) => *shortest,
        None => match SHORT.iter().find(|short| **short >= wanted) {
            Some(short) => return *short,
            None => 60,
        },
    };
    wanted.div_ceil(multiple) * multiple
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn older_values_are_kept_less_finely() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let period = |length: i64, every: Option<u64>, hours: i64| {
            let window = Window {
                start: at(0),
                end: at(length),
            };
            of(window, every.map(Duration::from_secs), at(hours * 3_600))
        };
        assert_eq!(period(600, None, 1), 60);
        assert_eq!(period(600, Some(1), 1), 1);
        assert_eq!(period(600, Some(7), 1), 10);
        assert_eq!(period(600, Some(45), 1), 60);
        assert_eq!(period(600, Some(90), 1), 120);
        assert_eq!(period(3_000, Some(1), 1), 5);
        assert_eq!(period(600, Some(1), 3), 60);
        assert_eq!(period(600, None, 15 * 24), 300);
        assert_eq!(period(600, Some(400), 15 * 24), 600);
        assert_eq!(period(600, None, 63 * 24), 3_600);
        assert_eq!(period(7 * 86_400, None, 7 * 24), 660);
    }
}
