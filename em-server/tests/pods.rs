//! A target that tells which pods are its own, and queries that name them.

use std::process::Command;

use em_tests::http;
use serde_json::Value;

/// Three pods; the target has the first two, whose names hold what means something in an expression.
const PAGE: &str = "\
jobs{pod=\"web.1\"} 3
jobs{pod=\"web-2\"} 4
jobs{pod=\"webx1\"} 500
";

const FILE: &str = r#"
name: pods
target:
  kind: command
  snapshot: [echo, '{}']
  apply: [sh, -c, 'cat > /dev/null']
  facts: [echo, '{"pods": ["web.1", "web-2"], "namespace": "shop"}']
  restore: [sh, -c, 'cat > /dev/null']
tunables: [{ name: n, range: [1, 9] }]
load: { kind: none }
datasources: { page: { kind: scrape, url: "URL/metrics", every: 100ms } }
metrics: [{ name: jobs, datasource: page, as: gauge, query: 'jobs{pod=~"{{pods}}"}', fold: sum }]
measurement: { warmup: 0s, cycles: 1, cycle_duration: 500ms, iterations: { max: 1 }, design: sequential }
trials: [{ id: t, values: { n: 2 } }]
"#;

#[test]
fn queries_name_the_pods_that_the_target_has() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file.yaml");
    let url = http::serve(|_| ("200 OK", PAGE.to_owned())).unwrap();
    std::fs::write(&path, FILE.replace("URL", &url)).unwrap();
    let ran = Command::new(env!("CARGO_BIN_EXE_em"))
        .args(["run", "--beside", "--output", "json"])
        .arg(&path)
        .env("EM_DATA", folder.path().join("data"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    let report: Value = serde_json::from_slice(&ran.stdout).unwrap_or_else(|_| panic!("{said}"));
    let jobs = &report["trials"][0]["iterations"][0]["jobs"];
    assert_eq!(jobs["estimates"]["mean"]["value"], 7.0, "{jobs} {said}");
    assert_eq!(jobs["origin"]["query"], r#"jobs{pod=~"web\\.1|web-2"}"#);
}
