//! The load driver `command` with tools of our own, and the datasources.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use em_core::fault::FaultKind;
use em_core::observe::{Observed, Window};
use em_core::plan::{DatasourceKind, Plan};
use em_core::port::{
    Address, Asked, Datasource, LoadBatch, LoadDriver, LoadGoal, LoadPlan, LoadStatus,
};
use em_core::value::{Unit, Value};
use em_local::command_load::CommandLoadDriver;
use em_local::datasource::{CommandDatasource, CsvDatasource};
use em_local::observe::ObserveTarget;
use em_local::surroundings::mark_of;
use jiff::Timestamp;

use crate::support::{Bench, eventually, marked};

const LIMIT: Duration = Duration::from_secs(10);

/// Never started: the tools need an address only.
const TARGET: &str = "target: { kind: process, command: [sleep, '9', '{{port}}'] }\ntunables: [{ name: clients, range: [1, 9], default: 4, apply: { env: CLIENTS } }]\n";

fn a_bench(load: &str) -> Bench<ObserveTarget> {
    let text = format!("name: loaded\n{TARGET}load: {load}\n");
    Bench::new(&text, |_| {}, |_| ObserveTarget)
}

fn a_plan(plan: &Plan, seconds: u64) -> LoadPlan {
    let spec = Arc::new(plan.load.clone());
    let goal = LoadGoal::Measure { rate: None };
    LoadPlan::new(spec, goal, 1, Duration::from_secs(seconds))
        .cycle(Duration::from_millis(1500))
        .batch(Duration::from_millis(250))
        .values(Arc::new(
            [("clients".parse().unwrap(), Value::Integer(4))].into(),
        ))
}

fn an_address() -> Vec<Address> {
    vec![Address {
        name: "port".to_owned(),
        authority: "127.0.0.1:4711".to_owned(),
    }]
}

async fn until(
    driver: &CommandLoadDriver,
    bench: &Bench<ObserveTarget>,
    batches: usize,
) -> LoadStatus {
    let cx = bench.iteration();
    let looks = async {
        loop {
            let status = driver.status(&cx).await.unwrap();
            let seen = driver.report(&cx, 0).await.unwrap().batches.len();
            let is_over = matches!(status, LoadStatus::Finished | LoadStatus::Failed { .. });
            if is_over || seen >= batches {
                return status;
            }
            driver.changed(&cx).await;
        }
    };
    tokio::time::timeout(LIMIT, looks).await.unwrap()
}

fn values(batch: &LoadBatch, metric: &str) -> Vec<f64> {
    let Some(Observed::Values { points }) = batch.observed.get(&metric.parse().unwrap()) else {
        return Vec::new();
    };
    points.iter().map(|point| point.value).collect()
}

#[tokio::test]
async fn each_run_of_a_per_cycle_tool_is_a_batch_until_it_is_stopped() {
    let bench = a_bench(
        r#"
  kind: command
  command: [sh, -c, "echo run >> runs; echo {{address}} {{duration_s}} {{trial}}; echo \"tps = 12.5\"; echo \"latency 4 ms\"; sleep 0.05"]
  output:
    patterns:
      throughput: "tps = ([0-9.]+)"
      latency: { find: "latency ([0-9.]+) ms", unit: ms }
      port: "127.0.0.1:([0-9]+) 1[.]5 0"
"#,
    );
    let driver = CommandLoadDriver::new(bench.surroundings.clone());
    let (cx, plan) = (bench.iteration(), a_plan(&bench.plan, 2));
    driver.check(&cx, &plan).await.unwrap();
    driver.start(&cx, &plan, &an_address()).await.unwrap();
    driver.start(&cx, &plan, &an_address()).await.unwrap();

    assert!(matches!(
        until(&driver, &bench, 2).await,
        LoadStatus::Steady { .. }
    ));
    driver.stop(&cx).await.unwrap();
    driver.stop(&cx).await.unwrap();

    assert_eq!(driver.status(&cx).await.unwrap(), LoadStatus::Finished);
    let report = driver.report(&cx, 1).await.unwrap();
    assert_eq!(report.problems, Vec::<String>::new());
    assert_eq!(report.batches[0].index, 1);
    assert_eq!(values(&report.batches[0], "throughput"), [12.5]);
    assert_eq!(values(&report.batches[0], "latency"), [4.0 * 1e-3]);
    assert_eq!(values(&report.batches[0], "port"), [4711.0]);
    assert!(marked(&mark_of(&cx)).is_empty());
    assert!(!bench.surroundings.work_folder(&mark_of(&cx)).exists());
    let metrics = driver.metrics(&bench.plan.load);
    assert_eq!(metrics[&"latency".parse().unwrap()], Unit::Seconds);
}

#[tokio::test]
async fn a_whole_run_is_laid_into_batches_by_time() {
    let bench = a_bench(
        r#"
  kind: command
  run: whole
  command: [sh, -c, "for i in 1 2 3 4; do echo progress $i; for j in 1 2 3; do echo x $i >> requests.log; done; sleep 0.26; done; echo total 9"]
  output:
    patterns: { progress: "progress ([0-9])", total: "total ([0-9])" }
    samples: { response: { files: "*.log", column: 2, unit: ms } }
"#,
    );
    let driver = CommandLoadDriver::new(bench.surroundings.clone());
    let (cx, plan) = (bench.iteration(), a_plan(&bench.plan, 1));
    driver.start(&cx, &plan, &an_address()).await.unwrap();
    assert_eq!(until(&driver, &bench, 1).await, LoadStatus::Finished);
    let batches = driver.report(&cx, 0).await.unwrap().batches;
    driver.stop(&cx).await.unwrap();

    assert!(batches.len() >= 4, "{batches:?}");
    assert!(
        batches.iter().all(|batch| values(batch, "total") == [9.0]),
        "once is always"
    );
    let progress: Vec<f64> = batches
        .iter()
        .flat_map(|batch| values(batch, "progress"))
        .collect();
    assert_eq!(progress, [1.0, 2.0, 3.0, 4.0]);
    let sizes = batches.iter().map(|batch| {
        let Observed::Histogram(blob) = &batch.observed[&"response".parse().unwrap()] else {
            panic!()
        };
        blob.count
    });
    let all: u64 = sizes.sum();
    assert!((10..=12).contains(&all), "{all}");
}

#[tokio::test]
async fn a_tool_that_fails_says_how_and_one_that_says_nothing_is_a_problem() {
    let failing = r#"{ kind: command, command: [sh, -c, "echo refused >&2; exit 3"], output: { patterns: { x: "x ([0-9])" } } }"#;
    let bench = a_bench(failing);
    let driver = CommandLoadDriver::new(bench.surroundings.clone());
    let (cx, plan) = (bench.iteration(), a_plan(&bench.plan, 1));
    driver.start(&cx, &plan, &an_address()).await.unwrap();
    let LoadStatus::Failed { why } = until(&driver, &bench, 1).await else {
        panic!("not failed")
    };
    assert!(
        why.contains("exit code 3") && why.contains("refused"),
        "{why}"
    );

    let allowed = failing.replace("output:", "success_exit_codes: [3], output:");
    let bench = a_bench(&allowed);
    let driver = CommandLoadDriver::new(bench.surroundings.clone());
    driver
        .start(&bench.iteration(), &a_plan(&bench.plan, 1), &an_address())
        .await
        .unwrap();
    until(&driver, &bench, 1).await;
    driver.stop(&bench.iteration()).await.unwrap();
    let report = driver.report(&bench.iteration(), 0).await.unwrap();
    assert_eq!(report.problems, ["the output holds nothing for x"]);
}

#[tokio::test]
async fn a_stopped_tool_is_gone_within_a_second_with_all_it_started() {
    let bench = a_bench(
        r#"{ kind: command, command: [sh, -c, "trap '' TERM; setsid sleep 300 & while :; do sleep 1; done"], output: { patterns: { x: "x ([0-9])" } } }"#,
    );
    let driver = CommandLoadDriver::new(bench.surroundings.clone());
    let cx = bench.iteration();
    driver
        .start(&cx, &a_plan(&bench.plan, 1), &an_address())
        .await
        .unwrap();
    assert!(eventually_async(|| marked(&mark_of(&cx)).len() >= 3).await);
    driver.stop(&cx).await.unwrap();
    assert!(eventually(LIMIT, || marked(&mark_of(&cx)).is_empty()));
}

async fn eventually_async(mut condition: impl FnMut() -> bool) -> bool {
    for _ in 0..1000 {
        if condition() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    false
}

#[tokio::test]
async fn a_tool_that_is_not_there_is_refused_before_anything_runs() {
    let bench = a_bench(
        r#"{ kind: command, command: [no-such-tool], output: { patterns: { x: "x ([0-9])" } } }"#,
    );
    let driver = CommandLoadDriver::new(bench.surroundings.clone());
    let refused = driver
        .check(&bench.iteration(), &a_plan(&bench.plan, 1))
        .await
        .unwrap_err();
    assert_eq!(refused.kind, FaultKind::NotFound);
    let never = driver.status(&bench.iteration()).await.unwrap_err();
    assert_eq!(never.kind, FaultKind::NotFound);
    driver.stop(&bench.iteration()).await.unwrap();
}

fn asked(text: &str) -> Asked {
    Asked {
        text: text.to_owned(),
        kind: em_core::plan::MetricKind::Gauge,
        endpoint: Some("127.0.0.1:4711".to_owned()),
        body: None,
    }
}

#[tokio::test]
async fn a_command_is_a_datasource_and_metrics_share_a_look() {
    let text = r#"
name: sourced
target: { kind: process, command: [sleep, '9', '{{port}}'] }
tunables: [{ name: clients, range: [1, 9], default: 4, apply: { env: CLIENTS } }]
load: { kind: none }
datasources:
  own:
    kind: command
    command: [sh, -c, "echo look >> looks; echo \"{{address}} depth=3 queue=a\"; echo depth=5 queue=b; echo 'lag 20 ms'"]
    output:
      patterns: { depth: "depth=(?<value>[0-9]+) queue=(?<queue>[a-z])", lag: { find: "lag ([0-9]+)", unit: ms } }
metrics:
  - { name: depth, datasource: own, query: depth, as: gauge, fold: sum, unit: none }
"#;
    let bench = Bench::new(text, |_| {}, |_| ObserveTarget);
    let source = bench.plan.datasources[&"own".parse().unwrap()].clone();
    let DatasourceKind::Command { command, output } = source.kind else {
        panic!("not a command")
    };
    let every = Some(Duration::from_mins(1));
    let source = CommandDatasource::new(bench.surroundings.clone(), command, output, every);
    let cx = bench.iteration();
    source.probe(&cx).await.unwrap();
    source.validate(&cx, &asked("lag")).await.unwrap();
    assert_eq!(
        source.validate(&cx, &asked("lug")).await.unwrap_err().kind,
        FaultKind::Invalid
    );
    assert!(source.sampling().is_some());

    let depth = source.sample(&cx, &asked("depth")).await.unwrap();
    let lag = source.sample(&cx, &asked("lag")).await.unwrap();

    let of =
        |series: &em_core::port::Series| (series.labels["queue"].clone(), series.points[0].value);
    let depths: Vec<(String, f64)> = depth.series.iter().map(of).collect();
    assert_eq!(depths, [("a".to_owned(), 3.0), ("b".to_owned(), 5.0)]);
    assert_eq!(
        lag.series[0].points[0].value.to_bits(),
        (20.0_f64 * 1e-3).to_bits()
    );
    assert_eq!(lag.series[0].labels["__name__"], "lag");
    let looks = fs::read_to_string(bench.folder.path().join("looks")).unwrap();
    assert_eq!(looks.lines().count(), 1);
}

#[tokio::test]
async fn a_csv_file_is_a_datasource_with_history() {
    let bench = a_bench("{ kind: none }");
    let path = bench.folder.path().join("stats.csv");
    fs::write(&path, "t,cpu\n10,1.5\n20,2.5\n30,3.5\n40,4").unwrap();
    let timed = CsvDatasource::new(
        bench.surroundings.clone(),
        "stats.csv".into(),
        Some("t".into()),
    );
    let second = |second| Timestamp::from_second(second).unwrap();
    let window = Window {
        start: second(15),
        end: second(35),
    };
    let cx = bench.iteration();
    let answer = timed.query(&cx, &asked("cpu"), window).await.unwrap();
    let points: Vec<f64> = answer.series[0]
        .points
        .iter()
        .map(|point| point.value)
        .collect();
    assert_eq!(points, [2.5, 3.5]);
    assert_eq!(
        timed
            .query(&cx, &asked("mem"), window)
            .await
            .unwrap_err()
            .kind,
        FaultKind::Malformed
    );

    // The iteration's own file comes first.
    let run = bench.surroundings.work_folder(&mark_of(&cx)).join("run");
    fs::create_dir_all(&run).unwrap();
    fs::write(run.join("stats.csv"), "cpu\n7\n8\n").unwrap();
    let whole = CsvDatasource::new(bench.surroundings.clone(), "stats.csv".into(), None);
    let answer = whole.query(&cx, &asked("cpu"), window).await.unwrap();
    let points: Vec<f64> = answer.series[0]
        .points
        .iter()
        .map(|point| point.value)
        .collect();
    assert_eq!(points, [7.0, 8.0]);
    let absent = CsvDatasource::new(bench.surroundings.clone(), "absent.csv".into(), None);
    assert_eq!(
        absent
            .query(&cx, &asked("x"), window)
            .await
            .unwrap_err()
            .kind,
        FaultKind::NotFound
    );
}
