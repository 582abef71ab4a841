//! What facts say of pods.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::*;
use crate::place::Place;

const POD: &str = include_str!("../../tests/proof/pod.json");
const NODE: &str = include_str!("../../tests/proof/node.json");

/// A recorded pod, called `name`.
fn pod(name: &str) -> PodSeen {
    let mut pod: Json = serde_json::from_str(POD).unwrap();
    pod["metadata"]["name"] = json!(name);
    let mut seen = PodSeen::declared(pod, "not tried");
    seen.node = Some(serde_json::from_str(NODE).unwrap());
    seen
}

fn own(pod: &mut PodSeen) -> &mut Json {
    &mut pod.pod["spec"]["containers"][0]
}

/// The workload of the recorded pod.
fn workload() -> Json {
    let container = json!({
        "name": "demo", "image": "localhost/em:test",
        "args": ["demo", "--host", "0.0.0.0", "--port", "8080"],
        "env": [{"name": "WORKERS", "value": "2"}],
        "resources": {"limits": {"cpu": "500m", "memory": "128Mi"},
                      "requests": {"cpu": "100m", "memory": "32Mi"}},
    });
    let template =
        json!({"metadata": {"labels": {"app": "demo"}}, "spec": {"containers": [container]}});
    json!({"metadata": {"name": "demo", "namespace": "shop"}, "spec": {"replicas": 1, "template": template}})
}

fn container() -> Place {
    Place::of(["spec", "template", "spec", "containers"]).named("demo")
}

fn variable(name: &str) -> Place {
    container().key("env").named(name)
}

fn limit(name: &str) -> Place {
    container().key("resources").key("limits").key(name)
}

fn asked(workload: Json, touched: &[Place]) -> Asked {
    Asked::of(workload, "demo").touching(touched)
}

/// `asked / seen` of a fact.
fn fact(facts: &[Fact], name: &str) -> String {
    let fact = facts.iter().find(|fact| fact.name == name);
    let Some(fact) = fact else {
        return "no fact".to_owned();
    };
    let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    format!("{} / {}", text(&fact.asked), text(&fact.seen))
}

fn differing(facts: &[Fact]) -> Vec<&str> {
    let differing = facts
        .iter()
        .filter(|fact| fact.asked.is_some() && fact.asked != fact.seen);
    differing.map(|fact| fact.name.as_str()).collect()
}

fn with_environment(pod: &mut PodSeen, variables: &[(&str, &str)]) {
    let variables = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let variables: BTreeMap<_, _> = variables.collect();
    pod.process.environment = Some((EnvironmentSource::Process, variables));
    pod.process.why_not = None;
}

#[test]
fn a_pod_that_is_as_asked_proves_everything() {
    let places = [
        variable("WORKERS"),
        container().key("args"),
        container().key("image"),
        limit("cpu"),
        limit("memory"),
        Place::of(["spec", "replicas"]),
    ];
    let facts = facts(
        &asked(workload(), &places).revision("588f4db8d5"),
        &[pod("demo-1")],
    );
    assert_eq!(differing(&facts), Vec::<&str>::new());
    for (name, wanted) in [
        ("env.WORKERS", "2 / 2"),
        ("env.source", "- / declared: not tried"),
        ("arg.4", "8080 / 8080"),
        ("limit.cpu", "500m / 500m"),
        ("limit.memory", "128Mi / 128Mi"),
        ("request.memory", "- / 32Mi"),
        ("image", "localhost/em:test / localhost/em:test"),
        ("replicas", "1 / 1"),
        ("template", "588f4db8d5 / 588f4db8d5"),
        ("pods", "- / demo-1"),
        ("container", "- / demo"),
        ("namespace", "- / shop"),
        ("workload", "- / demo"),
        ("qos", "- / Burstable"),
        ("node", "- / em-node"),
        ("kernel", "- / 6.12.5"),
        ("kubelet", "- / v1.34.4"),
        ("runtime", "- / containerd://1.6.20"),
        ("started", "- / 2026-11-24T23:48:57Z"),
        ("cpu_manager", "no fact"),
        ("admission", "no fact"),
    ] {
        assert_eq!(fact(&facts, name), wanted, "{name}");
    }
}

#[test]
fn no_pods_prove_nothing() {
    let places = [variable("WORKERS"), limit("cpu"), container().key("args")];
    let facts = facts(&asked(workload(), &places), &[]);
    assert_eq!(fact(&facts, "env.WORKERS"), "2 / -");
    assert_eq!(fact(&facts, "limit.cpu"), "500m / -");
    assert_eq!(differing(&facts).len(), 7, "{facts:?}");
}

#[test]
fn the_environment_of_the_process_counts_and_each_pod_is_compared() {
    let (mut one, two) = (pod("a"), pod("b"));
    with_environment(&mut one, &[("WORKERS", "8"), ("TOKEN", "hunter2")]);
    let facts = facts(&asked(workload(), &[variable("WORKERS")]), &[one, two]);
    assert_eq!(fact(&facts, "env.WORKERS"), "2 / 8 (pod a), 2 (pod b)");
    let source = "- / process (pod a), declared: not tried (pod b)";
    assert_eq!(fact(&facts, "env.source"), source);
    assert!(!format!("{facts:?}").contains("hunter2"));
}

#[test]
fn references_are_filled_in_as_kubernetes_does() {
    let known = |name: &str| (name == "A").then(|| "1".to_owned());
    for (text, wanted) in [
        ("$(A)-$(B)", "1-$(B)"),
        ("$$(A) $A $", "$(A) $A $"),
        ("$(A", "$(A"),
        ("$($(A)", "$($(A)"),
        ("", ""),
    ] {
        assert_eq!(variables::expand(text, &known), wanted, "{text}");
    }
}

#[test]
fn variables_may_refer_to_others_and_secrets_stay_hidden() {
    let mut workload = workload();
    workload["spec"]["template"]["spec"]["containers"][0]["env"] = json!([
        {"name": "HOST", "value": "db"},
        {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
        {"name": "URL", "value": "sql://u:$(PASSWORD)@$(HOST)"},
        {"name": "NEXT", "value": "$(LATER)"},
        {"name": "LATER", "value": "x"},
    ]);
    let places = ["URL", "NEXT", "PASSWORD"].map(variable);
    let asked = asked(workload, &places);
    let mut pod = pod("a");
    let variables = [
        ("PASSWORD", "hunter2"),
        ("URL", "sql://u:hunter2@db"),
        ("NEXT", "$(LATER)"),
        ("LATER", "x"),
    ];
    with_environment(&mut pod, &variables);
    let same = facts(&asked, &[pod.clone()]);
    assert_eq!(differing(&same), Vec::<&str>::new());
    let url = "sql://u:$(PASSWORD)@db";
    assert_eq!(fact(&same, "env.URL"), format!("{url} / {url}"));
    assert_eq!(fact(&same, "env.from"), "- / PASSWORD");
    assert_eq!(fact(&same, "env.PASSWORD"), "no fact");
    with_environment(
        &mut pod,
        &[("PASSWORD", "hunter2"), ("URL", "sql://u:hunter3@db")],
    );
    let other = facts(&asked, &[pod]);
    assert_eq!(fact(&other, "env.URL"), format!("{url} / differs"));
    assert_eq!(fact(&other, "env.NEXT"), "$(LATER) / -");
    assert!(!format!("{same:?}{other:?}{asked:?}").contains("hunter"));
}

#[test]
fn a_secret_value_is_compared_and_never_shown() {
    let asked = asked(workload(), &[variable("WORKERS")]).hiding(["WORKERS".to_owned()]);
    let mut pod = pod("a");
    assert_eq!(
        fact(&facts(&asked, &[pod.clone()]), "env.WORKERS"),
        "as asked / as asked"
    );
    with_environment(&mut pod, &[("WORKERS", "hunter2")]);
    assert_eq!(
        fact(&facts(&asked, &[pod]), "env.WORKERS"),
        "as asked / differs"
    );
}

#[test]
fn arguments_that_are_not_the_plans_are_compared_and_not_shown() {
    let mut original = workload();
    let args = ["demo", "--key=hunter2"];
    original["spec"]["template"]["spec"]["containers"][0]["args"] = json!(args);
    let mut wanted = original.clone();
    wanted["spec"]["template"]["spec"]["containers"][0]["args"] =
        json!(["demo", "--key=hunter2", "-w4"]);
    let asked = asked(wanted, &[container().key("args")]).instead_of(&original);
    let mut pod = pod("a");
    own(&mut pod)["args"] = json!(["demo", "--key=hunter3", "-w2", "more"]);
    pod.process.arguments = Some(["em", "demo"].map(str::to_owned).to_vec());
    let facts = facts(&asked, &[pod]);
    assert_eq!(fact(&facts, "arg.0"), "as before / as before");
    assert_eq!(fact(&facts, "arg.1"), "as before / differs");
    assert_eq!(fact(&facts, "arg.2"), "-w4 / -w2");
    assert_eq!(fact(&facts, "arg.3"), "none / differs");
    assert!(fact(&facts, "args.source").contains("declared: "));
    assert!(!format!("{facts:?}").contains("hunter"));
}

#[test]
fn the_process_proves_its_arguments_behind_its_program() {
    let asked = asked(workload(), &[container().key("args")]);
    let mut pod = pod("a");
    let real = ["/bin/em", "demo", "--host", "0.0.0.0", "--port", "8080"];
    pod.process.arguments = Some(real.map(str::to_owned).to_vec());
    let facts = facts(&asked, &[pod]);
    assert_eq!(fact(&facts, "args.source"), "- / process");
}

#[test]
fn limits_are_those_of_the_cgroup() {
    let mut workload = workload();
    let resources = json!({"limits": {"cpu": "1m", "memory": "100000000"}});
    workload["spec"]["template"]["spec"]["containers"][0]["resources"] = resources;
    let asked = asked(workload, &[limit("cpu"), limit("memory")]);
    let mut pod = pod("a");
    let of = |text: &str| Some(CgroupLimit::Of(text.parse().unwrap()));
    // The kubelet gives no less than a hundredth of a core, and memory in whole pages.
    (pod.process.cpu, pod.process.memory) = (of("10m"), of("99999744"));
    let same = facts(&asked, &[pod.clone()]);
    assert_eq!(fact(&same, "limit.cpu"), "1m / 1m");
    assert_eq!(fact(&same, "limit.memory"), "100M / 100M");
    (pod.process.cpu, pod.process.memory) = (Some(CgroupLimit::Unlimited), of("64Mi"));
    let other = facts(&asked, &[pod]);
    assert_eq!(fact(&other, "limit.cpu"), "1m / none");
    assert_eq!(fact(&other, "limit.memory"), "100M / 67108864");
}

#[test]
fn a_limit_that_the_plan_takes_away_has_to_be_away() {
    let mut workload = workload();
    workload["spec"]["template"]["spec"]["containers"][0]["resources"] = json!({});
    let asked = asked(workload, &[limit("memory")]);
    let facts = facts(&asked, &[pod("a")]);
    assert_eq!(fact(&facts, "limit.memory"), "none / 128Mi");
    let admission = fact(&facts, "admission");
    assert!(
        admission.contains("limit.cpu of demo is 500m"),
        "{admission}"
    );
}

#[test]
fn cpus_of_their_own_are_known_by_their_number() {
    let mut pod = pod("a");
    pod.pod["status"]["qosClass"] = json!("Guaranteed");
    own(&mut pod)["resources"] = json!({"limits": {"cpu": "1"}});
    let of = |cpus: &str, nodes: &str| {
        let mut pod = pod.clone();
        pod.process.cpus = Some(cpus.to_owned());
        pod.process.cpu = Some(CgroupLimit::Unlimited);
        pod.node.as_mut().unwrap()["status"]["capacity"]["cpu"] = json!(nodes);
        facts(&asked(workload(), &[]), &[pod])
    };
    assert_eq!(fact(&of("3", "4"), "cpu_manager"), "- / exclusive");
    assert_eq!(fact(&of("0-3", "4"), "cpu_manager"), "- / shared");
    assert_eq!(fact(&of("0", "1"), "cpu_manager"), "no fact");
    // A kubelet that gives CPUs sets no quota besides: the declared limit holds.
    assert_eq!(fact(&of("3", "4"), "limit.cpu"), "- / 500m");
    assert_eq!(fact(&of("0-3", "4"), "limit.cpu"), "- / none");
    assert_eq!((cpus::count("0-3,8"), cpus::count("x")), (Some(5), None));
}

#[test]
fn pods_of_different_images_are_no_deployment() {
    let (one, mut two) = (pod("a"), pod("b"));
    let id = |pod: &mut PodSeen, id: &str| {
        pod.pod["status"]["containerStatuses"][0]["imageID"] = json!(id);
    };
    let facts_of = |two: &PodSeen| facts(&asked(workload(), &[]), &[one.clone(), two.clone()]);
    id(&mut two, "sha256:bb");
    let facts = facts_of(&two);
    assert_eq!(differing(&facts), ["image.digest"]);
    let digest = fact(&facts, "image.digest");
    assert!(digest.contains("sha256:bb (pod b)"), "{digest}");
    // The same image from a mirror.
    let known = one.pod["status"]["containerStatuses"][0]["imageID"].clone();
    id(&mut two, &format!("mirror/em@{}", known.as_str().unwrap()));
    assert_eq!(differing(&facts_of(&two)), Vec::<&str>::new());
}

#[test]
fn what_admission_did_is_told_without_values() {
    let mut pod = pod("a");
    own(&mut pod)["env"] = json!([
        {"name": "WORKERS", "value": "hunter2"}, {"name": "AGENT", "value": "hunter2"},
    ]);
    own(&mut pod)["image"] = json!("mirror/em:test");
    let sidecar = json!({"name": "proxy", "image": "proxy:1"});
    let containers = pod.pod["spec"]["containers"].as_array_mut().unwrap();
    containers.push(sidecar);
    let facts = facts(&asked(workload(), &[]), &[pod]);
    let wanted = "- / container proxy added, image of demo changed, variable of demo: AGENT added, \
                  variable of demo: WORKERS changed";
    assert_eq!(fact(&facts, "admission"), wanted);
}

#[test]
fn any_other_place_of_the_template_is_proven_in_the_pod() {
    let mut workload = workload();
    let template = &mut workload["spec"]["template"];
    template["metadata"]["annotations"] = json!({"example.org/tuned": "1.10"});
    let spec = &mut template["spec"];
    spec["terminationGracePeriodSeconds"] = json!(2);
    spec["containers"][0]["readinessProbe"] =
        json!({"httpGet": {"path": "/ready", "port": "http"}});
    let root = Place::of(["spec", "template", "spec"]);
    let annotations = Place::of(["spec", "template", "metadata", "annotations"]);
    let places = [
        root.key("terminationGracePeriodSeconds"),
        root.key("gone"),
        container().key("readinessProbe"),
        annotations.key("example.org/tuned"),
        Place::of(["spec", "strategy"]),
    ];
    let mut pod = pod("a");
    pod.pod["metadata"]["annotations"] = json!({"example.org/tuned": "1.1"});
    let facts = facts(&asked(workload, &places), &[pod]);
    assert_eq!(fact(&facts, "spec.terminationGracePeriodSeconds"), "2 / 2");
    let probe = "spec.containers[demo].readinessProbe";
    let seen = format!("as asked / differs at {probe}.httpGet.path");
    assert_eq!(fact(&facts, probe), seen);
    let tuned = r#"metadata.annotations["example.org/tuned"]"#;
    assert_eq!(fact(&facts, tuned), "1.10 / 1.1");
    assert_eq!(differing(&facts), [tuned, probe]);
}

#[test]
fn accepted_facts_stop_nothing_and_say_so() {
    let mut pod = pod("a");
    own(&mut pod)["env"] = json!([{"name": "WORKERS", "value": "3"}]);
    let accept = ["env.WORKERS".to_owned()];
    let asked = asked(workload(), &[variable("WORKERS")]).accepting(&accept);
    let facts = facts(&asked, &[pod]);
    assert_eq!(fact(&facts, "env.WORKERS"), "- / 3 (asked 2, accepted)");
}

#[test]
fn whole_lists_and_maps_stand_for_what_is_in_them() {
    let mut pod = pod("a");
    own(&mut pod)["env"] = json!([]);
    pod.pod["status"]["containerStatuses"][0]["resources"] = json!({"limits": {"cpu": "500m"}});
    let places = [container().key("env"), container().key("resources")];
    let facts = facts(&asked(workload(), &places), &[pod]);
    let differing = differing(&facts);
    let wanted = [
        "env.WORKERS",
        "limit.memory",
        "request.cpu",
        "request.memory",
    ];
    assert_eq!(differing, wanted);
}
