//! What a plan will write, tried before anything is written: the ends of every range.

use std::collections::{BTreeMap, BTreeSet};

use em_core::assign::assign;
use em_core::configuration::Configuration;
use em_core::id::{Epoch, ExperimentName, IterationNo, OpKey, TrialId};
use em_core::plan::{Domain, KubernetesSpec, Plan, Tunable};
use em_core::value::Value;
use serde_json::Value as Json;

use super::fault_of_change;
use crate::change::{self, Assigned, Beside, Original};
use crate::clone::{self, CloneOf, Source};
use crate::fault::KubeError;
use crate::hold::Owner;

/// The end of a range that is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Smallest,
    Largest,
}

impl End {
    const BOTH: [(Self, &'static str); 2] = [
        (Self::Smallest, "the smallest values"),
        (Self::Largest, "the largest values"),
    ];

    fn of(self, tunable: &Tunable) -> Option<Value> {
        match (&tunable.domain, self) {
            (Domain::Derived { .. }, _) => None,
            (Domain::Categorical { choices }, Self::Smallest) => choices.first().cloned(),
            (Domain::Categorical { choices }, Self::Largest) => choices.last().cloned(),
            (domain, Self::Smallest) => domain.snap(f64::MIN),
            (domain, Self::Largest) => domain.snap(f64::MAX),
        }
    }
}

/// Every object of `source` as the ends of the ranges make it, each with what it is. `copies`: as a copy that is made,
/// else as the live object that is changed.
pub(super) fn wanted(
    plan: &Plan,
    spec: &KubernetesSpec,
    source: &Source,
    copies: bool,
) -> Result<Vec<(String, Json)>, KubeError> {
    let mut wanted = Vec::new();
    for (end, what) in End::BOTH {
        let Some(values) = values(plan, end) else {
            continue;
        };
        let applied = applied(plan, spec, source, &values)?;
        if copies {
            for object in copied(plan, spec, source, &applied)? {
                let kind = object["kind"].as_str().unwrap_or_default().to_owned();
                wanted.push((format!("{what} of a copy ({kind})"), object));
            }
        } else {
            let named = applied
                .into_iter()
                .map(|(object, body)| (format!("{what} of {object}"), body));
            wanted.extend(named);
        }
    }
    Ok(wanted)
}

/// The values at one end of all ranges. None: the ends do not go together.
fn values(plan: &Plan, end: End) -> Option<Assigned> {
    let ends = plan.tunables.iter();
    let ends = ends.filter_map(|tunable| Some((tunable.name.clone(), end.of(tunable)?)));
    let configuration: Configuration = ends.collect();
    assign(plan, &configuration).ok()
}

type Applied = Vec<(em_core::plan::ObjectRef, Json)>;

fn applied(
    plan: &Plan,
    spec: &KubernetesSpec,
    source: &Source,
    values: &Assigned,
) -> Result<Applied, KubeError> {
    let beside = Beside {
        iteration: "rehearsal",
        environment: &BTreeMap::new(),
    };
    let workload = std::iter::once((&spec.workload, &source.workload));
    let all = workload.chain(source.others.iter().map(|(object, body)| (object, body)));
    let apply = |(object, body): (&em_core::plan::ObjectRef, &Json)| {
        let original = Original {
            object: object.clone(),
            body: body.clone(),
            touched: BTreeSet::new(),
        };
        let applied = change::applied(plan, spec, &original, values, beside);
        Ok((object.clone(), applied.map_err(fault_of_change)?))
    };
    all.map(apply).collect()
}

fn copied(
    plan: &Plan,
    spec: &KubernetesSpec,
    source: &Source,
    applied: &Applied,
) -> Result<Vec<Json>, KubeError> {
    let owner = rehearsing(&plan.name);
    let of = CloneOf {
        name: &clone::clone_name(&spec.workload, &owner.key, &owner.epoch.store),
        owner: &owner,
        // A dry run asks for no owner to be there.
        lease: ("em-rehearsal", "00000000-0000-0000-0000-000000000000"),
    };
    clone::objects(spec, source, applied, of).map_err(fault_of_change)
}

fn rehearsing(experiment: &ExperimentName) -> Owner {
    Owner {
        key: OpKey::Iteration {
            experiment: experiment.clone(),
            trial: TrialId(0),
            iteration: IterationNo(0),
        },
        epoch: Epoch {
            store: "rehearsal".to_owned(),
            counter: 0,
        },
    }
}
