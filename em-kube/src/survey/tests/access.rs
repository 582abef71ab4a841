//! The round of questions, against a scripted server.

use http::{Request, Response};
use kube::client::Body;

use super::super::access::missing;
use super::super::permissions::needs;
use super::*;
use crate::cluster::Cluster;

/// A cluster that answers each question by what `allows` says of its attributes.
fn cluster(allows: impl Fn(&Json) -> (u16, bool) + Send + 'static) -> Cluster {
    let (service, mut handle) = tower_test::mock::pair::<Request<Body>, Response<Body>>();
    tokio::spawn(async move {
        while let Some((request, send)) = handle.next_request().await {
            let body = request.into_body().collect_bytes().await.unwrap();
            let review: Json = serde_json::from_slice(&body).unwrap();
            let (code, allowed) = allows(&review["spec"]["resourceAttributes"]);
            let answer = if code < 300 {
                json!({"status": {"allowed": allowed}})
            } else {
                json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": "no"})
            };
            let answer = Body::from(answer.to_string().into_bytes());
            send.send_response(Response::builder().status(code).body(answer).unwrap());
        }
    });
    Cluster::with_client(kube::Client::new(service, "shop"), "test", "shop")
}

#[tokio::test]
async fn every_permission_is_asked_for_and_the_missing_ones_keep_their_order() {
    let spec = spec(&json!({}));
    let needed = needs(&spec, &plan(&spec, &[]));
    let cluster = cluster(|asked| {
        let is_denied = asked["resource"] == "secrets" || asked["verb"] == "watch";
        (201, !is_denied)
    });
    let missing = missing(&cluster, needed.clone()).await.unwrap();
    let expected: Vec<_> = needed
        .into_iter()
        .filter(|one| one.resource == "secrets" || one.verb == "watch")
        .collect();
    assert!(expected.len() > 4);
    assert_eq!(missing, expected);
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_no_denial() {
    let spec = spec(&json!({}));
    let needed = needs(&spec, &plan(&spec, &[]));
    let cluster = cluster(|_| (503, true));
    let error = missing(&cluster, needed).await.unwrap_err();
    assert_eq!(error.code(), Some(503));
}

#[tokio::test]
async fn a_cluster_that_is_not_there_is_a_fault() {
    let mut config = kube::Config::new("http://127.0.0.1:1".parse().unwrap());
    config.default_retry = false;
    let client = kube::Client::try_from(config).unwrap();
    let cluster = Cluster::with_client(client, "gone", "shop");
    let spec = spec(&json!({}));
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    let asker = crate::survey::Asker {
        store: "s",
        now,
        wanted: &[],
    };
    let fault = crate::survey::survey(&cluster, &spec, &plan(&spec, &[]), &asker)
        .await
        .unwrap_err();
    assert_eq!(fault.kind, em_core::fault::FaultKind::Unavailable);
    assert!(fault.message.contains("context gone"), "{fault}");
}
