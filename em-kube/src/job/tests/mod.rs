//! The parts that judge and write, without a cluster.

mod batches;
mod blueprint;
mod lifecycle;
mod pod;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use em_core::id::{Epoch, IterationNo, OpKey, TrialId};
use em_core::plan::{
    AcrossWorkers, JobLoad, LoadSpec, MetricKind, OutputPattern, OutputRules, PodResources,
    RunMode, SecretRef, Text,
};
use em_core::port::{Clock as _, LoadGoal, LoadPlan, OpContext, SystemClock};
use em_core::template::Template;
use em_core::value::Unit;
use jiff::SignedDuration;
use serde_json::json;
use tokio_util::sync::CancellationToken;

fn cx() -> OpContext {
    let key = OpKey::Iteration {
        experiment: "checkout".parse().unwrap(),
        trial: TrialId(3),
        iteration: IterationNo(2),
    };
    let epoch = Epoch {
        store: "laptop".to_owned(),
        counter: 7,
    };
    let deadline = SystemClock.now() + SignedDuration::from_secs(60);
    OpContext::new(key, epoch, deadline, CancellationToken::new())
}

fn rules() -> OutputRules {
    let pattern = |find: &str| OutputPattern {
        find: find.to_owned(),
        unit: Unit::Dimensionless,
        scale: 1.0,
        kind: MetricKind::Gauge,
    };
    let patterns = [("rps", r"rps (\d+)"), ("p99", r"p99 (\d+)")];
    let patterns = patterns.map(|(name, find)| (name.parse().unwrap(), pattern(find)));
    OutputRules {
        patterns: patterns.into_iter().collect(),
        ..OutputRules::default()
    }
}

fn a_load() -> JobLoad {
    let template = |text: &str| Template::parse(text).unwrap();
    let across = [("rps", AcrossWorkers::Sum), ("p99", AcrossWorkers::Max)];
    JobLoad {
        context: "test".to_owned(),
        namespace: None,
        image: "k6:1".to_owned(),
        command: vec![template("sh"), template("-c")],
        args: vec![template(
            "k6 run {{address}} --duration {{duration_s}}s --tag {{trial}}",
        )],
        env: BTreeMap::from([
            ("MODE".to_owned(), Text::Template(template("a"))),
            (
                "TOKEN".to_owned(),
                Text::Secret(SecretRef::FromEnv("PATH".to_owned())),
            ),
        ]),
        workers: 2,
        run: RunMode::Whole,
        output: rules(),
        across: across
            .map(|(name, way)| (name.parse().unwrap(), way))
            .into(),
        resources: PodResources {
            requests: BTreeMap::from([("cpu".to_owned(), "500m".parse().unwrap())]),
            limits: BTreeMap::new(),
        },
        pod: Some(json!({ "nodeSelector": { "pool": "load" } })),
        container: Some(json!({ "volumeMounts": [{ "name": "s", "mountPath": "/s" }] })),
        success_exit_codes: vec![0],
        timeout: None,
    }
}

fn a_plan(load: JobLoad) -> LoadPlan {
    let spec = Arc::new(LoadSpec::Job(Box::new(load)));
    let goal = LoadGoal::Measure { rate: None };
    LoadPlan::new(spec, goal, 1, Duration::from_secs(40)).batch(Duration::from_secs(10))
}
