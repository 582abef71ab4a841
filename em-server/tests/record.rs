//! What can be done with a stored experiment: list, show, logs, export, prune, pause, cancel, restore.

#![expect(clippy::unwrap_used, reason = "a test may panic wherever it likes")]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

fn command(data: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_em"));
    command
        .args(arguments)
        .env("EM_DATA", data)
        .env("EM_BESIDE", "1");
    command
}

fn em(data: &Path, arguments: &[&str]) -> Output {
    command(data, arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// An experiment of one listed trial, as short as one can be. Nothing in it depends on how busy the
/// machine is.
const SHORT: &str = "\
name: short
target: { kind: process, command: [sh, -c, 'echo at your service; exec sleep 60'], ready: { log: at your service } }
tunables: [{ name: workers, range: [1, 16], default: 2, apply: { env: WORKERS } }]
load: { kind: none }
datasources: { own: { kind: command, every: 50ms, command: [echo, 'x 1'], output: { patterns: { x: { find: 'x ([0-9]+)', as: value } } } } }
metrics: [{ name: x, datasource: own, query: x, as: value }]
objective: { minimize: x.value }
trials: [{ id: more, values: { workers: 5 } }]
measurement: { warmup: 100ms, cycles: 1, cycle_duration: 200ms, iterations: { max: 1 } }
";

/// A data folder in which the short experiment is finished.
fn finished() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("short.yaml");
    std::fs::write(&file, SHORT).unwrap();
    let run = em(folder.path(), &["run", file.to_str().unwrap()]);
    assert_eq!(run.status.code(), Some(0), "{}", text(&run.stderr));
    folder
}

/// Waits for a child, bounded: a test that hangs says nothing.
fn wait(child: &mut Child) -> ExitStatus {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if begun.elapsed() > Duration::from_mins(1) {
            child.kill().unwrap();
            panic!("it did not end within a minute");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_finished_experiment_is_listed_exported_and_pruned() {
    let data = finished();
    let data = data.path();
    let shown = text(&em(data, &["show", "short"]).stdout);
    for line in [
        "Note: measured beside others (2 iterations).",
        "Time per iteration (median): ",
        "; the manager added ",
        "`em show short` prints this again",
    ] {
        assert!(shown.contains(line), "{line} in {shown}");
    }
    let listed = text(&em(data, &["list"]).stdout);
    assert!(
        listed.starts_with("short  finished: undecided  20"),
        "{listed}"
    );

    let logs = text(&em(data, &["logs", "short"]).stdout);
    assert!(
        logs.contains("t0/i1\n") && logs.contains("t1/i1\n"),
        "{logs}"
    );
    let one = em(
        data,
        &["logs", "short", "--trial", "t1", "--iteration", "1"],
    );
    assert!(
        text(&one.stdout).contains("at your service\n"),
        "{}",
        text(&one.stdout)
    );
    let none = em(data, &["logs", "short", "--trial", "7"]);
    assert_eq!(none.status.code(), Some(2));
    assert!(text(&none.stderr).contains("nothing is kept of t7 in short"));

    let csv = text(&em(data, &["export", "short", "--format", "csv"]).stdout);
    let rates = csv
        .lines()
        .filter(|line| line.starts_with("statistic,") && line.contains(",x,value,"));
    assert_eq!(rates.count(), 2, "one per iteration: {csv}");
    assert_eq!(
        csv.lines()
            .filter(|line| line.starts_with("verdict,"))
            .count(),
        1
    );
    let json = em(data, &["export", "short", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    let rows = json["rows"].as_array().unwrap();
    assert_eq!(rows.len() + 1, csv.lines().count(), "the same rows");
    let verdict = rows.last().unwrap();
    assert_eq!(verdict["verdict"], "undecided");
    assert!(
        verdict.get("iteration").is_none(),
        "what is not known is absent"
    );

    let dry = text(&em(data, &["prune", "--dry-run", "--older-than", "0d"]).stdout);
    assert!(dry.contains("would remove outputs of short: "), "{dry}");
    assert!(
        data.join("kept/short").exists(),
        "a dry run removes nothing"
    );
    let young = text(&em(data, &["prune"]).stdout);
    assert!(!young.contains("outputs of short"), "{young}");
    let old = text(&em(data, &["prune", "--older-than", "0d"]).stdout);
    assert!(old.contains("removed outputs of short: "), "{old}");
    assert!(!data.join("kept/short").exists());
    let shown = em(data, &["show", "short"]);
    assert_eq!(shown.status.code(), Some(0), "the record stays");
}

#[test]
fn nothing_is_asked_of_what_is_not_there_or_over() {
    let empty = tempfile::tempdir().unwrap();
    let nowhere = em(empty.path(), &["pause", "short"]);
    assert_eq!(nowhere.status.code(), Some(1));
    assert!(std::fs::read_dir(empty.path()).unwrap().next().is_none());
    let data = finished();
    let unknown = em(data.path(), &["cancel", "other"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(text(&unknown.stderr).contains("`em list` says which there are"));
    for order in ["pause", "resume", "cancel"] {
        let over = em(data.path(), &[order, "short"]);
        assert_eq!(over.status.code(), Some(2));
        assert!(text(&over.stderr).contains("short is finished"));
    }
    let nothing = em(data.path(), &["restore", "short"]);
    assert_eq!(nothing.status.code(), Some(0));
    assert!(text(&nothing.stderr).contains("there is nothing to put back"));
}

#[test]
fn a_running_experiment_is_paused_resumed_and_called_off() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let file = data.join("long.yaml");
    std::fs::write(&file, SHORT.replace("max: 1 }", "min: 90, max: 100 }")).unwrap();
    let begin = || {
        let mut child = command(data, &["run", file.to_str().unwrap()])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
        let begun = said.any(|line| line.unwrap().contains("t1 i"));
        assert!(begun, "it measures");
        (child, said)
    };

    let (mut child, said) = begin();
    let paused = em(data, &["pause", "short"]);
    assert_eq!(text(&paused.stderr), "short was told\n");
    let last = said.map(Result::unwrap).last().unwrap();
    assert_eq!(wait(&mut child).code(), Some(1));
    assert!(
        last.contains("the experiment is paused: asked for by"),
        "{last}"
    );
    let listed = text(&em(data, &["list"]).stdout);
    assert!(
        listed.starts_with("short  paused: asked for by"),
        "{listed}"
    );

    let resumed = em(data, &["resume", "short"]);
    let said = text(&resumed.stderr);
    assert!(said.contains("`em run` with its file goes on"), "{said}");

    let (mut child, said) = begin();
    let told = em(data, &["cancel", "short"]);
    let heard = text(&told.stderr);
    assert!(heard.contains("short was told"), "{heard}");
    assert!(
        said.map(Result::unwrap)
            .last()
            .unwrap()
            .contains("called off")
    );
    assert_eq!(wait(&mut child).code(), Some(4));
}

#[test]
fn an_experiment_that_nobody_runs_is_called_off_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let file = data.join("long.yaml");
    std::fs::write(&file, SHORT.replace("max: 1 }", "min: 90, max: 100 }")).unwrap();
    let mut child = command(data, &["run", file.to_str().unwrap()])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(said.any(|line| line.unwrap().contains("t1 i")));
    child.kill().unwrap();
    child.wait().unwrap();
    let told = em(data, &["cancel", "short"]);
    assert_eq!(text(&told.stderr), "short is called off\n");
    let listed = text(&em(data, &["list"]).stdout);
    assert!(listed.starts_with("short  finished: "), "{listed}");
}

const ORIGINAL: &str = "\"original\"";

/// A target that is changed by commands and refuses to be put back until a file is there.
fn stubborn(folder: &Path) -> String {
    let (fixed, state) = (folder.join("fixed"), folder.join("state"));
    let (fixed, state) = (fixed.display(), state.display());
    std::fs::write(folder.join("state"), ORIGINAL).unwrap();
    format!(
        "\
name: stubborn
target:
  kind: command
  lock: {fixed}
  snapshot: [cat, {state}]
  apply: [sh, -c, 'echo \"{{{{n}}}}\" > {state}']
  restore: [sh, -c, 'test -e {fixed} && cat {fixed} > {state}']
tunables: [{{ name: n, range: [1, 5], default: 3 }}]
datasources: {{ own: {{ kind: command, every: 50ms, command: [echo, 'x 1'], output: {{ patterns: {{ x: {{ find: 'x ([0-9]+)', as: value }} }} }} }} }}
metrics: [{{ name: x, datasource: own, query: x, as: value }}]
load: {{ kind: none }}
baseline: {{ n: 3 }}
objective: {{ minimize: x.value }}
trials: [{{ id: more, values: {{ n: 5 }} }}]
measurement: {{ warmup: 100ms, cycles: 1, cycle_duration: 200ms, iterations: {{ max: 1 }} }}
retries: {{ cluster: 0 }}
timeouts: {{ restore: 2s }}
"
    )
}

#[test]
fn what_could_not_be_put_back_is_put_back_on_request() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let file = data.join("stubborn.yaml");
    std::fs::write(&file, stubborn(data)).unwrap();
    let run = em(data, &["run", file.to_str().unwrap()]);
    let said = text(&run.stderr);
    assert_eq!(run.status.code(), Some(5), "{said}");
    assert!(said.contains("em restore stubborn"), "{said}");

    let again = em(data, &["restore", "stubborn", "--retry"]);
    assert_eq!(again.status.code(), Some(5), "{}", text(&again.stderr));
    std::fs::write(data.join("fixed"), ORIGINAL).unwrap();
    let again = em(data, &["restore", "stubborn"]);
    let said = text(&again.stderr);
    assert_eq!(again.status.code(), Some(0), "{said}");
    assert!(said.contains("everything is put back"), "{said}");
    let run = em(data, &["run", file.to_str().unwrap()]);
    assert_eq!(run.status.code(), Some(0), "{}", text(&run.stderr));
}

#[test]
fn what_somebody_put_back_by_hand_is_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let file = data.join("stubborn.yaml");
    std::fs::write(&file, stubborn(data)).unwrap();
    let run = em(data, &["run", file.to_str().unwrap()]);
    assert_eq!(run.status.code(), Some(5), "{}", text(&run.stderr));

    let by_hand = || em(data, &["restore", "stubborn", "--done-by-hand"]);
    let said = by_hand();
    assert_eq!(said.status.code(), Some(5));
    let said = text(&said.stderr);
    assert!(said.contains("does not show its original"), "{said}");
    std::fs::write(data.join("state"), ORIGINAL).unwrap();
    let said = by_hand();
    assert_eq!(said.status.code(), Some(0), "{}", text(&said.stderr));
    assert!(text(&said.stderr).contains("everything is put back"));
    std::fs::write(data.join("fixed"), ORIGINAL).unwrap();
    let run = em(data, &["run", file.to_str().unwrap()]);
    assert_eq!(run.status.code(), Some(0), "{}", text(&run.stderr));
}

#[test]
fn a_changed_file_goes_on_with_what_was_measured() {
    let data = finished();
    let data = data.path();
    let file = data.join("short.yaml");
    let run = |more: &[&str]| em(data, &[&["run", file.to_str().unwrap()], more].concat());
    let source = SHORT.replace(
        "{ id: more, values: { workers: 5 } }",
        "{ id: more, values: { workers: 5 } }, { id: less, values: { workers: 1 } }",
    );
    std::fs::write(&file, source).unwrap();
    let more = run(&[]);
    let said = text(&more.stderr);
    assert_eq!(more.status.code(), Some(0), "{said}");
    assert!(
        said.contains("short has another trials; it goes on with what was measured"),
        "{said}"
    );
    assert!(
        !said.contains("t1 i2"),
        "what was measured is not measured again: {said}"
    );
    assert!(text(&more.stdout).contains("less"));

    let judged = run(&["--set=objective={maximize: x.value}"]);
    let said = text(&judged.stderr);
    assert_eq!(judged.status.code(), Some(0), "{said}");
    assert!(
        said.contains("short has another objective; what is stored is judged anew"),
        "{said}"
    );
    assert!(!said.contains("block b"), "{said}");

    let other = run(&[
        "--set=measurement.seed=7",
        "--set=objective={maximize: x.value}",
    ]);
    assert_eq!(other.status.code(), Some(2));
    assert!(text(&other.stderr).contains("begun with a file that differs in measurement"));
}

#[test]
fn two_runs_take_turns_and_the_second_says_for_whom_it_waits() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let begin = |name: &str| {
        let file = data.join(format!("{name}.yaml"));
        let short = SHORT.replace("name: short", &format!("name: {name}"));
        std::fs::write(&file, short.replace("max: 1 }", "min: 4, max: 4 }")).unwrap();
        command(data, &["run", file.to_str().unwrap()])
            .env_remove("EM_BESIDE")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let children = [begin("one"), begin("two")];
    let [one, two] = children.map(|child| child.wait_with_output().unwrap());
    assert_eq!((one.status.code(), two.status.code()), (Some(0), Some(0)));
    let said = [text(&one.stderr), text(&two.stderr)];
    let waits = |said: &str, other: &str| said.contains(&format!("waits for {other} (process "));
    assert!(waits(&said[0], "two") || waits(&said[1], "one"), "{said:?}");
    assert!(
        !text(&one.stdout).contains("beside"),
        "{}",
        text(&one.stdout)
    );
}
