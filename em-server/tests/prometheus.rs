//! A whole experiment whose numbers come from a real Prometheus, and `em query` over the same file.

use std::process::Command;

use em_tests::prometheus::Prometheus;

use serde_json::Value;

/// The demo service tells the discovery of the server where it is; what is told is in its label.
const FILE: &str = r#"
name: scraped
target:
  kind: process
  command: [sh, -c, 'echo "[{\"targets\": [\"127.0.0.1:$1\"]}]" > FOLDER/targets.json; exec "$0" demo --port "$1"', "{{em}}", "{{port}}"]
  ready: { http: /healthz }
tunables: [{ name: workers, range: [1, 16], default: 6, apply: { env: WORKERS } }]
load: { kind: http, url: "http://{{address}}/", rate: 200, arrivals: constant }
datasources: { prom: { kind: prometheus, url: "URL", every: 500ms } }
metrics:
  - { name: requests, datasource: prom, as: counter, query: 'demo_requests_total{instance="{{address}}"}', fold: sum }
  - { name: duration, datasource: prom, as: histogram, query: 'demo_request_duration_seconds_bucket{instance="{{address}}"}', fold: merge, unit: s }
  - { name: busy, datasource: prom, as: gauge, query: 'sum(demo_in_flight{instance="{{address}}"})' }
  - { name: quantile, datasource: prom, as: value, unit: s, query: 'histogram_quantile(0.5, sum by (le) (rate(demo_request_duration_seconds_bucket{instance="{{address}}"}[{{window}}])))' }
objective: { minimize: duration.median }
measurement: { warmup: 2s, cycles: 2, cycle_duration: 3s, iterations: { max: 1 }, design: sequential }
trials: [{ id: more, values: { workers: 8 } }]
"#;

const CONFIG: &str = "\
global: { scrape_interval: 500ms }
scrape_configs: [{ job_name: demo, file_sd_configs: [{ files: [targets.json] }] }]
";

#[test]
#[ignore = "needs prometheus: tests/run datasources"]
fn what_prometheus_scraped_agrees_with_what_the_load_counts() {
    let folder = tempfile::tempdir().unwrap();
    let server = Prometheus::start(folder.path(), CONFIG).unwrap();
    let path = folder.path().join("file.yaml");
    let file = FILE
        .replace("FOLDER", &folder.path().display().to_string())
        .replace("URL", &server.url);
    std::fs::write(&path, file).unwrap();
    let em = |arguments: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_em"))
            .args(arguments)
            .arg(&path)
            .env("EM_DATA", folder.path().join("data"))
            .output()
            .unwrap()
    };
    let checked = em(&["check"]);
    let said = String::from_utf8_lossy(&checked.stdout);
    assert_eq!(
        checked.status.code(),
        Some(0),
        "{said}{}",
        String::from_utf8_lossy(&checked.stderr)
    );
    assert!(
        said.contains("version 2") || said.contains("version 3"),
        "{said}"
    );

    let ran = em(&["run", "--beside", "--output", "json"]);
    let said = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(0), "{said}");
    let report: Value = serde_json::from_slice(&ran.stdout).unwrap();
    let seen = &report["trials"][0]["iterations"][0];
    let estimate = |metric: &str, statistic: &str| {
        let value = seen[metric]["estimates"][statistic]["value"].as_f64();
        value.unwrap_or_else(|| panic!("{metric}.{statistic} is missing: {}", seen[metric]))
    };
    // Both count the same requests; the stretches of both differ by a scrape at each end.
    let ratio = estimate("requests", "rate") / estimate("load.throughput", "rate");
    assert!((ratio - 1.0).abs() < 0.15, "{ratio}");
    let (inside, outside) = (
        estimate("duration", "median"),
        estimate("load.service_time", "mean"),
    );
    assert!(inside > 0.0 && inside < outside * 1.2, "{inside} {outside}");
    // The sum comes with the buckets, so there is a mean; the service sees no time outside of itself.
    let inside = estimate("duration", "mean");
    assert!(inside > 0.0 && inside < outside * 1.2, "{inside} {outside}");
    // The server's own quantile, from the same buckets.
    let ratio = estimate("quantile", "value") / estimate("duration", "median");
    assert!((0.5..2.0).contains(&ratio), "{ratio}");
    assert!(estimate("busy", "mean") >= 0.0);
    // Each tells how its values were come by.
    for metric in ["requests", "duration", "busy", "quantile"] {
        let origin = &seen[metric]["origin"];
        assert_eq!(origin["datasource"], "prom", "{origin}");
        assert_eq!(origin["status"], 200, "{origin}");
        let query = origin["query"].as_str().unwrap();
        assert!(query.contains("demo_") && !query.contains("{{"), "{query}");
        assert!(origin["points"].as_u64() > Some(0), "{origin}");
        assert!(origin["took_s"].as_f64() > Some(0.0), "{origin}");
    }
    assert_eq!(seen["busy"]["origin"]["step_s"], 0.5);

    // Nobody ever answered there.
    let asked = em(&["query", "--window", "10s", "--address", "127.0.0.1:1"]);
    let said = String::from_utf8_lossy(&asked.stdout);
    assert_eq!(asked.status.code(), Some(1), "{said}");
    let query = "demo_requests_total{instance=\"127.0.0.1:1\"}";
    assert!(said.contains(query), "{said}");
    assert!(said.contains("there is no value"), "{said}");
    let asked = em(&["query", "no_such"]);
    assert_eq!(asked.status.code(), Some(2));
}
