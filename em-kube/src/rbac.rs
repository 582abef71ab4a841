//! The least that a plan has to be allowed to do, as objects to apply: `em kube rbac FILE`.

use std::fmt::Write as _;

use em_core::plan::{KubernetesSpec, Plan};

use crate::survey::permissions::{Permission, needs};

/// A `ServiceAccount`, what it is allowed in its namespace, and what it is allowed beyond. As YAML, with comments that
/// say what each rule is for.
pub fn manifest(
    spec: &KubernetesSpec,
    plan: &Plan,
    namespace: &str,
    service_account: &str,
) -> String {
    let needed = needs(spec, plan);
    let (wide, own): (Vec<Permission>, Vec<Permission>) =
        needed.into_iter().partition(|one| one.is_cluster_wide);
    let who = Who {
        namespace,
        service_account,
    };
    let mut text = format!(
        "# What the experiment {} has to be allowed to do with {} (policy {}).\n",
        plan.name,
        spec.workload,
        spec.policy.word()
    );
    text.push_str(
        "# Rules marked \"helpful\" may be taken out: the survey then says what gets weaker.\n",
    );
    text.push_str(&who.account());
    text.push_str(&who.role("Role", &own));
    text.push_str(&who.binding("Role"));
    if !wide.is_empty() {
        text.push_str(
            "---\n# Helpful: all of this may be left out. Nodes belong to no namespace.\n",
        );
        text.push_str(who.role("ClusterRole", &wide).trim_start_matches("---\n"));
        text.push_str(&who.binding("ClusterRole"));
    }
    text
}

/// For whom.
struct Who<'a> {
    namespace: &'a str,
    service_account: &'a str,
}

impl Who<'_> {
    fn account(&self) -> String {
        let metadata = self.metadata("Role");
        format!("apiVersion: v1\nkind: ServiceAccount\n{metadata}")
    }

    /// Objects of the whole cluster carry the namespace in their name, so that two namespaces do not meet.
    fn metadata(&self, role: &str) -> String {
        let (account, namespace) = (scalar(self.service_account), scalar(self.namespace));
        if role == "Role" {
            return format!("metadata:\n  name: {account}\n  namespace: {namespace}\n");
        }
        format!("metadata:\n  name: {}\n", self.wide_name())
    }

    fn wide_name(&self) -> String {
        scalar(&format!("{}-{}", self.namespace, self.service_account))
    }

    fn role(&self, role: &str, permissions: &[Permission]) -> String {
        let mut text = format!(
            "---\napiVersion: rbac.authorization.k8s.io/v1\nkind: {role}\n{}rules:\n",
            self.metadata(role)
        );
        for rule in rules(permissions) {
            text.push_str(&rule);
        }
        text
    }

    fn binding(&self, role: &str) -> String {
        let (account, namespace) = (scalar(self.service_account), scalar(self.namespace));
        let name = if role == "Role" {
            account.clone()
        } else {
            self.wide_name()
        };
        format!(
            "---\napiVersion: rbac.authorization.k8s.io/v1\nkind: {role}Binding\n{}roleRef:\n  apiGroup: rbac.authorization.k8s.io\n  kind: {role}\n  name: {name}\nsubjects:\n- kind: ServiceAccount\n  name: {account}\n  namespace: {namespace}\n",
            self.metadata(role)
        )
    }
}

/// One rule per resource, object and level; verbs in the order of the table.
fn rules(permissions: &[Permission]) -> Vec<String> {
    let mut grouped: Vec<(&Permission, Vec<&str>, Vec<&str>)> = Vec::new();
    for one in permissions {
        let same = grouped.iter_mut().find(|(first, _, _)| {
            (
                first.resource_path(),
                &first.group,
                &first.name,
                first.is_needed(),
            ) == (one.resource_path(), &one.group, &one.name, one.is_needed())
        });
        if let Some((_, verbs, reasons)) = same {
            verbs.push(one.verb);
            if !reasons.contains(&one.why) {
                reasons.push(one.why);
            }
        } else {
            grouped.push((one, vec![one.verb], vec![one.why]));
        }
    }
    let rule = |(first, verbs, reasons): (&Permission, Vec<&str>, Vec<&str>)| {
        let level = if first.is_needed() {
            "needed"
        } else {
            "helpful"
        };
        let mut text = format!("# {level}: {}\n", reasons.join("; "));
        if first.resource_path() == "nodes/proxy" {
            text.push_str(
                "# beware: this opens all of the kubelets, commands in any pod among it\n",
            );
        }
        write_list(&mut text, "- apiGroups", [first.group.as_str()]);
        write_list(&mut text, "  resources", [first.resource_path().as_str()]);
        if let Some(name) = &first.name {
            write_list(&mut text, "  resourceNames", [name.as_str()]);
        }
        write_list(&mut text, "  verbs", verbs);
        text
    };
    grouped.into_iter().map(rule).collect()
}

fn write_list<'a>(text: &mut String, key: &str, entries: impl IntoIterator<Item = &'a str>) {
    let entries: Vec<String> = entries.into_iter().map(scalar).collect();
    // Writing to a text cannot fail.
    let _ = writeln!(text, "{key}: [{}]", entries.join(", "));
}

/// A text as a YAML scalar. In double quotes YAML reads a text as JSON does, so that no name is taken for a number.
fn scalar(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}
