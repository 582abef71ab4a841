//! A simulated target in the place of the system: any file in seconds.

#![expect(clippy::unwrap_used, reason = "a test may panic wherever it likes")]

use std::process::Command;

use serde_json::Value;

const FILE: &str = r#"
name: rehearsal
target: { kind: simulated, model: { latency: "0.01 * values.x" }, noise: { latency: 0.02 } }
tunables: [{ name: x, range: [1, 100], default: 50, apply: { env: X } }]
load: { kind: none }
objective: { minimize: latency.mean }
measurement: { warmup: 100ms, cycles: 1, cycle_duration: 200ms, iterations: { max: 8 } }
trials: [{ id: a, values: { x: 40 } }, { id: b, values: { x: 60 } }]
"#;

/// What `em run` says of a file, as its report.
fn run(file: &str) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file.yaml");
    std::fs::write(&path, file).unwrap();
    let ran = Command::new(env!("CARGO_BIN_EXE_em"))
        .args(["run", "--beside", "--output", "json"])
        .arg("--data")
        .arg(folder.path().join("data"))
        .arg(&path)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(0), "{said}");
    serde_json::from_slice(&ran.stdout).unwrap()
}

#[test]
fn a_report_follows_the_schema_that_is_printed_for_it() {
    let printed = Command::new(env!("CARGO_BIN_EXE_em"))
        .args(["schema", "report"])
        .output()
        .unwrap();
    let schema: Value = serde_json::from_slice(&printed.stdout).unwrap();
    let follows = jsonschema::validator_for(&schema).unwrap();
    let mut report = run(FILE);
    let wrong: Vec<String> = follows
        .iter_errors(&report)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    report["trials"][0]["blocks"] = "many".into();
    assert!(!follows.is_valid(&report));
}

#[test]
fn a_constraint_is_said_once_of_each_screened_trial() {
    let file = r#"
name: screened
target: { kind: simulated, model: { latency: "0.01 * values.x" } }
load: { kind: none }
objective: { minimize: latency.mean }
constraints: ["latency.mean <= 0.5"]
measurement: { warmup: 50ms, cycles: 1, cycle_duration: 100ms, iterations: { max: 6 } }
search: { method: grid, parallel: 4, blocks: 1, verify: 0 }
tunables: [{ name: x, choices: [10, 40, 60, 90], default: 40, apply: { env: X } }]
budget: { trials: 4 }
"#;
    let report = run(file);
    let trials = report["trials"].as_array().unwrap();
    let proposed = trials.iter().filter(|trial| trial["origin"] == "proposed");
    let said: Vec<usize> = proposed
        .map(|trial| trial["constraints"].as_array().unwrap().len())
        .collect();
    assert!(
        said.len() >= 3 && said.iter().all(|said| *said == 1),
        "{said:?}"
    );
}

fn mean(report: &Value, trial: usize, metric: &str) -> f64 {
    let iteration = &report["trials"][trial]["iterations"][0];
    let mean = &iteration[metric]["estimates"]["mean"]["value"];
    mean.as_f64().unwrap()
}

#[test]
fn the_metrics_of_the_model_are_measured_without_being_listed() {
    let report = run(FILE);
    assert_eq!(report["answer"], "found");
    let winning = &report["winning"];
    assert!(winning.to_string().contains("40"), "{winning}");
    let seen = mean(&report, 0, "latency");
    // The winner comes first. Values with 2 % of noise each.
    assert!((seen / 0.4 - 1.0).abs() < 0.1, "{seen}");
}

#[test]
fn a_metric_of_another_source_is_the_models_where_it_names_it() {
    let more = "\
datasources: { app: { kind: scrape, url: 'http://192.0.2.1/metrics' } }
metrics: [{ name: latency, datasource: app, query: latency_seconds, as: gauge, unit: ms }]
";
    let report = run(&format!("{FILE}{more}"));
    assert_eq!(report["answer"], "found");
    assert_eq!(
        report["trials"][0]["iterations"][0]["latency"]["unit"],
        "seconds"
    );
}
