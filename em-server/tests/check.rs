//! `em check`: what it shows, what it looks at, and that it leaves nothing behind.

#![expect(clippy::unwrap_used, reason = "a test may panic wherever it likes")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use em_tests::http;

fn em(arguments: &[&str], data: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_em"))
        .args(arguments)
        .env("EM_DATA", data)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples")
}

/// A folder with one file of this text, and where data would go.
struct Bench {
    folder: tempfile::TempDir,
    file: PathBuf,
}

impl Bench {
    fn new(experiment: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file.yaml");
        std::fs::write(&file, experiment).unwrap();
        Self { folder, file }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn em(&self, command: &[&str], file: &Path, options: &[&str]) -> Output {
        let file = file.to_str().unwrap();
        em(&[command, &[file], options].concat(), &self.data())
    }

    fn check(&self, options: &[&str]) -> Output {
        self.em(&["check"], &self.file, options)
    }
}

/// Every file and folder below, with how many bytes it has.
fn listing(folder: &Path) -> BTreeMap<PathBuf, u64> {
    let mut seen = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let (path, metadata) = (entry.path(), entry.metadata().unwrap());
            // Files that SQLite makes for its readers are none of the data.
            let name = path.to_string_lossy();
            if name.ends_with("-wal") || name.ends_with("-shm") {
                continue;
            }
            if metadata.is_dir() {
                open.push(path.clone());
            }
            seen.insert(
                path,
                if metadata.is_file() {
                    metadata.len()
                } else {
                    0
                },
            );
        }
    }
    seen
}

/// Text without its breaks of lines.
fn flat(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ")
}

#[test]
fn the_baseline_is_shown_whole_and_at_each_bound_only_what_differs() {
    let bench = Bench::new("");
    let file = examples().join("quickstart.yaml");
    let checked = bench.em(&["check", "--offline"], &file, &[]);
    let shown = text(&checked.stdout);
    let em = env!("CARGO_BIN_EXE_em");
    for line in [
        "  environment   WORKERS=2\n".to_owned(),
        format!("  command       {em} demo --port 0 --cache=lru\n"),
        "  workers=1     environment: WORKERS=1\n".to_owned(),
        "  workers=16    environment: WORKERS=16\n".to_owned(),
        "  cache=none    command: --cache=none\n".to_owned(),
    ] {
        assert_eq!(shown.matches(&line).count(), 1, "{line} in {shown}");
    }
    assert_eq!(shown.matches(" demo --port 0").count(), 1, "{shown}");
    assert!(checked.stderr.is_empty());
    assert!(shown.contains("at most 1 MiB of raw data"), "{shown}");
}

const SOURCES: &str = "\
name: sources
target: { kind: process, command: [sleep, '5'] }
tunables: [{ name: n, range: [1, 5], default: 3, apply: { env: N } }]
load: { kind: none }
datasources:
  tool: { kind: command, command: [no-such-tool], output: { patterns: { x: { find: 'x ([0-9]+)', as: gauge } } } }
  app: { kind: command, command: [echo, 'y 1'], output: { patterns: { y: { find: 'y ([0-9]+)', as: gauge } } } }
metrics:
  - { name: x, datasource: tool, query: x, as: gauge }
  - { name: y, datasource: app, query: y, as: gauge }
objective: { minimize: x.mean }
budget: { trials: 3 }
";

#[test]
fn a_datasource_that_is_not_there_is_found_unless_nobody_is_to_look() {
    let bench = Bench::new(SOURCES);
    let checked = bench.check(&[]);
    let (shown, said) = (flat(&text(&checked.stdout)), text(&checked.stderr));
    assert_eq!(checked.status.code(), Some(2), "{said}");
    assert!(shown.contains("source tool failed: see below"), "{shown}");
    assert!(shown.contains("source app ok"), "{shown}");
    assert!(shown.contains("metric y accepted"), "{shown}");
    let problem = "error: failed to probe datasource tool: ";
    assert!(
        said.contains(problem) && said.contains("no-such-tool"),
        "{said}"
    );
    let offline = bench.check(&["--offline"]);
    assert_eq!(offline.status.code(), Some(0), "{}", text(&offline.stderr));
    assert!(!text(&offline.stdout).contains("What was looked at"));
}

#[test]
fn a_query_that_its_datasource_refuses_is_named() {
    let checked = Bench::new(
        "\
name: asked
target: { kind: process, command: [sleep, '5'], env: { PORT: '{{port}}' } }
tunables: [{ name: n, range: [1, 5], default: 3, apply: { env: N } }]
load: { kind: none }
datasources: { page: { kind: scrape, url: 'http://{{address}}/metrics' } }
metrics: [{ name: y, datasource: page, query: 'y{', as: gauge }]
objective: { minimize: y.mean }
budget: { trials: 3 }
",
    )
    .check(&[]);
    let said = text(&checked.stderr);
    assert_eq!(checked.status.code(), Some(2), "{said}");
    assert!(said.contains("metric y"), "{said}");
}

const REHEARSAL: &str = r#"
name: rehearsal
target: { kind: simulated, model: { latency: "0.01 * values.x" }, noise: { latency: 0.02 } }
tunables: [{ name: x, range: [1, 100], default: 50, apply: { env: X } }]
load: { kind: none }
objective: { minimize: latency.mean }
measurement: { warmup: 100ms, cycles: 1, cycle_duration: 100ms, iterations: { max: 6 } }
trials: [{ id: a, values: { x: 40 } }]
"#;

#[test]
fn the_forecast_takes_the_spread_of_stored_runs_and_says_what_it_assumes_without() {
    let bench = Bench::new(REHEARSAL);
    let before = flat(&text(&bench.check(&[]).stdout));
    let assumed = "assuming that blocks differ by 5 %: nothing of this kind was measured yet";
    assert!(before.contains(assumed), "{before}");
    assert!(!bench.data().exists(), "a check makes nothing");

    let ran = bench.em(&["run", "--beside"], &bench.file, &[]);
    assert_eq!(ran.status.code(), Some(0), "{}", text(&ran.stderr));
    let stored = listing(&bench.data());
    let after = flat(&text(&bench.check(&[]).stdout));
    assert!(after.contains("blocks of rehearsal ("), "{after}");
    assert!(!after.contains("assuming"), "{after}");
    assert!(
        after.contains("with starting and stopping, as rehearsal took"),
        "{after}"
    );
    assert_eq!(listing(&bench.data()), stored, "a check changes nothing");

    // Another target has another spread.
    let other = bench.check(&["--set", "target.noise.latency=0.2"]);
    let other = flat(&text(&other.stdout));
    assert!(other.contains(assumed), "{other}");
}

#[test]
fn a_check_leaves_nothing_behind_whatever_the_example() {
    let bench = Bench::new("");
    let before = listing(&examples());
    let mut checked = 0;
    for entry in std::fs::read_dir(examples()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        // Whether its programs are installed here does not matter.
        let outcome = bench.em(&["check"], &path, &[]);
        assert!(
            [Some(0), Some(1), Some(2)].contains(&outcome.status.code()),
            "{}",
            text(&outcome.stderr)
        );
        assert!(!bench.data().exists(), "{} left something", path.display());
        checked += 1;
    }
    assert!(checked >= 4, "{checked}");
    assert_eq!(listing(&examples()), before);
}

#[test]
fn a_command_target_is_asked_for_its_snapshot_and_the_question_is_taken_away() {
    let bench = Bench::new(
        "\
name: asked
target: { kind: command, snapshot: [sh, -c, 'cat > asked; echo {}'], apply: [sh, -c, 'true {{n}}'], restore: ['true'] }
tunables: [{ name: n, range: [1, 5] }]
load: { kind: none }
metrics: [{ name: m, datasource: d, query: m, as: gauge }]
datasources: { d: { kind: command, command: [echo, 'm 1'], output: { patterns: { m: { find: 'm ([0-9]+)', as: gauge } } } } }
objective: { minimize: m.mean }
budget: { trials: 3 }
",
    );
    let checked = bench.check(&[]);
    assert_eq!(checked.status.code(), Some(0), "{}", text(&checked.stderr));
    let asked = std::fs::read_to_string(bench.folder.path().join("asked")).unwrap();
    assert!(asked.contains("snapshot"), "{asked}");
    assert!(!bench.data().exists());
    // What somebody else has there stays.
    std::fs::create_dir_all(bench.data().join("input")).unwrap();
    assert_eq!(bench.check(&[]).status.code(), Some(0));
    let input = bench.data().join("input");
    assert!(input.exists() && listing(&input).is_empty());
}

#[test]
fn a_query_is_tried_about_a_window_of_now_and_not_about_its_name() {
    let (told, heard) = std::sync::mpsc::channel();
    let url = http::serve(move |request| {
        drop(told.send(request.to_owned()));
        ("200 OK", r#"{"results": [{"statement_id": 0}]}"#.to_owned())
    });
    let bench = Bench::new(&format!(
        "\
name: tried
target: {{ kind: observe }}
load: {{ kind: none }}
datasources: {{ flux: {{ kind: influxdb, url: '{}', database: em }} }}
metrics: [{{ name: m, datasource: flux, as: gauge, query: 'SELECT v FROM m WHERE time >= {{{{start_ms}}}}ms' }}]
",
        url.unwrap()
    ));
    let checked = bench.check(&[]);
    assert_eq!(checked.status.code(), Some(0), "{}", text(&checked.stderr));
    let shown = flat(&text(&checked.stdout));
    assert!(shown.contains("answers 0 series now"), "{shown}");
    let asked = heard.try_iter().find(|request| request.contains("FROM+m+"));
    let asked = asked.expect("the query is tried");
    let (_, time) = asked.split_once("time+%3E%3D+").unwrap();
    let digits = time.chars().take_while(char::is_ascii_digit).count();
    assert_eq!(digits, 13, "{asked}");
}

#[test]
fn a_tool_that_runs_once_per_cycle_is_told_how_long_a_cycle_is() {
    let bench = Bench::new(
        "\
name: cycles
target: { kind: process, command: [sleep, '30'] }
tunables: [{ name: n, range: [1, 5], default: 3, apply: { env: N } }]
load: { kind: command, run: per-cycle, command: [sh, -c, 'sleep {{duration_s}}; echo took {{duration_s}}'], output: { patterns: { took: { find: 'took ([0-9.]+)', as: value } } } }
objective: { minimize: load.took.value }
measurement: { warmup: 400ms, cycles: 2, cycle_duration: 200ms, iterations: { max: 1 }, design: sequential }
trials: [{ id: more, values: { n: 4 } }]
",
    );
    let shown = flat(&text(&bench.check(&[]).stdout));
    assert!(shown.contains("'sleep 0.2; echo took 0.2'"), "{shown}");
    let ran = bench.em(&["run", "--beside", "--output", "json"], &bench.file, &[]);
    assert_eq!(ran.status.code(), Some(0), "{}", text(&ran.stderr));
    let report: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
    let took = &report["trials"][0]["iterations"][0]["load.took"]["estimates"]["value"]["value"];
    assert_eq!(took.as_f64(), Some(0.2), "{report}");
}

#[test]
fn a_file_about_a_cluster_is_shown_without_the_cluster() {
    let bench = Bench::new(
        "name: checkout
target: { kind: kubernetes, context: staging, namespace: shop, workload: deploy/checkout, policy: new-deployment, service: checkout, slots: 2 }
tunables:
  - { name: memory, range: [1Gi, 2Gi], default: 1Gi, apply: { resource: memory } }
  - { name: copies, range: [1, 3], default: 2, apply: { replicas: true } }
  - { name: pool, range: [4, 8], default: 4, apply: { patch: { data: { size: '{{value}}', text: 'size={{value}}' } }, object: cm/app } }
load: { kind: http, url: 'http://{{address}}/', rate: 10 }
objective: { minimize: load.response_time.p99 }
budget: { trials: 4 }
",
    );
    let offline = bench.check(&["--offline"]);
    assert_eq!(offline.status.code(), Some(0), "{}", text(&offline.stderr));
    let shown = text(&offline.stdout);
    for line in [
        "kubernetes, 2 side by side: deployment/checkout in shop of staging, policy new-deployment",
        "memory request and limit",
        "merge patch of configmap/app",
        r#"{"size":4,"text":"size=4"}"#,
    ] {
        assert!(shown.contains(line), "{line}:\n{shown}");
    }
}
