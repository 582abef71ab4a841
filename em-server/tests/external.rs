//! A running service under load that somebody else makes: waited for, then measured.

#![expect(clippy::unwrap_used, reason = "a test may panic wherever it likes")]

use std::net::SocketAddr;
use std::process::Output;

use em_load::demo::{Demo, DemoOptions};
use em_load::{Destination, Profile, RequestTemplate, Run, RunPlan};
use serde_json::Value;

/// The demo service on a free port of loopback.
async fn service() -> SocketAddr {
    use clap::Parser;

    #[derive(Parser)]
    struct Options {
        #[command(flatten)]
        demo: DemoOptions,
    }
    let options = Options::parse_from(["demo", "--workers", "8"]).demo;
    let demo = Demo::bind(&options).await.unwrap();
    let address = demo.address();
    tokio::spawn(demo.serve());
    address
}

/// Requests per second, for as long as it is kept.
fn load(address: SocketAddr, rate: f64) -> Run {
    let request = RequestTemplate::get(&format!("http://{address}/")).unwrap();
    let destination = Destination {
        request,
        addresses: vec![address],
    };
    Run::start(RunPlan::new(destination, Profile::constant(rate).unwrap())).unwrap()
}

/// What `em run` says of the service.
async fn watch(address: SocketAddr, load: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("watch.yaml");
    let file = format!(
        "\
name: watch
target: {{ kind: observe }}
load: {{ kind: external, metric: requests, {load} }}
datasources: {{ page: {{ kind: scrape, url: 'http://{address}/metrics', every: 50ms }} }}
metrics:
  - {{ name: requests, datasource: page, query: demo_requests_total, as: counter }}
  - {{ name: duration, datasource: page, query: demo_request_duration_seconds, as: histogram, unit: s }}
measurement: {{ warmup: 200ms, cycles: 2, cycle_duration: 1s, iterations: {{ min: 1, max: 1 }} }}
"
    );
    std::fs::write(&path, file).unwrap();
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_em"));
    command
        .args(["run", "--beside", "--output", "json"])
        .arg("--data")
        .arg(folder.path().join("data"))
        .arg(&path);
    command.output().await.unwrap()
}

#[tokio::test]
async fn a_service_is_measured_once_its_load_is_there_and_steady() {
    let address = service().await;
    let _load = load(address, 200.0);
    let ran = watch(address, "timeout: 20s").await;
    let said = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(0), "{said}");
    let report: Value = serde_json::from_slice(&ran.stdout).unwrap();
    let seen = &report["trials"][0]["iterations"][0];
    let rate = seen["requests"]["estimates"]["rate"]["value"].as_f64();
    let rate = rate.unwrap();
    assert!((rate / 200.0 - 1.0).abs() < 0.2, "{rate}");
    assert!(
        seen["duration"]["estimates"]["median"]["value"].is_f64(),
        "{seen}"
    );
}

#[tokio::test]
async fn load_that_does_not_come_is_said_to_be_absent() {
    let address = service().await;
    let ran = watch(address, "timeout: 2s").await;
    let said = String::from_utf8_lossy(&ran.stderr);
    assert_ne!(ran.status.code(), Some(0), "{said}");
    let report = String::from_utf8_lossy(&ran.stdout);
    assert!(report.contains("load_absent"), "{report}\n{said}");
}
