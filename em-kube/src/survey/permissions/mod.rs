//! What a plan has to be allowed to do in a cluster.
//!
//! One table is both: what a survey asks for, and the Role that `em kube rbac` prints.

mod needs;

use em_core::plan::ObjectRef;

use crate::cluster::resource_of;

pub use needs::needs;

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

    /// Whether another one adds nothing to this one.
    fn covers(&self, other: &Self) -> bool {
        let asked = |one: &Self| (one.verb, one.resource_path(), one.is_cluster_wide);
        asked(self) == asked(other)
            && self.group == other.group
            && (self.name.is_none() || self.name == other.name)
            && (self.is_needed() || !other.is_needed())
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
            let new = Permission {
                verb,
                group: group.clone(),
                resource: resource.clone(),
                subresource,
                name: name.clone(),
                is_cluster_wide,
                why,
                level,
            };
            if !self.0.iter().any(|one| one.covers(&new)) {
                self.0.retain(|one| !new.covers(one));
                self.0.push(new);
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
