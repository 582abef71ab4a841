use super::*;

fn of_one(text: &str) -> Result<String, String> {
    let query = Query::parse(text).map_err(|fault| fault.chain())?;
    let part = query.parts.values().next().unwrap();
    let aggregator = part.aggregator();
    aggregator.map(str::to_owned).map_err(|fault| fault.chain())
}

fn refusal(text: &str) -> String {
    let fault = Query::parse(text).unwrap_err();
    assert_eq!(fault.kind, FaultKind::Invalid);
    fault.chain()
}

#[test]
fn a_plain_text_is_one_metric_query() {
    let query = Query::parse(" avg:system.cpu.user{service:x} by {pod_name} ").unwrap();
    assert_eq!(query.formula, "a");
    let part = &query.parts["a"];
    assert_eq!(part.query, "avg:system.cpu.user{service:x} by {pod_name}");
}

#[test]
fn an_object_names_queries_and_a_formula() {
    let text = r#"{"queries": {"e": "sum:errors{*}.as_count()",
        "r": {"query": "sum:requests{*}", "aggregator": "sum"}}, "formula": "e / r"}"#;
    let query = Query::parse(text).unwrap();
    assert_eq!(query.formula, "e / r");
    assert_eq!(query.parts["r"].query, "sum:requests{*}");
    assert_eq!(query.parts["r"].aggregator().unwrap(), "sum");
    assert!(query.unused().is_some());

    let one = Query::parse(r#"{"queries": {"only": "avg:x{*}"}}"#).unwrap();
    assert_eq!(one.formula, "only");
    assert_eq!(one.unused(), None);
}

#[test]
fn what_is_not_known_is_refused_by_name() {
    let unknown = refusal(r#"{"queries": {"a": "avg:x{*}"}, "formulas": ["a"]}"#);
    assert!(unknown.contains("`formulas`"), "{unknown}");
    let inner = refusal(r#"{"queries": {"a": {"query": "avg:x{*}", "agregator": "sum"}}}"#);
    assert!(inner.contains("`agregator`"), "{inner}");
    let aggregator = refusal(r#"{"queries": {"a": {"query": "avg:x{*}", "aggregator": "p95"}}}"#);
    assert!(
        aggregator.contains("\"p95\" is none of avg, min"),
        "{aggregator}"
    );
}

#[test]
fn what_is_incomplete_is_refused() {
    let two = r#"{"queries": {"a": "avg:x{*}", "b": "avg:y{*}"}}"#;
    assert!(refusal(two).contains("no formula"));
    assert!(refusal(r#"{"queries": {}, "formula": "1"}"#).contains("there is no query"));
    assert!(refusal(r#"{"queries": {"a": " "}}"#).contains("\"a\" is empty"));
    assert!(refusal("  ").contains("is empty"));
    assert!(refusal(r#"{"queries": {"a": 5}}"#).contains("a metric query"));
    let twice = refusal(r#"{"queries": {"a": "avg:x{*}", "a": "avg:y{*}"}}"#);
    assert!(twice.contains("\"a\" is there twice"), "{twice}");
    assert!(refusal("{*}").contains("failed to read the query as"));
}

#[test]
fn how_a_query_becomes_one_number_is_never_guessed_for_percentiles() {
    assert_eq!(of_one("avg:x{*}").unwrap(), "avg");
    assert_eq!(of_one("sum:x{*}").unwrap(), "avg");
    assert_eq!(of_one("min:x{*}").unwrap(), "min");
    assert_eq!(of_one("max:x{*}").unwrap(), "max");
    assert_eq!(of_one("maximum.of:x{*}").unwrap(), "avg");
    assert_eq!(of_one("max:x{*}.as_count()").unwrap(), "sum");
    for percentile in ["p95:x{*}", "p99.9:x{*}"] {
        let said = of_one(percentile).unwrap_err();
        assert!(said.contains("\"aggregator\": \"max\""), "{said}");
    }
    let explicit = r#"{"queries": {"a": {"query": "p95:x{*}", "aggregator": "max"}}}"#;
    assert_eq!(of_one(explicit).unwrap(), "max");
    assert_eq!(of_one("pods:x{*}").unwrap(), "avg");
}

#[test]
fn a_counter_sums_up_counts_only() {
    let check = |text: &str| {
        let query = Query::parse(text).unwrap();
        query.check(MetricKind::Counter, DatadogApi::V2).is_ok()
    };
    for count in [
        "sum:x{*}.as_count()",
        "sum:x.y{service:a,!b:c} by {pod_name}.as_count()",
        "sum:x{*}.as_count().rollup(sum, 60).fill(zero)",
        "sum:x{*}.rollup(sum).as_count()",
        "default_zero(sum:x{*}.as_count())",
        r#"{"queries": {"a": "sum:x{*}.as_count()", "b": "sum:y{*}.as_count()"}, "formula": "a + default_zero(b)"}"#,
    ] {
        assert!(check(count), "{count}");
    }
    for other in [
        "sum:x{*}",
        "sum:x{*}.as_rate()",
        "sum:x{*}.as_count().rollup(avg, 60)",
        "sum:x{*}.as_count().fill(linear)",
        "cumsum(sum:x{*}.as_count())",
        "sum:x{*}.as_count() / sum:y{*}.as_count()",
        r#"{"queries": {"a": "sum:x{*}.as_count()", "b": "sum:y{*}.as_count()"}, "formula": "a / b"}"#,
        r#"{"queries": {"a": "sum:x{*}.as_count()"}, "formula": "cumsum(a)"}"#,
        r#"{"queries": {"a": "sum:x{*}.as_count()"}, "formula": "a + 5"}"#,
    ] {
        assert!(!check(other), "{other}");
    }
}

#[test]
fn an_api_is_asked_for_what_it_has() {
    let query = Query::parse("avg:x{*}").unwrap();
    let said = |kind, api| query.check(kind, api).map_err(|fault| fault.message);
    assert_eq!(said(MetricKind::Gauge, DatadogApi::V1), Ok(()));
    assert_eq!(said(MetricKind::Value, DatadogApi::V2), Ok(()));
    let value = said(MetricKind::Value, DatadogApi::V1).unwrap_err();
    assert!(value.contains("api: v2"), "{value}");
    for api in [DatadogApi::V1, DatadogApi::V2] {
        let histogram = said(MetricKind::Histogram, api).unwrap_err();
        assert!(histogram.contains("p95:NAME"), "{histogram}");
    }
    let formula = Query::parse(r#"{"queries": {"a": "avg:x{*}"}}"#).unwrap();
    let refused = formula.check(MetricKind::Gauge, DatadogApi::V1);
    assert!(refused.unwrap_err().message.contains("api: v2"));
}
