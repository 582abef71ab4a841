//! An experiment of which only the manager's own work remains.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result};
use em_core::configuration::Configuration;
use em_core::id::{Digest, TunableName};
use em_core::plan::{
    Apply, Baseline, Budget, ChangeCost, CustomSpec, Design, Direction, Domain, Identity,
    Iterations, ListedTrial, LoadSpec, Measurement, Objective, PLAN_FORMAT, Plan, Redeploy,
    Retries, Scale, TargetSpec, Timeouts, Tunable, Warmup,
};
use em_core::value::{Unit, Value};

/// One window of one iteration: as short as a timer can wait.
pub(super) const WINDOW: Duration = Duration::from_millis(1);

/// `trials` trials, one iteration each, on as many slots, no baseline, one metric.
pub(super) fn of(name: &str, trials: u32, slots: u32) -> Result<Plan> {
    let tunable: TunableName = "n".parse().context("a tunable has another name")?;
    let listed = (0..trials).map(|n| ListedTrial {
        label: format!("n{n}"),
        configuration: configuration(&tunable, n),
    });
    Ok(Plan {
        format: PLAN_FORMAT,
        name: name.parse().context("an experiment has another name")?,
        description: String::new(),
        labels: BTreeMap::new(),
        target: TargetSpec::Custom(CustomSpec {
            name: "no-op".to_owned(),
            slots,
        }),
        tunables: vec![searched(tunable.clone(), trials)],
        datasources: BTreeMap::new(),
        metrics: Vec::new(),
        objective: Some(Objective {
            direction: Direction::Minimize,
            expression: "load.latency.mean"
                .parse()
                .context("an objective reads otherwise")?,
            unit: Unit::Seconds,
            equivalent_within: None,
            goal: None,
        }),
        constraints: Vec::new(),
        load: LoadSpec::Custom {
            name: "no-op".to_owned(),
        },
        measurement: measurement(),
        baseline: Baseline::None,
        trials: listed.collect(),
        search: None,
        budget: Budget::default(),
        timeouts: Timeouts::default(),
        retries: Retries::default(),
        artifacts: Vec::new(),
        identity: Identity {
            digest: Digest::of(name.as_bytes()),
            parts: BTreeMap::new(),
        },
    })
}

fn measurement() -> Measurement {
    Measurement {
        warmup: Warmup::Fixed(Duration::ZERO),
        cycles: 1,
        cycle_duration: WINDOW,
        iterations: Iterations {
            min: Some(1),
            max: 1,
        },
        design: Design::Sequential,
        precision: None,
        redeploy: Redeploy::Always,
        seed: 1,
    }
}

fn searched(name: TunableName, trials: u32) -> Tunable {
    Tunable {
        name,
        domain: Domain::Integer {
            low: 0,
            high: i64::from(trials),
            step: 1,
            scale: Scale::Linear,
        },
        default: None,
        when: Vec::new(),
        special: Vec::new(),
        prior: None,
        apply: vec![Apply::Env {
            name: "N".to_owned(),
            piece: None,
            replaces: None,
        }],
        takes: ChangeCost::Restart,
    }
}

fn configuration(tunable: &TunableName, n: u32) -> Configuration {
    [(tunable.clone(), Value::Integer(i64::from(n)))]
        .into_iter()
        .collect()
}
