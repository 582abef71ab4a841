//! Plans for tests, in the words of the tests.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::configuration::Configuration;
use crate::id::{Digest, TunableName};
use crate::plan::{
    Apply, Autoscaler, Baseline, Budget, ChangeCost, CloneSpec, ClusterPolicy, CustomSpec, Design,
    Direction, Domain, Identity, Iterations, KubernetesSpec, ListedTrial, LoadSpec, Measurement,
    Objective, PLAN_FORMAT, Placement, Plan, PodHooks, Redeploy, Retries, Scale, TargetSpec,
    Timeouts, Tunable, Warmup,
};
use crate::value::{Unit, Value};

/// Builds a plan; [`a_plan`] begins one.
#[derive(Debug, Clone)]
pub struct PlanBuilder {
    plan: Plan,
}

/// A plan named `a`: one tunable `workers` from 1 to 100 (baseline 10), load of a registered
/// driver, `minimize: load.latency.mean`, one cycle of 100 ms without warm-up, two blocks.
pub fn a_plan() -> PlanBuilder {
    let apply = Apply::Env {
        name: "WORKERS".to_owned(),
        piece: None,
        replaces: None,
    };
    let tunable = Tunable {
        name: "workers".parse().unwrap(),
        domain: Domain::Integer {
            low: 1,
            high: 100,
            step: 1,
            scale: Scale::Linear,
        },
        default: Some(Value::Integer(10)),
        when: Vec::new(),
        special: Vec::new(),
        prior: None,
        apply: vec![apply],
        takes: ChangeCost::Restart,
    };
    let objective = Objective {
        direction: Direction::Minimize,
        expression: "load.latency.mean".parse().unwrap(),
        unit: Unit::Seconds,
        equivalent_within: None,
        goal: None,
    };
    let measurement = Measurement {
        warmup: Warmup::Fixed(Duration::ZERO),
        cycles: 1,
        cycle_duration: Duration::from_millis(100),
        iterations: Iterations {
            min: Some(2),
            max: 2,
        },
        design: Design::RandomizedBlocks,
        precision: None,
        redeploy: Redeploy::Always,
        seed: 1,
    };
    let plan = Plan {
        format: PLAN_FORMAT,
        name: "a".parse().unwrap(),
        description: String::new(),
        labels: BTreeMap::new(),
        target: TargetSpec::Custom(CustomSpec {
            name: "fake".to_owned(),
            slots: 1,
        }),
        tunables: vec![tunable],
        datasources: BTreeMap::new(),
        metrics: Vec::new(),
        objective: Some(objective),
        constraints: Vec::new(),
        load: LoadSpec::Custom {
            name: "fake".to_owned(),
        },
        measurement,
        baseline: Baseline::Defaults(workers(10)),
        trials: Vec::new(),
        search: None,
        budget: Budget::default(),
        timeouts: Timeouts::default(),
        retries: Retries::default(),
        artifacts: Vec::new(),
        identity: Identity {
            digest: Digest::of(b"a"),
            parts: BTreeMap::new(),
        },
    };
    PlanBuilder { plan }
}

/// The workload `deployment/app` in the namespace `shop` of the context `test`, with nothing else said.
pub fn a_workload(policy: ClusterPolicy) -> KubernetesSpec {
    KubernetesSpec {
        context: "test".to_owned(),
        namespace: Some("shop".to_owned()),
        workload: "deployment/app".parse().unwrap(),
        container: None,
        policy,
        service: None,
        clones: CloneSpec::default(),
        autoscaler: Autoscaler::Refuse,
        ready: None,
        settle: Duration::ZERO,
        accept: Vec::new(),
        hooks: PodHooks::default(),
        place: Placement::Any,
        prices: None,
        slots: 1,
    }
}

/// A configuration of the tunable `workers`.
fn workers(n: i64) -> Configuration {
    let name: TunableName = "workers".parse().unwrap();
    [(name, Value::Integer(n))].into_iter().collect()
}

impl PlanBuilder {
    /// Blocks.
    #[must_use]
    pub fn iterations(mut self, blocks: u32) -> Self {
        self.plan.measurement.iterations = Iterations {
            min: Some(blocks),
            max: blocks,
        };
        self
    }

    /// Iterations side by side.
    #[must_use]
    pub fn slots(mut self, slots: u32) -> Self {
        self.plan.target = TargetSpec::Custom(CustomSpec {
            name: "fake".to_owned(),
            slots,
        });
        self
    }

    /// Under test is this workload; the baseline is what runs.
    #[must_use]
    pub fn workload(mut self, workload: KubernetesSpec) -> Self {
        self.plan.target = TargetSpec::Kubernetes(Box::new(workload));
        self.plan.baseline = Baseline::Live;
        self
    }

    /// Adds a listed trial with this many workers.
    #[must_use]
    pub fn trial(mut self, workers_wanted: i64) -> Self {
        self.plan.trials.push(ListedTrial {
            label: format!("workers={workers_wanted}"),
            configuration: workers(workers_wanted),
        });
        self
    }

    /// Changes whatever else.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Plan)) -> Self {
        change(&mut self.plan);
        self
    }

    /// The plan.
    pub fn build(self) -> Plan {
        self.plan
    }
}
