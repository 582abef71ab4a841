//! The process target, step by step on this machine.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use em_core::fault::FaultKind;
use em_core::id::SlotId;
use em_core::journal::Blame;
use em_core::port::{IncidentKind, Readiness, Severity, Target};
use em_core::value::Value;
use em_local::cgroup::{Controller, Rights};
use em_local::process::ProcessTarget;
use em_local::surroundings::mark_of;
use jiff::Timestamp;

use crate::support::{Bench, eventually, fact, marked};

const LIMIT: Duration = Duration::from_secs(10);

fn a_bench(text: &str) -> Bench<ProcessTarget> {
    Bench::new(text, |_| {}, ProcessTarget::new)
}

fn lines(path: &Path) -> Vec<String> {
    fs::read_to_string(path)
        .unwrap_or_default()
        .lines()
        .map(str::to_owned)
        .collect()
}

const SERVER: &str = r#"
name: server
target:
  kind: process
  command: [python3, -m, http.server, --bind, 127.0.0.1, "{{port}}"]
  env: { COLOUR: "blue {{trial}}" }
  ready: { http: "/" }
tunables:
  - { name: workers, range: [1, 16], default: 2, apply: { env: WORKERS } }
  - { name: folder, choices: [".", "/tmp"], default: ".", apply: { arg: "--directory={{value}}" } }
load: { kind: none }
"#;

#[tokio::test]
async fn a_server_becomes_ready_and_what_runs_is_what_was_asked() {
    let bench = a_bench(SERVER);
    let plan = bench.deployed(&[("workers", Value::Integer(8))]).await;
    let (facts, addresses) = bench.ready(&plan).await;
    let address = &addresses[0];
    assert_eq!(address.name, "port");
    assert!(std::net::TcpStream::connect(&address.authority).is_ok());
    for name in ["command", "env.WORKERS", "env.COLOUR"] {
        let fact = fact(&facts, name);
        assert!(fact.asked.is_some() && fact.asked == fact.seen, "{fact:?}");
    }
    assert_eq!(fact(&facts, "env.WORKERS").seen.as_deref(), Some("8"));
    assert!(
        fact(&facts, "command")
            .seen
            .as_deref()
            .unwrap()
            .ends_with("--directory=.")
    );
    assert!(
        facts
            .iter()
            .all(|fact| fact.asked.is_none() || fact.asked == fact.seen),
        "{facts:?}"
    );

    bench.end(&plan).await;

    assert!(std::net::TcpStream::connect(&address.authority).is_err());
    assert!(marked(&mark_of(&bench.iteration())).is_empty());
    assert!(
        bench
            .target
            .remnants(&bench.survey_context())
            .await
            .unwrap()
            .iter()
            .all(|remnant| { remnant.key != bench.iteration().key })
    );
}

#[tokio::test]
async fn deploying_twice_under_one_key_is_one_deployment() {
    let bench = a_bench(SERVER);
    let plan = bench.deployed(&[]).await;
    let (_, first) = bench.ready(&plan).await;
    bench
        .target
        .deploy(&bench.iteration(), &plan)
        .await
        .unwrap();
    let (_, second) = bench.ready(&plan).await;
    assert_eq!(first, second);
    bench.target.withdraw(&bench.iteration()).await.unwrap();
    bench.end(&plan).await;
}

#[tokio::test]
async fn every_kind_of_readiness_waits_for_its_sign() {
    let script = "sleep 0.2; echo warm; touch $EM_SIGN; exec python3 -m http.server --bind 127.0.0.1 {{port}}";
    for ready in [
        "{ http: / }",
        "tcp",
        "{ command: [test, -e, \"{{sign}}\"] }",
        "{ log: warm }",
        "started",
    ] {
        let text = format!(
            r#"
name: ready
target:
  kind: process
  command: [sh, -c, "{script}"]
  env: {{ EM_SIGN: "{{{{sign}}}}" }}
  ready: {ready}
tunables: [ {{ name: sign, choices: [SIGN], default: SIGN }} ]
load: {{ kind: none }}
"#
        );
        let folder = tempfile::tempdir().unwrap();
        let sign = folder.path().join("sign");
        let bench = a_bench(&text.replace("SIGN", "sign"));
        let value = Value::from(sign.to_string_lossy().into_owned());
        let plan = bench.deployed(&[("sign", value)]).await;
        let (_, addresses) = bench.ready(&plan).await;
        match ready {
            "started" => {}
            "{ http: / }" | "tcp" => assert!(sign.exists(), "{ready}"),
            _ => assert!(eventually(LIMIT, || sign.exists()), "{ready}"),
        }
        assert_eq!(addresses.len(), 1);
        bench.end(&plan).await;
    }
}

#[tokio::test]
async fn a_target_that_ends_before_it_is_ready_says_what_it_printed() {
    let bench = a_bench(
        r#"
name: broken
target: { kind: process, command: [sh, -c, "echo cannot bind >&2; exit 3"], ready: { log: never } }
load: { kind: none }
tunables: [ { name: x, range: [1, 2], default: 1, apply: { env: X } } ]
"#,
    );
    let plan = bench.deployed(&[]).await;
    let Readiness::Stuck { why, blame } = bench.settled(&plan).await else {
        panic!("not stuck")
    };
    assert_eq!(blame, Blame::Configuration);
    assert!(
        why.contains("exit code 3") && why.contains("cannot bind"),
        "{why}"
    );
    bench.end(&plan).await;
    let kept = bench
        .folder
        .path()
        .join("data/kept")
        .join(bench.iteration().key.to_string());
    assert_eq!(
        fs::read_to_string(kept.join("stderr.log")).unwrap(),
        "cannot bind\n"
    );
}

const HOOKED: &str = r#"
name: hooked
target:
  kind: process
  command: [sh, -c, "cat {{conf}} data.txt > result.log; echo changed >> data.txt; sleep 60"]
  files: { conf: app.conf.tmpl }
  workdir: { copy_of: original }
  setup: { once: [[sh, -c, "echo setup once >> journal"]], each: [[sh, -c, "echo {{x}} > $PWD/each"]] }
  teardown: { once: [[sh, -c, "echo teardown once >> journal"]], each: [[sh, -c, "cp each after.log"]] }
  stop: { signal: KILL, grace: 1s }
  ready: { command: [test, -s, result.log] }
tunables: [ { name: x, range: [1, 9], default: 1 } ]
load: { kind: none }
artifacts: ["*.log"]
"#;

fn prepare(folder: &Path) {
    fs::create_dir(folder.join("original")).unwrap();
    fs::write(folder.join("original/data.txt"), "data\n").unwrap();
    fs::write(folder.join("app.conf.tmpl"), "x = {{x}}\n").unwrap();
}

#[tokio::test]
async fn hooks_files_copy_and_artifacts_work_together_and_the_original_stays() {
    let bench = Bench::new(HOOKED, prepare, ProcessTarget::new);
    let plan = bench.deployed(&[("x", Value::Integer(7))]).await;
    bench.ready(&plan).await;
    let at = |path: &str| bench.folder.path().join(path);
    assert_eq!(lines(&at("journal")), ["setup once"]);

    bench.target.withdraw(&bench.iteration()).await.unwrap();

    let kept = at("data/kept")
        .join(bench.iteration().key.to_string())
        .join("artifacts");
    assert_eq!(lines(&kept.join("result.log")), ["x = 7", "data"]);
    assert_eq!(lines(&kept.join("after.log")), ["7"]);
    assert_eq!(lines(&at("original/data.txt")), ["data"]);
    assert_eq!(fs::read_dir(at("data/work")).unwrap().count(), 0);

    for _ in 0..2 {
        bench
            .target
            .restore(&bench.hold(), Some((*plan.undo).clone()))
            .await
            .unwrap();
    }
    assert_eq!(lines(&at("journal")), ["setup once", "teardown once"]);
}

fn another(bench: &Bench<ProcessTarget>) -> ProcessTarget {
    ProcessTarget::new(bench.surroundings.clone())
}

#[tokio::test]
async fn a_slot_is_held_by_one_owner_at_a_time() {
    let bench = Bench::new(HOOKED, prepare, ProcessTarget::new);
    let undo = bench
        .target
        .acquire(&bench.hold(), &bench.plan, SlotId(0))
        .await
        .unwrap();
    assert_eq!(
        bench
            .target
            .acquire(&bench.hold(), &bench.plan, SlotId(0))
            .await
            .unwrap(),
        undo
    );

    let refused = another(&bench)
        .acquire(&bench.hold(), &bench.plan, SlotId(0))
        .await
        .unwrap_err();

    assert_eq!(refused.kind, FaultKind::Conflict);
    let holder = format!("hooked/hold/s0/1 (process {}", std::process::id());
    assert!(refused.chain().contains(&holder), "{}", refused.chain());
    bench.target.restore(&bench.hold(), None).await.unwrap();
}

#[tokio::test]
async fn what_a_dead_owner_left_is_put_back_before_the_slot_is_used_again() {
    let mut bench = Bench::new(HOOKED, prepare, ProcessTarget::new);
    let plan = bench.deployed(&[]).await;
    bench.ready(&plan).await;
    let at = |path: &str| bench.folder.path().join(path);
    let undo_files = || {
        fs::read_dir(at("data/undo"))
            .unwrap()
            .map(Result::unwrap)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        undo_files()[0].metadata().unwrap().permissions().mode() & 0o777,
        0o600
    );

    // The death of a process drops its locks and ends its trees, and leaves what it wrote.
    let heir = another(&bench);
    bench.target = another(&bench);
    let later = bench.hold_again(2);
    let undo = bench.inherited(&heir, &later).await;

    let at = |path: &str| bench.folder.path().join(path);
    assert_eq!(lines(&at("journal")), ["setup once", "teardown once"]);
    // The old hold's restore finds the slot taken over, and leaves it alone.
    bench
        .target
        .restore(&bench.hold(), Some((*plan.undo).clone()))
        .await
        .unwrap();
    assert_eq!(lines(&at("journal")).len(), 2);
    heir.restore(&later, Some(undo)).await.unwrap();
    assert_eq!(fs::read_dir(at("data/undo")).unwrap().count(), 0);
}

#[tokio::test]
async fn an_end_and_a_memory_kill_during_the_measurement_are_incidents() {
    if !Rights::survey().has(Controller::Memory) {
        eprintln!("skipped: no memory groups on this machine");
        return;
    }
    let bench = a_bench(
        r#"
name: hungry
target:
  kind: process
  command: [python3, -c, "import sys,time; print('up', flush=True); time.sleep(0.3); x = bytearray(300 << 20)"]
  memory: 64Mi
  ready: { log: up }
tunables: [ { name: x, range: [1, 2], default: 1, apply: { env: X } } ]
load: { kind: none }
"#,
    );
    let plan = bench.deployed(&[]).await;
    let (facts, _) = bench.ready(&plan).await;
    let limit = fact(&facts, "limit.memory");
    assert_eq!(limit.seen.as_deref(), Some((64 << 20).to_string().as_str()));
    assert_eq!(limit.asked, limit.seen);
    let mut kinds = Vec::new();
    for _ in 0..400 {
        let incidents = bench
            .target
            .health(&bench.iteration(), Timestamp::UNIX_EPOCH)
            .await
            .unwrap();
        kinds = incidents.iter().map(|incident| incident.kind).collect();
        if kinds.contains(&IncidentKind::Exited) {
            break;
        }
        bench.target.changed(&bench.iteration()).await;
    }
    assert_eq!(kinds, [IncidentKind::OutOfMemory, IncidentKind::Exited]);
    let usage = bench.target.usage(&bench.iteration()).await.unwrap();
    assert_eq!(
        usage["memory_limit_kills"].total_cmp(&1.0),
        std::cmp::Ordering::Equal
    );
    assert!(usage["cpu_seconds"] > 0.0);
    bench.end(&plan).await;
}

#[tokio::test]
async fn two_slots_run_on_disjoint_cpus() {
    let cpus = em_local::cores::usable().len();
    let text = SERVER.replace("ready:", "slots: 2\n  ready:");
    let bench = a_bench(&text);
    let survey = bench
        .target
        .survey(&bench.survey_context(), &bench.plan)
        .await
        .unwrap();
    if cpus < 2 {
        assert!(
            survey
                .findings
                .iter()
                .any(|finding| finding.severity == Severity::Error)
        );
        return;
    }
    assert_eq!(survey.slots.len(), 2);
    let mut seen = Vec::new();
    for slot in 0..2 {
        let undo = bench
            .target
            .acquire(&bench.hold_of(slot), &bench.plan, SlotId(slot))
            .await
            .unwrap();
        let mut plan = bench.deployment(undo, &[]);
        plan.slot = SlotId(slot);
        let cx = bench.iteration_of(slot);
        bench.target.deploy(&cx, &plan).await.unwrap();
        let facts = loop {
            match bench.target.readiness(&cx, &plan).await.unwrap() {
                Readiness::Ready { facts, .. } => break facts,
                Readiness::Progressing { .. } => bench.target.changed(&cx).await,
                Readiness::Stuck { why, .. } => panic!("{why}"),
            }
        };
        let fact = fact(&facts, "cpus");
        assert_eq!(fact.asked, fact.seen);
        seen.extend(em_local::cores::parse_list(fact.seen.as_deref().unwrap()));
        bench.target.withdraw(&cx).await.unwrap();
        bench
            .target
            .restore(&bench.hold_of(slot), Some((*plan.undo).clone()))
            .await
            .unwrap();
    }
    let all = seen.len();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), all);
}

#[tokio::test]
async fn a_survey_names_what_would_go_wrong() {
    let bench = a_bench(
        r"
name: wrong
target: { kind: process, command: [no-such-program], user: no-such-user, workdir: { at: /no/such/folder }, ready: started }
tunables: [ { name: x, range: [1, 2], default: 1, apply: { env: X } } ]
load: { kind: none }
",
    );
    let survey = bench
        .target
        .survey(&bench.survey_context(), &bench.plan)
        .await
        .unwrap();
    let found: Vec<&str> = survey
        .findings
        .iter()
        .map(|finding| finding.what.as_str())
        .collect();
    for part in [
        "\"no-such-program\"",
        "no user \"no-such-user\"",
        "/no/such/folder",
    ] {
        assert!(
            found.iter().any(|what| what.contains(part)),
            "{part} in {found:?}"
        );
    }
    assert_eq!(survey.today[&"x".parse().unwrap()], Value::Integer(1));
}

/// The copy goes on in a thread of its own when the deployment that wanted it is dropped.
#[tokio::test]
async fn a_deployment_that_is_broken_off_while_it_copies_leaves_nothing() {
    let bench = Bench::new(
        r"
name: large
target: { kind: process, command: [sleep, '60'], workdir: { copy_of: original }, ready: started }
tunables: [ { name: x, range: [1, 2], default: 1, apply: { env: X } } ]
load: { kind: none }
",
        |folder| {
            fs::create_dir(folder.join("original")).unwrap();
            for number in 0..2000 {
                fs::write(folder.join(format!("original/{number}")), "some").unwrap();
            }
        },
        ProcessTarget::new,
    );
    let (hold, iteration) = (bench.hold(), bench.iteration());
    let undo = bench.target.acquire(&hold, &bench.plan, SlotId(0)).await;
    let plan = bench.deployment(undo.unwrap(), &[]);
    let work = bench.surroundings.work_folder(&mark_of(&iteration));
    let begun = async {
        while !work.join("run/0").exists() && !work.join("run/1999").exists() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        () = begun => {}
        deployed = bench.target.deploy(&iteration, &plan) => deployed.unwrap(),
    }
    bench.target.withdraw(&iteration).await.unwrap();
    assert!(!work.exists());
    let undo = Some((*plan.undo).clone());
    bench.target.restore(&hold, undo).await.unwrap();
}

#[tokio::test]
async fn the_target_runs_as_the_user_that_the_file_names() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root can run a target as somebody else");
        return;
    }
    let bench = a_bench(
        r#"
name: other-user
target: { kind: process, command: [sh, -c, "touch mine; id -un; sleep 60"], user: nobody, ready: { log: nobody } }
tunables: [ { name: x, range: [1, 2], default: 1, apply: { env: X } } ]
load: { kind: none }
"#,
    );
    fs::set_permissions(bench.folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let plan = bench.deployed(&[]).await;
    let (facts, _) = bench.ready(&plan).await;
    let user = fact(&facts, "user");
    assert_eq!(user.asked, user.seen);
    assert_ne!(user.seen.as_deref(), Some("0"));
    bench.end(&plan).await;
}
