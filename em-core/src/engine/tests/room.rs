//! A store that is short of room: what was begun is finished, nothing else is begun.

use tokio::sync::broadcast;

use super::*;

const WHY: &str = "the disk is full";

#[tokio::test(start_paused = true)]
async fn a_store_that_runs_short_pauses_the_experiment_when_what_was_begun_is_finished() {
    let plan = a_plan().trial(5).build();
    let undisturbed = process(&MemoryStore::new(), &Outside::new(), false);
    let undisturbed = run(&undisturbed, &plan).await.unwrap();

    let (store, outside) = (MemoryStore::new(), Outside::new());
    let process = process(&store, &outside, false);
    process.engine.create(&plan).await.unwrap();
    let (events, mut heard) = broadcast::channel(256);
    let control = Control {
        events: Some(events),
        ..leaving()
    };
    let fill = async {
        while !matches!(heard.recv().await.unwrap().kind, EventKind::Placed { .. }) {}
        store.run_short(Some(WHY));
    };
    let (result, ()) = tokio::join!(process.engine.run(&plan.name, control), fill);
    assert!(
        matches!(&result, Err(EngineError::Paused { why }) if why == WHY),
        "{result:?}"
    );
    assert_eq!(outside.deployments(), 1);
    assert_eq!((outside.left(), outside.broken()), (0, Vec::new()));
    let known = process.engine.experiment(&plan.name).await.unwrap();
    assert!(known.active().is_empty());

    // Asked to go on while there is still no room: it pauses again, and touches nothing.
    let resume = || process.engine.submit(&plan.name, &Order::Resume);
    resume().await.unwrap();
    let result = process.engine.run(&plan.name, leaving()).await;
    assert!(
        matches!(result, Err(EngineError::Paused { .. })),
        "{result:?}"
    );
    assert_eq!(outside.deployments(), 1);

    store.run_short(None);
    resume().await.unwrap();
    let report = process.engine.run(&plan.name, leaving()).await.unwrap();
    assert_eq!(answer(&report), answer(&undisturbed));
    assert_eq!(outside.deployments(), 4);
    assert_eq!((outside.left(), outside.broken()), (0, Vec::new()));
}
