//! What the cluster can do, found by looking and not by its version.

use em_core::plan::ClusterPolicy;
use em_core::port::Finding;

use super::finding::{error, note};
use super::subject::Subject;
use crate::cluster::Cluster;
use crate::fault::KubeError;

/// What the cluster can do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Features {
    /// The version that it says it is. None: it does not tell.
    pub version: Option<String>,
    /// Groups with a version, as `autoscaling/v2`. None: it does not tell.
    pub groups: Option<Vec<String>>,
    /// Resources of the core group, parts included: `pods/resize`. None: it does not tell.
    pub core: Option<Vec<String>>,
}

impl Features {
    /// Looks. A cluster that cannot be reached, or does not know who we are, is an error.
    pub async fn look(cluster: &Cluster) -> Result<Self, KubeError> {
        let client = cluster.client();
        let act = |what: &str| format!("ask context {} for its {what}", cluster.context());
        let version = told(client.apiserver_version().await, act("version"))?;
        let groups = told(client.list_api_groups().await, act("groups"))?;
        let core = told(client.list_core_api_resources("v1").await, act("resources"))?;
        let groups = groups.map(|list| {
            let versions = list.groups.into_iter().flat_map(|group| group.versions);
            versions.map(|version| version.group_version).collect()
        });
        let core = core.map(|list| list.resources.into_iter().map(|one| one.name).collect());
        Ok(Self {
            version: version.map(|version| version.git_version),
            groups,
            core,
        })
    }

    /// Whether the cluster has a group in some version; yes where it does not tell.
    pub fn has_group(&self, group: &str) -> bool {
        let is_of = |version: &String| version.split('/').next() == Some(group);
        group.is_empty()
            || self
                .groups
                .as_ref()
                .is_none_or(|groups| groups.iter().any(is_of))
    }

    /// Whether it has a group in this version, as `policy/v1`; yes where it does not tell.
    pub fn has(&self, group_version: &str) -> bool {
        let is_it = |version: &String| version == group_version;
        self.groups
            .as_ref()
            .is_none_or(|groups| groups.iter().any(is_it))
    }

    fn has_core(&self, resource: &str) -> bool {
        let is_it = |one: &String| one == resource;
        self.core.as_ref().is_none_or(|core| core.iter().any(is_it))
    }
}

/// What a cluster does not tell to everybody is not known; all else that fails is an error.
fn told<T>(answer: kube::Result<T>, act: String) -> Result<Option<T>, KubeError> {
    match answer.map_err(KubeError::of(act)) {
        Ok(told) => Ok(Some(told)),
        Err(error) if matches!(error.code(), Some(403 | 404)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What the plan needs and the cluster cannot do.
pub fn check(subject: &Subject<'_>, features: &Features) -> Vec<Finding> {
    let mut findings = Vec::new();
    if subject.policy() == ClusterPolicy::Resize && !features.has_core("pods/resize") {
        findings.push(error(
            "the cluster cannot resize running pods: it has no pods/resize",
            "use policy rolling-update, or a cluster from 1.33 on",
        ));
    }
    for (group, what) in [
        ("autoscaling/v2", "autoscalers of the workload"),
        ("policy/v1", "disruption budgets of its pods"),
    ] {
        if !features.has(group) {
            findings.push(note(format!(
                "the cluster has no {group}: {what} are not seen"
            )));
        }
    }
    findings
}
