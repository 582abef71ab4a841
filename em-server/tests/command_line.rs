//! `em` as a user runs it.

#![expect(clippy::unwrap_used, reason = "a test may panic wherever it likes")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use em_server::experiment_file;
use em_server::view::forecast::Forecast;

fn em(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_em"))
        .args(arguments)
        .env_remove("EM_DATA")
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn quickstart() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/quickstart.yaml")
}

fn forecast(assignments: &[&str]) -> Forecast {
    let assignments: Vec<_> = assignments.iter().map(|one| one.parse().unwrap()).collect();
    let read = experiment_file::read(&quickstart(), &assignments).unwrap();
    Forecast::of(&read.parsed.unwrap().plan)
}

#[test]
fn without_arguments_it_names_commands_to_try() {
    let plain = em(&[]);
    assert!(plain.status.success());
    assert!(text(&plain.stdout).contains("em run examples/quickstart.yaml"));
    assert!(plain.stderr.is_empty());
}

#[test]
fn the_quickstart_passes_the_check_on_this_machine() {
    let data = tempfile::tempdir().unwrap();
    let data = data.path().join("untouched");
    let file = quickstart();
    let checked = em(&[
        "check",
        file.to_str().unwrap(),
        "--data",
        data.to_str().unwrap(),
    ]);
    assert_eq!(checked.status.code(), Some(0), "{}", text(&checked.stderr));
    assert!(text(&checked.stderr).contains("machine: CPUs"));
    assert!(!data.exists(), "a check makes nothing");
}

#[test]
fn a_load_that_cannot_be_made_is_refused_by_the_check() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("load.yaml");
    let experiment = "\
name: loaded
target: { kind: process, command: [sleep, '5'] }
tunables: [{ name: n, range: [1, 5], default: 3, apply: { env: N } }]
load: { kind: command, command: [no-such-tool], output: { patterns: { x: { find: 'x ([0-9]+)', as: value } } } }
objective: { minimize: load.x.value }
budget: { trials: 3 }
";
    std::fs::write(&file, experiment).unwrap();
    let checked = em(&["check", file.to_str().unwrap()]);
    let said = text(&checked.stderr);
    assert_eq!(checked.status.code(), Some(2), "{said}");
    assert!(
        said.contains("the load cannot be made as planned"),
        "{said}"
    );
    assert!(said.contains("no-such-tool"), "{said}");
    let loud = em(&["check", "-v", "--offline", file.to_str().unwrap()]);
    assert_eq!(loud.status.code(), Some(0), "{}", text(&loud.stderr));
}

#[test]
fn everything_wrong_with_a_file_is_said_at_once_with_code_2() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("broken.yaml");
    let broken = "\
name: a b
target: { kind: process, command: [sleep, '1'] }
tunables: [{ name: n, range: [5, 1], default: 3, apply: { env: N } }]
";
    std::fs::write(&file, broken).unwrap();
    let checked = em(&["check", file.to_str().unwrap()]);
    let said = text(&checked.stderr);
    assert_eq!(checked.status.code(), Some(2), "{said}");
    assert!(checked.stdout.is_empty());
    assert!(said.contains("2 things are wrong with"), "{said}");
    assert!(said.contains("\n  line 1, column 7: name: "), "{said}");
    assert!(
        said.contains("\n  line 3, column 31: tunables[0].range[0]: "),
        "{said}"
    );
}

#[test]
fn a_set_that_fits_nowhere_is_refused_by_its_path() {
    let file = quickstart();
    let checked = em(&["check", file.to_str().unwrap(), "--set", "budget.trial=3"]);
    let said = text(&checked.stderr);
    assert_eq!(checked.status.code(), Some(2));
    assert!(said.contains("--set: budget.trial: "), "{said}");
    assert!(said.contains("did you mean \"trials\"?"), "{said}");
}

#[test]
fn what_init_writes_passes_the_check() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("new.yaml");
    for command in [
        &["sleep", "5"][..],
        &["sleep", "{{port}}"],
        &["/bin/sh", "-c", "echo \"a: b\" # '{c}'"],
    ] {
        let written = em(&[&["init", "process", "--"], command].concat());
        assert!(written.status.success());
        std::fs::write(&file, &written.stdout).unwrap();
        let checked = em(&["check", "--offline", file.to_str().unwrap()]);
        let said = text(&checked.stderr);
        assert_eq!(checked.status.code(), Some(0), "{command:?}: {said}");
    }
}

#[test]
fn the_value_of_a_secret_variable_is_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret.yaml");
    let experiment = "\
name: secretive
target: { kind: process, command: [sleep, '5'], env: { TOKEN: { from_env: EM_TEST_TOKEN } } }
tunables: [{ name: n, range: [1, 5], default: 3, apply: { env: N } }]
load: { kind: none }
metrics: [{ name: cpu, datasource: target, query: cpu_seconds, as: counter, unit: s }]
objective: { minimize: cpu.rate }
budget: { trials: 3 }
";
    std::fs::write(&file, experiment).unwrap();
    let checked = Command::new(env!("CARGO_BIN_EXE_em"))
        .args(["check", "--offline", file.to_str().unwrap()])
        .env("EM_TEST_TOKEN", "hush-hush")
        .output()
        .unwrap();
    let (shown, said) = (text(&checked.stdout), text(&checked.stderr));
    assert_eq!(checked.status.code(), Some(0), "{said}");
    assert!(shown.contains("TOKEN='(secret)'"), "{shown}");
    assert!(!shown.contains("hush-hush") && !said.contains("hush-hush"));
}

#[test]
fn the_schema_is_json() {
    let printed = em(&["schema"]);
    let schema: serde_json::Value = serde_json::from_slice(&printed.stdout).unwrap();
    let dialect = schema["$schema"].as_str().unwrap();
    assert!(dialect.contains("json-schema.org"));
}

#[test]
fn the_quickstart_is_one_calibration_and_38_iterations() {
    let forecast = forecast(&[]);
    assert_eq!(forecast.deployments, Some((39, 39)));
    assert_eq!((forecast.comparisons, forecast.blocks), (2, (7, 7)));
    assert!(!forecast.cannot_decide());
}

#[test]
fn too_few_blocks_for_a_verdict_are_known_beforehand() {
    assert!(forecast(&["measurement.iterations.max=6"]).cannot_decide());
    let file = quickstart();
    let set = "measurement.iterations.max=6";
    let checked = em(&["check", "--offline", file.to_str().unwrap(), "--set", set]);
    let shown = text(&checked.stdout);
    let line = "all will be undecided: 2 comparisons need 7 blocks, iterations.max is 6";
    assert!(shown.contains(line), "{shown}");
}

#[test]
fn a_search_without_a_limit_has_no_number_of_deployments() {
    assert_eq!(forecast(&["budget={time: 1h}"]).deployments, None);
}

#[test]
fn a_target_is_looked_at_by_the_adapter_of_its_kind() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kind.yaml");
    let rest = "\
name: kinds
load: { kind: none }
metrics: [{ name: cpu, datasource: target, query: cpu_seconds, as: counter, unit: s }]
objective: { minimize: cpu.rate }
budget: { trials: 3 }
tunables: [{ name: n, range: [1, 5] }]
";
    let check = |target: &str| {
        std::fs::write(&file, format!("{rest}target: {target}\n")).unwrap();
        em(&["check", file.to_str().unwrap()])
    };
    let command = |program: &str| {
        format!(
            "{{ kind: command, snapshot: [{program}, '{{}}'], apply: [sh, -c, 'true {{{{n}}}}'], restore: ['true'] }}"
        )
    };
    let there = check(&command("echo"));
    assert_eq!(there.status.code(), Some(0), "{}", text(&there.stderr));
    let missing = check(&command("no-such-program"));
    let said = text(&missing.stderr);
    assert_eq!(missing.status.code(), Some(2), "{said}");
    assert!(
        said.contains("error: ") && said.contains("no-such-program"),
        "{said}"
    );
}

/// The quickstart in its smallest form: two proposals, one of them verified, at a fixed low rate.
fn small_run(data: &Path, more: &[&str]) -> Output {
    let file = quickstart();
    let small = [
        "run",
        file.to_str().unwrap(),
        "--beside",
        "--data",
        data.to_str().unwrap(),
        "--set=load.rate=100",
        "--set=budget.trials=2",
        "--set=search.verify=1",
        "--set=measurement.iterations.max=6",
        "--set=measurement.cycle_duration=300ms",
        "--set=measurement.warmup=200ms",
    ];
    em(&[&small, more].concat())
}

#[test]
fn a_run_ends_with_an_answer_that_can_be_reopened() {
    let data = tempfile::tempdir().unwrap();
    let first = small_run(data.path(), &[]);
    assert_eq!(first.status.code(), Some(0), "{}", text(&first.stderr));
    let shown = text(&first.stdout);
    assert!(shown.starts_with("trial "), "{shown}");
    assert!(shown.contains("again"), "the best one is verified: {shown}");

    let stored = small_run(data.path(), &[]);
    assert_eq!(
        text(&stored.stdout),
        shown,
        "the stored result is printed, not measured anew"
    );
    assert!(text(&stored.stderr).contains("`--again` measures anew"));

    let data = data.path().to_str().unwrap();
    let reopened = em(&["show", "demo", "--data", data]);
    assert_eq!(text(&reopened.stdout), shown);
    let json = em(&["show", "demo", "--output", "json", "--data", data]);
    let report: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(report["blocks"]["verifying"], 6);
    assert!(text(&em(&["show", "--data", data]).stdout).starts_with("demo  finished: "));
}

#[test]
fn a_file_that_means_something_else_is_not_mixed_with_what_was_measured() {
    let data = tempfile::tempdir().unwrap();
    assert_eq!(small_run(data.path(), &[]).status.code(), Some(0));
    let changed = small_run(data.path(), &["--set=load.rate=120"]);
    assert_eq!(changed.status.code(), Some(2));
    let said = text(&changed.stderr);
    assert!(
        said.contains("load") && said.contains("`--new` begins anew"),
        "{said}"
    );
}
