//! Values read back.

use super::super::today::today;
use super::*;

fn read(apply: &Json, domain: &Json) -> Option<String> {
    let scene = Scene::new(&json!({}), &[knob("x", domain, apply)], deployment());
    let found = today(&scene.object, &scene.spec, &scene.plan.tunables);
    found.into_values().next().map(|value| value.to_string())
}

#[test]
fn values_are_read_where_they_would_be_applied() {
    let whole = integers(1, 64);
    assert_eq!(
        read(
            &json!({"env": {"name": "WORKERS", "piece": null, "replaces": null}}),
            &whole
        )
        .as_deref(),
        Some("4")
    );
    assert_eq!(read(&json!("replicas"), &whole).as_deref(), Some("3"));
    let threads =
        json!({"arg": {"text": {"text": "--threads={{value}}"}, "replaces": "^--threads=.*"}});
    assert_eq!(read(&threads, &whole).as_deref(), Some("8"));
    let memory = json!({"resource": {"resource": "memory", "of": "both"}});
    assert_eq!(
        read(&memory, &range("512Mi", "4Gi")).as_deref(),
        Some("1Gi")
    );
    let cpu = json!({"resource": {"resource": "cpu", "of": "request"}});
    assert_eq!(read(&cpu, &range("100m", "2")).as_deref(), Some("500m"));
    let tags = json!({"type": "categorical", "choices": ["1.3", "1.4"]});
    let image = json!({"image": {"reference": {"text": "registry.example/shop:{{value}}"}}});
    assert_eq!(read(&image, &tags).as_deref(), Some("1.4"));
}

#[test]
fn pieces_are_read_through_their_template() {
    let heap = json!({"env": {"name": "JAVA", "piece": {"text": "-Xmx{{value|Mi}}m"}, "replaces": "-Xmx\\S+"}});
    assert_eq!(
        read(&heap, &range("256Mi", "4Gi")).as_deref(),
        Some("512Mi")
    );
    let collectors = json!({"type": "categorical", "choices": ["G1", "Parallel"]});
    let collector = json!({"env": {"name": "JAVA", "piece": {"text": "-XX:+Use{{value}}GC"}, "replaces": "-XX:[+-]Use\\w+GC"}});
    assert_eq!(read(&collector, &collectors).as_deref(), Some("G1"));
    // Without a pattern the words of the variable are tried.
    let property =
        json!({"env": {"name": "JAVA", "piece": {"text": "-Dx={{value}}"}, "replaces": null}});
    assert_eq!(read(&property, &integers(0, 9)).as_deref(), Some("1"));
}

#[test]
fn what_is_not_there_or_not_clear_is_left_out() {
    let whole = integers(1, 64);
    assert_eq!(
        read(
            &json!({"env": {"name": "ELSE", "piece": null, "replaces": null}}),
            &whole
        ),
        None
    );
    let any = json!({"arg": {"text": {"text": "{{value}}"}, "replaces": null}});
    let texts = json!({"type": "categorical", "choices": ["serve", "--threads=8"]});
    assert_eq!(read(&any, &texts).as_deref(), None, "two words fit");
    let composed = json!({"env": {"name": "JAVA", "piece": {"text": "-X{{value}}{{other}}"}, "replaces": "-X\\S+"}});
    assert_eq!(read(&composed, &whole).as_deref(), None);
}

#[test]
fn filters_are_undone() {
    let text = |apply: &Json, env: &str, domain: &Json| {
        let mut object = deployment();
        object["spec"]["template"]["spec"]["containers"][0]["env"] =
            json!([{"name": "T", "value": env}]);
        let scene = Scene::new(&json!({}), &[knob("x", domain, apply)], object);
        let found = today(&scene.object, &scene.spec, &scene.plan.tunables);
        found.into_values().next().map(|value| value.to_string())
    };
    let piece = |template: &str| json!({"env": {"name": "T", "piece": {"text": template}, "replaces": ".+"}});
    let seconds = json!({"type": "real", "low": 0.0, "high": 9.0, "step": null});
    assert_eq!(
        text(&piece("t={{value|ms}}"), "t=1500", &seconds).as_deref(),
        Some("1.5")
    );
    assert_eq!(
        text(&piece("{{value|Gi}}g"), "3g", &range("1Gi", "8Gi")).as_deref(),
        Some("3Gi")
    );
    assert_eq!(
        text(&piece("{{value|bytes}}"), "1048576", &range("1Ki", "8Gi")).as_deref(),
        Some("1Mi")
    );
    assert_eq!(
        text(&piece("{{value}}"), "250m", &range("100m", "8")).as_deref(),
        Some("250m")
    );
    assert_eq!(
        text(&piece("a{{value}}b"), "a7c", &integers(0, 9)).as_deref(),
        None
    );
}
