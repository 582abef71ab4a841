//! What every answer over HTTP tells, whoever gave it.

use jiff::fmt::rfc2822::DateTimeParser;
use jiff::{SignedDuration, Timestamp};
use reqwest::header::DATE;

use super::Reply;

impl Reply {
    /// The first line of an answer in no known shape. A page made for people is not repeated.
    pub(crate) fn first_line(&self) -> String {
        let text = String::from_utf8_lossy(&self.body);
        let line = text.lines().find(|line| !line.trim().is_empty());
        let line = line.unwrap_or_default().trim();
        let is_page = line.starts_with('<');
        if is_page { "a page of HTML" } else { line }.to_owned()
    }

    /// The server's clock minus ours in milliseconds, where it tells its own. `before` and `after`
    /// are our times around the question.
    pub(crate) fn skew(&self, before: Timestamp, after: Timestamp) -> Option<i64> {
        static DATES: DateTimeParser = DateTimeParser::new();
        let told = self.headers.get(DATE)?.to_str().ok()?;
        let theirs = DATES.parse_timestamp(told).ok()?;
        let half = after.duration_since(before) / 2;
        Some(skew(theirs, before.saturating_add(half).ok()?))
    }
}

/// A server tells whole seconds, so what lies within that second is no difference.
fn skew(theirs: Timestamp, ours: Timestamp) -> i64 {
    let second = SignedDuration::from_secs(1);
    let difference = theirs.duration_since(ours);
    if -second <= difference && difference <= SignedDuration::ZERO {
        return 0;
    }
    let middle = difference + second / 2;
    i64::try_from(middle.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;
    use reqwest::header::HeaderMap;

    use super::*;

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_millisecond(milliseconds).unwrap()
    }

    fn reply(body: &str, date: Option<&str>) -> Reply {
        let mut headers = HeaderMap::new();
        if let Some(date) = date {
            headers.insert(DATE, date.parse().unwrap());
        }
        Reply {
            status: StatusCode::OK,
            headers,
            body: body.as_bytes().to_vec(),
        }
    }

    #[test]
    fn a_clock_in_whole_seconds_is_off_only_beyond_its_second() {
        assert_eq!(skew(at(5_000), at(5_000)), 0);
        assert_eq!(skew(at(5_000), at(5_999)), 0);
        assert_eq!(skew(at(9_000), at(5_000)), 4_500);
        assert_eq!(skew(at(5_000), at(9_000)), -3_500);
    }

    #[test]
    fn a_date_is_read_where_there_is_one() {
        let date = "Tue, 14 Nov 2023 22:13:20 GMT";
        let told = reply("", Some(date));
        let (before, after) = (at(1_699_999_990_000), at(1_699_999_990_200));
        assert_eq!(told.skew(before, after), Some(10_400));
        assert_eq!(reply("", Some("now")).skew(before, after), None);
        assert_eq!(reply("", None).skew(before, after), None);
    }

    #[test]
    fn a_page_for_people_is_not_repeated() {
        assert_eq!(
            reply("\n  not ready \nmore", None).first_line(),
            "not ready"
        );
        assert_eq!(
            reply("<!doctype html>\n<p>x", None).first_line(),
            "a page of HTML"
        );
        assert_eq!(reply("", None).first_line(), "");
    }
}
