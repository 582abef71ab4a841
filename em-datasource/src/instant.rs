//! Points in time that documents write as numbers.

use jiff::Timestamp;

/// The instant so many seconds after 1970, to the microsecond: as exact as a number with a fraction
/// tells it today.
pub(crate) fn instant(seconds: f64) -> Option<Timestamp> {
    let microseconds = (seconds * 1e6).round();
    // Far beyond all timestamps; NaN is none.
    let is_near = microseconds.abs() < 1e18;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "it is a whole number that fits"
    )]
    let at = is_near.then(|| Timestamp::from_microsecond(microseconds as i64));
    at.and_then(Result::ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_fraction_comes_back_as_it_was() {
        let at = instant(1_700_000_000.123).unwrap();
        assert_eq!(at.as_microsecond(), 1_700_000_000_123_000);
        assert_eq!(instant(-0.5).unwrap().as_millisecond(), -500);
    }

    #[test]
    fn what_is_no_time_is_none() {
        for seconds in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300, 1e12] {
            assert_eq!(instant(seconds), None, "{seconds}");
        }
    }
}
