//! How long slots are: what is asked for, and what is answered.

use std::time::Duration;

use em_core::observe::Window;
use jiff::{SignedDuration, Timestamp};

/// No slot is shorter, and all begin at a multiple of it.
const MINUTE: u64 = 60;
/// As many slots as one metric needs at most.
const MOST: u64 = 1_000;

/// The length to ask for, in whole minutes: at least as long as the file wants it.
pub(super) fn asked(window: Window, every: Option<Duration>) -> Duration {
    let length = u64::try_from(window.milliseconds()).unwrap_or_default();
    let finest = length.div_ceil(1_000).div_ceil(MOST);
    let every = every.unwrap_or_default();
    let every = every.as_secs() + u64::from(every.subsec_nanos() > 0);
    let minutes = finest.max(every).max(1).div_ceil(MINUTE);
    Duration::from_secs(minutes * MINUTE)
}

/// The same as a parameter.
pub(super) fn spelled(length: Duration) -> String {
    format!("{}m", length.as_secs() / MINUTE)
}

/// A length as an answer tells it. Months and longer have no length of their own.
pub(super) fn told(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number: u32 = number.parse().ok()?;
    let unit = match unit {
        "m" => Duration::from_mins(1),
        "h" => Duration::from_hours(1),
        "d" => Duration::from_hours(24),
        "w" => Duration::from_hours(7 * 24),
        _ => return None,
    };
    unit.checked_mul(number).filter(|length| !length.is_zero())
}

/// The whole minutes inside a window, where there are any.
pub(super) fn whole_minutes(window: Window) -> Option<Window> {
    let minute = i64::try_from(MINUTE * 1_000).ok()?;
    let start = window.start.as_nanosecond();
    let start = start.div_euclid(1_000_000) + i128::from(start.rem_euclid(1_000_000) > 0);
    let start = i64::try_from(start).ok()?;
    let start = start.checked_add(minute - 1)?.div_euclid(minute) * minute;
    let end = window.end.as_millisecond().div_euclid(minute) * minute;
    let whole = Window {
        start: Timestamp::from_millisecond(start).ok()?,
        end: Timestamp::from_millisecond(end).ok()?,
    };
    (whole.end.duration_since(whole.start) > SignedDuration::ZERO).then_some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(start: i64, end: i64) -> Window {
        let at = |ms| Timestamp::from_millisecond(ms).unwrap();
        Window {
            start: at(start),
            end: at(end),
        }
    }

    #[test]
    fn slots_are_whole_minutes_and_not_too_many() {
        let length = |seconds: i64, every: Option<u64>| {
            let every = every.map(Duration::from_secs);
            spelled(asked(window(0, seconds * 1_000), every))
        };
        assert_eq!(length(60, None), "1m");
        assert_eq!(length(60_000, None), "1m");
        assert_eq!(length(60_001, None), "2m");
        assert_eq!(length(7 * 86_400, None), "11m");
        assert_eq!(length(60, Some(15)), "1m");
        assert_eq!(length(60, Some(61)), "2m");
        assert_eq!(length(60, Some(300)), "5m");
    }

    #[test]
    fn a_length_is_read_as_it_is_told() {
        assert_eq!(told("1m"), Some(Duration::from_mins(1)));
        assert_eq!(told("10m"), Some(Duration::from_mins(10)));
        assert_eq!(told("6h"), Some(Duration::from_hours(6)));
        assert_eq!(told("2w"), Some(Duration::from_hours(14 * 24)));
        for text in ["", "m", "1", "1M", "1q", "Inf", "0m", "1µ", "99999999999w"] {
            assert_eq!(told(text), None, "{text}");
        }
    }

    #[test]
    fn only_minutes_that_lie_inside_are_whole() {
        let whole = |start, end| {
            let whole = whole_minutes(window(start, end))?;
            Some((whole.start.as_second(), whole.end.as_second()))
        };
        assert_eq!(whole(60_000, 180_000), Some((60, 180)));
        assert_eq!(whole(60_001, 239_999), Some((120, 180)));
        assert_eq!(whole(60_001, 179_999), None);
        assert_eq!(whole(60_000, 60_000), None);
    }
}
