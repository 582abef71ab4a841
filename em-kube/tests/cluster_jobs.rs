//! Load as Jobs on a real cluster: real pods, real logs, real ways to fail.
//!
//! The context is that of `EM_TEST_CONTEXT`; every test has a namespace of its own, which it removes.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use em_core::id::{Epoch, IterationNo, OpKey, TrialId};
use em_core::observe::Observed;
use em_core::plan::{
    AcrossWorkers, JobLoad, LoadSpec, MetricKind, OutputPattern, OutputRules, PodResources,
    RunMode, Text,
};
use em_core::port::{
    Clock as _, LoadDriver as _, LoadGoal, LoadPlan, LoadReport, LoadStatus, OpContext, SystemClock,
};
use em_core::template::Template;
use em_core::testkit::conformance::{LoadScene, load_driver};
use em_core::value::Unit;
use em_kube::cluster::{Cluster, resource_of};
use em_kube::job::{JobDriver, jobs_left};
use jiff::SignedDuration;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::json;
use tokio_util::sync::CancellationToken;

const IMAGE: &str = "localhost/busybox:1";

/// A namespace of a test.
struct Lab {
    cluster: Cluster,
}

impl Lab {
    async fn new(name: &str) -> Self {
        let context = std::env::var("EM_TEST_CONTEXT").unwrap_or_else(|_| "em-test".to_owned());
        let cluster = Cluster::connect(&context, Some(name)).await.unwrap();
        let namespace =
            json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } });
        let namespace: DynamicObject = serde_json::from_value(namespace).unwrap();
        let made = Self::namespaces(&cluster)
            .create(&PostParams::default(), &namespace)
            .await;
        if let Err(kube::Error::Api(status)) = &made {
            assert_eq!(status.code, 409, "{status:?}");
        }
        Self { cluster }
    }

    fn namespaces(cluster: &Cluster) -> Api<DynamicObject> {
        let kind = GroupVersionKind::gvk("", "v1", "Namespace");
        let resource = ApiResource::from_gvk_with_plural(&kind, "namespaces");
        Api::all_with(cluster.client(), &resource)
    }

    fn driver(&self, load: &JobLoad) -> JobDriver {
        JobDriver::new(Arc::new(SystemClock), load).in_cluster(self.cluster.clone())
    }

    /// Whether nothing of a load is left: the cluster takes what it was told to remove in its own time.
    async fn is_empty(&self) -> bool {
        for _ in 0..100 {
            let pods = self.cluster.objects("pod").list("").await.unwrap();
            if jobs_left(&self.cluster).await.unwrap().is_empty() && pods.is_empty() {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        false
    }

    async fn close(self) {
        let name = self.cluster.namespace().to_owned();
        let namespaces = Self::namespaces(&self.cluster);
        drop(namespaces.delete(&name, &DeleteParams::default()).await);
    }
}

fn load(script: &str, run: RunMode, workers: u32) -> JobLoad {
    let template = |text: &str| Template::parse(text).unwrap();
    let rule = OutputPattern {
        find: r"rps (\d+)".to_owned(),
        unit: Unit::Dimensionless,
        scale: 1.0,
        kind: MetricKind::Gauge,
    };
    JobLoad {
        context: "em-test".to_owned(),
        namespace: None,
        image: IMAGE.to_owned(),
        command: ["sh", "-c"].map(template).to_vec(),
        args: vec![template(script)],
        env: BTreeMap::new(),
        workers,
        run,
        output: OutputRules {
            patterns: BTreeMap::from([("rps".parse().unwrap(), rule)]),
            ..OutputRules::default()
        },
        across: BTreeMap::from([("rps".parse().unwrap(), AcrossWorkers::Sum)]),
        resources: PodResources {
            requests: BTreeMap::from([("cpu".to_owned(), "10m".parse().unwrap())]),
            limits: BTreeMap::new(),
        },
        pod: None,
        container: None,
        success_exit_codes: vec![0],
        timeout: None,
    }
}

fn plan(load: &JobLoad) -> LoadPlan {
    let spec = Arc::new(LoadSpec::Job(Box::new(load.clone())));
    let goal = LoadGoal::Measure { rate: None };
    LoadPlan::new(spec, goal, 1, Duration::from_secs(4))
        .cycle(Duration::from_secs(1))
        .batch(Duration::from_secs(1))
}

fn cx() -> OpContext {
    let key = OpKey::Iteration {
        experiment: "jobs".parse().unwrap(),
        trial: TrialId(1),
        iteration: IterationNo(1),
    };
    let epoch = Epoch {
        store: "lab".to_owned(),
        counter: 1,
    };
    let deadline = SystemClock.now() + SignedDuration::from_secs(120);
    OpContext::new(key, epoch, deadline, CancellationToken::new())
}

async fn until_over(driver: &JobDriver) -> (LoadStatus, LoadReport) {
    let looks = async {
        loop {
            let status = driver.status(&cx()).await.unwrap();
            if !matches!(status, LoadStatus::Ramping | LoadStatus::Steady { .. }) {
                return status;
            }
            driver.changed(&cx()).await;
        }
    };
    let status = tokio::time::timeout(Duration::from_secs(90), looks)
        .await
        .unwrap();
    (status, driver.report(&cx(), 0).await.unwrap())
}

/// The reason of a load that has to fail, and how long it took.
async fn failure(lab: &Lab, load: &JobLoad) -> (String, Duration) {
    let driver = lab.driver(load);
    let began = Instant::now();
    driver.start(&cx(), &plan(load), &[]).await.unwrap();
    let (status, _) = until_over(&driver).await;
    let took = began.elapsed();
    driver.stop(&cx()).await.unwrap();
    let LoadStatus::Failed { why } = status else {
        panic!("{status:?}");
    };
    (why, took)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: tests/run cluster"]
async fn jobs_keep_the_rules_of_load_drivers() {
    let lab = Lab::new("em-jobs-rules").await;
    let tool = load(
        "i=0; while [ $i -lt 4 ]; do echo rps 5; sleep 0.2; i=$((i+1)); done",
        RunMode::PerCycle,
        1,
    );
    load_driver(async || LoadScene {
        driver: Arc::new(lab.driver(&tool)),
        plan: plan(&tool),
        addresses: Vec::new(),
        keep: Box::new(()),
    })
    .await;
    assert!(lab.is_empty().await, "something of a load is left");
    lab.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: tests/run cluster"]
async fn workers_are_read_together_and_secrets_reach_them() {
    let lab = Lab::new("em-jobs-workers").await;
    let script = "[ -n \"$TOKEN\" ] || exit 3; for i in 1 2 3 4 5 6; do echo rps $((10 + JOB_COMPLETION_INDEX)); sleep 1; done";
    let mut tool = load(script, RunMode::Whole, 2);
    let secret = em_core::plan::SecretRef::FromEnv("PATH".to_owned());
    tool.env.insert("TOKEN".to_owned(), Text::Secret(secret));
    let driver = lab.driver(&tool);
    driver.check(&cx(), &plan(&tool)).await.unwrap();
    driver.start(&cx(), &plan(&tool), &[]).await.unwrap();
    driver.start(&cx(), &plan(&tool), &[]).await.unwrap();
    let left = jobs_left(&lab.cluster).await.unwrap();
    assert_eq!(left.len(), 1, "two starts are one Job");
    assert_eq!(left[0].key.as_ref(), Some(&cx().key));
    let (status, report) = until_over(&driver).await;
    assert_eq!(status, LoadStatus::Finished);
    assert_eq!(report.problems, Vec::<String>::new());
    assert!(report.batches.len() >= 3, "{:?}", report.batches);
    let rps = report.batches[1]
        .observed
        .get(&"rps".parse().unwrap())
        .unwrap();
    let Observed::Values { points } = rps else {
        panic!("{rps:?}");
    };
    assert!((points[0].value - 21.0).abs() < 1e-9, "{points:?}");
    driver.stop(&cx()).await.unwrap();
    let secrets = lab.cluster.objects("secret").list("").await.unwrap();
    assert_eq!(secrets.len(), 0, "its Secret is left");
    assert!(lab.is_empty().await);
    lab.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: tests/run cluster"]
async fn a_whole_run_outlives_its_manager() {
    let lab = Lab::new("em-jobs-outlives").await;
    let tool = load(
        "i=0; while [ $i -lt 24 ]; do echo rps 5; sleep 0.3; i=$((i+1)); done",
        RunMode::Whole,
        1,
    );
    let driver = lab.driver(&tool);
    assert!(driver.outlives_manager());
    driver.start(&cx(), &plan(&tool), &[]).await.unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    drop(driver);
    let later = lab.driver(&tool);
    let (status, report) = until_over(&later).await;
    assert_eq!(status, LoadStatus::Finished);
    assert!(report.batches.len() >= 4, "{:?}", report.batches);
    assert!(report.batches.iter().all(|batch| batch.observed.len() == 1));
    later.stop(&cx()).await.unwrap();
    assert!(lab.is_empty().await);
    lab.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: tests/run cluster"]
async fn every_failure_says_which_pod_and_why() {
    let lab = Lab::new("em-jobs-failures").await;
    let crash = load(
        "echo connection refused; sleep 1; exit 4",
        RunMode::Whole,
        1,
    );
    let (why, _) = failure(&lab, &crash).await;
    assert!(
        why.contains("ended with exit code 4") && why.contains("connection refused"),
        "{why}"
    );
    let mut missing = load("true", RunMode::Whole, 1);
    missing.image = "localhost/nothing:1".to_owned();
    let (why, took) = failure(&lab, &missing).await;
    assert!(
        why.contains("ImagePullBackOff") || why.contains("ErrImageNeverPull"),
        "{why}"
    );
    assert!(took < Duration::from_secs(40), "{took:?}");
    let mut late = load("sleep 60", RunMode::Whole, 1);
    late.timeout = Some(Duration::from_secs(3));
    let (why, _) = failure(&lab, &late).await;
    assert!(why.contains("DeadlineExceeded"), "{why}");
    let (why, _) = removed(&lab).await;
    assert!(why.contains("removed"), "{why}");
    let quota = json!({ "apiVersion": "v1", "kind": "ResourceQuota", "metadata": { "name": "none" },
        "spec": { "hard": { "pods": "0" } } });
    let kind = GroupVersionKind::gvk("", "v1", "ResourceQuota");
    let quotas = lab
        .cluster
        .objects_of(&ApiResource::from_gvk_with_plural(&kind, "resourcequotas"));
    quotas.create(&quota).await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (why, _) = failure(&lab, &load("true", RunMode::Whole, 1)).await;
    assert!(why.contains("exceeded quota"), "{why}");
    lab.close().await;
}

/// A load one of whose pods somebody removes.
async fn removed(lab: &Lab) -> (String, Duration) {
    let tool = load("sleep 60", RunMode::Whole, 2);
    let client = lab.cluster.client();
    let namespace = lab.cluster.namespace().to_owned();
    let somebody = tokio::spawn(async move {
        let resource = resource_of("pod").unwrap();
        let pods: Api<DynamicObject> = Api::namespaced_with(client, &namespace, &resource);
        loop {
            tokio::time::sleep(Duration::from_secs(3)).await;
            let list = pods.list(&ListParams::default()).await.unwrap();
            if let Some(pod) = list.items.first() {
                let name = pod.metadata.name.clone().unwrap();
                pods.delete(&name, &DeleteParams::default()).await.unwrap();
                return;
            }
        }
    });
    let failed = failure(lab, &tool).await;
    somebody.await.unwrap();
    failed
}
