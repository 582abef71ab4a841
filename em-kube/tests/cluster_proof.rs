//! Looks into real pods, and numbers of a real kubelet.
//!
//! The cluster is the context `EM_TEST_CONTEXT` (else `em-test`) of the kubeconfig; it has the images
//! `localhost/busybox:1` and `localhost/pause:1`. Each test has a namespace of its own.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use em_core::port::Fact;
use em_kube::cluster::Cluster;
use em_kube::place::Place;
use em_kube::proof::{Asked, CgroupLimit, EnvironmentSource, PodSeen, facts, read};
use em_kube::usage::{Sources, usage};
use futures::FutureExt as _;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{LimitRange, Namespace};
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use serde_json::{Value as Json, json};

mod helpers {
    #![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

    use super::*;

    pub(super) fn context() -> String {
        std::env::var("EM_TEST_CONTEXT").unwrap_or_else(|_| "em-test".to_owned())
    }

    /// A namespace of this run.
    pub(super) struct Room {
        pub(super) cluster: Cluster,
        namespaces: Api<Namespace>,
    }

    impl Room {
        async fn make(what: &str) -> Self {
            let name = format!("proof-{what}-{}", std::process::id());
            let cluster = Cluster::connect(&context(), Some(&name)).await.unwrap();
            let namespaces = Api::all(cluster.client());
            let namespace = json!({"metadata": {"name": name}});
            let namespace = serde_json::from_value(namespace).unwrap();
            let params = PostParams::default();
            namespaces.create(&params, &namespace).await.unwrap();
            let room = Self {
                cluster,
                namespaces,
            };
            room.wait_for_account().await;
            room
        }

        /// Pods are refused until the namespace has its service account.
        async fn wait_for_account(&self) {
            let accounts: Api<k8s_openapi::api::core::v1::ServiceAccount> =
                Api::namespaced(self.cluster.client(), self.cluster.namespace());
            for _ in 0..200 {
                if accounts.get_opt("default").await.unwrap().is_some() {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            panic!("the namespace got no service account");
        }

        async fn end(self) {
            let params = DeleteParams::background();
            let name = self.cluster.namespace();
            self.namespaces.delete(name, &params).await.unwrap();
        }

        /// A pod of this template, when it runs.
        pub(super) async fn pod(&self, name: &str, template: &Json) -> Json {
            let mut pod = template.clone();
            pod["apiVersion"] = json!("v1");
            pod["kind"] = json!("Pod");
            pod["metadata"]["name"] = json!(name);
            let pods = self.cluster.objects("pod");
            assert!(pods.create(&pod).await.unwrap());
            for _ in 0..300 {
                let pod = pods.need(name).await.unwrap();
                if pod.pointer("/status/containerStatuses/0/ready") == Some(&json!(true)) {
                    return pod;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            panic!("pod {name} did not become ready");
        }
    }

    /// Runs a test in a namespace of its own, which is gone afterwards, whatever the test met.
    pub(super) async fn within(what: &str, test: impl AsyncFnOnce(&Room)) {
        let room = Room::make(what).await;
        let ended = AssertUnwindSafe(test(&room)).catch_unwind().await;
        room.end().await;
        if let Err(panic) = ended {
            std::panic::resume_unwind(panic);
        }
    }

    /// The same cluster, seen by somebody who may do nothing.
    pub(super) async fn as_nobody(cluster: &Cluster) -> Cluster {
        let options = kube::config::KubeConfigOptions {
            context: Some(context()),
            ..Default::default()
        };
        let mut config = kube::Config::from_kubeconfig(&options).await.unwrap();
        config.auth_info.impersonate = Some("nobody".to_owned());
        let client = kube::Client::try_from(config).unwrap();
        Cluster::with_client(client, &context(), cluster.namespace())
    }

    pub(super) fn of(text: &str) -> CgroupLimit {
        CgroupLimit::Of(text.parse().unwrap())
    }

    pub(super) fn seen(facts: &[Fact], name: &str) -> String {
        let fact = facts.iter().find(|fact| fact.name == name);
        fact.and_then(|fact| fact.seen.clone()).unwrap_or_default()
    }

    pub(super) fn differing(facts: &[Fact]) -> Vec<&Fact> {
        let differs = |fact: &&Fact| fact.asked.is_some() && fact.asked != fact.seen;
        facts.iter().filter(differs).collect()
    }

    /// The system's time: nothing is decided by it here.
    pub(super) fn now() -> Timestamp {
        use em_core::port::{Clock as _, SystemClock};
        SystemClock.now()
    }
}

use helpers::{as_nobody, differing, now, of, seen, within};

const AT: [&str; 4] = ["spec", "template", "spec", "containers"];

/// A pod of busybox whose first process is no shell.
fn busybox() -> Json {
    json!({"spec": {"terminationGracePeriodSeconds": 0, "containers": [{
        "name": "app", "image": "localhost/busybox:1", "imagePullPolicy": "IfNotPresent",
        "command": ["/bin/sleep"], "args": ["$(HOURS)h"],
        "env": [{"name": "HOURS", "value": "1"}, {"name": "URL", "value": "x://$(NODE)/$(HOURS)"},
                {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
                {"name": "NEXT", "value": "on $(NODE) $$(HOURS)"}],
        "resources": {"requests": {"cpu": "10m", "memory": "8Mi"}, "limits": {"cpu": "150m", "memory": "32Mi"}},
    }]}})
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: tests/run cluster"]
async fn what_runs_is_read_from_the_process_and_its_cgroup() {
    within("process", async |room| {
        let pod = room.pod("web", &busybox()).await;
        let process = read(&room.cluster, &pod, "app").await;
        let (source, variables) = process.environment.clone().unwrap();
        assert_eq!(source, EnvironmentSource::Process);
        assert_eq!(variables["URL"], "x://$(NODE)/1");
        assert_eq!(process.arguments.as_ref().unwrap(), &["/bin/sleep", "1h"]);
        assert_eq!(
            (process.cpu, process.memory),
            (Some(of("150m")), Some(of("32Mi")))
        );

        let workload = json!({"metadata": {"name": "web"}, "spec": {"template": busybox()}});
        let container = Place::of(AT).named("app");
        let variables = ["HOURS", "URL", "NEXT"].map(|name| container.key("env").named(name));
        let limits = container.key("resources").key("limits");
        let others = [container.key("args"), container.key("image"), limits];
        let asked = Asked::of(workload, "app").touching(variables.iter().chain(&others));
        let node = process_node(&room.cluster, &pod).await;
        let one = PodSeen {
            pod,
            process,
            node: Some(node),
        };
        let facts = facts(&asked, &[one]);
        assert_eq!(differing(&facts), Vec::<&Fact>::new());
        for (name, wanted) in [
            ("env.source", "process"),
            ("args.source", "process"),
            ("limit.cpu", "150m"),
            ("cpu_manager", "shared"),
            ("admission", ""),
        ] {
            assert_eq!(seen(&facts, name), wanted, "{name}");
        }
        for name in [
            "kernel",
            "kubelet",
            "runtime",
            "started",
            "image.digest",
            "cpus",
        ] {
            assert_ne!(seen(&facts, name), "", "{name}");
        }
    })
    .await;
}

async fn process_node(cluster: &Cluster, pod: &Json) -> Json {
    let name = pod["spec"]["nodeName"].as_str().unwrap_or_default();
    cluster.node(name).await.unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: tests/run cluster"]
async fn what_cannot_be_read_is_said() {
    within("declared", async |room| {
        let mut bare = busybox();
        bare["spec"]["containers"][0]["image"] = json!("localhost/pause:1");
        bare["spec"]["containers"][0]["command"] = Json::Null;
        bare["spec"]["containers"][0]["args"] = json!(["demo", "--port", "8080"]);
        let pod = room.pod("bare", &bare).await;
        let process = read(&room.cluster, &pod, "app").await;
        assert_eq!(process.why_not.as_deref(), Some("the image has no cat"));

        let nobody = as_nobody(&room.cluster).await;
        let why = read(&nobody, &pod, "app").await.why_not.unwrap();
        assert!(why.starts_with("exec is not allowed"), "{why}");

        let process = read(&room.cluster, &pod, "other").await;
        let why = process.why_not.unwrap();
        assert!(why.contains("other"), "{why}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: tests/run cluster"]
async fn a_pod_that_shares_its_processes_tells_what_its_container_gets() {
    within("shared", async |room| {
        let mut template = busybox();
        template["spec"]["shareProcessNamespace"] = json!(true);
        let pod = room.pod("shared", &template).await;
        let process = read(&room.cluster, &pod, "app").await;
        let (source, variables) = process.environment.unwrap();
        assert_eq!(source, EnvironmentSource::Container);
        assert_eq!(variables["HOURS"], "1");
        assert_eq!(process.arguments, None);
        assert_eq!(process.memory, Some(of("32Mi")));
    })
    .await;
}

/// What a pod that works has used; the kubelet's first look at it may be at its very start, when it is 0.
const USED: [&str; 7] = [
    "cpu_seconds",
    "memory_bytes",
    "memory_working_set_bytes",
    "memory_peak_bytes",
    "periods",
    "throttled_periods",
    "throttled_seconds",
];

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: tests/run cluster"]
async fn the_kubelet_tells_what_a_pod_uses() {
    within("usage", async |room| {
        let mut busy = busybox();
        busy["spec"]["containers"][0]["command"] = json!(["/bin/sh", "-c"]);
        busy["spec"]["containers"][0]["args"] = json!(["while :; do :; done"]);
        busy["spec"]["containers"][0]["resources"]["limits"]["cpu"] = json!("50m");
        let pods = [room.pod("busy", &busy).await];
        let mut numbers = BTreeMap::new();
        // The kubelet looks at a new pod within half a minute.
        for _ in 0..120 {
            let node = pods[0]["spec"]["nodeName"].as_str().unwrap();
            let summaries = [room.cluster.node_summary(node).await.unwrap()];
            let containers = [room.cluster.node_containers(node).await.unwrap()];
            let sources = Sources {
                pods: &pods,
                summaries: &summaries,
                containers: &containers,
                prices: None,
            };
            numbers = usage(&sources, now());
            if USED
                .iter()
                .all(|name| numbers.get(*name).is_some_and(|it| *it > 0.0))
            {
                break;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        for name in USED {
            assert!(
                numbers.get(name).is_some_and(|it| *it > 0.0),
                "{name}: {numbers:?}"
            );
        }
        assert!(numbers["usage_age_seconds"] < 60.0, "{numbers:?}");
        assert!(numbers["startup_seconds"] < 30.0, "{numbers:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: tests/run cluster"]
async fn limits_that_the_namespace_fills_in_are_seen() {
    within("admission", async |room| {
        let range = json!({"metadata": {"name": "defaults"}, "spec": {"limits": [
            {"type": "Container", "default": {"memory": "48Mi"}},
        ]}});
        let ranges: Api<LimitRange> =
            Api::namespaced(room.cluster.client(), room.cluster.namespace());
        let range = serde_json::from_value(range).unwrap();
        let params = PostParams::default();
        ranges.create(&params, &range).await.unwrap();

        let mut template = busybox();
        let limits = &mut template["spec"]["containers"][0]["resources"]["limits"];
        *limits = json!({"cpu": "150m"});
        let pod = room.pod("web", &template).await;
        let process = read(&room.cluster, &pod, "app").await;
        let one = PodSeen {
            pod,
            process,
            node: None,
        };
        let workload = json!({"metadata": {"name": "web"}, "spec": {"template": template}});
        let places = ["cpu", "memory"].map(|name| {
            let container = Place::of(AT).named("app");
            container.key("resources").key("limits").key(name)
        });
        let facts = facts(&Asked::of(workload, "app").touching(&places), &[one]);
        let names: Vec<_> = differing(&facts).iter().map(|it| it.name.clone()).collect();
        assert_eq!(names, ["limit.memory"]);
        assert_eq!(seen(&facts, "limit.memory"), "48Mi");
        assert_eq!(seen(&facts, "admission"), "limit.memory of app is 48Mi");
    })
    .await;
}
