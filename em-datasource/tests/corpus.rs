//! The seeds of the fuzz targets, replayed on every test run: what was found once stays found.

#[path = "../../fuzz/answers.rs"]
mod answers;
#[path = "../../fuzz/replay.rs"]
mod replay;

use replay::replay;

#[test]
fn answers_of_prometheus_are_orderly_or_refused() {
    replay("prometheus_answer", answers::prometheus);
}

#[test]
fn answers_of_datadog_are_orderly_or_refused() {
    replay("datadog_answer", answers::datadog);
}

#[test]
fn answers_of_instana_are_orderly_or_refused() {
    replay("instana_answer", answers::instana);
}

#[test]
fn answers_of_influxdb_are_orderly_or_refused() {
    replay("influxdb_answer", answers::influxdb);
}

#[test]
fn answers_of_graphite_are_orderly_or_refused() {
    replay("graphite_answer", answers::graphite);
}

#[test]
fn json_documents_are_orderly_or_refused() {
    replay("json_answer", answers::json);
}

#[test]
fn protobuf_pages_are_orderly_or_refused() {
    replay("protobuf_page", answers::protobuf);
}

#[test]
fn answers_of_dynatrace_are_orderly_or_refused() {
    replay("dynatrace_answer", answers::dynatrace);
}

#[test]
fn answers_of_newrelic_are_orderly_or_refused() {
    replay("newrelic_answer", answers::newrelic);
}

#[test]
fn answers_of_cloudwatch_are_orderly_or_refused() {
    replay("cloudwatch_answer", answers::cloudwatch);
}
