//! A statement of `InfluxQL`, read as far as must be known before it is sent: that it only reads,
//! that it is one, and how it cuts time.

use std::sync::LazyLock;
use std::time::Duration;

use em_core::fault::{Fault, FaultKind};
use regex::Regex;

use super::mask::Mask;

/// One `SELECT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Statement {
    /// How long each bucket of `GROUP BY time(...)` is.
    pub(super) bucket: Option<Duration>,
    /// Whether a condition says where time begins.
    pub(super) has_start: bool,
}

impl Statement {
    /// Reads it; refuses what would change the database, and what is more than one.
    pub(crate) fn parse(text: &str) -> Result<Self, Fault> {
        static SELECT: LazyLock<Regex> = LazyLock::new(|| regex(r"^(?i)\s*select\b"));
        static INTO: LazyLock<Regex> = LazyLock::new(|| regex(r"(?i)\binto\b"));
        static START: LazyLock<Regex> =
            LazyLock::new(|| regex(r"(?i)\btime\s*(?:>|=)|<=?\s*time\b"));
        let mask = Mask::of(text);
        let (first, rest) = mask.bare.split_once(';').unwrap_or((&mask.bare, ""));
        if rest.contains(|c: char| c != ';' && !c.is_whitespace()) {
            return Err(refused("holds several statements", "write one SELECT"));
        }
        if !SELECT.is_match(first) {
            return Err(refused("is no SELECT", "only those are sent"));
        }
        if INTO.is_match(first) {
            return Err(refused("writes (INTO)", "a metric only reads"));
        }
        Ok(Self {
            bucket: bucket(&mask),
            has_start: START.is_match(first),
        })
    }
}

fn refused(what: &str, remedy: &str) -> Fault {
    let message = format!("the query {what}: {remedy}");
    Fault::new(FaultKind::Invalid, message)
}

fn regex(text: &str) -> Regex {
    Regex::new(text).expect("it is a valid expression")
}

/// The bucket of the statement itself, not of one inside it.
fn bucket(mask: &Mask) -> Option<Duration> {
    static GROUP: LazyLock<Regex> = LazyLock::new(|| regex(r"(?i)\bgroup\s+by\b"));
    static TIME: LazyLock<Regex> =
        LazyLock::new(|| regex(r"(?i:\btime)\s*\(\s*((?:[0-9]+[a-zµ]+)+)"));
    let group = GROUP.find(&mask.outer)?;
    let dimensions = mask.bare.get(group.end()..)?;
    duration(TIME.captures(dimensions)?.get(1)?.as_str())
}

/// A duration as `InfluxQL` writes it, `1m30s`.
fn duration(text: &str) -> Option<Duration> {
    static PART: LazyLock<Regex> = LazyLock::new(|| regex(r"^([0-9]+)(ns|us|µs|ms|[uµsmhdw])"));
    let (mut rest, mut whole) = (text, Duration::ZERO);
    while !rest.is_empty() {
        let found = PART.captures(rest)?;
        let number: u32 = found.get(1)?.as_str().parse().ok()?;
        let unit = match found.get(2)?.as_str() {
            "ns" => Duration::from_nanos(1),
            "us" | "µs" | "u" | "µ" => Duration::from_micros(1),
            "ms" => Duration::from_millis(1),
            "s" => Duration::from_secs(1),
            "m" => Duration::from_mins(1),
            "h" => Duration::from_hours(1),
            "d" => Duration::from_hours(24),
            _ => Duration::from_hours(7 * 24),
        };
        whole = whole.checked_add(unit.checked_mul(number)?)?;
        rest = rest.get(found.get(0)?.end()..)?;
    }
    Some(whole).filter(|whole| !whole.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_accepted(text: &str) -> bool {
        Statement::parse(text).is_ok()
    }

    #[test]
    fn one_select_is_accepted_whatever_its_texts_hold() {
        for text in [
            "SELECT v FROM m",
            "  select v from m ; ",
            "-- what it is\nSELECT v FROM m;;",
            "/* a; b */ SELECT v FROM m -- ;",
            "SELECT v FROM m WHERE host = 'a; DROP MEASUREMENT m'",
            r"SELECT v FROM m WHERE host = 'it\'s; into' AND x = 1",
            r#"SELECT v FROM "a;b into""#,
            "SELECT v FROM m WHERE host =~ /a;b'c/ AND x > 1;",
            "SELECT v FROM db.rp1./it's;/",
        ] {
            assert!(is_accepted(text), "{text}");
        }
    }

    #[test]
    fn whatever_else_is_refused() {
        for text in [
            "",
            "SHOW DATABASES",
            "SELECTED v",
            "DROP MEASUREMENT m",
            "SELECT v FROM m; DROP MEASUREMENT m",
            "SELECT v FROM m;\nSELECT w FROM m",
            "SELECT v INTO w FROM m",
            "SELECT v FROM m -- it's\n; DROP MEASUREMENT m -- '",
            "SELECT v FROM m /* ' */ ; DROP MEASUREMENT m /* ' */",
            "SELECT v FROM /it's/; DROP MEASUREMENT m WHERE x = 's'",
            "SELECT v FROM db.rp./it's/; DROP MEASUREMENT m WHERE x = 's'",
            "SELECT a / b FROM m; DROP MEASUREMENT m WHERE x = 1 / 2",
            "SELECT a * 5. / b FROM m; DROP MEASUREMENT m WHERE x = 1 / 2",
            r"SELECT v FROM m WHERE x = 'a\\'; DROP MEASUREMENT m WHERE x = ''",
        ] {
            assert!(!is_accepted(text), "{text}");
        }
        let fault = Statement::parse("DROP DATABASE d").unwrap_err();
        assert_eq!(fault.kind, FaultKind::Invalid);
    }

    #[test]
    fn the_bucket_is_the_one_of_the_outer_statement() {
        let bucket = |text: &str| Statement::parse(text).unwrap().bucket;
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(
            bucket("SELECT mean(v) FROM m GROUP BY time(15s), host"),
            seconds(15)
        );
        assert_eq!(
            bucket("select mean(v) from m group  by host, TIME( 1m30s ,5s) fill(null)"),
            seconds(90)
        );
        assert_eq!(
            bucket("SELECT v FROM m WHERE x = 'GROUP BY time(1s)'"),
            None
        );
        let inner = "SELECT max(m) FROM (SELECT mean(v) AS m FROM x GROUP BY time(1m))";
        assert_eq!(bucket(inner), None);
        assert_eq!(
            bucket(&format!("{inner} GROUP BY time(1h)")),
            seconds(3_600)
        );
        assert_eq!(bucket("SELECT v FROM m GROUP BY host"), None);
    }

    #[test]
    fn a_beginning_of_time_is_seen() {
        let has_start = |text: &str| Statement::parse(text).unwrap().has_start;
        for condition in [
            "time >= 5ms",
            "x = 1 AND (TIME>5s)",
            r#""time" > 5s"#,
            "'2023-11-14T22:13:30Z' <= time",
            "5s < time",
            "time = 5s",
        ] {
            let text = format!("SELECT v FROM m WHERE {condition}");
            assert!(has_start(&text), "{text}");
        }
        for text in [
            "SELECT v FROM m",
            "SELECT v FROM m WHERE time <= 5ms",
            "SELECT v FROM m WHERE cpu_time > 5 AND 5 < timeout",
            "SELECT v FROM m WHERE x = 'time > 5'",
            r#"SELECT v FROM m WHERE "response time" > 5"#,
            "SELECT mean(v) FROM m GROUP BY time(5s)",
        ] {
            assert!(!has_start(text), "{text}");
        }
    }

    #[test]
    fn durations_are_read_as_influxql_writes_them() {
        assert_eq!(duration("1h30m"), Some(Duration::from_mins(90)));
        assert_eq!(duration("1500ms"), Some(Duration::from_millis(1500)));
        assert_eq!(duration("2u3ns"), Some(Duration::from_nanos(2003)));
        assert_eq!(duration("1w"), Some(Duration::from_hours(168)));
        for wrong in ["", "5", "0s", "m", "1x", "99999999999s"] {
            assert_eq!(duration(wrong), None, "{wrong}");
        }
    }
}
