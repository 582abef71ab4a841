use em_core::port::Address;

use super::super::blueprint::Blueprint;
use super::*;

fn addresses() -> [Address; 1] {
    [Address {
        name: "port".to_owned(),
        authority: "shop.default.svc:8080".to_owned(),
    }]
}

fn blueprint(load: JobLoad) -> Blueprint {
    Blueprint::of(&cx(), &a_plan(load), Some(&addresses())).unwrap()
}

#[test]
fn a_load_is_an_indexed_job_that_nothing_else_selects() {
    let job = blueprint(a_load()).job(1).unwrap();
    let labels = job.pointer("/spec/template/metadata/labels").unwrap();
    for label in labels.as_object().unwrap().keys() {
        assert!(label.starts_with(crate::mark::PREFIX), "{label}");
    }
    insta::assert_json_snapshot!(job);
}

#[test]
fn a_secret_stands_in_a_secret_and_nowhere_else() {
    let secret = std::env::var("PATH").unwrap();
    let load = blueprint(a_load());
    let job = load.job(0).unwrap().to_string();
    assert!(!job.contains(&secret), "it stands in the Job");
    assert!(!format!("{load:?}").contains(&secret));
    let made = load.secret().unwrap();
    assert_eq!(made["stringData"], json!({ "TOKEN": secret }));
    assert_eq!(made["metadata"]["name"], load.names.base);
    let mut open = a_load();
    open.env.remove("TOKEN");
    assert_eq!(blueprint(open).secret(), None);
}

#[test]
fn names_are_of_the_act_and_fit() {
    let one = blueprint(a_load()).names;
    assert_eq!(
        one,
        blueprint(a_load()).names,
        "the same act, the same names"
    );
    let mut other = cx();
    other.epoch.store = "server".to_owned();
    let other = Blueprint::of(&other, &a_plan(a_load()), Some(&[])).map(|other| other.names);
    let fault = other.unwrap_err();
    assert!(fault.chain().contains("address"), "{}", fault.chain());
    let mut other = cx();
    other.epoch.store = "server".to_owned();
    let other = Blueprint::of(&other, &a_plan(a_load()), None)
        .unwrap()
        .names;
    assert_ne!(one.load, other.load, "another store, another load");
    assert!(one.job(4_294_967_295).len() < 63 - "-999".len());
    assert!(em_core::plan::is_dns_name(&one.job(0)));
}

#[test]
fn a_worker_may_end_with_another_code_without_ending_the_others() {
    let mut load = a_load();
    load.success_exit_codes = vec![0, 99];
    let job = blueprint(load.clone()).job(0).unwrap();
    assert_eq!(job["spec"]["backoffLimitPerIndex"], 0);
    assert_eq!(job["spec"].get("backoffLimit"), None);
    load.workers = 1;
    let job = blueprint(load).job(0).unwrap();
    assert_eq!(job["spec"]["backoffLimit"], 0);
}
