//! Faults of a cluster, played by a scripted API server.

use em_core::fault::{FaultKind, Retry};
use em_core::port::{LoadDriver as _, SystemClock};
use http::{Request, Response};
use kube::Client;
use kube::client::Body;
use serde_json::Value as Json;
use tower_test::mock;

use super::super::JobDriver;
use super::*;
use crate::cluster::Cluster;

type Answer = fn(&str, &str) -> (u16, Json);

/// A driver whose cluster answers by this rule of method and path, and every call that it makes.
fn driver(answer: Answer) -> (JobDriver, tokio::task::JoinHandle<Vec<String>>) {
    let (service, mut handle) = mock::pair::<Request<Body>, Response<Body>>();
    let calls = tokio::spawn(async move {
        let mut calls = Vec::new();
        while let Some((request, send)) = handle.next_request().await {
            let (method, path) = (
                request.method().to_string(),
                request.uri().path().to_owned(),
            );
            let (code, body) = answer(&method, &path);
            calls.push(format!("{method} {path}"));
            let body = Body::from(body.to_string().into_bytes());
            send.send_response(Response::builder().status(code).body(body).unwrap());
        }
        calls
    });
    let cluster = Cluster::with_client(Client::new(service, "shop"), "test", "shop");
    let load = JobDriver::new(Arc::new(SystemClock), &a_load()).in_cluster(cluster);
    (load, calls)
}

fn refusal(code: u16, message: &str) -> (u16, Json) {
    let status = json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure",
        "code": code, "message": message, "reason": "X" });
    (code, status)
}

fn nothing() -> (u16, Json) {
    (
        200,
        json!({ "kind": "List", "apiVersion": "v1", "metadata": {}, "items": [] }),
    )
}

#[tokio::test]
async fn a_load_that_is_refused_starts_nothing_and_says_why() {
    let (driver, calls) = driver(|method, path| match (method, path) {
        ("POST", path) if path.ends_with("/secrets") => (
            201,
            json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "x" } }),
        ),
        ("POST", _) => refusal(403, "jobs.batch is forbidden: exceeded quota: q"),
        _ => nothing(),
    });
    let addresses = [em_core::port::Address {
        name: "port".to_owned(),
        authority: "a:1".to_owned(),
    }];
    let fault = driver.start(&cx(), &a_plan(a_load()), &addresses).await;
    let fault = fault.unwrap_err();
    assert_eq!((fault.kind, fault.retry), (FaultKind::Denied, Retry::Never));
    assert!(
        fault.chain().contains("exceeded quota"),
        "{}",
        fault.chain()
    );
    let status = driver.status(&cx()).await.unwrap_err();
    assert_eq!(status.kind, FaultKind::NotFound);
    drop(driver);
    let calls = calls.await.unwrap();
    let made = calls.iter().filter(|call| call.starts_with("POST"));
    assert_eq!(made.count(), 2, "the Secret, then the Job: {calls:?}");
}

#[tokio::test]
async fn stopping_what_is_not_there_succeeds_even_without_a_right_to_secrets() {
    let (driver, _) = driver(|method, path| {
        if method == "DELETE" && path.contains("/secrets/") {
            return refusal(403, "secrets is forbidden");
        }
        nothing()
    });
    driver.stop(&cx()).await.unwrap();
}

#[tokio::test]
async fn a_cluster_out_of_reach_is_a_fault_that_may_pass() {
    let (driver, _) = driver(|_, _| refusal(503, "the server is currently unable"));
    for fault in [
        driver.status(&cx()).await.unwrap_err(),
        driver.stop(&cx()).await.unwrap_err(),
    ] {
        assert_eq!(fault.kind, FaultKind::Unavailable, "{}", fault.chain());
    }
}

#[tokio::test]
async fn a_load_per_cycle_of_an_earlier_manager_is_not_trusted() {
    fn answer(method: &str, path: &str) -> (u16, Json) {
        if method != "GET" || !path.ends_with("/jobs") {
            return nothing();
        }
        let mut load = a_load();
        load.run = RunMode::PerCycle;
        let plan = a_plan(load);
        let blueprint = super::super::blueprint::Blueprint::of(&cx(), &plan, None).unwrap();
        let items = [blueprint.job(3).unwrap()];
        (
            200,
            json!({ "kind": "JobList", "apiVersion": "batch/v1", "metadata": {}, "items": items }),
        )
    }
    let (driver, _) = driver(answer);
    let status = driver.status(&cx()).await.unwrap();
    let em_core::port::LoadStatus::Failed { why } = status else {
        panic!("{status:?}");
    };
    assert!(why.contains("restarted"), "{why}");
}
