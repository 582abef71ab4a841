//! Numbers of a recorded pod and its node, and of pods that say less.

use em_core::read::exposition::ExpositionFormat;
use serde_json::json;

use super::*;

const POD: &str = include_str!("../../tests/proof/pod.json");
const SUMMARY: &str = include_str!("../../tests/proof/summary.json");
const CONTAINERS: &str = include_str!("../../tests/proof/cadvisor.txt");
const NOW: &str = "2026-11-25T00:23:08Z";

fn recorded() -> Json {
    serde_json::from_str(POD).unwrap()
}

fn other() -> Json {
    let mut pod = recorded();
    pod["metadata"]["uid"] = json!("another");
    pod["metadata"]["name"] = json!("demo-2");
    pod
}

fn numbers(pods: &[Json], prices: Option<Prices>) -> BTreeMap<String, f64> {
    let summaries = [serde_json::from_str(SUMMARY).unwrap()];
    let containers = [Exposition::parse(CONTAINERS, ExpositionFormat::Prometheus).unwrap()];
    let sources = Sources {
        pods,
        summaries: &summaries,
        containers: &containers,
        prices,
    };
    usage(&sources, NOW.parse().unwrap())
}

#[test]
fn a_recorded_pod_has_every_number() {
    let prices = Prices {
        core_hour: 0.04,
        gib_hour: 0.32,
    };
    let seen = numbers(&[recorded()], Some(prices));
    let wanted = [
        ("cost_per_hour", 0.04 * 0.1 + 0.32 / 32.0),
        ("cpu_seconds", 1.242_069_3),
        ("limits_cpu_cores", 0.5),
        ("limits_memory_bytes", 134_217_728.0),
        ("memory_bytes", 2_412_544.0),
        ("memory_limit_kills", 0.0),
        ("memory_peak_bytes", 5_328_896.0),
        ("memory_working_set_bytes", 3_084_288.0),
        ("periods", 1944.0),
        ("pod_seconds", 2051.0),
        ("pods", 1.0),
        ("pods_ready", 1.0),
        ("requests_cpu_cores", 0.1),
        ("requests_memory_bytes", 33_554_432.0),
        ("restarts", 0.0),
        ("startup_seconds", 1.0),
        ("throttled_periods", 0.0),
        ("throttled_seconds", 0.0),
        ("usage_age_seconds", 8.0),
    ];
    let names: Vec<_> = seen.keys().map(String::as_str).collect();
    assert_eq!(names, wanted.map(|(name, _)| name));
    for (name, value) in wanted {
        assert!((seen[name] - value).abs() < 1e-9, "{name}: {}", seen[name]);
    }
}

#[test]
fn part_of_a_sum_is_no_sum() {
    let seen = numbers(&[recorded(), other()], None);
    for name in [
        "cpu_seconds",
        "memory_bytes",
        "throttled_periods",
        "usage_age_seconds",
        "cost_per_hour",
    ] {
        assert!(!seen.contains_key(name), "{name}");
    }
    assert!((seen["requests_cpu_cores"] - 0.2).abs() < 1e-9);
    assert!((seen["pods"] - 2.0).abs() < 1e-9);
}

#[test]
fn a_pod_that_is_not_ready_has_no_start_up_time() {
    let mut pod = other();
    pod["status"]["conditions"][2]["status"] = json!("False");
    let seen = numbers(&[recorded(), pod], None);
    assert!(!seen.contains_key("startup_seconds"));
    assert!((seen["pods_ready"] - 1.0).abs() < 1e-9);
}

#[test]
fn no_pods_use_nothing_that_is_known() {
    let seen = numbers(&[], None);
    let names: Vec<_> = seen.keys().map(String::as_str).collect();
    assert_eq!(names, ["pods", "pods_ready"]);
}

#[test]
fn a_container_without_a_limit_leaves_the_pod_without_one() {
    let mut pod = recorded();
    pod["spec"]["containers"] = json!([
        {"name": "a", "resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "250m"}}},
        {"name": "b", "resources": {"limits": {"memory": "1Gi"}}},
    ]);
    pod["spec"]["initContainers"] = json!([
        {"name": "beside", "restartPolicy": "Always", "resources": {"requests": {"cpu": "50m"}}},
        {"name": "before", "resources": {"requests": {"cpu": "4"}}},
    ]);
    pod["spec"]["overhead"] = json!({"cpu": "100m"});
    let prices = Prices {
        core_hour: 1.0,
        gib_hour: 1.0,
    };
    let seen = numbers(&[pod], Some(prices));
    assert!(!seen.contains_key("limits_cpu_cores"));
    assert!((seen["requests_cpu_cores"] - 0.4).abs() < 1e-9);
    for unknown in ["requests_memory_bytes", "cost_per_hour"] {
        assert!(!seen.contains_key(unknown), "{unknown}");
    }
}

#[test]
fn the_slowest_pod_and_all_restarts_count() {
    let mut pod = other();
    pod["status"]["conditions"][2]["lastTransitionTime"] = json!("2026-11-24T23:49:07Z");
    pod["status"]["containerStatuses"][0]["restartCount"] = json!(3);
    let seen = numbers(&[recorded(), pod], None);
    assert!((seen["startup_seconds"] - 10.0).abs() < 1e-9);
    assert!((seen["restarts"] - 3.0).abs() < 1e-9);
}

#[test]
fn a_field_of_an_object_is_a_number_or_an_amount() {
    let object = json!({"status": {"lag": 7, "share": "250m", "phase": "Up", "all": [1, 2]}});
    let read = |path: &str| field(&object, &path.parse().unwrap());
    assert_eq!(read("$.status.lag"), Some(7.0));
    assert_eq!(read("$.status.share"), Some(0.25));
    for nothing in ["$.status.phase", "$.status.all[*]", "$.status.gone", "$"] {
        assert_eq!(read(nothing), None, "{nothing}");
    }
}
