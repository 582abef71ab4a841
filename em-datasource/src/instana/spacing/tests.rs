use super::*;

const INFRASTRUCTURE: &str = r#"{"plugin": "host", "metrics": ["a"]}"#;
const GROUPS: &str = r#"{"type": "host", "metrics": [{"metric": "a"}]}"#;
const CALLS: &str = r#"{"metrics": [{"metric": "a"}]}"#;
const HOUR: i64 = 3600;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn window(start: i64, end: i64) -> Window {
    Window {
        start: at(start),
        end: at(end),
    }
}

/// The cut of a window of this length that ended `ago` seconds ago.
fn cut(text: &str, kind: MetricKind, length: i64, ago: i64) -> Result<Cut, Fault> {
    let inquiry = Inquiry::parse(text, kind)?;
    let start = 1_700_000_000;
    let end = start + length;
    Cut::of(&inquiry, kind, window(start, end), at(end + ago))
}

fn seconds(text: &str, length: i64, ago: i64) -> u64 {
    let cut = cut(text, MetricKind::Gauge, length, ago).unwrap();
    cut.width().unwrap().as_secs()
}

#[test]
fn buckets_are_the_shortest_that_are_kept_and_not_too_many() {
    for text in [INFRASTRUCTURE, GROUPS] {
        assert_eq!(seconds(text, 600, 0), 1);
        assert_eq!(seconds(text, 601, 0), 5);
        assert_eq!(seconds(text, HOUR, 0), 60);
        assert_eq!(seconds(text, 24 * HOUR, 0), 300);
        assert_eq!(seconds(text, 600, 24 * HOUR - 600), 1);
        assert_eq!(seconds(text, 600, 24 * HOUR), 60);
        assert_eq!(seconds(text, 600, 32 * 24 * HOUR), 300);
        assert_eq!(seconds(text, HOUR, 100 * 24 * HOUR), 3600);
    }
    assert_eq!(seconds(CALLS, 600, 0), 1);
    assert_eq!(seconds(CALLS, HOUR, 0), 10);
    assert_eq!(seconds(CALLS, HOUR, 32 * 24 * HOUR), 10);
    assert_eq!(seconds(CALLS, 31 * 24 * HOUR, 0), 14_400);
}

#[test]
fn the_query_has_the_first_word() {
    let own = r#"{"plugin": "host", "metrics": ["a"], "rollup": 30}"#;
    assert_eq!(seconds(own, 60, 0), 30);
    let own = r#"{"type": "host", "metrics": [{"metric": "a", "granularity": 10000}]}"#;
    assert_eq!(seconds(own, 60, 0), 10);
    // It wants buckets, so it gets the last of them.
    let cut = cut(own, MetricKind::Value, 60, 0).unwrap();
    assert_eq!(cut, Cut::Buckets(Duration::from_secs(10)));
}

#[test]
fn a_value_is_one_aggregate_except_of_a_plugin() {
    let value = |text| cut(text, MetricKind::Value, 60, 0).unwrap();
    assert_eq!(value(GROUPS), Cut::Whole);
    assert_eq!(value(CALLS), Cut::Whole);
    assert_eq!(value(INFRASTRUCTURE), Cut::Buckets(Duration::from_secs(1)));
}

#[test]
fn windows_that_cannot_be_answered_are_refused() {
    let said = |text: &str, length: i64, ago: i64| {
        let fault = cut(text, MetricKind::Gauge, length, ago).unwrap_err();
        assert_eq!(fault.kind, FaultKind::Invalid);
        fault.message
    };
    assert!(said(CALLS, 31 * 24 * HOUR + 1, 0).contains("longer than 31 days"));
    assert!(said(INFRASTRUCTURE, 30 * 24 * HOUR, 0).contains("more than 600"));
    assert!(said(INFRASTRUCTURE, 59, 25 * HOUR).contains("shorter than buckets of 60s"));
    assert!(said(CALLS, 0, 0).contains("no length"));
    assert!(said(CALLS, -5, 0).contains("no length"));
}

#[test]
fn a_frame_is_what_whole_buckets_cover() {
    let minutes = Cut::Buckets(Duration::from_mins(5));
    let (start, end) = (8 * HOUR + 120, 9 * HOUR + 120);
    let frame = minutes.frame(window(start, end));
    assert_eq!(frame, Some(window(8 * HOUR + 300, 9 * HOUR)));
    assert_eq!(minutes.frame(window(300, 600)), Some(window(300, 600)));
    assert_eq!(minutes.frame(window(301, 899)), None);
    assert_eq!(minutes.frame(window(-599, 0)), Some(window(-300, 0)));
    let late = Window {
        start: at(300) + SignedDuration::from_nanos(1),
        end: at(900),
    };
    assert_eq!(minutes.frame(late), Some(window(600, 900)));
    assert_eq!(Cut::Whole.frame(late), Some(late));
}

#[test]
fn coarser_buckets_still_fit() {
    let coarser = |seconds, length| {
        let cut = Cut::Buckets(Duration::from_secs(seconds));
        let coarser = cut.coarser(Endpoint::Infrastructure, window(0, length));
        coarser.and_then(Cut::width).map(|width| width.as_secs())
    };
    assert_eq!(coarser(1, 60), Some(5));
    assert_eq!(coarser(5, 60), Some(60));
    assert_eq!(coarser(5, 59), None);
    assert_eq!(coarser(3600, HOUR * 9), None);
    assert_eq!(Cut::Whole.coarser(Endpoint::Overall, window(0, 60)), None);
}

#[test]
fn the_shortest_distance_counts() {
    let one = [at(0), at(10), at(15)];
    let two = [at(3)];
    let seen = shortest([&one[..], &two[..]].into_iter());
    assert_eq!(seen, Some(Duration::from_secs(5)));
    assert_eq!(shortest([&two[..]].into_iter()), None);
}
