//! Every datasource of this build in one run over the demo service, against what the load counts itself.

use std::process::Command;

use serde_json::Value;

const FILE: &str = r#"
name: sources
target:
  kind: process
  command: [sh, -c, 'echo "when,size" > sizes.csv; for i in 1 2 3 4 5 6 7 8 9 10; do echo "$(date +%s),$((37 + i))" >> sizes.csv; done; exec "$0" demo --port "$1"', "{{em}}", "{{port}}"]
  ready: { http: /healthz }
tunables: [{ name: workers, range: [1, 16], default: 6, apply: { env: WORKERS } }]
load: { kind: http, url: "http://{{address}}/", rate: 200, arrivals: constant }
datasources:
  app: { kind: scrape, url: "http://{{address}}/metrics", every: 100ms }
  tool: { kind: command, command: [echo, "level=7.5 at {{address}}"], output: { patterns: { level: { find: 'level=([0-9.]+)', as: gauge } } } }
  table: { kind: csv, path: sizes.csv }
metrics:
  - { name: requests, datasource: app, query: demo_requests_total, as: counter }
  - { name: busy, datasource: app, query: demo_in_flight, as: gauge }
  - { name: duration, datasource: app, query: demo_request_duration_seconds, as: histogram, unit: s }
  - { name: level, datasource: tool, query: level, as: gauge }
  - { name: size, datasource: table, query: size, as: gauge }
  - { name: cpu, datasource: target, query: cpu_seconds, as: counter, unit: s }
  - { name: memory, datasource: target, query: memory_bytes, as: gauge, unit: B }
objective: { minimize: duration.mean }
measurement: { warmup: 300ms, cycles: 2, cycle_duration: 1s, iterations: { max: 1 }, design: sequential }
trials: [{ id: more, values: { workers: 8 } }]
"#;

#[test]
fn what_a_target_publishes_agrees_with_what_its_load_counts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file.yaml");
    std::fs::write(&path, FILE).unwrap();
    let ran = Command::new(env!("CARGO_BIN_EXE_em"))
        .args(["run", "--beside", "--output", "json"])
        .arg("--data")
        .arg(folder.path().join("data"))
        .arg(&path)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(0), "{said}");
    let report: Value = serde_json::from_slice(&ran.stdout).unwrap();
    let seen = &report["trials"][0]["iterations"][0];
    let estimate = |metric: &str, statistic: &str| {
        let value = &seen[metric]["estimates"][statistic]["value"];
        let value = value.as_f64();
        value.unwrap_or_else(|| panic!("{metric}.{statistic} is missing: {}", seen[metric]))
    };
    // The stretches of both differ by a scrape at each end.
    let ratio = estimate("requests", "rate") / estimate("load.throughput", "rate");
    assert!((ratio - 1.0).abs() < 0.15, "{ratio}");
    // The client sees what the service sees, and the way between them.
    let (inside, outside) = (
        estimate("duration", "mean"),
        estimate("load.service_time", "mean"),
    );
    assert!(inside > 0.0 && inside < outside * 1.2, "{inside} {outside}");
    assert!(outside < inside + 0.1, "{inside} {outside}");
    assert!(estimate("duration", "p90") > estimate("duration", "median"));
    // Little's law: requests at a time = rate times duration; 20 looks see it roughly.
    assert!(estimate("busy", "mean") > 0.0);
    assert!((estimate("level", "mean") - 7.5).abs() < 1e-9);
    assert!((estimate("size", "mean") - 42.5).abs() < 1e-9);
    assert!(estimate("cpu", "rate") > 0.0 && estimate("cpu", "rate") < 2.0);
    assert!(estimate("memory", "mean") > 1e6);
}
