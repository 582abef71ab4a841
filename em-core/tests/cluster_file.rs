//! Experiment files about workloads of clusters that are plans: what they mean, what is filled in.

#![expect(clippy::unwrap_used, reason = "a test may panic wherever it likes")]

use std::collections::BTreeMap;
use std::time::Duration;

use em_core::assign::assign;
use em_core::file::{self, FileContext, Node, Parsed};
use em_core::plan::{
    Apply, Autoscaler, Baseline, ClusterPolicy, KubernetesSpec, PatchKind, Placement, Plan,
    ReadyWhen, ResourceSide, SecretRef, TargetSpec, Text,
};
use em_core::value::Value;
use serde_json::json;

const CLUSTER: &[u8] = include_bytes!("files/cluster.json");

const SHORTEST: &[u8] = b"
name: checkout
target: { kind: kubernetes, context: in-cluster, workload: sts/db, policy: rolling-update, service: 'db:5432' }
tunables: [{ name: workers, range: [1, 16], apply: { env: WORKERS } }]
load: { kind: http, url: 'http://{{address}}/' }
objective: { minimize: load.response_time.p99 }
budget: { trials: 20 }
";

fn parsed(bytes: &[u8]) -> Parsed {
    file::parse(bytes, &FileContext::bare()).unwrap_or_else(|violations| panic!("{violations}"))
}

fn changed(bytes: &[u8], values: &[(&str, &str)]) -> Parsed {
    let mut tree = Node::parse(bytes).unwrap();
    for (path, value) in values {
        file::set(&mut tree, path, value).unwrap();
    }
    file::read(&tree, &FileContext::bare()).unwrap_or_else(|violations| panic!("{violations}"))
}

fn spec(plan: &Plan) -> &KubernetesSpec {
    let TargetSpec::Kubernetes(spec) = &plan.target else {
        panic!("{:?}", plan.target)
    };
    spec
}

fn applied<'p>(plan: &'p Plan, name: &str) -> &'p [Apply] {
    &plan.tunable(&name.parse().unwrap()).unwrap().apply
}

#[test]
fn what_is_not_said_has_the_value_that_does_least() {
    let Parsed { plan, warnings } = parsed(SHORTEST);
    assert_eq!(warnings, []);
    let spec = spec(&plan);
    assert_eq!(spec.context, "in-cluster");
    assert_eq!(spec.workload.to_string(), "statefulset/db");
    assert_eq!(spec.policy, ClusterPolicy::RollingUpdate);
    let service = spec.service.as_ref().unwrap();
    assert_eq!(
        (service.name.as_str(), service.port.as_deref()),
        ("db", Some("5432"))
    );
    assert_eq!((&spec.namespace, &spec.container), (&None, &None));
    assert_eq!(spec.autoscaler, Autoscaler::Refuse);
    assert_eq!((&spec.ready, spec.settle), (&None, Duration::from_secs(1)));
    assert_eq!(
        (&spec.place, spec.prices, spec.slots),
        (&Placement::Any, None, 1)
    );
    assert_eq!((spec.accept.len(), spec.hooks.before.len()), (0, 0));
    assert_eq!(plan.baseline, Baseline::Live, "no tunable needs a default");
}

#[test]
fn a_full_file_says_everything_it_says() {
    let Parsed { plan, warnings } = parsed(CLUSTER);
    assert_eq!(warnings, []);
    let spec = spec(&plan);
    assert_eq!(spec.namespace.as_deref(), Some("shop"));
    assert_eq!(spec.container.as_deref(), Some("app"));
    assert_eq!((spec.policy, spec.slots), (ClusterPolicy::NewDeployment, 4));
    assert_eq!(spec.service.as_ref().unwrap().port.as_deref(), Some("http"));
    assert_eq!(spec.clones.replicas, Some(2));
    let token = Text::Secret(SecretRef::FromEnv("SHOP_TOKEN".to_owned()));
    assert_eq!(spec.clones.env["TOKEN"], token);
    let patch = json!({"spec": {"template": {"spec": {"priorityClassName": "low"}}}});
    assert_eq!(spec.clones.patch.as_ref(), Some(&patch));
    assert_eq!(
        (&spec.clones.shares[..], &spec.accept[..]),
        (
            &["DB_HOST".to_owned()][..],
            &["limit.memory".to_owned()][..]
        )
    );
    assert_eq!(
        (spec.autoscaler, spec.settle),
        (Autoscaler::Allow, Duration::from_secs(5))
    );
    let ready = ReadyWhen::Path {
        path: "$.status.phase".to_owned(),
        is: "Running".to_owned(),
    };
    assert_eq!(spec.ready, Some(ready));
    assert_eq!(spec.hooks.before, [["warm", "--all"]]);
    assert_eq!(spec.hooks.after, [["dump", "1"]]);
    let labels = [("gpu", "false"), ("pool", "load")];
    let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(spec.place, Placement::Nodes(BTreeMap::from(labels)));
    let prices = spec.prices.unwrap();
    assert_eq!((prices.core_hour, prices.gib_hour), (0.04, 0.005));
    let written = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<Plan>(&written).unwrap(), plan);
}

#[test]
fn values_reach_a_workload_in_six_ways() {
    let plan = parsed(CLUSTER).plan;
    assert_eq!(applied(&plan, "copies"), [Apply::Replicas]);
    let [Apply::Resource { of, .. }] = applied(&plan, "memory") else {
        panic!("{:?}", applied(&plan, "memory"))
    };
    assert_eq!(*of, ResourceSide::Limit);
    assert!(
        matches!(applied(&plan, "tag"), [Apply::Image { reference }] if reference.text() == "registry/app:{{value}}")
    );
    assert!(matches!(
        applied(&plan, "workers"),
        [Apply::Env { .. }, Apply::Arg { .. }]
    ));
    let patch = |apply: &Apply| {
        let Apply::Patch { kind, object, .. } = apply else {
            panic!("{apply:?}")
        };
        (*kind, object.as_ref().map(ToString::to_string))
    };
    let patches: Vec<_> = applied(&plan, "pool").iter().map(patch).collect();
    assert_eq!(
        patches,
        [
            (PatchKind::Merge, Some("configmap/app-config".to_owned())),
            (PatchKind::Strategic, None),
            (PatchKind::Json, None),
        ],
        "a map without a list is merged, a list is a list of operations"
    );
    let [Apply::Patch { body, .. }] = applied(&plan, "grace") else {
        panic!("{:?}", applied(&plan, "grace"))
    };
    let seconds = body.pointer("/spec/template/spec/terminationGracePeriodSeconds");
    assert_eq!(
        seconds,
        Some(&json!("{{value}}")),
        "templates stay as they are written"
    );
}

#[test]
fn a_patch_keeps_what_yaml_says() {
    let patch = "{ patch: { a: ~, b: 1.5, c: [yes, true, 7], d: '{{value}}' }, type: merge }";
    let plan = changed(SHORTEST, &[("tunables[0].apply", patch)]).plan;
    let [Apply::Patch { body, .. }] = applied(&plan, "workers") else {
        panic!("{:?}", applied(&plan, "workers"))
    };
    let wanted = json!({"a": null, "b": 1.5, "c": ["yes", true, 7], "d": "{{value}}"});
    assert_eq!(body, &wanted);
    let operations = "{ patch: [{ op: add, path: /a, value: ~ }, { op: move, from: /b, path: /c }, { op: test, path: /d, value: '{{workers}}' }] }";
    changed(SHORTEST, &[("tunables[0].apply", operations)]);
}

#[test]
fn custom_resources_are_changed_by_patches() {
    let values = [
        ("target.workload", "kafkas.kafka.strimzi.io/main"),
        ("target.ready", "{ condition: Ready }"),
        (
            "tunables[0].apply",
            "{ patch: { spec: { replicas: '{{value}}' } } }",
        ),
    ];
    let plan = changed(SHORTEST, &values).plan;
    assert_eq!(
        spec(&plan).ready,
        Some(ReadyWhen::Condition("Ready".to_owned()))
    );
}

#[test]
fn resize_changes_resources_and_what_follows_from_them() {
    let values = [
        ("target.policy", "resize"),
        (
            "tunables",
            "[{ name: share, range: [1, 4] }, { name: memory, value: 'values.share * 1Gi', apply: { resource: memory } }]",
        ),
    ];
    let plan = changed(SHORTEST, &values).plan;
    let [Apply::Resource { of, .. }] = applied(&plan, "memory") else {
        panic!("{:?}", applied(&plan, "memory"))
    };
    assert_eq!(*of, ResourceSide::Both);
    assert!(!plan.target.deploys_afresh());
}

#[test]
fn what_is_observed_has_one_trial_of_what_runs() {
    let observed = parsed(
        b"
name: watch
target: { kind: kubernetes, context: production, workload: ds/agent, policy: observe, service: agent }
load: { kind: http, url: 'http://{{address}}/' }
",
    );
    let Parsed { plan, warnings } = observed;
    assert_eq!(warnings, []);
    assert!(plan.target.is_observed());
    assert_eq!(
        (&plan.baseline, plan.search.is_none()),
        (&Baseline::None, true)
    );
    assert_eq!(plan.trials[0].label, "observed");
}

#[test]
fn the_baseline_is_live_unless_the_file_says_otherwise() {
    let baseline = |written: &str| changed(SHORTEST, &[("baseline", written)]).plan.baseline;
    assert_eq!(baseline("none"), Baseline::None);
    assert_eq!(baseline("live"), Baseline::Live);
    let Baseline::Values(values) = baseline("{ workers: 3 }") else {
        panic!("values are wanted")
    };
    assert_eq!(values.to_string(), "workers=3");
}

#[test]
fn placeholders_in_the_patch_of_clones_are_warned_of() {
    let patch = ("target.clones.patch", "{ spec: { a: '{{pool}}' } }");
    let said: Vec<String> = changed(CLUSTER, &[patch])
        .warnings
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        said,
        [
            "--set: target.clones.patch: the patch of clones is used as it is: placeholders in it are not filled in (a tunable reaches the clones by its apply)"
        ]
    );
}

#[test]
fn all_of_the_target_is_part_of_the_identity() {
    let original = parsed(CLUSTER).plan.identity;
    for (path, value) in [
        ("target.context", "production"),
        ("target.namespace", "other"),
        ("target.workload", "sts/checkout"),
        ("target.container", "sidecar"),
        ("target.service", "checkout"),
        ("target.clones.replicas", "1"),
        ("target.autoscaler", "refuse"),
        ("target.ready.is", "Done"),
        ("target.settle", "1s"),
        ("target.accept", "[]"),
        ("target.hooks.before", "[]"),
        ("target.place", "spread"),
        ("target.prices.core_hour", "1"),
        ("target.slots", "2"),
    ] {
        let other = changed(CLUSTER, &[(path, value)]).plan.identity;
        assert_eq!(file::differences(&original, &other), ["target"], "{path}");
    }
    let apply = ("tunables[1].apply.of", "both");
    let other = changed(CLUSTER, &[apply]).plan.identity;
    assert_eq!(file::differences(&original, &other), ["apply"]);
}

#[test]
fn computed_replicas_are_whole_numbers() {
    let with = |formula: &str| {
        let tunables = format!(
            "[{{ name: cores, range: [1, 9], apply: {{ resource: cpu }} }}, {{ name: pods_wanted, value: '{formula}', apply: {{ replicas: true }} }}]"
        );
        let plan = changed(SHORTEST, &[("tunables", &tunables)]).plan;
        let configuration = [("cores".parse().unwrap(), Value::Integer(3))];
        let values = assign(&plan, &configuration.into_iter().collect());
        values.map(|values| values[&"pods_wanted".parse().unwrap()].clone())
    };
    assert_eq!(with("ceil(values.cores / 2)").unwrap(), Value::Integer(2));
    let refusal = |formula: &str| with(formula).unwrap_err().to_string();
    let why = "which is no number of replicas (a whole number from 1: floor(..) makes one)";
    assert_eq!(
        refusal("values.cores / 2"),
        format!("derived tunable pods_wanted is 1.5, {why}")
    );
    assert_eq!(
        refusal("values.cores - 3"),
        format!("derived tunable pods_wanted is 0, {why}")
    );
}
