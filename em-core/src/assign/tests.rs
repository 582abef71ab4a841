use super::*;
use crate::expression::Expression;
use crate::plan::{ChangeCost, Scale, Special};

fn tunable(name: &str, domain: Domain) -> Tunable {
    Tunable {
        name: name.parse().unwrap(),
        domain,
        default: None,
        when: Vec::new(),
        special: Vec::new(),
        prior: None,
        apply: Vec::new(),
        takes: ChangeCost::Restart,
    }
}

fn derived(name: &str, expression: &str) -> Tunable {
    let value = Expression::parse(expression).unwrap();
    tunable(name, Domain::Derived { value })
}

fn workers() -> Tunable {
    let domain = Domain::Integer {
        low: 1,
        high: 16,
        step: 1,
        scale: Scale::Linear,
    };
    let special = vec![Special {
        value: "auto".into(),
        share: 0.1,
    }];
    Tunable {
        special,
        ..tunable("workers", domain)
    }
}

fn names(tunables: &[&Tunable]) -> Vec<String> {
    tunables.iter().map(|t| t.name.to_string()).collect()
}

#[test]
fn derived_values_come_after_what_they_need() {
    let tunables = [
        derived("c", "values.b + 1"),
        derived("b", "values.workers * 2"),
        workers(),
    ];
    let order = in_order_of_need(&tunables).unwrap();
    assert_eq!(names(&order), ["workers", "b", "c"]);
}

#[test]
fn values_that_need_each_other_are_named_in_a_circle() {
    let tunables = [
        derived("a", "values.b"),
        derived("b", "values.c"),
        derived("c", "values.b"),
    ];
    assert_eq!(
        in_order_of_need(&tunables).unwrap_err().to_string(),
        "tunables need each other: b -> c -> b"
    );
}

#[test]
fn what_a_tunable_does_not_allow_is_said_with_the_nearest_that_it_does() {
    let tunables = [workers(), derived("b", "values.workers * 2")];
    let configuration: Configuration = [
        ("workers", Value::Integer(99)),
        ("worker", Value::Integer(1)),
        ("b", Value::Integer(1)),
    ]
    .map(|(name, value)| (name.parse().unwrap(), value))
    .into_iter()
    .collect();
    let violations = configuration.check(&tunables);
    let said: Vec<String> = violations.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "b: it follows from the others and cannot be given a value",
            "worker: there is no such tunable (did you mean \"workers\"?)",
            "workers: 99 is not one of the whole numbers 1 to 16 (nearest: 16)",
        ]
    );
}

#[test]
fn special_values_are_allowed_outside_the_range() {
    assert_eq!(workers().refusal(&"auto".into()), None);
    assert!(workers().refusal(&"none".into()).is_some());
}
