use jiff::Timestamp;

use super::*;

fn parsed(text: &str) -> Inquiry {
    Inquiry::parse(text, MetricKind::Gauge).unwrap()
}

fn refused(kind: MetricKind, text: &str) -> String {
    let fault = Inquiry::parse(text, kind).unwrap_err();
    assert_eq!(fault.kind, FaultKind::Invalid, "{text}");
    fault.message
}

fn frame() -> Window {
    let at = |millisecond| Timestamp::from_millisecond(millisecond).unwrap();
    Window {
        start: at(1_000),
        end: at(61_000),
    }
}

#[test]
fn keys_say_whom_a_query_is_for() {
    let path = |text: &str| parsed(text).endpoint.path();
    let infrastructure = path(r#"{"plugin": "host", "metrics": ["cpu.user"]}"#);
    assert_eq!(
        infrastructure,
        "/api/infrastructure-monitoring/metrics?offline=true"
    );
    let groups = path(r#"{"type": "host", "metrics": [{"metric": "m"}]}"#);
    assert_eq!(
        groups,
        "/api/infrastructure-monitoring/analyze/entity-groups"
    );
    for of in ["applications", "services", "endpoints"] {
        let text =
            format!(r#"{{"of": "{of}", "nameFilter": "a", "metrics": [{{"metric": "m"}}]}}"#);
        let expected = format!("/api/application-monitoring/metrics/{of}");
        assert_eq!(path(&text), expected);
    }
    let overall = "/api/application-monitoring/v2/metrics";
    assert_eq!(path(r#"{"metrics": [{"metric": "m"}]}"#), overall);
    assert_eq!(
        path(r#"{"metrics": [{"metric": "m"}], "includeInternal": true}"#),
        overall
    );
    assert_eq!(
        path(r#"{"metrics": [{"metric": "m"}], "tagFilterExpression": {}, "order": 1}"#),
        overall
    );
}

#[test]
fn what_is_for_nobody_is_told_all_ways() {
    for text in [
        r#"{"serviceId": "a", "metrics": [{"metric": "m"}]}"#,
        r#"{"plugin": "host", "type": "host", "metrics": ["m"]}"#,
        r#"{"plugin": "host", "of": "services", "metrics": ["m"]}"#,
    ] {
        let message = refused(MetricKind::Gauge, text);
        for way in ["plugin", "type", "of: applications", "tagFilterExpression"] {
            assert!(message.contains(way), "{way}: {message}");
        }
    }
    let message = refused(
        MetricKind::Gauge,
        r#"{"of": "hosts", "metrics": [{"metric": "m"}]}"#,
    );
    assert!(
        message.contains("applications, services or endpoints"),
        "{message}"
    );
}

#[test]
fn a_query_asks_for_one_metric_and_leaves_the_window_alone() {
    for (text, said) in [
        ("avg(x)", "no JSON object"),
        ("[]", "no JSON object"),
        (r#"{"plugin": "host"}"#, "no list of metrics"),
        (r#"{"plugin": "host", "metrics": []}"#, "0 entries"),
        (
            r#"{"plugin": "host", "metrics": ["a", "b"]}"#,
            "one metric of the file for each",
        ),
        (
            r#"{"plugin": "host", "metrics": [{"metric": "a"}]}"#,
            "cpu.user",
        ),
        (r#"{"type": "host", "metrics": ["a"]}"#, "P95"),
        (
            r#"{"plugin": "host", "metrics": ["a"], "timeFrame": {}}"#,
            "the window is the manager's",
        ),
        (
            r#"{"of": "services", "metrics": [{"metric": "a"}], "fillTimeSeries": true}"#,
            "no measurement",
        ),
        (
            r#"{"plugin": "host", "metrics": ["a"], "rollup": 0}"#,
            "whole number of seconds",
        ),
        (
            r#"{"type": "host", "metrics": [{"metric": "a", "granularity": "1m"}]}"#,
            "whole number of milliseconds",
        ),
    ] {
        let message = refused(MetricKind::Gauge, text);
        assert!(message.contains(said), "{text}: {message}");
    }
}

#[test]
fn a_counter_is_a_sum_and_nothing_is_a_distribution() {
    let sum = r#"{"of": "services", "metrics": [{"metric": "calls", "aggregation": "sum"}]}"#;
    assert!(Inquiry::parse(sum, MetricKind::Counter).is_ok());
    let rate = sum.replace("sum", "PER_SECOND");
    assert!(refused(MetricKind::Counter, &rate).contains("aggregation SUM"));
    let plugin = r#"{"plugin": "host", "metrics": ["a"]}"#;
    assert!(refused(MetricKind::Counter, plugin).contains("as: gauge"));
    assert!(refused(MetricKind::Histogram, sum).contains("P95"));
}

#[test]
fn the_body_is_the_query_with_window_length_and_page() {
    let body = |text: &str, width: Option<u64>, turn: &Turn| {
        let width = width.map(Duration::from_secs);
        let body = parsed(text).body(frame(), width, turn);
        serde_json::from_str::<Value>(&body).unwrap()
    };
    let time = json!({"to": 61_000, "windowSize": 60_000});
    let first = Turn::Page(1);
    assert_eq!(
        body(
            r#"{"plugin": "host", "query": "q", "metrics": ["a"]}"#,
            Some(5),
            &first
        ),
        json!({"plugin": "host", "query": "q", "metrics": ["a"], "rollup": 5, "timeFrame": time})
    );
    assert_eq!(
        body(
            r#"{"type": "host", "metrics": [{"metric": "a"}]}"#,
            Some(5),
            &first
        ),
        json!({"type": "host", "metrics": [{"metric": "a", "granularity": 5_000}],
            "timeFrame": time, "pagination": {"retrievalSize": 200}})
    );
    let cursor = Turn::Cursor(json!("next"));
    let groups = r#"{"type": "host", "metrics": [{"metric": "a"}],
        "pagination": {"retrievalSize": 7, "cursor": "old"}}"#;
    assert_eq!(
        body(groups, None, &cursor),
        json!({"type": "host", "metrics": [{"metric": "a"}],
            "timeFrame": time, "pagination": {"retrievalSize": 7, "cursor": "next"}})
    );
    let services = r#"{"of": "services", "metrics": [{"metric": "a"}], "fillTimeSeries": false}"#;
    assert_eq!(
        body(services, Some(60), &Turn::Page(2)),
        json!({"metrics": [{"metric": "a", "granularity": 60}],
            "timeFrame": time, "pagination": {"pageSize": 200, "page": 2}})
    );
    assert_eq!(
        body(r#"{"metrics": [{"metric": "a"}]}"#, None, &first),
        json!({"metrics": [{"metric": "a"}], "timeFrame": time})
    );
}
