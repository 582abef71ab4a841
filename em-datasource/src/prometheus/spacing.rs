//! How far apart samples are.

use std::sync::LazyLock;
use std::time::Duration;

use em_core::port::Series;
use regex::Regex;

/// The median distance between neighbours over all series; none without three samples.
pub(super) fn of(series: &[Series]) -> Option<Duration> {
    let mut distances: Vec<Duration> = Vec::new();
    for one in series {
        let pairs = one.points.windows(2);
        let pairs = pairs.filter_map(|pair| Some(pair.last()?.at.duration_since(pair.first()?.at)));
        distances.extend(pairs.filter_map(|distance| Duration::try_from(distance).ok()));
    }
    if distances.len() < 2 {
        return None;
    }
    distances.sort_unstable();
    distances.get(distances.len() / 2).copied()
}

/// The shortest `[RANGE]` in a query. Strings may hold such a text too: it is a warning at worst.
pub(super) fn shortest_range(query: &str) -> Option<Duration> {
    static RANGE: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\[([0-9a-z]+)\]").expect("it is a valid expression"));
    let ranges = RANGE.captures_iter(query);
    let ranges = ranges.filter_map(|found| duration(found.get(1)?.as_str()));
    ranges.min()
}

/// A PromQL duration, `1h30m`.
pub(super) fn duration(text: &str) -> Option<Duration> {
    static PART: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"^([0-9]+)(ms|[smhdwy])").expect("it is a valid expression"));
    let (mut rest, mut whole) = (text, Duration::ZERO);
    while !rest.is_empty() {
        let found = PART.captures(rest)?;
        let number: u32 = found.get(1)?.as_str().parse().ok()?;
        let unit = match found.get(2)?.as_str() {
            "ms" => Duration::from_millis(1),
            "s" => Duration::from_secs(1),
            "m" => Duration::from_mins(1),
            "h" => Duration::from_hours(1),
            "d" => Duration::from_hours(24),
            "w" => Duration::from_hours(7 * 24),
            _ => Duration::from_hours(365 * 24),
        };
        whole = whole.checked_add(unit.checked_mul(number)?)?;
        rest = &rest[found.get(0)?.end()..];
    }
    (!text.is_empty()).then_some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_promql_writes_them() {
        assert_eq!(duration("1h30m"), Some(Duration::from_mins(90)));
        assert_eq!(duration("1500ms"), Some(Duration::from_millis(1500)));
        for wrong in ["", "5", "1.5m", "m", "1x", "99999999999s"] {
            assert_eq!(duration(wrong), None, "{wrong}");
        }
        assert_eq!(
            shortest_range("rate(a[5m]) / rate(b[30s])"),
            Some(Duration::from_secs(30))
        );
        assert_eq!(shortest_range("a[5m:1m]"), None);
    }
}
