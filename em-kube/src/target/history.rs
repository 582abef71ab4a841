//! Our marks in the history of a Deployment. Kubernetes copies the annotations of a Deployment to its `ReplicaSets`,
//! never takes one off them again, and `kubectl rollout undo` brings them back to the Deployment.

use std::time::Duration;

use em_core::plan::ObjectRef;
use serde_json::Value as Json;

use crate::cluster::Cluster;
use crate::fault::KubeError;
use crate::hold::Annotation;
use crate::watch::selector_of;

/// How often is looked: what the cluster still copies of its last look at the Deployment comes late.
const LOOKS: u32 = 10;
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(100);

/// Takes the mark of the hold whose copy is `undo` off the history of `workload`, which does not carry it any more.
/// Where that is not allowed it stays, as the survey has said.
pub(super) async fn unmark(
    cluster: &Cluster,
    workload: &ObjectRef,
    undo: &str,
) -> Result<(), KubeError> {
    if workload.kind != "deployment" {
        return Ok(());
    }
    let Some(live) = cluster.objects("deployment").get(&workload.name).await? else {
        return Ok(());
    };
    for _ in 0..LOOKS {
        match unmark_once(cluster, &live, undo).await {
            Ok(0) => return Ok(()),
            Ok(_) => tokio::time::sleep(PAUSE).await,
            Err(error) if error.is_forbidden() => return Ok(()),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// How many carried the mark.
async fn unmark_once(cluster: &Cluster, live: &Json, undo: &str) -> Result<usize, KubeError> {
    let sets = cluster.objects("replicaset");
    let all = sets.list(&selector_of(live)).await?;
    let marked: Vec<&Json> = all
        .iter()
        .filter(|set| is_marked(set, live, undo))
        .collect();
    for set in &marked {
        let mut wanted = (*set).clone();
        Annotation::off(&mut wanted);
        match sets.change(set, &wanted).await {
            // Seen anew at the next look, or gone.
            Err(error) if error.is_conflict() || error.is_not_found() => {}
            done => drop(done?),
        }
    }
    Ok(marked.len())
}

/// Whether it belongs to the Deployment and carries this hold's mark.
fn is_marked(set: &Json, live: &Json, undo: &str) -> bool {
    let uid = &live["metadata"]["uid"];
    let owners = set["metadata"]["ownerReferences"].as_array();
    let is_its = owners.is_some_and(|owners| owners.iter().any(|owner| &owner["uid"] == uid));
    is_its && Annotation::of(set).is_some_and(|annotation| annotation.undo == undo)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::mark;

    #[test]
    fn only_the_own_mark_on_the_own_history_goes() {
        let live = json!({"metadata": {"uid": "1"}});
        let hold = json!({
            "experiment": "shop", "key": "", "epoch": "", "undo": "em-undo-1", "lease": "", "by_hand": "",
        });
        let set = |owner: &str| {
            json!({"metadata": {
                "ownerReferences": [{"uid": owner}],
                "annotations": { mark::HOLD: hold.to_string() },
            }})
        };
        assert!(is_marked(&set("1"), &live, "em-undo-1"));
        assert!(!is_marked(&set("1"), &live, "em-undo-2"), "another hold's");
        assert!(
            !is_marked(&set("2"), &live, "em-undo-1"),
            "another's history"
        );
        assert!(!is_marked(&json!({"metadata": {}}), &live, "em-undo-1"));
    }
}
