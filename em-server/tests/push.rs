//! A workload that reports its own numbers, through `em run`.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// It reports ten times a second, and keeps its token so that the test knows what to look for.
const WORKLOAD: &str = r#"
authority=${EM_PUSH_URL#http://}; path=/${authority#*/}; authority=${authority%%/*}
echo "$EM_PUSH_TOKEN" >> TOKENS
while sleep 0.1; do
    body="depth{queue=\"in\"} $DEPTH"
    exec 3<>"/dev/tcp/${authority%:*}/${authority#*:}"
    printf 'POST %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s' \
        "$path" "$authority" "$EM_PUSH_TOKEN" "${#body}" "$body" >&3
    cat <&3 >/dev/null
done
"#;

const FILE: &str = r#"
name: reported
target: { kind: process, command: [bash, workload], ready: { command: ["true"] } }
tunables: [{ name: depth, range: [1, 9], default: 3, apply: { env: DEPTH } }]
load: { kind: none }
datasources: { own: { kind: push } }
metrics: [{ name: queue, datasource: own, as: gauge, query: 'depth{queue="in"}' }]
objective: { minimize: queue.mean }
measurement: { warmup: 200ms, cycles: 1, cycle_duration: 1s, iterations: { max: 1 }, design: sequential }
trials: [{ id: less, values: { depth: 2 } }]
"#;

#[test]
fn a_workload_reports_its_own_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = folder.path().join("tokens");
    let workload = WORKLOAD.replace("TOKENS", &tokens.display().to_string());
    let script = folder.path().join("workload");
    std::fs::write(&script, workload).unwrap();
    let path = folder.path().join("file.yaml");
    let file = FILE.replace("bash, workload", &format!("bash, {}", script.display()));
    std::fs::write(&path, file).unwrap();
    let data = folder.path().join("data");
    let ran = Command::new(env!("CARGO_BIN_EXE_em"))
        .args(["run", "--beside", "--output", "json"])
        .arg(&path)
        .env("EM_DATA", &data)
        .env("RUST_LOG", "debug")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(0), "{said}");
    let report: Value = serde_json::from_slice(&ran.stdout).unwrap();
    let trials = report["trials"].as_array().unwrap();
    let means: Vec<_> = trials
        .iter()
        .map(|trial| {
            let queue = &trial["iterations"][0]["queue"];
            assert!(queue["origin"]["points"].as_u64() >= Some(4), "{queue}");
            queue["estimates"]["mean"]["value"].as_f64().unwrap()
        })
        .collect();
    assert!(means.contains(&2.0) && means.contains(&3.0), "{means:?}");

    // Each iteration has a token of its own, which is kept nowhere.
    let tokens = std::fs::read_to_string(tokens).unwrap();
    let mut tokens: Vec<&str> = tokens.lines().collect();
    assert!(tokens.iter().all(|token| token.len() == 64), "{tokens:?}");
    tokens.sort_unstable();
    tokens.dedup();
    assert_eq!(tokens.len(), 2);
    for token in tokens {
        assert!(!said.contains(token));
        assert!(!String::from_utf8_lossy(&ran.stdout).contains(token));
        assert!(!is_in(&data, token), "{token} is on the disk");
    }
}

/// Whether a text is in any file below a folder.
fn is_in(folder: &Path, text: &str) -> bool {
    std::fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return is_in(&path, text);
        }
        if path.ends_with("reserve") {
            // The room that is set aside holds nothing.
            return false;
        }
        let bytes = std::fs::read(&path).unwrap_or_default();
        String::from_utf8_lossy(&bytes).contains(text)
    })
}
