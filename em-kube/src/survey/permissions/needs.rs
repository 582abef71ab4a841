//! The table itself: what each policy does in a cluster.

use em_core::plan::{
    Apply, Autoscaler, ClusterPolicy, JobLoad, KubernetesSpec, LoadSpec, ObjectRef, Plan, Text,
};

use super::{Permission, Row, Table};
use crate::hold::lease_name;
use crate::job::RIGHTS;

/// Everything that the plan has to be allowed to do, each with what for and what follows without it.
pub fn needs(spec: &KubernetesSpec, plan: &Plan) -> Vec<Permission> {
    let mut table = Table::default();
    let own = |object: &ObjectRef| Row::like(object).named(&object.name);
    table.need(own(&spec.workload), &["get"], "to read the workload");
    let pods = Row::of("", "pods");
    table.need(pods, &["list", "watch"], "to see its pods");
    let replicasets = Row::of("apps", "replicasets");
    let apart = "to tell new pods from old ones";
    table.need(replicasets, &["list", "watch"], apart);
    if let Some(service) = &spec.service {
        let service = Row::of("", "services").named(&service.name);
        table.need(service, &["get"], "to find the address for the load");
    }
    for object in others(spec, plan) {
        let read = "to read an object that a tunable changes";
        table.need(own(object), &["get"], read);
    }
    match spec.policy {
        ClusterPolicy::RollingUpdate => in_place(&mut table, spec, plan),
        ClusterPolicy::Resize => {
            let resize = Row::of("", "pods").part("resize");
            table.need(resize, &["patch"], "to resize running pods");
            in_place(&mut table, spec, plan);
        }
        ClusterPolicy::NewDeployment => clones(&mut table, spec, plan),
        ClusterPolicy::Observe | _ => {
            table.need(own(&spec.workload), &["list", "watch"], FOLLOW);
        }
    }
    if spec.policy != ClusterPolicy::Observe {
        inside_pods(&mut table, spec);
    }
    if let LoadSpec::Job(load) = &plan.load {
        jobs(&mut table, spec, load);
    }
    foresight(&mut table, spec);
    table.0
}

const FOLLOW: &str = "to follow its roll-out";
const LEFT: &str = "to find what an earlier run left";

/// Objects beside the workload that tunables change.
fn others<'a>(
    spec: &'a KubernetesSpec,
    plan: &'a Plan,
) -> impl Iterator<Item = &'a ObjectRef> + 'a {
    let applied = plan.tunables.iter().flat_map(|tunable| &tunable.apply);
    let patched = applied.filter_map(|apply| match apply {
        Apply::Patch { object, .. } => object.as_ref(),
        Apply::Env { .. }
        | Apply::Arg { .. }
        | Apply::Resource { .. }
        | Apply::Replicas
        | Apply::Image { .. }
        | _ => None,
    });
    patched.filter(|object| **object != spec.workload)
}

/// The live objects are changed and put back. Watching by name is watching one object; a list by labels is of all.
fn in_place(table: &mut Table, spec: &KubernetesSpec, plan: &Plan) {
    let own = |object: &ObjectRef| Row::like(object).named(&object.name);
    table.need(own(&spec.workload), &["watch"], FOLLOW);
    table.need(Row::like(&spec.workload), &["list"], LEFT);
    let change = "to change the workload and to put it back";
    table.need(own(&spec.workload), &["patch"], change);
    if spec.workload.kind == "statefulset" {
        let unblock = "to remove a pod that is stuck, for which a StatefulSet waits for ever";
        table.need(Row::of("", "pods"), &["delete"], unblock);
    }
    for object in others(spec, plan) {
        let change = "to change an object that a tunable means and to put it back";
        table.need(own(object), &["patch"], change);
    }
    let leases = || Row::of("coordination.k8s.io", "leases");
    let lock = "to lock the workload";
    table.need(leases(), &["create"], lock);
    let own_lease = leases().named(&lease_name(&spec.workload));
    table.need(own_lease, &["get", "patch", "delete"], lock);
    table.need(leases(), &["list"], LEFT);
    let keep = "to keep a copy of the original beside the workload";
    let verbs = ["get", "create", "patch", "delete"];
    table.need(Row::of("", "secrets"), &verbs, keep);
    if spec.workload.kind == "deployment" {
        let weaker = "`kubectl rollout undo` brings a mark of this experiment back to the workload";
        let history = Row::of("apps", "replicasets");
        let why = "to take the marks off its history that Kubernetes copies there";
        table.help(history, &["patch"], why, weaker);
    }
}

/// Copies are made beside the workload. Their names are made as they come, so they cannot be told beforehand.
fn clones(table: &mut Table, spec: &KubernetesSpec, plan: &Plan) {
    let make = "to make clones and to remove them";
    let verbs = ["get", "list", "watch", "create", "delete"];
    table.need(Row::like(&spec.workload), &verbs, make);
    let verbs = ["get", "list", "create", "delete"];
    table.need(Row::of("", "services"), &verbs, make);
    table.need(Row::of("", "configmaps"), &["list"], make);
    for object in others(spec, plan) {
        table.need(Row::like(object), &["create", "delete"], make);
    }
    let lock = "to lock a slot and to anchor all that belongs to its clone";
    let verbs = ["get", "list", "create", "patch", "delete"];
    table.need(Row::of("coordination.k8s.io", "leases"), &verbs, lock);
}

/// Load as Jobs, where it runs beside the workload. Elsewhere another Role is asked.
fn jobs(table: &mut Table, spec: &KubernetesSpec, load: &JobLoad) {
    if (&load.context, &load.namespace) != (&spec.context, &spec.namespace) {
        return;
    }
    let has_secrets = load
        .env
        .values()
        .any(|text| matches!(text, Text::Secret(_)));
    for (group, resource, verbs) in RIGHTS {
        if resource == "secrets" && !has_secrets {
            continue;
        }
        let row = match resource.split_once('/') {
            Some((resource, part)) => Row::of(group, resource).part(part),
            None => Row::of(group, resource),
        };
        table.need(row, verbs, "to run the load as Jobs");
    }
}

fn inside_pods(table: &mut Table, spec: &KubernetesSpec) {
    // A connection that is upgraded is a `get` to servers before 1.35, and to later ones a `create`.
    let verbs = ["create", "get"];
    let exec = Row::of("", "pods").part("exec");
    if spec.hooks.before.is_empty() && spec.hooks.after.is_empty() {
        let weaker = "the proof rests on what the pods declare, not on what their processes have";
        table.help(
            exec,
            &verbs,
            "to read the environment of the real process",
            weaker,
        );
    } else {
        table.need(exec, &verbs, "to run the hooks of the file in a pod");
    }
    let weaker = "nobody who looks at the workload sees that an experiment changes it";
    let events = Row::of("", "events");
    table.help(
        events,
        &["create"],
        "to say on the workload what is done to it",
        weaker,
    );
}

/// What makes failures foreseen and results explained.
fn foresight(table: &mut Table, spec: &KubernetesSpec) {
    let log = Row::of("", "pods").part("log");
    let weaker = "a container that crashes is named without its last words";
    table.help(
        log,
        &["get"],
        "to read the last lines of a container that crashed",
        weaker,
    );
    let weaker = "why a pod is stuck is told by its status alone";
    let events = Row::of("", "events");
    table.help(
        events,
        &["list", "watch"],
        "to name why a pod is stuck",
        weaker,
    );
    autoscalers(table, spec);
    let refusals = "the values that the namespace refuses are seen only when it refuses them";
    for resource in ["limitranges", "resourcequotas"] {
        table.help(
            Row::of("", resource),
            &["list"],
            "to foresee what the namespace refuses",
            refusals,
        );
    }
    let claims = "clones that would share a volume with production are not foreseen";
    let volumes = Row::of("", "persistentvolumeclaims");
    table.help(
        volumes,
        &["get"],
        "to see which volumes can be shared",
        claims,
    );
    let budgets = Row::of("policy", "poddisruptionbudgets");
    let weaker = "disruption budgets of the pods are not told";
    table.help(budgets, &["list"], "to see disruption budgets", weaker);
    nodes(table);
}

fn autoscalers(table: &mut Table, spec: &KubernetesSpec) {
    let scalers = || Row::of("autoscaling", "horizontalpodautoscalers");
    if spec.autoscaler == Autoscaler::Pin && spec.policy.is_in_place() {
        let pin = "to pin the autoscaler and to set it free again";
        table.need(scalers(), &["get", "list", "patch"], pin);
    }
    let weaker = "an autoscaler that acts on the workload is not seen";
    table.help(scalers(), &["list", "watch"], "to see autoscalers", weaker);
    for (group, resource) in [
        ("autoscaling.k8s.io", "verticalpodautoscalers"),
        ("keda.sh", "scaledobjects"),
    ] {
        table.help(
            Row::of(group, resource),
            &["list"],
            "to see autoscalers",
            weaker,
        );
    }
}

fn nodes(table: &mut Table) {
    let nodes = Row::of("", "nodes").everywhere();
    let weaker = "the room on the nodes is not foreseen, and results do not say on what they ran";
    table.help(
        nodes,
        &["get", "list", "watch"],
        "to see the nodes and their room",
        weaker,
    );
    let stats = Row::of("", "nodes").part("proxy").everywhere();
    let weaker = "usage of CPU and memory is not measured by the kubelets";
    table.help(stats, &["get"], "to read usage from the kubelets", weaker);
    let pods = Row::of("", "pods").everywhere();
    let weaker = "of what is taken on the nodes only the pods of the own namespace are counted";
    table.help(
        pods,
        &["list"],
        "to count what is taken on the nodes",
        weaker,
    );
}
