//! A changed file goes on with what was measured.

use super::*;
use crate::experiment::Consequence;
use crate::fault::FaultKind;
use crate::journal::Stopped;
use crate::plan::Direction;

/// A finished experiment, and the process that amends it and goes on.
async fn amended(before: &Plan, after: &Plan) -> (Report, Report, Outside) {
    let (store, outside) = (MemoryStore::new(), Outside::new());
    let first = run(&process(&store, &outside, false), before)
        .await
        .unwrap();
    let process = process(&store, &outside, false);
    let amendment = process.engine.amend(after, "a test").await.unwrap();
    assert!(amendment.is_some(), "something has changed");
    let second = process.engine.run(&after.name, leaving()).await.unwrap();
    (first, second, outside)
}

#[tokio::test(start_paused = true)]
async fn a_trial_that_is_added_is_measured_and_the_others_are_not_measured_again() {
    let before = a_plan().trial(20).build();
    let after = a_plan().trial(20).trial(5).build();
    let (first, second, outside) = amended(&before, &after).await;
    assert_eq!(first.winner, None);
    assert_eq!(second.winner, Some(TrialId(2)));
    assert_eq!(second.stopped, Some(Stopped::AllMeasured));
    let blocks = |trial| second.trial(TrialId(trial)).unwrap().blocks;
    assert_eq!((blocks(0), blocks(1), blocks(2)), (4, 2, 2));
    assert_eq!(outside.deployments(), 8);
    assert_eq!((outside.left(), outside.broken()), (0, Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn another_objective_judges_what_is_stored_without_measuring() {
    let before = a_plan().trial(5).trial(20).build();
    let after = a_plan().trial(5).trial(20).with(|plan| {
        plan.objective.as_mut().unwrap().direction = Direction::Maximize;
    });
    let (first, second, outside) = amended(&before, &after.build()).await;
    assert_eq!(first.winner, Some(TrialId(1)));
    assert_eq!(second.winner, Some(TrialId(2)));
    assert_eq!(second.stopped, first.stopped);
    assert_eq!(outside.deployments(), 6, "nothing was measured for it");
}

#[tokio::test(start_paused = true)]
async fn a_label_changes_nothing_about_a_finished_experiment() {
    let before = a_plan().trial(5).build();
    let after = a_plan()
        .trial(5)
        .with(|plan| plan.description = "the fast one".to_owned());
    let (first, second, outside) = amended(&before, &after.build()).await;
    assert_eq!(second, first);
    assert_eq!(outside.deployments(), 4);
}

#[tokio::test(start_paused = true)]
async fn what_would_make_numbers_incomparable_is_refused_by_name() {
    let (store, outside) = (MemoryStore::new(), Outside::new());
    let process = process(&store, &outside, false);
    let plan = a_plan().trial(5).build();
    run(&process, &plan).await.unwrap();
    let same = process.engine.amend(&plan, "a test").await.unwrap();
    assert_eq!(same, None);
    let known = process.engine.experiment(&plan.name).await.unwrap();
    let narrow = a_plan().trial(5).with(|plan| {
        plan.tunables[0].domain = crate::plan::Domain::Integer {
            low: 6,
            high: 200,
            step: 1,
            scale: crate::plan::Scale::Linear,
        };
    });
    for (plan, word) in [
        (a_plan().trial(6), "trials"),
        (narrow, "tunables (workers=5 was measured)"),
        (
            a_plan()
                .trial(5)
                .with(|plan| plan.baseline = crate::plan::Baseline::None),
            "baseline",
        ),
        (
            a_plan().trial(5).with(|plan| {
                let digest = crate::id::Digest::of(b"another");
                plan.identity.parts.insert("load".to_owned(), digest);
            }),
            "load",
        ),
    ] {
        let plan = plan.build();
        let refused = known.amendment(&plan).unwrap_err();
        assert!(
            refused.iter().any(|what| what.contains(word)),
            "{refused:?}"
        );
        let error = process.engine.amend(&plan, "a test").await.unwrap_err();
        assert_eq!(error.kind(), Some(FaultKind::Invalid));
    }
    let more = a_plan().trial(5).trial(6).build();
    let amendment = known.amendment(&more).unwrap().unwrap();
    assert_eq!(amendment.what, ["trials"]);
    assert_eq!(amendment.consequence, Consequence::Measured);
}
