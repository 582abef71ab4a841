//! A namespace of a test's own, and a workload in it.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use em_core::plan::{ClusterPolicy, KubernetesSpec};
use em_core::testkit::a_workload;
use em_kube::cluster::Cluster;
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use serde_json::{Value as Json, json};

static COUNT: AtomicU32 = AtomicU32::new(0);

/// A namespace of a test's own; gone when this is dropped.
#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) cluster: Cluster,
}

impl Room {
    pub(crate) async fn enter() -> Self {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("em-target-{}-{count}", std::process::id());
        let context = std::env::var("EM_TEST_CONTEXT").unwrap_or_else(|_| "em-test".to_owned());
        let cluster = Cluster::connect(&context, Some(&name)).await.unwrap();
        let namespaces: Api<Namespace> = Api::all(cluster.client());
        let namespace = serde_json::from_value(json!({"metadata": {"name": name}})).unwrap();
        namespaces
            .create(&PostParams::default(), &namespace)
            .await
            .unwrap();
        let accounts: Api<ServiceAccount> = Api::namespaced(cluster.client(), &name);
        // Pods are refused until the namespace has its service account.
        while accounts.get_opt("default").await.unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Self { cluster }
    }

    /// A workload called `shop` with a Service, all its pods ready.
    pub(crate) async fn shop(&self, replicas: u32) {
        self.cluster
            .objects("deployment")
            .create(&deployment(replicas))
            .await
            .unwrap();
        let service = json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "shop"},
            "spec": {"selector": {"app": "shop"}, "ports": [{"port": 80, "targetPort": 8080}]},
        });
        self.cluster
            .objects("service")
            .create(&service)
            .await
            .unwrap();
        self.until(|live| live["status"]["readyReplicas"] == replicas)
            .await;
    }

    pub(crate) async fn live(&self) -> Json {
        self.cluster
            .objects("deployment")
            .need("shop")
            .await
            .unwrap()
    }

    pub(crate) async fn until(&self, holds: impl Fn(&Json) -> bool) {
        let wait = async {
            while !holds(&self.live().await) {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::time::timeout(Duration::from_mins(1), wait)
            .await
            .unwrap();
    }

    pub(crate) fn spec(&self, policy: ClusterPolicy) -> KubernetesSpec {
        KubernetesSpec {
            context: self.cluster.context().to_owned(),
            namespace: Some(self.cluster.namespace().to_owned()),
            workload: "deployment/shop".parse().unwrap(),
            container: None,
            settle: Duration::from_millis(500),
            ..a_workload(policy)
        }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let (context, name) = (
            self.cluster.context().to_owned(),
            self.cluster.namespace().to_owned(),
        );
        // The test's own runtime may be on its way out.
        let leave = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let cluster = Cluster::connect(&context, None).await.unwrap();
                let namespaces: Api<Namespace> = Api::all(cluster.client());
                drop(namespaces.delete(&name, &DeleteParams::default()).await);
            });
        });
        drop(leave.join());
    }
}

/// One replica of the same pod.
pub(crate) fn stateful_set() -> Json {
    let mut set = deployment(1);
    set["kind"] = json!("StatefulSet");
    set["spec"]["serviceName"] = json!("shop");
    set
}

fn deployment(replicas: u32) -> Json {
    let serve =
        "mkdir -p /tmp/www && echo hello >/tmp/www/index.html && exec httpd -f -p 8080 -h /tmp/www";
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "shop", "labels": {"app": "shop", "team": "red"}, "annotations": {"note": "by hand"}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "shop"}},
            "template": {
                "metadata": {"labels": {"app": "shop"}},
                "spec": {
                    "terminationGracePeriodSeconds": 1,
                    "containers": [{
                        "name": "app", "image": "localhost/busybox:1", "imagePullPolicy": "IfNotPresent",
                        "command": ["/bin/sh", "-c", serve],
                        "env": [{"name": "LEVEL", "value": "1"}],
                        "ports": [{"containerPort": 8080}],
                        "readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1},
                        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"cpu": "200m", "memory": "64Mi"}},
                    }],
                },
            },
        },
    })
}
