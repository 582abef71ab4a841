//! How long buckets are: what is asked for, and what is answered.

use std::time::Duration;

use em_core::observe::Window;
use jiff::Timestamp;

/// A server keeps at most so many buckets of a window.
const MOST: u64 = 1_500;

/// The length to ask for: as fine as the server keeps it over such a window, unless the file wants
/// it coarser.
pub(super) fn asked(window: Window, every: Option<Duration>) -> Duration {
    let length = u64::try_from(window.milliseconds()).unwrap_or_default();
    let seconds = length.div_ceil(1000);
    let hours = |count: u64| count * 3600;
    let finest = if seconds <= hours(1) {
        20
    } else if seconds <= hours(4) {
        60
    } else {
        300
    };
    let own = Duration::from_secs(finest.max(seconds.div_ceil(MOST)));
    own.max(every.unwrap_or_default())
}

/// The length that the times show. Buckets without data may be left out, so some distances are
/// multiples of it: where the expected one occurs, that is it, and else the median.
pub(super) fn real(times: &[Timestamp], expected: Duration) -> Duration {
    let mut times = times.to_vec();
    times.sort_unstable();
    times.dedup();
    let pairs = times.windows(2);
    let pairs = pairs.filter_map(|pair| Some(pair.last()?.duration_since(*pair.first()?)));
    let distances = pairs.filter_map(|distance| Duration::try_from(distance).ok());
    let mut distances: Vec<Duration> = distances.collect();
    if distances.contains(&expected) {
        return expected;
    }
    distances.sort_unstable();
    let median = distances.get(distances.len() / 2);
    median.copied().unwrap_or(expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn longer_windows_have_longer_buckets() {
        let length = |seconds: i64, every: Option<u64>| {
            let (start, end) = (at(0), at(seconds));
            let every = every.map(Duration::from_secs);
            asked(Window { start, end }, every).as_secs()
        };
        let hour = 3600;
        assert_eq!(length(60, None), 20);
        assert_eq!(length(hour, None), 20);
        assert_eq!(length(hour + 1, None), 60);
        assert_eq!(length(4 * hour, None), 60);
        assert_eq!(length(24 * hour, None), 300);
        assert_eq!(length(7 * 24 * hour, None), 404);
        assert_eq!(length(60, Some(5)), 20);
        assert_eq!(length(60, Some(45)), 45);
    }

    #[test]
    fn the_times_tell_how_long_buckets_are() {
        let seconds = |times: &[i64]| {
            let times: Vec<Timestamp> = times.iter().map(|second| at(*second)).collect();
            real(&times, Duration::from_secs(20)).as_secs()
        };
        assert_eq!(seconds(&[]), 20);
        assert_eq!(seconds(&[60]), 20);
        assert_eq!(seconds(&[0, 20, 40]), 20);
        assert_eq!(seconds(&[0, 60, 120, 180]), 60);
        assert_eq!(seconds(&[7, 60, 120, 180]), 60);
        assert_eq!(seconds(&[120, 0, 60, 60]), 60);
        // Most buckets are left out, and one distance shows it.
        assert_eq!(seconds(&[0, 60, 80, 140, 200]), 20);
    }
}
