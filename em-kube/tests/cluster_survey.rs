//! A survey of a real cluster: what its servers really answer, refuse and allow.
//!
//! The context is that of `EM_TEST_CONTEXT`; every test has a namespace of its own, which it removes.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use em_core::plan::{HttpLoad, KubernetesSpec, LoadSpec, Plan, TargetSpec};
use em_core::port::{Clock as _, Finding, Severity, Survey, SystemClock};
use em_core::testkit::a_plan;
use em_kube::cluster::Cluster;
use em_kube::rbac::manifest;
use em_kube::survey::permissions::{Permission, needs};
use em_kube::survey::{Asker, survey};
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::{Value as Json, json};

const ACCOUNT: &str = "em";

/// A namespace of a test, with a Deployment `demo` and its Service.
struct Lab {
    name: String,
    context: String,
}

impl Lab {
    fn new(name: &str) -> Self {
        let context = std::env::var("EM_TEST_CONTEXT").unwrap_or_else(|_| "em-test".to_owned());
        let lab = Self {
            name: format!("em-survey-{name}"),
            context,
        };
        let namespace =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": lab.name}});
        lab.apply(&namespace.to_string());
        lab.apply(&demo().to_string());
        lab.apply(&service().to_string());
        lab.kubectl(
            &["rollout", "status", "deployment/demo", "--timeout=60s"],
            None,
        );
        lab
    }

    fn kubectl(&self, arguments: &[&str], input: Option<&str>) -> String {
        let mut command = Command::new("kubectl");
        command.args(["--context", &self.context, "--namespace", &self.name]);
        let mut child = command
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin
            .write_all(input.unwrap_or_default().as_bytes())
            .unwrap();
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "kubectl {arguments:?}: {words}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn apply(&self, manifest: &str) {
        self.kubectl(&["apply", "-f", "-"], Some(manifest));
    }

    async fn cluster(&self) -> Cluster {
        Cluster::connect(&self.context, Some(&self.name))
            .await
            .unwrap()
    }

    /// The cluster as the service account of the test sees it.
    async fn as_account(&self) -> Cluster {
        // Connecting installs the cryptography of the process.
        drop(self.cluster().await);
        let options = KubeConfigOptions {
            context: Some(self.context.clone()),
            ..KubeConfigOptions::default()
        };
        let kubeconfig = Kubeconfig::read().unwrap();
        let config = kube::Config::from_custom_kubeconfig(kubeconfig, &options).await;
        let mut config = config.unwrap();
        config.default_retry = false;
        let account = format!("system:serviceaccount:{}:{ACCOUNT}", self.name);
        config.auth_info.impersonate = Some(account);
        let client = kube::Client::try_from(config).unwrap();
        Cluster::with_client(client, &self.context, &self.name)
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let wide = format!("{}-{ACCOUNT}", self.name);
        for gone in [
            ["delete", "namespace", &self.name],
            ["delete", "clusterrole", &wide],
            ["delete", "clusterrolebinding", &wide],
        ] {
            let arguments = [
                "--context",
                &self.context,
                "--wait=false",
                "--ignore-not-found",
            ];
            drop(Command::new("kubectl").args(gone).args(arguments).output());
        }
    }
}

fn demo() -> Json {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "demo"},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": "demo"}},
            "template": {"metadata": {"labels": {"app": "demo"}}, "spec": {
                "terminationGracePeriodSeconds": 0,
                "containers": [{
                    "name": "app", "image": "localhost/em:test", "imagePullPolicy": "IfNotPresent",
                    "args": ["demo", "--host", "0.0.0.0", "--port", "8080"],
                    "env": [{"name": "WORKERS", "value": "2"}],
                    "ports": [{"name": "http", "containerPort": 8080}],
                    "readinessProbe": {"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 1},
                    "resources": {
                        "requests": {"cpu": "10m", "memory": "64Mi"},
                        "limits": {"cpu": "200m", "memory": "64Mi"},
                    },
                }],
            }},
        },
    })
}

fn service() -> Json {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "demo"},
        "spec": {"selector": {"app": "demo"}, "ports": [
            {"name": "http", "port": 80, "targetPort": "http"},
            {"name": "dead", "port": 81, "targetPort": 9},
        ]},
    })
}

fn spec(more: &Json) -> KubernetesSpec {
    let mut spec = json!({
        "context": "test", "namespace": null, "workload": "deployment/demo", "container": null,
        "policy": "rolling-update", "service": {"name": "demo", "port": "http"}, "ready": null,
        "settle": {"secs": 1, "nanos": 0}, "prices": null, "slots": 1,
    });
    json_patch::merge(&mut spec, more);
    serde_json::from_value(spec).unwrap()
}

/// Tunes `workers` (a variable) and `memory`; load is made here.
fn plan(spec: &KubernetesSpec) -> Plan {
    let memory = json!({
        "name": "memory", "default": null, "prior": null,
        "domain": {"type": "quantity", "low": "32Mi", "high": "128Mi", "step": null},
        "apply": [{"resource": {"resource": "memory", "of": "both"}}],
    });
    let load: HttpLoad = serde_json::from_value(json!({
        "url": {"text": "http://{{address}}/"}, "method": "GET", "body": null,
        "rate": {"per_second": 10.0}, "arrivals": "poisson", "phases": [],
        "connections": 1, "in_flight": 1, "timeout": {"secs": 1, "nanos": 0},
    }))
    .unwrap();
    a_plan()
        .with(|plan| {
            plan.tunables.push(serde_json::from_value(memory).unwrap());
            plan.load = LoadSpec::Http(Box::new(load));
            plan.target = TargetSpec::Kubernetes(Box::new(spec.clone()));
        })
        .build()
}

async fn look(cluster: &Cluster, more: &Json, wanted: &[(String, Json)]) -> Survey {
    let spec = spec(more);
    let asker = Asker {
        store: "0123456789abcdef",
        now: SystemClock.now(),
        wanted,
    };
    survey(cluster, &spec, &plan(&spec), &asker).await.unwrap()
}

fn of(survey: &Survey, severity: Severity) -> Vec<String> {
    let findings = survey.findings.iter();
    let findings = findings.filter(|finding| finding.severity == severity);
    findings.map(Finding::sentence).collect()
}

fn assert_says(survey: &Survey, severity: Severity, part: &str) {
    let all = of(survey, severity);
    let says = all.iter().any(|one| one.contains(part));
    assert!(says, "no {part:?} among {all:#?}");
}

/// Looks until the answer is as expected: what servers count and allow they learn in their own time.
async fn eventually(cluster: &Cluster, more: &Json, holds: impl Fn(&Survey) -> bool) -> Survey {
    let mut seen = look(cluster, more, &[]).await;
    for _ in 0..50 {
        if holds(&seen) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        seen = look(cluster, more, &[]).await;
    }
    seen
}

/// The live object with a value put at a pointer.
async fn changed(cluster: &Cluster, pointer: &str, value: Json) -> Json {
    let mut live = cluster.objects("deployment").need("demo").await.unwrap();
    *live.pointer_mut(pointer).unwrap() = value;
    live
}

const WORKERS: &str = "/spec/template/spec/containers/0/env/0/value";

#[tokio::test]
#[ignore = "needs a cluster: tests/run cluster"]
async fn a_sound_workload_is_read_and_rehearsed_and_left_as_it_is() {
    let lab = Lab::new("sound");
    let cluster = lab.cluster().await;
    let live = async || cluster.objects("deployment").need("demo").await.unwrap();
    let before = live().await;
    let more_workers = changed(&cluster, WORKERS, json!("7")).await;
    let wanted = [("more workers".to_owned(), more_workers)];
    let seen = look(&cluster, &json!({}), &wanted).await;
    assert_eq!(of(&seen, Severity::Error), Vec::<String>::new());
    assert_eq!(of(&seen, Severity::Warning), Vec::<String>::new());
    let today = seen.today.iter();
    let today: Vec<String> = today
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    assert_eq!(today, ["memory=64Mi", "workers=2"]);
    assert_eq!(seen.slots[0].label, "deployment/demo in em-survey-sound");
    assert!(seen.facts["kubernetes.nodes"].parse::<u32>().unwrap() >= 1);
    assert!(seen.facts["kubernetes.version"].starts_with('v'));
    assert_eq!(live().await, before, "a survey changes nothing");
    // The same workload through a port at which nobody listens.
    let dead = look(&cluster, &json!({"service": {"port": "dead"}}), &[]).await;
    assert_says(&dead, Severity::Error, "does not reach Service demo");
}

#[tokio::test]
#[ignore = "needs a cluster: tests/run cluster"]
async fn what_the_server_refuses_is_said_in_its_words() {
    let lab = Lab::new("refused");
    let cluster = lab.cluster().await;
    let mut unknown = changed(&cluster, WORKERS, json!("2")).await;
    unknown["spec"]["template"]["spec"]["containers"][0]["workers"] = json!(7);
    let memory = "/spec/template/spec/containers/0/resources/limits/memory";
    let below = changed(&cluster, memory, json!("1Mi")).await;
    let wanted = [
        ("an unknown field".to_owned(), unknown),
        ("a limit below its request".to_owned(), below),
    ];
    let seen = look(&cluster, &json!({}), &wanted).await;
    assert_says(&seen, Severity::Error, "refuses an unknown field");
    let field = "unknown field \"spec.template.spec.containers[0].workers\"";
    assert_says(&seen, Severity::Error, field);
    assert_says(
        &seen,
        Severity::Error,
        "must be less than or equal to memory limit",
    );
    let mut copy = demo();
    copy["metadata"]["name"] = json!("demo-copy");
    copy["spec"]["selector"]["matchLabels"]["app"] = json!("other");
    let copies = [("a clone".to_owned(), copy)];
    let seen = look(&cluster, &json!({"policy": "new-deployment"}), &copies).await;
    assert_says(
        &seen,
        Severity::Error,
        "`selector` does not match template `labels`",
    );
}

#[tokio::test]
#[ignore = "needs a cluster: tests/run cluster"]
async fn what_stands_against_it_in_the_namespace_is_found() {
    let lab = Lab::new("against");
    let around = json!({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "scaler"}, "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "demo"},
            "minReplicas": 1, "maxReplicas": 2,
        }},
        {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "team"}, "spec": {"hard": {"pods": "1"}}},
        {"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "bounds"}, "spec": {"limits": [
            {"type": "Container", "max": {"memory": "100Mi"}},
        ]}},
        {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "budget"}, "spec": {
            "minAvailable": 1, "selector": {"matchLabels": {"app": "demo"}},
        }},
        {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"}, "spec": {
            "accessModes": ["ReadWriteOnce"], "storageClassName": "",
            "resources": {"requests": {"storage": "1Mi"}},
        }},
    ]});
    lab.apply(&around.to_string());
    let cluster = lab.cluster().await;
    let is_counted = |seen: &Survey| {
        let errors = of(seen, Severity::Error);
        errors.iter().any(|one| one.contains("ResourceQuota"))
    };
    let seen = eventually(&cluster, &json!({}), is_counted).await;
    let scaler = "HorizontalPodAutoscaler scaler acts on deployment/demo";
    assert_says(&seen, Severity::Error, scaler);
    assert_says(
        &seen,
        Severity::Error,
        "ResourceQuota team has room for 0 of pods",
    );
    let bounds = "LimitRange bounds refuses a limit of memory above 100Mi";
    assert_says(&seen, Severity::Warning, bounds);
    assert_says(&seen, Severity::Note, "PodDisruptionBudget budget covers");
    let patch = json!({"spec": {"paused": true, "template": {"spec": {"volumes": [
        {"name": "data", "persistentVolumeClaim": {"claimName": "data"}},
        {"name": "conf", "configMap": {"name": "absent"}},
    ]}}}});
    lab.kubectl(
        &["patch", "deployment", "demo", "-p", &patch.to_string()],
        None,
    );
    let clones = look(
        &cluster,
        &json!({"policy": "new-deployment", "slots": 2}),
        &[],
    )
    .await;
    assert_says(
        &clones,
        Severity::Error,
        "claim data, which is ReadWriteOnce",
    );
    assert_says(
        &clones,
        Severity::Error,
        "names configmap/absent, which is not there",
    );
    let paused = look(&cluster, &json!({}), &[]).await;
    assert_says(&paused, Severity::Error, "is paused");
}

/// A Role of exactly these permissions.
fn role(permissions: &[&Permission]) -> Json {
    let own = permissions.iter().filter(|one| !one.is_cluster_wide);
    let rules = own.map(|one| {
        let mut rule = json!({
            "apiGroups": [one.group], "resources": [one.resource_path()], "verbs": [one.verb],
        });
        if let Some(name) = &one.name {
            rule["resourceNames"] = json!([name]);
        }
        rule
    });
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": ACCOUNT},
        "rules": rules.collect::<Vec<_>>(),
    })
}

/// What is said to be not permitted, needed and helpful things alike.
fn denied(seen: &Survey) -> Vec<String> {
    let all = [Severity::Error, Severity::Warning].map(|severity| of(seen, severity));
    let all = all.into_iter().flatten();
    all.filter(|one| one.starts_with("not permitted")).collect()
}

#[tokio::test]
#[ignore = "needs a cluster: tests/run cluster"]
async fn the_printed_role_is_enough() {
    let lab = Lab::new("role");
    let cluster = lab.as_account().await;
    let nobody = look(&cluster, &json!({}), &[]).await;
    assert_says(
        &nobody,
        Severity::Error,
        "not permitted: get deployments of apps \"demo\"",
    );
    assert_says(&nobody, Severity::Error, "em kube rbac FILE");
    assert_eq!(nobody.today.len(), 0, "what may not be read is not known");
    for (_, word, _) in em_core::plan::ClusterPolicy::ALL {
        let more = json!({"policy": word, "autoscaler": "pin"});
        let of_policy = spec(&more);
        let printed = manifest(&of_policy, &plan(&of_policy), &lab.name, ACCOUNT);
        let rehearsal = ["apply", "--dry-run=server", "--validate=strict", "-f", "-"];
        lab.kubectl(&rehearsal, Some(&printed));
        lab.apply(&printed);
        let seen = eventually(&cluster, &more, |seen| denied(seen).is_empty()).await;
        assert_eq!(denied(&seen), Vec::<String>::new(), "{word}");
        assert_eq!(of(&seen, Severity::Error), Vec::<String>::new(), "{word}");
    }
}

#[tokio::test]
#[ignore = "needs a cluster: tests/run cluster"]
async fn each_part_of_the_role_is_missed_by_name() {
    let lab = Lab::new("parts");
    let own = spec(&json!({}));
    lab.apply(&manifest(&own, &plan(&own), &lab.name, ACCOUNT));
    // What is allowed in the whole cluster is allowed in the namespace, too, and would hide what is missing there.
    let wide = format!("{}-{ACCOUNT}", lab.name);
    lab.kubectl(&["delete", "clusterrolebinding", &wide], None);
    let cluster = lab.as_account().await;
    each_is_missed(&lab, &cluster, &json!({}), |_| true).await;
    let clones = json!({"policy": "new-deployment"});
    each_is_missed(&lab, &cluster, &clones, Permission::is_needed).await;
    let resize = json!({"policy": "resize"});
    each_is_missed(&lab, &cluster, &resize, |one| {
        one.subresource == Some("resize")
    })
    .await;
}

/// Takes one permission after the other away, and sees it named.
async fn each_is_missed(
    lab: &Lab,
    cluster: &Cluster,
    more: &Json,
    is_tried: impl Fn(&Permission) -> bool,
) {
    let own = spec(more);
    let table = needs(&own, &plan(&own));
    // Groups that the cluster does not have are not asked for.
    let is_there = |one: &&Permission| {
        !one.is_cluster_wide && !["autoscaling.k8s.io", "keda.sh"].contains(&one.group.as_str())
    };
    for missing in table.iter().filter(is_there).filter(|one| is_tried(one)) {
        let rest: Vec<&Permission> = table.iter().filter(|one| *one != missing).collect();
        lab.apply(&role(&rest).to_string());
        let (verb, resource) = (missing.verb, missing.resource_path());
        let sentence = format!("not permitted: {verb} {resource}");
        let denied = |seen: &Survey| {
            let all = denied(seen).into_iter();
            let own = all.filter(|one| one.contains("in namespace"));
            own.collect::<Vec<_>>()
        };
        let is_missed = |seen: &Survey| {
            let found = denied(seen);
            found.len() == 1 && found[0].starts_with(&sentence)
        };
        let seen = eventually(cluster, more, is_missed).await;
        let found = denied(&seen);
        assert_eq!(found.len(), 1, "{missing:?}: {found:#?}");
        let severity = if missing.is_needed() {
            Severity::Error
        } else {
            Severity::Warning
        };
        assert_says(&seen, severity, &sentence);
    }
}

#[tokio::test]
#[ignore = "needs a cluster: tests/run cluster"]
async fn a_missing_workload_is_a_finding() {
    let lab = Lab::new("missing");
    let cluster = lab.cluster().await;
    let seen = look(&cluster, &json!({"workload": "statefulset/demo"}), &[]).await;
    let absent = "there is no statefulset/demo in namespace em-survey-missing";
    assert_says(&seen, Severity::Error, absent);
    let custom = look(
        &cluster,
        &json!({"workload": "widgets.example.com/demo"}),
        &[],
    )
    .await;
    assert_says(
        &custom,
        Severity::Error,
        "has no resource widgets.example.com",
    );
    let two = json!({"spec": {"template": {"spec": {"containers": [
        {"name": "side", "image": "localhost/pause:1"},
    ]}}}});
    lab.kubectl(
        &["patch", "deployment", "demo", "-p", &two.to_string()],
        None,
    );
    let seen = look(&cluster, &json!({}), &[]).await;
    assert_says(&seen, Severity::Error, "say which one is meant");
}
