//! Limits that are really in force. Where the machine forbids groups, the tests say so and pass.

use std::time::Duration;

use crate::support::{a_mark, a_script, eventually, started};
use em_local::cgroup::{Controller, Group, Limits, Rights, find_marked};
use em_local::guard::Exit;
use em_local::stop::SignalName;

const LIMIT: Duration = Duration::from_secs(10);
const MEBIBYTE: u64 = 1 << 20;

fn rights_to(controller: Controller) -> Option<Rights> {
    let rights = Rights::survey();
    match rights.obstacle(controller) {
        None => Some(rights),
        Some(why) => {
            eprintln!("skipped: no {controller} groups on this machine: {why}");
            None
        }
    }
}

#[tokio::test]
async fn a_memory_limit_is_in_force_and_the_kill_is_recorded() {
    let Some(rights) = rights_to(Controller::Memory) else {
        return;
    };
    let mut launch = a_script("oom", "exec tail /dev/zero");
    let limits = Limits {
        memory_bytes: Some(32 * MEBIBYTE),
        ..Limits::default()
    };
    let group = Group::create(&rights, &launch.mark.folder_name(), &limits).unwrap();
    assert_eq!(group.limits_in_force().memory_bytes, Some(32 * MEBIBYTE));
    launch.group = Some(group.clone());

    let running = started(&launch).await;

    assert_eq!(running.exited().await, Some(Exit::Signal(9)));
    let usage = group.usage();
    assert_eq!(usage.oom_kills, Some(1));
    assert!(
        usage.memory_peak_bytes.unwrap() <= 32 * MEBIBYTE,
        "{usage:?}"
    );
    drop(running);
    assert!(eventually(LIMIT, || find_marked(
        &launch.mark.folder_name()
    )
    .is_empty()));
}

#[tokio::test]
async fn a_cpu_limit_throttles_and_the_time_is_counted() {
    let Some(rights) = rights_to(Controller::Cpu) else {
        return;
    };
    let mut launch = a_script("quota", "while :; do :; done");
    let limits = Limits {
        cpu: Some(0.2),
        ..Limits::default()
    };
    let group = Group::create(&rights, &launch.mark.folder_name(), &limits).unwrap();
    assert_eq!(group.limits_in_force().cpu, Some(0.2));
    launch.group = Some(group.clone());
    let running = started(&launch).await;
    assert!(
        eventually(LIMIT, || group.usage().throttled_periods > Some(2)),
        "{:?}",
        group.usage()
    );
    assert!(running.stop(SignalName::TERM, LIMIT).await);
    assert!(group.usage().cpu_seconds.unwrap() > 0.0);
    assert!(group.usage().throttled_seconds.unwrap() > 0.0);
    assert!(group.remove());
}

#[tokio::test]
async fn a_group_keeps_its_members_to_its_cpus_and_ends_them_all() {
    let Some(rights) = rights_to(Controller::CpuSet) else {
        return;
    };
    let cpu = em_local::cores::usable()[0];
    let mut launch = a_script("cpuset", "setsid sleep 300 & sleep 301");
    let limits = Limits {
        cpus: vec![cpu],
        ..Limits::default()
    };
    let group = Group::create(&rights, &launch.mark.folder_name(), &limits).unwrap();
    assert_eq!(group.limits_in_force().cpus, [cpu]);
    launch.group = Some(group.clone());
    let running = started(&launch).await;
    assert!(
        eventually(LIMIT, || group.members().len() >= 2),
        "{:?}",
        group.members()
    );
    assert_eq!(
        em_local::cores::allowed(running.main().unwrap()),
        Some(vec![cpu])
    );
    group.kill();
    assert_eq!(running.exited().await, Some(Exit::Signal(9)));
    assert!(group.remove());
}

#[test]
fn a_limit_without_rights_is_refused_with_a_command() {
    let limits = Limits {
        memory_bytes: Some(MEBIBYTE),
        ..Limits::default()
    };
    let refused =
        Group::create(&Rights::none(), &a_mark("none").folder_name(), &limits).unwrap_err();
    assert!(
        refused
            .to_string()
            .starts_with("a memory limit cannot be set here"),
        "{refused}"
    );
    assert!(
        Group::create(&Rights::none(), "em-none", &Limits::default())
            .unwrap()
            .folders()
            .is_empty()
    );
}
