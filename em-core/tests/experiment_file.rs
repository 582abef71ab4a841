//! Files that are plans: what they mean, what is filled in, what changes their identity.

#![expect(clippy::unwrap_used, reason = "a test may panic wherever it likes")]

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use em_core::assign::assign;
use em_core::configuration::Configuration;
use em_core::file::{self, FileContext, Node, Parsed};
use em_core::id::Digest;
use em_core::plan::{
    Apply, Arrivals, Auth, Baseline, Design, Domain, LoadSpec, Phase, Plan, RateSpec, Ready, Scale,
    SearchMethod, Suggester, TargetSpec, Warmup, Workdir,
};
use em_core::value::{Unit, Value};

const SHORTEST: &[u8] = include_bytes!("files/shortest.yaml");
const FULL: &[u8] = include_bytes!("files/full.json");

fn read(path: &Path) -> io::Result<Vec<u8>> {
    match path.to_str() {
        Some("/lab/app.conf.tmpl") => Ok(include_bytes!("files/app.conf.tmpl").to_vec()),
        Some("/lab/bin/server") => Ok(b"#!/bin/sh\n".to_vec()),
        _ => Err(io::ErrorKind::NotFound.into()),
    }
}

fn lab() -> FileContext<'static> {
    FileContext {
        base: PathBuf::from("/lab"),
        executable: Some(PathBuf::from("/usr/bin/em")),
        executable_digest: Some(Digest::of(b"em")),
        read: &read,
        ..FileContext::bare()
    }
}

fn parsed(bytes: &[u8]) -> Parsed {
    file::parse(bytes, &lab()).unwrap_or_else(|violations| panic!("{violations}"))
}

fn plan(bytes: &[u8]) -> Plan {
    parsed(bytes).plan
}

fn changed(bytes: &[u8], path: &str, value: &str) -> Plan {
    let mut tree = Node::parse(bytes).unwrap();
    file::set(&mut tree, path, value).unwrap();
    file::read(&tree, &lab())
        .unwrap_or_else(|violations| panic!("{violations}"))
        .plan
}

fn names(configuration: &Configuration) -> String {
    configuration.to_string()
}

#[test]
fn the_shortest_file_gives_the_documented_plan() {
    let Parsed { plan, warnings } = parsed(SHORTEST);
    assert_eq!(warnings, []);
    assert_eq!(plan.name.as_str(), "demo");
    let TargetSpec::Process(process) = &plan.target else {
        panic!("{:?}", plan.target)
    };
    assert_eq!(process.command.len(), 4);
    assert_eq!((process.slots, &process.ready), (1, &Ready::Tcp(None)));
    assert_eq!(
        plan.tunables[0].domain,
        Domain::Integer {
            low: 1,
            high: 16,
            step: 1,
            scale: Scale::Linear
        }
    );
    assert!(
        matches!(&plan.tunables[1].apply[..], [Apply::Arg { text, .. }] if text.text() == "--cache={{value}}")
    );
    let LoadSpec::Http(http) = &plan.load else {
        panic!("{:?}", plan.load)
    };
    assert_eq!(http.rate, RateSpec::OfCapacity(0.6));
    assert_eq!(
        (http.arrivals, http.method.as_str()),
        (Arrivals::Poisson, "GET")
    );
    let objective = plan.objective.as_ref().unwrap();
    assert_eq!(objective.unit, Unit::Seconds);
    let Baseline::Defaults(defaults) = &plan.baseline else {
        panic!("{:?}", plan.baseline)
    };
    assert_eq!(names(defaults), "cache=lru workers=2");
    let search = plan.search.as_ref().unwrap();
    assert_eq!((search.parallel, search.blocks, search.verify), (4, 2, 3));
    assert_eq!(
        search.suggester,
        Suggester::BuiltIn {
            method: SearchMethod::Gp,
            seed: 1
        }
    );
    let measurement = &plan.measurement;
    assert_eq!(measurement.cycles, 3);
    assert_eq!(measurement.cycle_duration, Duration::from_secs(30));
    assert!(matches!(measurement.warmup, Warmup::Auto { .. }));
    assert_eq!(measurement.iterations.least(search.verify), 7);
    assert_eq!(
        (measurement.iterations.max, measurement.design),
        (12, Design::RandomizedBlocks)
    );
    assert_eq!(plan.budget.trials, Some(20));
}

#[test]
fn a_full_local_file_says_everything_it_says() {
    let Parsed { plan, warnings } = parsed(FULL);
    assert_eq!(warnings, []);
    let TargetSpec::Process(process) = &plan.target else {
        panic!("{:?}", plan.target)
    };
    assert_eq!(process.command[0].text(), "/lab/bin/server");
    assert_eq!(
        process.workdir,
        Workdir::CopyOf(PathBuf::from("/lab/data/"))
    );
    assert_eq!(process.stop.signal, "INT");
    assert!(
        process.files["conf"]
            .text
            .text()
            .contains("region {{region}}")
    );
    let LoadSpec::Http(http) = &plan.load else {
        panic!("{:?}", plan.load)
    };
    assert_eq!(http.rate, RateSpec::PerSecond(500.0));
    assert_eq!(
        http.phases[0],
        Phase::Ramp {
            from: 0.0,
            to: 1.0,
            lasts: Duration::from_secs(30)
        }
    );
    let goal = plan.objective.as_ref().unwrap().goal.unwrap();
    assert!((goal.value - 0.2).abs() < 1e-12);
    let startup = plan.metric(&"startup".parse().unwrap()).unwrap();
    assert_eq!((&startup.unit, startup.scale), (&Unit::Seconds, 0.001));
    assert_eq!(plan.trials[0].label, "a");
    assert_eq!(
        names(&plan.trials[0].configuration),
        "gc=G1 memory=1Gi region=8 workers=8",
        "what a trial leaves out is the baseline's"
    );
    let json = serde_json::to_string(&plan).unwrap();
    let again: Plan = serde_json::from_str(&json).unwrap();
    assert_eq!(again.identity, plan.identity);
}

#[test]
fn derived_and_conditional_values_are_assigned() {
    let plan = plan(FULL);
    let values = |configuration: &Configuration| {
        let values = assign(&plan, configuration).unwrap();
        let texts = values.iter().map(|(name, value)| format!("{name}={value}"));
        texts.collect::<Vec<_>>().join(" ")
    };
    let mut configuration = plan.baseline.configuration().unwrap().clone();
    assert_eq!(
        values(&configuration),
        "gc=G1 heap=751619276 memory=1Gi region=8 workers=4"
    );
    configuration.set("gc".parse().unwrap(), "Parallel".into());
    assert_eq!(
        values(&configuration),
        "gc=Parallel heap=751619276 memory=1Gi workers=4",
        "region exists only with G1"
    );
    // As it comes back from the journal, where a quantity is text.
    let json = serde_json::to_string(&configuration).unwrap();
    let read: Configuration = serde_json::from_str(&json).unwrap();
    assert_ne!(read, configuration);
    assert_eq!(read.typed(&plan.tunables), configuration);
    assert_eq!(values(&read), values(&configuration));
    let missing: Configuration = [("gc".parse().unwrap(), Value::from("G1"))]
        .into_iter()
        .collect();
    assert_eq!(
        assign(&plan, &missing).unwrap_err().to_string(),
        "tunable workers has no value in the configuration (give it one, or a default)"
    );
}

#[test]
fn what_gives_numbers_their_meaning_is_in_the_identity_and_nothing_else() {
    let original = plan(FULL).identity;
    let differing = |path: &str, value: &str| {
        file::differences(&original, &changed(FULL, path, value).identity).join(" ")
    };
    for (path, value) in [
        ("labels.team", "other"),
        ("budget.trials", "50"),
        ("search.parallel", "2"),
        ("tunables[0].range", "[1, 32]"),
        ("tunables[1].step", "128Mi"),
        ("objective.goal", "<= 100ms"),
        ("constraints", "[]"),
        ("trials[0].values.workers", "9"),
        ("description", "another"),
    ] {
        assert_eq!(differing(path, value), "", "{path}");
    }
    for (path, value, parts) in [
        ("target.cpu", "2", "target"),
        ("load.arrivals", "poisson", "load"),
        ("metrics[0].fold", "single", "metrics"),
        ("datasources.page.every", "2s", "metrics"),
        ("measurement.cycles", "3", "measurement"),
        ("tunables[0].apply", "{arg: '-w{{value}}'}", "apply"),
        ("tunables[2].value", "floor(0.6 * values.memory)", "apply"),
        ("target.command[0]", "other", "file:bin/server target"),
        ("target.files", "{}", "file:app.conf.tmpl target"),
    ] {
        let set = |path: &str, value: &str| {
            let mut tree = Node::parse(FULL).unwrap();
            file::set(&mut tree, path, value).unwrap();
            if path == "target.files" {
                file::set(&mut tree, "target.command[2]", "x").unwrap();
                file::set(&mut tree, "tunables[4].apply", "{env: REGION}").unwrap();
            }
            file::read(&tree, &lab())
                .unwrap_or_else(|v| panic!("{v}"))
                .plan
        };
        let other = set(path, value).identity;
        let parts: Vec<&str> = parts.split(' ').collect();
        let mut found = file::differences(&original, &other);
        found.retain(|part| path != "target.files" || part != "apply");
        assert_eq!(found, parts, "{path}");
        assert_ne!(other.digest, original.digest);
    }
}

#[test]
fn the_executable_is_part_of_what_uses_it() {
    let parts = plan(SHORTEST).identity.parts;
    assert!(parts.contains_key("executable"), "{parts:?}");
    let newer = FileContext {
        executable_digest: Some(Digest::of(b"em 2")),
        ..lab()
    };
    let newer = file::parse(SHORTEST, &newer).unwrap().plan.identity;
    assert_eq!(
        file::differences(&plan(SHORTEST).identity, &newer),
        ["executable"]
    );
}

#[test]
fn the_same_file_in_another_folder_is_the_same_experiment() {
    fn anywhere(path: &Path) -> io::Result<Vec<u8>> {
        read(&Path::new("/lab").join(path.strip_prefix("/home/x").unwrap_or(path)))
    }
    let elsewhere = FileContext {
        base: PathBuf::from("/home/x"),
        read: &anywhere,
        ..lab()
    };
    let moved = file::parse(FULL, &elsewhere).unwrap().plan.identity;
    let none: [&str; 0] = [];
    assert_eq!(file::differences(&plan(FULL).identity, &moved), none);
}

#[test]
fn single_values_are_set_from_the_command_line() {
    let plan = changed(SHORTEST, "measurement.cycle_duration", "1s");
    assert_eq!(plan.measurement.cycle_duration, Duration::from_secs(1));
    let mut tree = Node::parse(SHORTEST).unwrap();
    file::set(&mut tree, "budget.trials", "none").unwrap();
    assert_eq!(
        file::read(&tree, &lab()).unwrap_err().to_string(),
        "--set: budget.trials: a whole number is wanted here, not text \"none\""
    );
    let refusal = |path: &str| {
        file::set(&mut Node::parse(SHORTEST).unwrap(), path, "1")
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        refusal("tunables[7].range"),
        "cannot set \"tunables[7].range\": there is no entry 7: the list has 2, from 0"
    );
    assert_eq!(
        refusal("name.first"),
        "cannot set \"name.first\": \"first\" is wanted of text, which has no keys"
    );
    assert_eq!(
        refusal("tunables[x]"),
        "cannot set \"tunables[x]\": \"x\" is not the number of an entry, from 0"
    );
}

#[test]
fn other_kinds_of_targets_and_loads_have_defaults_of_their_own() {
    let observed = plan(
        b"
name: watch
target: { kind: observe }
load: { kind: external, metric: requests }
datasources: { app: { kind: scrape, url: http://127.0.0.1:9/metrics } }
metrics: [{ name: requests, datasource: app, as: counter, query: requests_total }]
",
    );
    assert_eq!(
        (&observed.baseline, observed.search.is_none()),
        (&Baseline::None, true)
    );
    assert_eq!(observed.trials[0].label, "observed");
    assert!(observed.trials[0].configuration.is_empty());
    let simulated = plan(
        b"
name: rehearsal
target: { kind: simulated, model: { latency: 'abs(values.a - 3) + 1', load.response_time: '0.1' }, noise: { latency: 2% } }
tunables: [{ name: a, range: [1, 9], default: 1 }]
objective: { minimize: latency }
budget: { trials: 4 }
",
    );
    assert!(matches!(simulated.load, LoadSpec::None));
    let command = plan(
        b"
name: settings
target: { kind: command, snapshot: [snap], apply: [put], restore: [put], address: 'localhost:5432' }
tunables: [{ name: work_mem, range: [1Mi, 64Mi], scale: log }]
load: { kind: command, command: [pgbench, -T, '{{duration_s}}', '{{address}}'], output: { patterns: { tps: { find: 'tps = ([0-9.]+)', unit: per_second, as: value } } } }
objective: { maximize: load.tps }
budget: { time: 1h }
",
    );
    assert_eq!(command.baseline, Baseline::Live);
    assert_eq!(command.objective.unwrap().unit, Unit::PerSecond);
}

#[test]
fn what_is_allowed_and_odd_is_a_warning() {
    let mut tree = Node::parse(SHORTEST).unwrap();
    file::set(&mut tree, "tunables[1].choices", "[1.10, lru]").unwrap();
    file::set(&mut tree, "measurement.iterations", "4").unwrap();
    let warnings = file::read(&tree, &lab()).unwrap().warnings;
    let said: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "--set: measurement.iterations: no verdict is possible: 3 comparisons need 7 blocks, and at most 4 are measured (give measurement.iterations a max of 7)",
            "--set: tunables[1].choices[0]: 1.10 is read as the number 1.1 (write \"1.10\" in quotes if it is text)",
        ]
    );
}

#[test]
fn vendors_are_asked_where_they_answer_and_with_the_signature_that_they_want() {
    let sources = br#"
datasources:
  nora: { kind: newrelic, region: eu, account: 7, key: { from_env: K } }
  nils: { kind: newrelic, account: 7, key: { from_env: K } }
  cleo: { kind: cloudwatch, region: cn-north-1, auth: { sigv4: { access_key: { from_env: A }, secret_key: { from_env: S } } } }
  cora: { kind: cloudwatch, region: eu-west-1, url: "https://own/", auth: { sigv4: { region: us-east-1, service: other, access_key: { from_env: A }, secret_key: { from_env: S } } } }
  prom: { kind: prometheus, url: "https://amp", auth: { sigv4: { region: us-east-1, access_key: { from_env: A }, secret_key: { from_env: S }, session_token: { from_env: T } } } }
"#;
    let plan = plan(&[SHORTEST, sources].concat());
    let found = |name: &str| {
        let source = &plan.datasources[&name.parse().unwrap()];
        let spec = serde_json::to_value(source).unwrap();
        let url = spec["kind"]["url"].as_str().unwrap().to_owned();
        let Some(Auth::SigV4(auth)) = &source.auth else {
            return (url, String::new());
        };
        (url, format!("{} in {}", auth.service, auth.region))
    };
    let is = |url: &str, signed: &str| (url.to_owned(), signed.to_owned());
    assert_eq!(found("nora"), is("https://api.eu.newrelic.com", ""));
    assert_eq!(found("nils"), is("https://api.newrelic.com", ""));
    let china = "https://monitoring.cn-north-1.amazonaws.com.cn";
    assert_eq!(found("cleo"), is(china, "monitoring in cn-north-1"));
    assert_eq!(found("cora"), is("https://own", "other in us-east-1"));
    assert_eq!(found("prom"), is("https://amp", "aps in us-east-1"));
    let written = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<Plan>(&written).unwrap(), plan);
}
