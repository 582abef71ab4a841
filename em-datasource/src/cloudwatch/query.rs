//! Queries: entries of `MetricDataQueries`, of which exactly one is returned.

use em_core::fault::{Fault, FaultKind};
use em_core::observe::Window;
use serde::Serialize;
use serde_json::{Map, Value};

/// What an entry may hold; all else is a slip of the pen.
const KEYS: [&str; 7] = [
    "Id",
    "MetricStat",
    "Expression",
    "Label",
    "ReturnData",
    "Period",
    "AccountId",
];
const LIST: &str = "MetricDataQueries";
const EXAMPLE: &str = "such as {MetricStat: {Metric: {Namespace: AWS/SQS, MetricName: NumberOfMessagesSent}, Stat: Sum}}";

/// A query that can be sent, but for its times.
#[derive(Debug)]
pub(super) struct Query {
    entries: Vec<Map<String, Value>>,
    /// The period of the returned entry, where the query has its own, in seconds.
    pub(super) period: Option<u64>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Body<'a> {
    metric_data_queries: Vec<Map<String, Value>>,
    /// Seconds since 1970, as the end is.
    start_time: i64,
    end_time: i64,
    scan_by: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<&'a str>,
}

impl Query {
    pub(super) fn parse(text: &str) -> Result<Self, Fault> {
        let whole: Map<String, Value> = serde_json::from_str(text).map_err(|source| {
            let message = format!("the query is no JSON object ({EXAMPLE})");
            Fault::new(FaultKind::Invalid, message).caused_by(source)
        })?;
        let entries = match whole.get(LIST) {
            None => vec![whole],
            Some(_) if whole.len() > 1 => {
                let what = format!("has keys beside {LIST}; the times are added to it here");
                return Err(refused(&what));
            }
            Some(Value::Array(list)) => list.iter().map(object).collect::<Result<_, _>>()?,
            Some(_) => return Err(refused(&format!("has no list of {LIST}"))),
        };
        let mut entries: Vec<Map<String, Value>> = entries;
        for (index, entry) in entries.iter_mut().enumerate() {
            check(entry)?;
            let id = Value::String(format!("m{index}"));
            entry.entry("Id").or_insert(id);
        }
        let is_returned =
            |entry: &&Map<String, Value>| entry.get("ReturnData") != Some(&Value::Bool(false));
        let returned: Vec<_> = entries.iter().filter(is_returned).collect();
        let [returned] = returned.as_slice() else {
            let what = format!(
                "returns {} of its entries, and a metric is one (write ReturnData: false at the others)",
                returned.len()
            );
            return Err(refused(&what));
        };
        let period = own_period(returned)?;
        Ok(Self { entries, period })
    }

    /// The question about a window, in periods of so many seconds where an entry has none.
    pub(super) fn body(
        &self,
        window: Window,
        period: u64,
        next_token: Option<&str>,
    ) -> Result<String, Fault> {
        let end = window.end.as_millisecond();
        let body = Body {
            metric_data_queries: self
                .entries
                .iter()
                .map(|one| filled_in(one, period))
                .collect(),
            start_time: window.start.as_millisecond().div_euclid(1_000),
            end_time: -(-end).div_euclid(1_000),
            scan_by: "TimestampAscending",
            next_token,
        };
        serde_json::to_string(&body).map_err(|source| {
            let message = "failed to write the question as JSON";
            Fault::new(FaultKind::Invalid, message).caused_by(source)
        })
    }
}

fn object(value: &Value) -> Result<Map<String, Value>, Fault> {
    let object = value.as_object().cloned();
    object.ok_or_else(|| refused("has an entry that is no object"))
}

fn check(entry: &Map<String, Value>) -> Result<(), Fault> {
    if let Some(key) = entry.keys().find(|key| !KEYS.contains(&key.as_str())) {
        let what = format!("has the key {key:?}; known are {}", KEYS.join(", "));
        return Err(refused(&what));
    }
    let is_metric = entry.get("MetricStat").is_some_and(Value::is_object);
    let expression = entry.get("Expression").and_then(Value::as_str);
    if is_metric == expression.is_some() {
        let what = format!("has an entry that is not one of MetricStat and Expression ({EXAMPLE})");
        return Err(refused(&what));
    }
    let is_search = expression.is_some_and(|text| text.to_uppercase().contains("SEARCH"));
    if is_search && !entry.contains_key("Period") {
        return Err(refused(
            "searches in periods that only SEARCH knows (write the same seconds as Period)",
        ));
    }
    Ok(())
}

fn own_period(entry: &Map<String, Value>) -> Result<Option<u64>, Fault> {
    let of_metric = entry.get("MetricStat").and_then(|stat| stat.get("Period"));
    let Some(period) = of_metric.or_else(|| entry.get("Period")) else {
        return Ok(None);
    };
    let seconds = period
        .as_u64()
        .filter(|seconds| (1..=86_400).contains(seconds));
    let seconds = seconds.ok_or_else(|| refused("has a Period that is no length in seconds"))?;
    Ok(Some(seconds))
}

/// The entry with a period, where it needs one.
fn filled_in(entry: &Map<String, Value>, period: u64) -> Map<String, Value> {
    let mut entry = entry.clone();
    let period = Value::from(period);
    if let Some(Value::Object(stat)) = entry.get_mut("MetricStat") {
        stat.entry("Period").or_insert(period);
        return entry;
    }
    let expression = entry.get("Expression").and_then(Value::as_str);
    let expression = expression.unwrap_or_default().trim_start();
    let is_select = expression
        .get(..6)
        .is_some_and(|word| word.eq_ignore_ascii_case("SELECT"));
    if is_select {
        entry.entry("Period").or_insert(period);
    }
    entry
}

fn refused(what: &str) -> Fault {
    Fault::new(FaultKind::Invalid, format!("the query {what}"))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::json;

    use super::*;

    fn sent(query: &Value) -> Value {
        let at = |ms| Timestamp::from_millisecond(ms).unwrap();
        let window = Window {
            start: at(60_500),
            end: at(120_500),
        };
        let query = Query::parse(&query.to_string()).unwrap();
        serde_json::from_str(&query.body(window, 60, None).unwrap()).unwrap()
    }

    fn metric() -> Value {
        json!({"Metric": {"Namespace": "AWS/SQS", "MetricName": "Sent"}, "Stat": "Sum"})
    }

    #[test]
    fn an_entry_is_sent_with_times_and_a_period() {
        let mut stat = metric();
        stat["Period"] = json!(60);
        assert_eq!(
            sent(&json!({"MetricStat": metric()})),
            json!({"MetricDataQueries": [{"MetricStat": stat, "Id": "m0"}],
                "StartTime": 60, "EndTime": 121, "ScanBy": "TimestampAscending"})
        );
        let select = json!({"Expression": "SELECT AVG(x) FROM y", "Id": "q"});
        assert_eq!(sent(&select)["MetricDataQueries"][0]["Period"], 60);
        let sum = json!({"MetricDataQueries": [
            {"Id": "a", "MetricStat": metric(), "ReturnData": false},
            {"Id": "b", "Expression": "a * 2"}]});
        let sent = sent(&sum);
        assert_eq!(sent["MetricDataQueries"][0]["MetricStat"]["Period"], 60);
        assert_eq!(sent["MetricDataQueries"][1].get("Period"), None);
    }

    #[test]
    fn an_own_period_stays() {
        let own = |query: &Value| Query::parse(&query.to_string()).unwrap().period;
        let mut stat = metric();
        assert_eq!(own(&json!({"MetricStat": stat})), None);
        stat["Period"] = json!(300);
        assert_eq!(own(&json!({"MetricStat": stat})), Some(300));
        assert_eq!(
            own(&json!({"Expression": "SEARCH('x', 'Sum', 60)", "Period": 60})),
            Some(60)
        );
    }

    #[test]
    fn what_is_no_single_metric_is_refused() {
        for query in [
            json!("SELECT"),
            json!({}),
            json!({"MetricStat": metric(), "Expression": "a"}),
            json!({"MetricStat": metric(), "Stat": "Sum"}),
            json!({"MetricStat": "Sum"}),
            json!({"Expression": "SEARCH('x', 'Sum', 60)"}),
            json!({"MetricStat": metric(), "ReturnData": false}),
            json!({"Expression": "SELECT 1", "Period": "60"}),
            json!({"Expression": "SELECT 1", "Period": 0}),
            json!({"MetricDataQueries": []}),
            json!({"MetricDataQueries": {}}),
            json!({"MetricDataQueries": [1]}),
            json!({"MetricDataQueries": [{"MetricStat": metric()}], "StartTime": 5}),
            json!({"MetricDataQueries": [{"MetricStat": metric()}, {"MetricStat": metric()}]}),
        ] {
            let fault = Query::parse(&query.to_string()).unwrap_err();
            assert_eq!(fault.kind, FaultKind::Invalid, "{query}");
        }
    }
}
