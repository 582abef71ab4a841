//! What a plan has to be allowed to do in a cluster.
//!
//! One table is both: what a survey asks for, and the Role that `em kube rbac` prints.

use em_core::plan::{Apply, Autoscaler, ClusterPolicy, KubernetesSpec, ObjectRef, Plan};

use super::lock::lease_name;
use crate::cluster::resource_of;

/// One verb on one resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Permission {
    /// As RBAC names it: `get`, `patch`, ...
    pub verb: &'static str,
    /// Group of the resource; empty for the core group.
    pub group: String,
    /// Plural of the resource.
    pub resource: String,
    /// Part of it, such as `exec`.
    pub subresource: Option<&'static str>,
    /// The one object that is meant. None: any of the namespace.
    pub name: Option<String>,
    /// Whether it is asked for in the whole cluster instead of one namespace.
    pub is_cluster_wide: bool,
    /// What for: `to change the workload`.
    pub why: &'static str,
    /// What follows when it is missing.
    pub level: Level,
}

/// What follows when a permission is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The experiment cannot run.
    Needed,
    /// It runs, and this gets weaker.
    Helpful(&'static str),
}

impl Permission {
    /// The resource as RBAC writes it: `pods/exec`.
    pub fn resource_path(&self) -> String {
        match self.subresource {
            Some(part) => format!("{}/{part}", self.resource),
            None => self.resource.clone(),
        }
    }

    /// Whether the experiment cannot run without it.
    pub fn is_needed(&self) -> bool {
        self.level == Level::Needed
    }
}

/// A row of the table, to be finished.
struct Row {
    group: String,
    resource: String,
    subresource: Option<&'static str>,
    name: Option<String>,
    is_cluster_wide: bool,
}

impl Row {
    fn of(group: &str, resource: &str) -> Self {
        Self {
            group: group.to_owned(),
            resource: resource.to_owned(),
            subresource: None,
            name: None,
            is_cluster_wide: false,
        }
    }

    /// The resource of an object as the file names it.
    fn like(object: &ObjectRef) -> Self {
        match (resource_of(&object.kind), object.kind.split_once('.')) {
            (Some(known), _) => Self::of(&known.group, &known.plural),
            (None, Some((plural, group))) => Self::of(group, plural),
            (None, None) => Self::of("", &object.kind),
        }
    }

    fn part(mut self, subresource: &'static str) -> Self {
        self.subresource = Some(subresource);
        self
    }

    fn named(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    fn everywhere(mut self) -> Self {
        self.is_cluster_wide = true;
        self
    }
}

/// The table while it is written.
#[derive(Default)]
struct Table(Vec<Permission>);

impl Table {
    fn add(&mut self, row: Row, verbs: &[&'static str], why: &'static str, level: Level) {
        let Row {
            group,
            resource,
            subresource,
            name,
            is_cluster_wide,
        } = row;
        for verb in verbs {
            let permission = Permission {
                verb,
                group: group.clone(),
                resource: resource.clone(),
                subresource,
                name: name.clone(),
                is_cluster_wide,
                why,
                level,
            };
            let same = |one: &Permission| {
                (one.verb, &one.group, &one.resource, one.subresource)
                    == (
                        permission.verb,
                        &permission.group,
                        &permission.resource,
                        permission.subresource,
                    )
                    && one.is_cluster_wide == permission.is_cluster_wide
                    && (one.name.is_none() || one.name == permission.name)
                    && (one.is_needed() || !permission.is_needed())
            };
            if !self.0.iter().any(same) {
                self.0.push(permission);
            }
        }
    }

    fn need(&mut self, row: Row, verbs: &[&'static str], why: &'static str) {
        self.add(row, verbs, why, Level::Needed);
    }

    fn help(&mut self, row: Row, verbs: &[&'static str], why: &'static str, weaker: &'static str) {
        self.add(row, verbs, why, Level::Helpful(weaker));
    }
}

/// Everything that the plan has to be allowed to do, each with what for and what follows without it.
pub fn needs(spec: &KubernetesSpec, plan: &Plan) -> Vec<Permission> {
    let mut table = Table::default();
    let own = |object: &ObjectRef| Row::like(object).named(&object.name);
    table.need(own(&spec.workload), &["get"], "to read the workload");
    table.need(
        Row::like(&spec.workload),
        &["list", "watch"],
        "to follow its roll-out",
    );
    table.need(
        Row::of("", "pods"),
        &["get", "list", "watch"],
        "to see its pods",
    );
    if spec.workload.kind == "deployment" {
        let replicasets = Row::of("apps", "replicasets");
        table.need(
            replicasets,
            &["list", "watch"],
            "to tell new pods from old ones",
        );
    }
    if let Some(service) = &spec.service {
        let service = Row::of("", "services").named(&service.name);
        table.need(service, &["get"], "to find the address for the load");
    }
    for object in patched(plan).filter(|object| **object != spec.workload) {
        table.need(
            own(object),
            &["get"],
            "to read an object that a tunable changes",
        );
    }
    match spec.policy {
        ClusterPolicy::RollingUpdate => in_place(&mut table, spec, plan),
        ClusterPolicy::Resize => {
            let resize = Row::of("", "pods").part("resize");
            table.need(resize, &["patch"], "to resize running pods");
            in_place(&mut table, spec, plan);
        }
        ClusterPolicy::NewDeployment => clones(&mut table, spec, plan),
        ClusterPolicy::Observe | _ => {}
    }
    if spec.policy != ClusterPolicy::Observe {
        inside_pods(&mut table, spec);
    }
    foresight(&mut table, spec);
    table.0
}

fn patched(plan: &Plan) -> impl Iterator<Item = &ObjectRef> {
    let applied = plan.tunables.iter().flat_map(|tunable| &tunable.apply);
    applied.filter_map(|apply| match apply {
        Apply::Patch { object, .. } => object.as_ref(),
        Apply::Env { .. }
        | Apply::Arg { .. }
        | Apply::Resource { .. }
        | Apply::Replicas
        | Apply::Image { .. }
        | _ => None,
    })
}

/// The live objects are changed and put back.
fn in_place(table: &mut Table, spec: &KubernetesSpec, plan: &Plan) {
    let own = |object: &ObjectRef| Row::like(object).named(&object.name);
    let change = "to change the workload and to put it back";
    table.need(own(&spec.workload), &["patch"], change);
    for object in patched(plan).filter(|object| **object != spec.workload) {
        let change = "to change an object that a tunable means and to put it back";
        table.need(own(object), &["patch"], change);
    }
    let lease = Row::of("coordination.k8s.io", "leases");
    table.need(lease, &["create"], "to lock the workload");
    let lease = Row::of("coordination.k8s.io", "leases").named(&lease_name(&spec.workload));
    table.need(lease, &["get", "patch", "delete"], "to lock the workload");
    let undo = Row::of("", "secrets");
    let keep = "to keep a copy of the original beside the workload";
    table.need(undo, &["get", "create", "delete"], keep);
}

/// Copies are made beside the workload. Their names are made as they come, so they cannot be told beforehand.
fn clones(table: &mut Table, spec: &KubernetesSpec, plan: &Plan) {
    let make = "to make clones and to remove them";
    let all = ["get", "list", "create", "patch", "delete"];
    table.need(Row::like(&spec.workload), &all, make);
    table.need(Row::of("", "services"), &all, make);
    table.need(Row::of("", "configmaps"), &all, make);
    for object in patched(plan).filter(|object| **object != spec.workload) {
        table.need(Row::like(object), &all, make);
    }
    let lock = "to lock a slot and to anchor all that belongs to its clone";
    table.need(Row::of("coordination.k8s.io", "leases"), &all, lock);
    for kind in ["deployments", "statefulsets", "daemonsets", "replicasets"] {
        let apart = "to see that nothing that is live takes pods of a clone for its own";
        table.need(Row::of("apps", kind), &["list"], apart);
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
    table.help(scalers(), &["list"], "to see autoscalers", weaker);
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
        &["get", "list"],
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
