//! What really runs in the pods of a deployment, against what was asked.
//!
//! [`facts`] is pure: from what was [`Asked`] and what is [seen](PodSeen) to facts. [`read`] looks into a container.
//!
//! | fact | asked | what it says |
//! |---|---|---|
//! | `env.NAME` | where the plan sets it | the variable, resolved as Kubernetes does |
//! | `env.source` | no | whose environment was read: `process`, `container` (what the runtime gives to every process of it), or `declared: WHY` |
//! | `env.from` | no | names of variables whose values come from Secrets, `ConfigMap`s or fields: not compared |
//! | `arg.N`, `command.N` | where the plan sets arguments | the words as the pod declares them, from 0; those that the workload had before are compared but not shown |
//! | `args.source` | no | `process` where the first process shows these words, too, else `declared: WHY` |
//! | `limit.cpu`, `limit.memory` | where the plan sets it | as the cgroup has it, else as the kubelet says, else as declared; `none` is no limit |
//! | `request.cpu`, `request.memory` | where the plan sets it | as the kubelet says, else as declared |
//! | `image` | where the plan sets it | the reference of the container |
//! | `image.digest` | where pods differ | what was pulled for it |
//! | `replicas` | where the plan sets it | number of pods |
//! | `template` | where a revision is asked | template hash or revision of the controller |
//! | `spec...`, `metadata...` | where the plan sets it | any other place of the template |
//! | `admission` | no | how pods differ from their template though nobody asked: containers, variables, amounts, volumes |
//! | `pods`, `container`, `namespace`, `workload` | no | what placeholders of queries stand for; names with a blank between them |
//! | `pods.uid`, `qos`, `node`, `kernel`, `kubelet`, `runtime`, `cpu_manager`, `cpus`, `started` | no | which pods, and where they run |
//!
//! Facts that the file accepts are not asked any more; where they differ they say so: `512Mi (asked 1Gi, accepted)`.
//! Where pods differ, each value is told with its pods: `4 (pod a), 2 (pod b)`.

mod admission;
mod agree;
mod amounts;
mod arguments;
mod asked;
mod cpus;
mod others;
mod page;
mod read;
mod seen;
mod surroundings;
#[cfg(test)]
mod tests;
mod variables;

use em_core::port::Fact;

pub use asked::Asked;
pub use page::parse;
pub use read::read;
pub use seen::{CgroupLimit, EnvironmentSource, PodSeen, ProcessSeen};

/// What runs in these pods, against what was asked of them. Without pods everything that was asked is absent.
pub fn facts(asked: &Asked, pods: &[PodSeen]) -> Vec<Fact> {
    let mut facts = variables::facts(asked, pods);
    facts.extend(arguments::facts(asked, pods));
    facts.extend(amounts::facts(asked, pods));
    facts.extend(others::facts(asked, pods));
    facts.extend(surroundings::facts(asked, pods));
    facts.extend(admission::fact(asked, pods));
    facts
        .into_iter()
        .map(|fact| agree::accepted(fact, asked.accept()))
        .collect()
}
