//! The port `LoadDriver`, over the real engine and the quickstart's service.
#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use em_core::fault::FaultKind;
use em_core::id::{Epoch, OpKey};
use em_core::observe::Observed;
use em_core::plan::{Arrivals, HttpLoad, LoadSpec, Phase, RateSpec, SecretRef, Text};
use em_core::port::{
    Address, Clock as _, LoadBatch, LoadDriver as _, LoadGoal, LoadPlan, LoadStatus, OpContext,
    SystemClock,
};
use em_core::template::Template;
use em_load::HttpDriver;
use em_load::demo::model::{Cache, Setting};
use em_load::demo::{Demo, DemoOptions};
use tokio_util::sync::CancellationToken;

fn driver() -> HttpDriver {
    HttpDriver::new(Arc::new(SystemClock))
}

fn context(seq: u64) -> OpContext {
    let key = OpKey::Experiment {
        experiment: "demo".parse().unwrap(),
        seq,
    };
    let deadline = SystemClock.now() + Duration::from_mins(1);
    OpContext::new(
        key,
        Epoch {
            store: "0123456789abcdef".to_owned(),
            counter: 1,
        },
        deadline,
        CancellationToken::new(),
    )
}

fn http() -> HttpLoad {
    HttpLoad {
        url: Template::parse("http://{{address}}/").unwrap(),
        method: "GET".to_owned(),
        headers: [].into(),
        body: None,
        rate: RateSpec::OfCapacity(0.6),
        arrivals: Arrivals::Poisson,
        phases: vec![],
        levels: vec![],
        connections: 200,
        in_flight: 1000,
        timeout: Duration::from_secs(5),
    }
}

fn plan(http: HttpLoad, goal: LoadGoal) -> LoadPlan {
    let spec = Arc::new(LoadSpec::Http(Box::new(http)));
    LoadPlan::new(spec, goal, 1, Duration::from_secs(1)).batch(Duration::from_millis(100))
}

async fn demo(workers: u32) -> Vec<Address> {
    let options = DemoOptions {
        host: Ipv4Addr::LOCALHOST.into(),
        port: 0,
        workers,
        cache: Cache::Lru,
        seed: Some(1),
    };
    let demo = Demo::bind(&options).await.unwrap();
    let authority = demo.address().to_string();
    tokio::spawn(demo.serve());
    vec![Address {
        name: "port".to_owned(),
        authority,
    }]
}

#[tokio::test]
async fn a_load_is_steady_from_its_last_phase_on_and_reports_batches_without_gaps() {
    let addresses = demo(4).await;
    let (driver, cx) = (driver(), context(1));
    let lasts = Duration::from_millis(250);
    let phases = vec![
        Phase::Ramp {
            from: 0.0,
            to: 1.0,
            lasts,
        },
        Phase::Constant {
            share: 1.0,
            lasts: None,
        },
    ];
    let plan = plan(
        HttpLoad { phases, ..http() },
        LoadGoal::Measure { rate: Some(300.0) },
    );
    driver.check(&cx, &plan).await.unwrap();
    let before = SystemClock.now();
    driver.start(&cx, &plan, &addresses).await.unwrap();
    driver.start(&cx, &plan, &addresses).await.unwrap();
    assert_eq!(driver.status(&cx).await.unwrap(), LoadStatus::Ramping);
    let since = loop {
        driver.changed(&cx).await;
        if let LoadStatus::Steady { since } = driver.status(&cx).await.unwrap() {
            break since;
        }
    };
    let until_steady = Duration::try_from(since.duration_since(before)).unwrap();
    assert!(until_steady >= lasts, "{until_steady:?}");
    while driver.report(&cx, 0).await.unwrap().batches.len() < 8 {
        driver.changed(&cx).await;
    }
    driver.stop(&cx).await.unwrap();
    driver.stop(&cx).await.unwrap();
    assert_eq!(driver.status(&cx).await.unwrap(), LoadStatus::Finished);

    let report = driver.report(&cx, 0).await.unwrap();
    assert_eq!(report.problems, Vec::<String>::new());
    let metrics = driver.metrics(&plan.spec);
    for (number, pair) in report.batches.windows(2).enumerate() {
        assert_eq!(pair[0].index, u32::try_from(number).unwrap());
        assert_eq!(pair[0].window.end, pair[1].window.start);
    }
    assert!(
        report
            .batches
            .iter()
            .any(|batch| batch.window.start == since)
    );
    assert!(
        report
            .batches
            .iter()
            .flat_map(|batch| batch.observed.keys())
            .all(|name| metrics.contains_key(name))
    );
    let offered: f64 = report
        .batches
        .iter()
        .map(|batch| counter(batch, "offered"))
        .sum();
    let answered: f64 = report
        .batches
        .iter()
        .map(|batch| counter(batch, "throughput"))
        .sum();
    assert!(
        answered > 0.5 * offered && answered <= offered,
        "{answered} of {offered}"
    );
    let tail = driver.report(&cx, 3).await.unwrap();
    assert_eq!(tail.batches, report.batches[3..]);
}

fn counter(batch: &LoadBatch, metric: &str) -> f64 {
    let observed = &batch.observed[&metric.parse().unwrap()];
    let Observed::Counter { increase, .. } = observed else {
        panic!("{observed:?}")
    };
    *increase
}

#[tokio::test]
async fn the_capacity_of_the_default_setting_is_what_its_slots_allow() {
    let setting = Setting::DEFAULT;
    let addresses = demo(setting.workers).await;
    let (driver, cx) = (driver(), context(2));
    let plan = plan(
        http(),
        LoadGoal::FindCapacity {
            within: Duration::from_secs(15),
        },
    );
    driver.start(&cx, &plan, &addresses).await.unwrap();
    while driver.status(&cx).await.unwrap() == LoadStatus::Ramping {
        driver.changed(&cx).await;
    }
    assert_eq!(driver.status(&cx).await.unwrap(), LoadStatus::Finished);
    let capacity = driver.report(&cx, 0).await.unwrap().capacity.unwrap();
    let share = capacity.rate / setting.capacity();
    // The model knows no overhead, so a busy machine finds less, never much more.
    assert!(
        (0.6..1.1).contains(&share),
        "{capacity:?} is {share} of the model's"
    );
    eprintln!("{capacity:?}, model {}", setting.capacity());
}

#[tokio::test]
async fn a_load_without_target_fails_by_itself_and_says_why() {
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let addresses = [Address {
        name: "port".to_owned(),
        authority: free.to_string(),
    }];
    let (driver, cx) = (driver(), context(3));
    let plan = plan(http(), LoadGoal::Measure { rate: Some(50.0) });
    driver.start(&cx, &plan, &addresses).await.unwrap();
    let why = loop {
        driver.changed(&cx).await;
        if let LoadStatus::Failed { why } = driver.status(&cx).await.unwrap() {
            break why;
        }
    };
    assert!(why.contains("refused"), "{why}");
}

#[tokio::test]
async fn what_cannot_be_loaded_is_refused_by_the_check_already() {
    let (driver, cx) = (driver(), context(4));
    let measure = LoadGoal::Measure { rate: Some(50.0) };
    let refused =
        async |http: HttpLoad, goal| driver.check(&cx, &plan(http, goal)).await.unwrap_err();
    let fault = refused(
        HttpLoad {
            url: Template::parse("{{address}}").unwrap(),
            ..http()
        },
        measure,
    )
    .await;
    assert_eq!(fault.kind, FaultKind::Invalid);
    let fault = refused(
        HttpLoad {
            url: Template::parse("http://{{nowhere}}/").unwrap(),
            ..http()
        },
        measure,
    )
    .await;
    assert!(fault.message.contains("url"), "{fault}");
    let secret = Text::Secret(SecretRef::FromEnv(
        "EM_LOAD_TEST_HAS_NO_SUCH_VARIABLE".to_owned(),
    ));
    let headers = [("Authorization".to_owned(), secret)].into();
    let fault = refused(HttpLoad { headers, ..http() }, measure).await;
    assert_eq!(fault.kind, FaultKind::NotFound);
    let fault = refused(http(), LoadGoal::Measure { rate: None }).await;
    assert!(fault.message.contains("capacity"), "{fault}");
    let fault = driver.status(&context(5)).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::NotFound);
    driver.stop(&context(5)).await.unwrap();
}
