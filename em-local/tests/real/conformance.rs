//! Every adapter of this crate keeps the rules of its port.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use em_core::observe::Window;
use em_core::plan::{DatasourceKind, TargetSpec};
use em_core::port::{
    Address, Asked, Clock as _, Datasource, LoadGoal, LoadPlan, SystemClock, Target,
};
use em_core::testkit::conformance::{self, DatasourceScene, LoadScene, TargetScene};
use em_local::command::CommandTarget;
use em_local::command_load::CommandLoadDriver;
use em_local::datasource::{CommandDatasource, CsvDatasource};
use em_local::observe::ObserveTarget;
use em_local::process::ProcessTarget;
use em_local::simulated::{SimulatedLoad, SimulatedTarget};
use em_local::surroundings::Surroundings;
use jiff::SignedDuration;

use crate::support::Bench;

const PROCESS: &str = r#"
name: server
target: { kind: process, command: [sleep, "60"], ready: { command: ["true"] } }
tunables: [{ name: workers, range: [1, 16], default: 2, apply: { env: WORKERS } }]
load: { kind: none }
"#;

const COMMAND: &str = r#"
name: settings
target:
  kind: command
  snapshot: [cat, state]
  apply: [sh, -c, 'echo {{workers}} >> log']
  restore: [sh, -c, 'true']
  address: "127.0.0.1:5432"
tunables: [{ name: workers, range: [1, 16], default: 2 }]
load: { kind: none }
baseline: live
"#;

const SIMULATED: &str = r"
name: rehearsal
target: { kind: simulated, model: { latency: 10ms * values.workers, load.response_time: 2ms } }
tunables: [{ name: workers, range: [1, 16], default: 8 }]
load: { kind: http, url: 'http://{{address}}/', rate: 100 }
";

const OBSERVE: &str = r"
name: watched
target: { kind: observe }
load: { kind: none }
";

fn target<T: Target>(
    text: &str,
    prepare: impl FnOnce(&Path),
    make: impl FnOnce(Surroundings) -> T,
) -> TargetScene {
    let bench = Bench::new(text, prepare, make);
    let kind = bench.plan.target.kind().to_owned();
    TargetScene {
        target: Arc::new(bench.target),
        plan: bench.plan,
        epoch: bench.epoch,
        // A process target changes nothing that two experiments share.
        locks: kind == "command",
        deploys: !matches!(kind.as_str(), "observe" | "command"),
        keep: Box::new(bench.folder),
    }
}

#[tokio::test]
async fn the_process_target_keeps_the_rules() {
    conformance::target(async || target(PROCESS, |_| {}, ProcessTarget::new)).await;
}

#[tokio::test]
async fn the_command_target_keeps_the_rules() {
    let state = |folder: &Path| fs::write(folder.join("state"), "{\"workers\": 2}").unwrap();
    conformance::target(async || target(COMMAND, state, CommandTarget::new)).await;
}

#[tokio::test]
async fn the_simulated_target_keeps_the_rules() {
    let make = |_| SimulatedTarget::new(Arc::new(SystemClock));
    conformance::target(async || target(SIMULATED, |_| {}, make)).await;
}

#[tokio::test]
async fn the_observed_target_keeps_the_rules() {
    conformance::target(async || target(OBSERVE, |_| {}, |_| ObserveTarget)).await;
}

fn load_plan(bench: &Bench<ObserveTarget>) -> LoadPlan {
    let goal = LoadGoal::Measure { rate: None };
    let spec = Arc::new(bench.plan.load.clone());
    LoadPlan::new(spec, goal, 1, Duration::from_secs(5)).batch(Duration::from_millis(200))
}

#[tokio::test]
async fn the_simulated_load_keeps_the_rules() {
    conformance::load_driver(async || {
        let bench = Bench::new(SIMULATED, |_| {}, |_| ObserveTarget);
        let TargetSpec::Simulated(spec) = bench.plan.target.clone() else {
            panic!("not simulated")
        };
        let defaults = bench.plan.tunables.iter();
        let values = defaults.filter_map(|one| Some((one.name.clone(), one.default.clone()?)));
        LoadScene {
            driver: Arc::new(SimulatedLoad::new(spec, Arc::new(SystemClock))),
            plan: load_plan(&bench).values(Arc::new(values.collect())),
            addresses: Vec::new(),
            keep: Box::new(bench.folder),
        }
    })
    .await;
}

#[tokio::test]
async fn the_command_load_keeps_the_rules() {
    let text = r#"
name: loaded
target: { kind: process, command: [sleep, '9'] }
tunables: [{ name: n, range: [1, 4], default: 2, apply: { env: N } }]
load:
  kind: command
  command: [sh, -c, "echo tps = 12.5; sleep 0.05"]
  output: { patterns: { throughput: "tps = ([0-9.]+)" } }
"#;
    conformance::load_driver(async || {
        let bench = Bench::new(text, |_| {}, |_| ObserveTarget);
        let address = Address {
            name: "port".to_owned(),
            authority: "127.0.0.1:4711".to_owned(),
        };
        LoadScene {
            driver: Arc::new(CommandLoadDriver::new(bench.surroundings.clone())),
            plan: load_plan(&bench),
            addresses: vec![address],
            keep: Box::new(bench.folder),
        }
    })
    .await;
}

fn source(
    bench: Bench<ObserveTarget>,
    source: Arc<dyn Datasource>,
    [sound, broken]: [&str; 2],
) -> DatasourceScene {
    let asked = |text: &str| Asked {
        text: text.to_owned(),
        kind: em_core::plan::MetricKind::Gauge,
        endpoint: None,
        body: None,
    };
    let now = SystemClock.now();
    DatasourceScene {
        source,
        asked: asked(sound),
        broken: Some(asked(broken)),
        window: Window {
            start: now - SignedDuration::from_secs(3600),
            end: now,
        },
        keep: Box::new(bench.folder),
    }
}

#[tokio::test]
async fn the_command_datasource_keeps_the_rules() {
    let text = format!(
        "{OBSERVE}datasources: {{ tool: {{ kind: command, command: [echo, 'level=7'], output: {{ patterns: {{ level: 'level=([0-9]+)' }} }} }} }}\n"
    );
    conformance::datasource(async || {
        let bench = Bench::new(&text, |_| {}, |_| ObserveTarget);
        let spec = &bench.plan.datasources[&"tool".parse().unwrap()];
        let DatasourceKind::Command { command, output } = spec.kind.clone() else {
            panic!("not a command")
        };
        let surroundings = bench.surroundings.clone();
        let made = CommandDatasource::new(surroundings, command, output, None);
        source(bench, Arc::new(made), ["level", "no such rule"])
    })
    .await;
}

#[tokio::test]
async fn the_csv_datasource_keeps_the_rules() {
    let now = SystemClock.now().as_second();
    let rows: Vec<String> = (1..=5)
        .map(|row| format!("{},{row}\n", now - 60 + row))
        .collect();
    let table = format!("when,size\n{}", rows.concat());
    for time in [None, Some("when".to_owned())] {
        conformance::datasource(async || {
            let write = |folder: &Path| fs::write(folder.join("sizes.csv"), &table).unwrap();
            let bench = Bench::new(OBSERVE, write, |_| ObserveTarget);
            let made =
                CsvDatasource::new(bench.surroundings.clone(), "sizes.csv".into(), time.clone());
            source(bench, Arc::new(made), ["size", " "])
        })
        .await;
    }
}
