//! Nothing that was started outlives its manager, however that one ends.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::support::{a_guardian, a_mark, a_script, eventually, guarded_example, marked, started};
use em_local::cgroup::{Rights, find_marked};
use em_local::guard::Exit;
use em_local::launch::{Guardian, LaunchError, Running};
use em_local::mark::Mark;
use em_local::stop::SignalName;

const LIMIT: Duration = Duration::from_secs(10);

/// A tree that does what it can to get away: a session of its own, an orphan, a double fork with a
/// closed output, and a first process that ignores TERM.
const RUNAWAYS: &str = r#"
setsid sleep 300 &
(sleep 301 &)
python3 -c '
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.closerange(0, 3)
        time.sleep(302)
    os._exit(0)
'
trap "" TERM
echo ready
while :; do sleep 303; done
"#;

fn a_manager(mark: &Mark, options: &[(&str, &str)], script: &str) -> Child {
    Command::new(guarded_example())
        .args(["/bin/sh", "-c", script])
        .env("GUARDED_MARK", mark.to_string())
        .envs(options.iter().copied())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn first_line(manager: &mut Child) -> String {
    let mut line = String::new();
    BufReader::new(manager.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    line
}

/// How many processes the runaway tree has once it stands: shell, four sleepers.
fn stands(mark: &Mark) -> bool {
    marked(mark)
        .iter()
        .filter(|pid| name(**pid).is_some_and(|name| name != "guarded"))
        .count()
        >= 5
}

fn name(pid: u32) -> Option<String> {
    em_local::proc_table::read(pid).map(|stat| stat.name)
}

#[test]
fn kill_9_of_the_manager_leaves_no_process_cgroup_or_folder() {
    let mark = a_mark("kill9");
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy");
    std::fs::create_dir_all(copy.join("deep")).unwrap();
    let options = [
        ("GUARDED_GROUP", "1"),
        ("GUARDED_DELETE", copy.to_str().unwrap()),
    ];
    let mut manager = a_manager(&mark, &options, RUNAWAYS);
    assert!(first_line(&mut manager).starts_with("started "));
    assert!(eventually(LIMIT, || stands(&mark)), "{:?}", marked(&mark));
    let has_groups = em_local::cgroup::Controller::ALL
        .iter()
        .any(|one| Rights::survey().has(*one));
    assert_eq!(!find_marked(&mark.folder_name()).is_empty(), has_groups);

    manager.kill().unwrap();
    manager.wait().unwrap();

    assert!(
        eventually(LIMIT, || marked(&mark).is_empty()),
        "{:?}",
        marked(&mark)
    );
    assert!(eventually(LIMIT, || find_marked(&mark.folder_name()).is_empty()));
    assert!(eventually(LIMIT, || !Path::new(&copy).exists()));
}

#[test]
fn the_shell_guard_holds_the_process_group() {
    let mark = a_mark("shell");
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy");
    std::fs::create_dir(&copy).unwrap();
    let options = [
        ("GUARDED_SHELL", "1"),
        ("GUARDED_DELETE", copy.to_str().unwrap()),
    ];
    let script = "sleep 300 & trap '' TERM; while :; do sleep 301; done";
    let mut manager = a_manager(&mark, &options, script);
    assert!(first_line(&mut manager).starts_with("started "));
    assert!(eventually(LIMIT, || marked(&mark).len() >= 3));

    manager.kill().unwrap();
    manager.wait().unwrap();

    assert!(
        eventually(LIMIT, || marked(&mark).is_empty()),
        "{:?}",
        marked(&mark)
    );
    assert!(eventually(LIMIT, || !copy.exists()));
}

#[tokio::test]
async fn a_stopped_tree_gets_its_signal_first_and_is_killed_after_the_grace_time() {
    let launch = a_script(
        "stop",
        "trap 'echo asked' INT; setsid sleep 300 & while :; do sleep 0.1; done",
    );
    let running = started(&launch).await;
    assert!(eventually(LIMIT, || running.members().len() >= 2));

    assert!(
        running
            .stop("INT".parse().unwrap(), Duration::from_secs(2))
            .await
    );

    assert_eq!(running.exited().await, Some(Exit::Signal(9)));
    assert!(running.members().is_empty());
    // What it wrote is read beside this: on a busy machine a moment later.
    let written = async {
        while !running.stdout.text().contains("asked") {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(tokio::time::timeout(LIMIT, written).await.is_ok());
}

#[test]
fn a_target_hears_the_signals_that_a_shell_made_its_manager_ignore() {
    let mark = a_mark("ignored");
    let folder = tempfile::tempdir().unwrap();
    let seen = folder.path().join("seen");
    let script = format!("grep SigIgn /proc/self/status > {}", seen.display());
    let ignoring = r#"trap "" HUP INT QUIT; exec "$0" sh -c "$1""#;
    let status = Command::new("sh")
        .args(["-c", ignoring])
        .arg(guarded_example())
        .arg(&script)
        .env("GUARDED_MARK", mark.to_string())
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success(), "{status}");
    let seen = std::fs::read_to_string(seen).unwrap();
    let mask = u64::from_str_radix(seen.trim_start_matches("SigIgn:").trim(), 16).unwrap();
    assert_eq!(mask & 0b111, 0, "{seen}");
}

#[tokio::test]
async fn a_tree_that_ends_when_asked_is_not_killed() {
    let running = started(&a_script(
        "polite",
        "trap 'exit 7' TERM; while :; do sleep 0.05; done",
    ))
    .await;
    assert!(eventually(LIMIT, || running.members().len() >= 2));
    assert!(running.stop(SignalName::TERM, LIMIT).await);
    assert_eq!(running.exited().await, Some(Exit::Code(7)));
}

#[tokio::test]
async fn a_daemon_counts_as_alive_after_its_first_process_has_ended() {
    let running = started(&a_script("daemon", "setsid sleep 300 & exit 0")).await;
    assert_eq!(running.exited().await, Some(Exit::Code(0)));
    assert!(running.state().is_alive());
    assert_eq!(running.members().len(), 1);
    assert!(running.stop(SignalName::TERM, LIMIT).await);
    assert!(!running.state().is_alive());
}

#[tokio::test]
async fn dropping_what_runs_ends_it() {
    let launch = a_script("drop", "sleep 300 & sleep 301");
    let running = started(&launch).await;
    assert!(eventually(LIMIT, || marked(&launch.mark).len() >= 4));
    drop(running);
    assert!(eventually(LIMIT, || marked(&launch.mark).is_empty()));
}

#[tokio::test]
async fn both_outputs_and_the_exit_code_come_back_under_either_guard() {
    for guardian in [a_guardian(), Guardian::ProcessGroup] {
        let launch = a_script("outputs", "echo out; echo err >&2; exit 3");
        let running = Running::start(&guardian, &launch).await.unwrap();
        assert_eq!(running.exited().await, Some(Exit::Code(3)), "{guardian}");
        running.watch().wait_for(|state| state.empty).await.unwrap();
        assert!(
            eventually(LIMIT, || running.stdout.total_bytes() == 4),
            "{guardian}"
        );
        assert_eq!(running.stderr.text(), "err\n", "{guardian}");
    }
}

#[tokio::test]
async fn a_program_that_is_not_there_is_named() {
    let launch =
        em_local::launch::Launch::new(a_mark("absent"), vec!["/no/such/program".to_owned()]);
    let refused = Running::start(&a_guardian(), &launch).await.unwrap_err();
    let LaunchError::Command { command, why } = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(command, "/no/such/program");
    assert!(why.contains("No such file"), "{why}");
}

#[tokio::test]
async fn a_tree_may_be_pinned_to_cpus() {
    let cpu = *em_local::cores::usable().last().unwrap();
    for guardian in [a_guardian(), Guardian::ProcessGroup] {
        let mut launch = a_script("pinned", "sleep 300");
        launch.cpus = vec![cpu];
        let running = Running::start(&guardian, &launch).await.unwrap();
        assert_eq!(
            em_local::cores::allowed(running.main().unwrap()),
            Some(vec![cpu])
        );
        assert!(running.stop(SignalName::KILL, LIMIT).await);
    }
}
