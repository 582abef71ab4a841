//! The quickstart's service under load.
#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::net::Ipv4Addr;
use std::process::{Command, Stdio};
use std::time::Duration;

use em_load::demo::model::{Cache, Setting};
use em_load::demo::{Demo, DemoOptions};
use em_load::{Destination, Profile, RequestTemplate, Run, RunPlan, Stretch};

async fn p99(setting: Setting, rate: f64) -> Duration {
    let Setting { workers, cache } = setting;
    let demo = Demo::bind(&DemoOptions {
        host: Ipv4Addr::LOCALHOST.into(),
        port: 0,
        workers,
        cache,
        seed: Some(1),
    })
    .await
    .unwrap();
    let address = demo.address();
    let serving = tokio::spawn(demo.serve());
    let request = RequestTemplate::get(&format!("http://{address}/")).unwrap();
    let destination = Destination {
        request,
        addresses: vec![address],
    };
    let lasts = Some(Duration::from_secs(1));
    let profile = Profile::constant(rate).unwrap();
    let run = Run::start(RunPlan {
        lasts,
        ..RunPlan::new(destination, profile)
    })
    .unwrap();
    run.ended().await;
    serving.abort();
    Stretch::of(&run.batches())
        .times
        .response_time
        .quantile(0.99)
        .unwrap()
}

/// The order of neighbours is measured by the quickstart itself; here only what no busy machine
/// can turn round.
#[tokio::test]
async fn latency_under_load_follows_the_model() {
    let rate = 0.6 * Setting::DEFAULT.capacity();
    let best = p99(Setting::BEST, rate).await;
    assert!(
        best >= Setting::BEST.p99(),
        "{best:?}: waiting cannot be faster than planned"
    );
    let worst = p99(
        Setting {
            workers: 1,
            cache: Cache::None,
        },
        rate,
    )
    .await;
    assert!(
        worst > best * 2,
        "one worker without cache is overloaded: {worst:?} and {best:?}"
    );
}

#[test]
fn it_takes_its_tunables_from_environment_and_arguments_and_ends_at_sigterm() {
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let mut service = Command::new(env!("CARGO_BIN_EXE_em-load"))
        .args(["demo", "--cache=none", "--port", &free.port().to_string()])
        .env("WORKERS", "16")
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    while std::net::TcpStream::connect(free).is_err() {
        assert!(
            service.try_wait().unwrap().is_none(),
            "it ended before it listened"
        );
        std::thread::yield_now();
    }
    let id = rustix::process::Pid::from_child(&service);
    rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    assert!(service.wait().unwrap().success());

    let refused = Command::new(env!("CARGO_BIN_EXE_em-load"))
        .args(["demo"])
        .env("WORKERS", "17")
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("1..=16"));
}
