//! A query of NRQL, read as far as must be known before a window is added to it.

use std::sync::LazyLock;
use std::time::Duration;

use em_core::fault::{Fault, FaultKind};
use em_core::observe::Window;
use regex::Regex;

/// More buckets are refused.
const MOST: u64 = 366;
/// How far apart values are where nobody says: agents tell once a minute.
const USUAL: u64 = 60;

/// A query without a window.
#[derive(Debug, Clone, Copy)]
pub(super) struct Statement<'a> {
    text: &'a str,
    /// Whether it says how many groups it wants.
    pub(super) has_limit: bool,
}

impl<'a> Statement<'a> {
    /// Reads it; refuses one that has a window of its own.
    pub(super) fn parse(text: &'a str) -> Result<Self, Fault> {
        static WINDOW: LazyLock<Regex> = LazyLock::new(|| {
            regex(r"(?i)(?:^|[^\w.])(since|until|timeseries|compare\s+with)(?:$|[^\w.])")
        });
        static LIMIT: LazyLock<Regex> =
            LazyLock::new(|| regex(r"(?i)(?:^|[^\w.])limit\s+(?:max|\d)"));
        let bare = bare(text)?;
        if let Some(found) = WINDOW.captures(&bare).and_then(|found| found.get(1)) {
            let message = format!(
                "the query says {}, and the window is added to it here (leave it out)",
                found.as_str().to_uppercase()
            );
            return Err(Fault::new(FaultKind::Invalid, message));
        }
        Ok(Self {
            text,
            has_limit: LIMIT.is_match(&bare),
        })
    }

    /// About the whole window.
    pub(super) fn over(&self, window: Window) -> String {
        let (start, end) = (window.start.as_millisecond(), window.end.as_millisecond());
        // A comment may end the text, and ends with its line.
        format!("{}\nSINCE {start} UNTIL {end}", self.text)
    }

    /// About buckets of the window, as long as [`bucket`] says.
    pub(super) fn in_buckets(&self, window: Window, bucket: Duration) -> String {
        let seconds = bucket.as_secs();
        format!("{} TIMESERIES {seconds} seconds", self.over(window))
    }
}

/// How long buckets of a window are: as the file wants them, but no more than are answered.
pub(super) fn bucket(window: Window, every: Option<Duration>) -> Duration {
    let milliseconds = u64::try_from(window.milliseconds()).unwrap_or_default();
    let fewest = milliseconds.div_ceil(1_000).div_ceil(MOST);
    let wanted = match every {
        Some(every) => every.as_secs() + u64::from(every.subsec_nanos() > 0),
        None => USUAL.min(milliseconds / 1_000),
    };
    Duration::from_secs(wanted.max(fewest).max(1))
}

fn regex(text: &str) -> Regex {
    Regex::new(text).expect("it is a valid expression")
}

/// The text without what its quotes and comments hold.
fn bare(text: &str) -> Result<String, Fault> {
    let mut bare = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '\'' | '"' | '`' => quoted(rest, first)?,
            _ if rest.starts_with("--") || rest.starts_with("//") => {
                rest.find('\n').unwrap_or(rest.len())
            }
            _ if rest.starts_with("/*") => {
                let end = rest.find("*/").ok_or_else(|| open("a comment"))?;
                end + 2
            }
            other => {
                bare.push(other);
                rest = rest.get(other.len_utf8()..).unwrap_or_default();
                continue;
            }
        };
        bare.push(' ');
        rest = rest.get(length..).unwrap_or_default();
    }
    Ok(bare)
}

/// How long the text is that begins with this quote; a backslash takes the next character with it.
fn quoted(text: &str, quote: char) -> Result<usize, Fault> {
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        if c == '\\' {
            chars.next();
        } else if c == quote {
            return Ok(at + c.len_utf8());
        }
    }
    Err(open("a quote"))
}

/// The window would be added to it.
fn open(what: &str) -> Fault {
    let message = format!("{what} of the query has no end");
    Fault::new(FaultKind::Invalid, message)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn window(start: i64, end: i64) -> Window {
        let at = |ms| Timestamp::from_millisecond(ms).unwrap();
        Window {
            start: at(start),
            end: at(end),
        }
    }

    #[test]
    fn a_query_with_a_window_of_its_own_is_refused() {
        for text in [
            "SELECT count(*) FROM T SINCE 1 hour ago",
            "SELECT count(*) FROM T\nuntil now",
            "SELECT count(*) FROM T TimeSeries",
            "SELECT count(*) FROM T COMPARE  WITH 1 day ago",
            "SINCE 1 day ago SELECT count(*) FROM T",
            "SELECT count(*) FROM T WHERE a = 'it\\'s' SINCE 5",
            "SELECT count(*) FROM T -- 'x\nSINCE 5 -- '",
            "SELECT max(c) FROM (SELECT count(*) AS c FROM T SINCE 5)",
            "SELECT count(*) FROM T WHERE a = 'open",
            "SELECT count(*) FROM T /* open",
        ] {
            let fault = Statement::parse(text).unwrap_err();
            assert_eq!(fault.kind, FaultKind::Invalid, "{text}");
        }
    }

    #[test]
    fn the_words_may_stand_where_they_mean_nothing() {
        for text in [
            "SELECT count(*) FROM T WHERE a = 'SINCE 1 day ago'",
            "SELECT count(*) FROM T WHERE `until` = 5",
            "SELECT average(up.since) FROM T WHERE sincere = 1",
            "SELECT count(*) FROM T // SINCE",
            "SELECT count(*) /* TIMESERIES */ FROM T",
        ] {
            Statement::parse(text).unwrap();
        }
    }

    #[test]
    fn the_window_is_added_outside_of_comments() {
        let statement = Statement::parse("SELECT count(*) FROM T -- all").unwrap();
        let (window, bucket) = (window(1_500, 61_500), Duration::from_secs(15));
        assert_eq!(
            statement.in_buckets(window, bucket),
            "SELECT count(*) FROM T -- all\nSINCE 1500 UNTIL 61500 TIMESERIES 15 seconds"
        );
        let has_limit = |text| Statement::parse(text).unwrap().has_limit;
        assert!(has_limit("SELECT count(*) FROM T FACET a LIMIT MAX"));
        assert!(!has_limit("SELECT max(limit) FROM T WHERE a = 'LIMIT 5'"));
    }

    #[test]
    fn there_are_no_more_buckets_than_are_answered() {
        let seconds = |length: i64, every: Option<u64>| {
            let every = every.map(Duration::from_secs);
            bucket(window(0, length * 1_000), every).as_secs()
        };
        assert_eq!(seconds(600, None), 60);
        assert_eq!(seconds(45, None), 45);
        assert_eq!(seconds(0, None), 1);
        assert_eq!(seconds(366 * 60, None), 60);
        assert_eq!(seconds(366 * 60 + 1, None), 61);
        assert_eq!(seconds(600, Some(5)), 5);
        assert_eq!(seconds(3_660, Some(5)), 10);
    }
}
