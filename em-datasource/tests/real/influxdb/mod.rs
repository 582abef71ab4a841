//! An `InfluxDB` of its own: series, buckets, single values, refusals, and what it says of itself.

mod server;

use std::sync::Arc;
use std::time::Duration;

use em_core::fault::{Fault, FaultKind, Retry};
use em_core::plan::MetricKind::{self, Counter, Gauge, Value};
use em_core::plan::{Auth, DatasourceKind, DatasourceSpec, SecretRef};
use em_core::port::{Answer, Datasource as _};
use em_core::template::{Escape, Template};
use em_core::testkit::conformance::{self, DatasourceScene};

use self::server::{Influx, ODD, source};
use crate::asking::{asked, cx, only, window};
use crate::servers::T0;

/// The condition of a window in seconds after the data begins.
fn during(start: i64, end: i64) -> String {
    let at = |second: i64| (T0 + second) * 1_000;
    format!("time >= {}ms AND time <= {}ms", at(start), at(end))
}

async fn query(
    influx: &Influx,
    kind: MetricKind,
    text: &str,
    (start, end): (i64, i64),
) -> Result<Answer, Fault> {
    let text = text.replace("$during", &during(start, end));
    let cx = cx(Duration::from_secs(20));
    let source = influx.source();
    source
        .query(&cx, &asked(kind, &text), window(start, end))
        .await
}

/// Seconds after the data begins, and values, of the only series.
fn points(answer: &Answer) -> Vec<(i64, f64)> {
    assert_eq!(answer.series.len(), 1, "{answer:?}");
    let points = answer.series[0].points.iter();
    let pair = |point: &em_core::port::Point| (point.at.as_second() - T0, point.value);
    points.map(pair).collect()
}

#[tokio::test]
#[ignore = "needs influxdb: tests/run datasources"]
async fn series_come_with_their_tags() {
    let influx = Influx::filled("").await;
    let text = "SELECT v FROM load WHERE $during GROUP BY host";
    let answer = query(&influx, Gauge, text, (15, 45)).await.unwrap();
    let values = |host: &str| {
        let is_it = |one: &&em_core::port::Series| one.labels["host"] == host;
        let series = answer.series.iter().find(is_it).unwrap();
        assert_eq!(series.labels["__name__"], "load");
        let points = series.points.iter();
        points.map(|point| point.value).collect::<Vec<_>>()
    };
    assert_eq!(values("a"), [1.0, 2.0, 3.0]);
    assert_eq!(values("b"), [2.0, 4.0, 6.0]);
    assert_eq!((answer.series.len(), answer.warnings.len()), (2, 0));
    let mixed = "SELECT v FROM load WHERE $during";
    let fault = query(&influx, Gauge, mixed, (15, 45)).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Invalid);
    assert!(fault.message.contains("GROUP BY the tags"), "{fault}");
}

#[tokio::test]
#[ignore = "needs influxdb: tests/run datasources"]
async fn only_whole_buckets_count_and_empty_ones_are_no_zero() {
    let influx = Influx::filled("").await;
    let text = "SELECT mean(v) FROM pausing WHERE $during GROUP BY time(15s) fill(null)";
    // Buckets begin at 10, 25, 40: multiples of 15 since 1970.
    let answer = query(&influx, Gauge, text, (0, 100)).await.unwrap();
    let wanted = [(10, 1.0), (55, 4.0), (70, 5.0), (85, 6.0)];
    assert_eq!(points(&answer), wanted);
    assert_eq!(answer.step, Some(Duration::from_secs(15)));
    assert!(answer.warnings.is_empty(), "{:?}", answer.warnings);
    let long = text.replace("15s", "1h");
    let answer = query(&influx, Gauge, &long, (0, 100)).await.unwrap();
    assert!(answer.series.is_empty());
    assert!(
        answer.warnings[0].contains("no bucket"),
        "{:?}",
        answer.warnings
    );
}

#[tokio::test]
#[ignore = "needs influxdb: tests/run datasources"]
async fn what_the_query_asks_for_beside_the_window_is_left_out() {
    let influx = Influx::filled("").await;
    let text = "SELECT v FROM load WHERE host = 'a'";
    let answer = query(&influx, Gauge, text, (15, 45)).await.unwrap();
    assert_eq!(points(&answer), [(15, 1.0), (30, 2.0), (45, 3.0)]);
    assert!(
        answer.warnings[0].contains("{{start_ms}}ms"),
        "{:?}",
        answer.warnings
    );
    let newest = "SELECT v FROM load WHERE host = 'a' AND $during ORDER BY time DESC";
    let answer = query(&influx, Gauge, newest, (15, 45)).await.unwrap();
    assert_eq!(points(&answer), [(15, 1.0), (30, 2.0), (45, 3.0)]);
    assert!(answer.warnings.is_empty(), "{:?}", answer.warnings);
}

#[tokio::test]
#[ignore = "needs influxdb: tests/run datasources"]
async fn a_counter_is_read_as_it_counts() {
    let influx = Influx::filled("").await;
    let text = "SELECT total FROM hits WHERE $during";
    let answer = query(&influx, Counter, text, (270, 330)).await.unwrap();
    assert_eq!(only(&answer), [54.0, 57.0, 0.0, 1.0, 2.0]);
}

#[tokio::test]
#[ignore = "needs influxdb: tests/run datasources"]
async fn a_value_stands_at_the_end_of_the_window() {
    let influx = Influx::filled("").await;
    for (text, value) in [
        ("SELECT mean(v) FROM load WHERE host = 'a' AND $during", 2.0),
        ("SELECT last(v) FROM load WHERE host = 'a' AND $during", 3.0),
        // It is stamped with 1970.
        (
            "SELECT integral(v) FROM load WHERE host = 'a' AND $during",
            60.0,
        ),
        (
            "SELECT max(m) FROM (SELECT sum(v) AS m FROM load WHERE $during GROUP BY time(15s))",
            9.0,
        ),
    ] {
        let answer = query(&influx, Value, text, (15, 45)).await.unwrap();
        assert_eq!(points(&answer), [(45, value)], "{text}");
        assert!(answer.warnings.is_empty(), "{:?}", answer.warnings);
    }
    // The newest there is came after the window.
    let newest = "SELECT last(v) FROM load WHERE host = 'a'";
    let answer = query(&influx, Value, newest, (15, 45)).await.unwrap();
    assert!(answer.series.is_empty() && !answer.warnings.is_empty());
    let all = "SELECT mean(v) FROM load WHERE host = 'a'";
    let answer = query(&influx, Value, all, (15, 45)).await.unwrap();
    assert_eq!(points(&answer), [(45, 19.5)]);
    assert!(
        answer.warnings[0].contains("counts everything"),
        "{:?}",
        answer.warnings
    );
}

#[tokio::test]
#[ignore = "needs influxdb: tests/run datasources"]
async fn a_value_with_quotes_is_the_value_and_nothing_else() {
    let influx = Influx::filled("").await;
    let source = "SELECT v FROM odd WHERE host = '{{host}}' AND $during GROUP BY host";
    let template = Template::parse(source).unwrap();
    let filled = |host: &str| {
        let value = em_core::value::Value::Text(host.to_owned());
        let lookup = |name: &str| (name == "host").then(|| value.clone());
        template.render(&lookup, Escape::InfluxQl).unwrap()
    };
    let answer = query(&influx, Gauge, &filled(ODD), (0, 15)).await.unwrap();
    assert_eq!(only(&answer), [7.0, 7.0]);
    assert_eq!(answer.series[0].labels["host"], ODD);
    let all = filled("' OR v > 0 OR host = '");
    let answer = query(&influx, Gauge, &all, (0, 15)).await.unwrap();
    assert!(answer.series.is_empty(), "{answer:?}");
    let more = filled("'; DROP MEASUREMENT odd; SELECT v FROM odd WHERE host = '");
    let answer = query(&influx, Gauge, &more, (0, 15)).await.unwrap();
    assert!(answer.series.is_empty(), "{answer:?}");
    let answer = query(&influx, Gauge, &filled(ODD), (0, 15)).await.unwrap();
    assert_eq!(only(&answer), [7.0, 7.0]);
}

#[tokio::test]
#[ignore = "needs influxdb: tests/run datasources"]
async fn nothing_is_no_series_and_no_error() {
    let influx = Influx::filled("").await;
    for text in [
        "SELECT v FROM nowhere WHERE $during",
        "SELECT nothing FROM load WHERE $during",
        "SELECT v FROM load WHERE host = 'c' AND $during",
    ] {
        let answer = query(&influx, Gauge, text, (15, 45)).await.unwrap();
        assert!(
            answer.series.is_empty() && answer.warnings.is_empty(),
            "{text}"
        );
    }
    let nothing = asked(Gauge, "SELECT v FROM nowhere WHERE time > 0");
    let cx = cx(Duration::from_secs(5));
    let told = influx.source().validate(&cx, &nothing).await.unwrap();
    assert_eq!((told.series, told.warnings.len()), (Some(0), 1));
}

#[tokio::test]
#[ignore = "needs influxdb: tests/run datasources"]
async fn refusals_are_told_in_the_servers_own_words() {
    let influx = Influx::filled("").await;
    for (text, words) in [
        (
            "SELECT v FRM load",
            "found FRM, expected FROM at line 1, char 10",
        ),
        ("SELECT nofunc(v) FROM load", "undefined function nofunc()"),
        ("SELECT mean(text) FROM load", "unsupported mean"),
        (
            "SELECT * FROM load",
            "3 columns beside the time (host, text, v)",
        ),
        ("SELECT text FROM load", "text is a text"),
        ("SELECT ok FROM hits", "ok is true or false"),
    ] {
        let fault = query(&influx, Gauge, text, (15, 45)).await.unwrap_err();
        assert_eq!(
            (fault.kind, fault.retry),
            (FaultKind::Invalid, Retry::Never),
            "{text}"
        );
        assert!(fault.message.contains(words), "{fault}");
    }
    let mut spec = influx.spec();
    if let DatasourceKind::InfluxDb(influxdb) = &mut spec.kind {
        influxdb.database = "elsewhere".to_owned();
    }
    let cx = cx(Duration::from_secs(5));
    let elsewhere = source(&spec);
    let probed = elsewhere.probe(&cx).await.unwrap_err();
    let text = asked(Gauge, "SELECT v FROM load");
    let queried = elsewhere
        .query(&cx, &text, window(0, 60))
        .await
        .unwrap_err();
    for fault in [probed, queried] {
        assert_eq!(fault.kind, FaultKind::NotFound);
        assert!(
            fault.message.contains("database not found: elsewhere"),
            "{fault}"
        );
    }
}

#[tokio::test]
#[ignore = "needs influxdb: tests/run datasources"]
async fn an_answer_that_the_server_cuts_off_is_none() {
    let influx = Influx::filled("max-row-limit = 5").await;
    let text = "SELECT v FROM load WHERE $during GROUP BY host";
    let fault = query(&influx, Gauge, text, (0, 300)).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Malformed);
    assert!(fault.message.contains("only in part"), "{fault}");
    let answer = query(&influx, Gauge, text, (0, 15)).await.unwrap();
    assert_eq!(answer.series.len(), 2);
}

#[tokio::test]
#[ignore = "needs influxdb: tests/run datasources"]
async fn whoever_may_only_read_is_let_in_and_nobody_else() {
    let influx = Influx::new("auth-enabled = true");
    let admin = Some(("root", "of-it-all"));
    influx
        .tell(
            None,
            "CREATE USER root WITH PASSWORD 'of-it-all' WITH ALL PRIVILEGES",
        )
        .await;
    for statement in [
        "CREATE DATABASE em",
        "CREATE USER em WITH PASSWORD 'hush-hush'",
        "GRANT READ ON em TO em",
        "CREATE USER stranger WITH PASSWORD 'hush-hush'",
    ] {
        influx.tell(admin, statement).await;
    }
    let file = influx.folder.path().join("password");
    let spec = |user: &str| DatasourceSpec {
        auth: Some(Auth::Basic {
            user: user.to_owned(),
            password: SecretRef::FromFile(file.clone()),
        }),
        ..influx.spec()
    };
    let cx = cx(Duration::from_secs(5));
    std::fs::write(&file, "hush-hush\n").unwrap();
    let reader = source(&spec("em"));
    reader.probe(&cx).await.unwrap();
    let refused = source(&spec("stranger")).probe(&cx).await.unwrap_err();
    std::fs::write(&file, "hush-a-bye\n").unwrap();
    let wrong = reader.probe(&cx).await.unwrap_err();
    let nobody = influx.source().probe(&cx).await.unwrap_err();
    for fault in [refused, wrong, nobody] {
        assert_eq!(fault.kind, FaultKind::Denied, "{fault}");
        assert!(!fault.chain().contains("hush"), "{fault}");
    }
}

#[tokio::test]
#[ignore = "needs influxdb: tests/run datasources"]
async fn a_probe_tells_the_version_and_the_clock() {
    let influx = Influx::filled("").await;
    let health = influx.source().probe(&cx(Duration::from_secs(5))).await;
    let health = health.unwrap();
    assert!(health.version.unwrap().starts_with("1."));
    assert_eq!(health.clock_skew_ms, Some(0));
}

#[tokio::test]
#[ignore = "needs influxdb: tests/run datasources"]
async fn influxdb_keeps_the_rules() {
    conformance::datasource(async || {
        let influx = Influx::filled("").await;
        let text = format!("SELECT v FROM load WHERE {} GROUP BY host", during(0, 300));
        DatasourceScene {
            source: Arc::new(influx.source()),
            asked: asked(Gauge, &text),
            broken: Some(asked(Gauge, "SELECT v FRM load")),
            window: window(0, 300),
            keep: Box::new(influx),
        }
    })
    .await;
}
