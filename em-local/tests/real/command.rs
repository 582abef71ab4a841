//! The command target over a small system of our own: a JSON file, changed by scripts.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use em_core::fault::FaultKind;
use em_core::id::SlotId;
use em_core::port::{Readiness, Target};
use em_core::value::Value;
use em_local::command::CommandTarget;
use serde_json::{Value as Json, json};

use crate::support::{Bench, fact};

const FILE: &str = r#"
name: settings
target:
  kind: command
  snapshot: [./system, snapshot]
  apply: [./system, apply]
  ready: [./system, ready]
  facts: [./system, facts]
  restore: [./system, restore]
  address: "127.0.0.1:5432"
tunables:
  - { name: workers, range: [1, 16] }
  - { name: memory, range: ["512Mi", "4Gi"] }
load: { kind: none }
baseline: live
"#;

/// A system whose settings lie in a file. It needs two looks to be ready, refuses 13 workers, and logs
/// what it was asked.
const SYSTEM: &str = r#"#!/usr/bin/env python3
import json, os, sys
act = json.load(sys.stdin)
assert act["act"] == sys.argv[1]
state = json.load(open("state.json"))
print(json.dumps(act), file=open("asked.log", "a"))
if sys.argv[1] == "snapshot":
    print(json.dumps(state))
elif sys.argv[1] == "facts":
    print(json.dumps(dict(state, version="7.1")))
elif sys.argv[1] == "ready":
    if not os.path.exists("looked"):
        open("looked", "w").close()
        sys.exit("still starting")
elif sys.argv[1] == "apply":
    if act["values"]["workers"] == 13:
        sys.exit("13 workers are refused")
    state.update(act["values"])
    json.dump(state, open("state.json", "w"))
elif sys.argv[1] == "restore":
    if not os.path.exists("stubborn"):
        json.dump(act["undo"], open("state.json", "w"))
"#;

fn prepare(folder: &Path) {
    fs::write(folder.join("system"), SYSTEM).unwrap();
    fs::set_permissions(folder.join("system"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(folder.join("state.json"), original().to_string()).unwrap();
}

fn original() -> Json {
    json!({"workers": 2, "memory": "1Gi", "other": {"kept": true}})
}

fn a_bench() -> Bench<CommandTarget> {
    Bench::new(FILE, prepare, CommandTarget::new)
}

fn state(bench: &Bench<CommandTarget>) -> Json {
    serde_json::from_slice(&fs::read(bench.folder.path().join("state.json")).unwrap()).unwrap()
}

fn restores(bench: &Bench<CommandTarget>) -> usize {
    let log = fs::read_to_string(bench.folder.path().join("asked.log")).unwrap();
    log.lines()
        .filter(|line| line.contains(r#""act": "restore""#))
        .count()
}

fn chosen() -> [(&'static str, Value); 2] {
    [
        ("workers", Value::Integer(8)),
        ("memory", Value::Quantity("2Gi".parse().unwrap())),
    ]
}

#[tokio::test]
async fn a_configuration_is_applied_read_back_and_the_original_restored() {
    let bench = a_bench();
    let survey = bench
        .target
        .survey(&bench.survey_context(), &bench.plan)
        .await
        .unwrap();
    assert_eq!(survey.findings, []);
    assert_eq!(survey.today[&"workers".parse().unwrap()], Value::Integer(2));

    let plan = bench.deployed(&chosen()).await;
    let (facts, addresses) = bench.ready(&plan).await;

    assert_eq!(addresses[0].authority, "127.0.0.1:5432");
    assert_eq!(state(&bench)["workers"], 8);
    for name in ["workers", "memory"] {
        assert_eq!(fact(&facts, name).asked, fact(&facts, name).seen);
        assert!(fact(&facts, name).asked.is_some());
    }
    assert_eq!(fact(&facts, "version").asked, None);
    bench.end(&plan).await;
    assert_eq!(state(&bench), original());
    bench
        .target
        .restore(&bench.hold(), Some((*plan.undo).clone()))
        .await
        .unwrap();
    assert_eq!(restores(&bench), 1);
}

#[tokio::test]
async fn the_live_baseline_is_the_original() {
    let bench = a_bench();
    let plan = bench.deployed(&chosen()).await;
    assert_eq!(state(&bench)["workers"], 8);
    let baseline = bench.deployment((*plan.undo).clone(), &[]);
    bench
        .target
        .deploy(&bench.iteration_of(1), &baseline)
        .await
        .unwrap();
    assert_eq!(state(&bench), original());
    bench.end(&plan).await;
}

#[tokio::test]
async fn a_refused_configuration_says_what_the_command_printed() {
    let bench = a_bench();
    let undo = bench
        .target
        .acquire(&bench.hold(), &bench.plan, SlotId(0))
        .await
        .unwrap();
    let mut values = chosen();
    values[0].1 = Value::Integer(13);
    let plan = bench.deployment(undo, &values);
    let refused = bench
        .target
        .deploy(&bench.iteration(), &plan)
        .await
        .unwrap_err();
    assert_eq!(refused.kind, FaultKind::Invalid);
    assert!(
        refused.chain().contains("13 workers are refused"),
        "{}",
        refused.chain()
    );
    bench.end(&plan).await;
}

#[tokio::test]
async fn a_target_is_only_called_restored_when_it_shows_the_original() {
    let bench = a_bench();
    let plan = bench.deployed(&chosen()).await;
    let stubborn = bench.folder.path().join("stubborn");
    fs::write(&stubborn, "").unwrap();
    let undo = (*plan.undo).clone();
    let fault = bench
        .target
        .restore(&bench.hold(), Some(undo.clone()))
        .await
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::Unavailable);
    assert!(
        fault.message.contains("workers") && fault.message.contains("memory"),
        "{fault}"
    );
    // Still held, so nobody takes the changed target for an original.
    let other = CommandTarget::new(bench.surroundings.clone());
    let held = other
        .acquire(&bench.hold_of(1), &bench.plan, SlotId(0))
        .await
        .unwrap_err();
    assert_eq!(held.kind, FaultKind::Conflict);
    fs::remove_file(stubborn).unwrap();
    bench
        .target
        .restore(&bench.hold(), Some(undo))
        .await
        .unwrap();
    assert_eq!(state(&bench), original());
}

#[tokio::test]
async fn after_a_crash_the_original_is_the_one_that_was_written_down() {
    let mut bench = a_bench();
    let plan = bench.deployed(&chosen()).await;
    bench.target = CommandTarget::new(bench.surroundings.clone());

    // The same hold adopts its own undo, and never takes the changed state for an original.
    let again = bench.inherited(&bench.target, &bench.hold()).await;
    assert_eq!(again, *plan.undo);
    bench.target = CommandTarget::new(bench.surroundings.clone());

    // Another hold restores first.
    let later = bench.hold_again(2);
    let fresh = bench.inherited(&bench.target, &later).await;
    assert_eq!(fresh, *plan.undo);
    assert_eq!(state(&bench), original());
    bench.target.restore(&later, Some(fresh)).await.unwrap();
}

#[tokio::test]
async fn a_restore_in_a_new_process_needs_nothing_but_the_undo() {
    let mut bench = a_bench();
    let plan = bench.deployed(&chosen()).await;
    bench.target = CommandTarget::new(bench.surroundings.clone());
    // The copy of a lock in a child that a test beside us is just starting goes at once.
    let undo = (*plan.undo).clone();
    let is_busy = |fault: &em_core::fault::Fault| fault.kind == FaultKind::Conflict;
    while bench
        .target
        .restore(&bench.hold(), Some(undo.clone()))
        .await
        .is_err_and(|fault| is_busy(&fault))
    {
        bench.target.changed(&bench.hold()).await;
    }
    assert_eq!(state(&bench), original());
    let left = fs::read_dir(bench.folder.path())
        .unwrap()
        .filter_map(Result::ok);
    assert!(
        left.map(|entry| entry.file_name())
            .all(|name| !name.to_string_lossy().starts_with("em-slot"))
    );
}

#[tokio::test]
async fn not_ready_yet_is_not_an_error() {
    let bench = a_bench();
    let plan = bench.deployed(&chosen()).await;
    let look = bench
        .target
        .readiness(&bench.iteration(), &plan)
        .await
        .unwrap();
    let Readiness::Progressing { why } = look else {
        panic!("{look:?}")
    };
    assert!(why.contains("still starting"), "{why}");
    bench.ready(&plan).await;
    bench.end(&plan).await;
}
