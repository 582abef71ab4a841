//! Stories of whole experiments over fakes, in paused time.

mod amend;
mod gate;
mod room;
mod sources;

use std::sync::Arc;

use super::*;
use crate::id::{Epoch, IterationNo, OpKey, TrialId};
use crate::journal::{Answer, IterationEnd, Outcome, Stopped};
use crate::plan::Plan;
use crate::port::Clock;
use crate::report::Report;
use crate::store::{Crash, MemoryStore};
use crate::testkit::{
    FakeLoad, FakeTarget, ManualClock, Outside, PlainAnalyst, PlainSummarizer, a_plan,
};

/// One process: its engine and what tests look at.
struct Process {
    engine: Engine,
    load: Arc<FakeLoad>,
}

fn process(store: &MemoryStore, outside: &Outside, outlives: bool) -> Process {
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new());
    let mut target = FakeTarget::new(outside, 2);
    let mut load = FakeLoad::new(Arc::clone(&clock));
    if outlives {
        target = target.outliving();
        load = load.outliving();
    }
    let load = Arc::new(load);
    let engine = Engine::builder(
        Arc::new(target),
        Arc::clone(&load) as _,
        Arc::new(PlainAnalyst),
        Arc::new(store.clone()),
    )
    .summarizer("built-in", Arc::new(PlainSummarizer))
    .clock(clock)
    .build();
    Process { engine, load }
}

fn leaving() -> Control {
    Control {
        when_paused: WhenPaused::Leave,
        ..Control::default()
    }
}

async fn run(process: &Process, plan: &Plan) -> Result<Report, EngineError> {
    process.engine.create(plan).await?;
    process.engine.run(&plan.name, leaving()).await
}

/// What must be the same whatever happened on the way.
fn answer(report: &Report) -> String {
    let trials: Vec<_> = report
        .trials
        .iter()
        .map(|trial| {
            (
                trial.trial,
                &trial.outcome,
                trial.blocks,
                &trial.verdicts,
                &trial.levels,
            )
        })
        .collect();
    let numbers: Vec<_> = report
        .trials
        .iter()
        .flat_map(|trial| &trial.iterations)
        .flat_map(|summary| summary.values())
        .map(|metric| metric.estimates.clone())
        .collect();
    serde_json::to_string(&(
        report.answer,
        report.winner,
        &report.winning,
        trials,
        numbers,
    ))
    .unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_better_of_two_configurations_is_found_and_nothing_is_left_outside() {
    let (store, outside) = (MemoryStore::new(), Outside::new());
    let process = process(&store, &outside, false);
    let report = run(&process, &a_plan().trial(5).build()).await.unwrap();
    assert_eq!(report.answer, Some(Answer::Found));
    assert_eq!(report.winner, Some(TrialId(1)));
    assert_eq!(outside.deployments(), 4, "two trials in two blocks");
    assert_eq!((outside.left(), outside.broken()), (0, Vec::new()));
    assert_eq!(process.load.running(), 0);
}

#[tokio::test(start_paused = true)]
async fn trials_run_side_by_side_where_there_are_slots() {
    let (store, outside) = (MemoryStore::new(), Outside::new());
    let process = process(&store, &outside, false);
    let plan = a_plan().slots(2).trial(5).trial(20).build();
    let report = run(&process, &plan).await.unwrap();
    assert_eq!(report.winner, Some(TrialId(1)));
    assert_eq!((outside.left(), outside.broken()), (0, Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn a_finished_experiment_answers_its_stored_report() {
    let (store, outside) = (MemoryStore::new(), Outside::new());
    let plan = a_plan().trial(5).build();
    let first = run(&process(&store, &outside, false), &plan).await.unwrap();
    let again = process(&store, &outside, false);
    let again = again.engine.run(&plan.name, leaving()).await.unwrap();
    assert_eq!(again, first);
    assert_eq!(outside.deployments(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_configuration_that_cannot_run_is_confirmed_once_and_then_infeasible() {
    let (store, outside) = (MemoryStore::new(), Outside::new());
    outside.stick("workers=5");
    let plan = a_plan().trial(5).trial(20).build();
    let report = run(&process(&store, &outside, false), &plan).await.unwrap();
    let outcome = report.trial(TrialId(1)).unwrap().outcome.clone();
    assert!(
        matches!(outcome, Some(Outcome::Infeasible { .. })),
        "{outcome:?}"
    );
    assert_eq!(outside.left(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_does_not_run_as_asked_is_not_measured() {
    let (store, outside) = (MemoryStore::new(), Outside::new());
    outside.see("workers=4");
    let plan = a_plan().trial(5).build();
    let process = process(&store, &outside, false);
    let report = run(&process, &plan).await.unwrap();
    assert_eq!(report.answer, Some(Answer::NothingMeasured));
    let outcome = report.trial(TrialId(1)).unwrap().outcome.clone();
    let Some(Outcome::Failed { blame, why }) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(blame, crate::journal::Blame::Target);
    assert_eq!(
        why,
        "what runs is not what was asked: values asked workers=5 seen workers=4"
    );
    assert_eq!((outside.left(), process.load.running()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn an_original_that_cannot_be_put_back_calls_for_a_person_and_then_goes_on() {
    let (store, outside) = (MemoryStore::new(), Outside::new());
    outside.fail_restores(1);
    let plan = a_plan().trial(5).build();
    let first = process(&store, &outside, false);
    let error = run(&first, &plan).await.unwrap_err();
    assert!(matches!(error, EngineError::Stranded { .. }), "{error}");
    first
        .engine
        .submit(&plan.name, &Order::RestoreAgain)
        .await
        .unwrap();
    let report = first.engine.run(&plan.name, leaving()).await.unwrap();
    assert_eq!(report.winner, Some(TrialId(1)));
    assert_eq!(outside.left(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_slot_that_cannot_be_had_pauses_the_experiment() {
    let (store, outside) = (MemoryStore::new(), Outside::new());
    outside.refuse(true);
    let plan = a_plan().trial(5).build();
    let process = process(&store, &outside, false);
    let error = run(&process, &plan).await.unwrap_err();
    assert!(
        error.to_string().contains("somebody else holds the slot"),
        "{error}"
    );
    outside.refuse(false);
    process
        .engine
        .submit(&plan.name, &Order::Resume)
        .await
        .unwrap();
    let report = process.engine.run(&plan.name, leaving()).await.unwrap();
    assert_eq!(report.winner, Some(TrialId(1)));
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_experiment_puts_everything_back_and_ends() {
    let (store, outside) = (MemoryStore::new(), Outside::new());
    let plan = a_plan().trial(5).iterations(50).build();
    let process = process(&store, &outside, false);
    process.engine.create(&plan).await.unwrap();
    let cancel = async {
        tokio::time::sleep(std::time::Duration::from_millis(1_250)).await;
        let by = "ann".to_owned();
        process
            .engine
            .submit(&plan.name, &Order::Cancel { by })
            .await
            .unwrap();
    };
    let (report, ()) = tokio::join!(process.engine.run(&plan.name, leaving()), cancel);
    assert_eq!(report.unwrap().stopped, Some(Stopped::Cancelled));
    assert_eq!((outside.left(), process.load.running()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_run_puts_everything_back_and_the_next_one_goes_on() {
    let (store, outside) = (MemoryStore::new(), Outside::new());
    let plan = a_plan().trial(5).build();
    let first = process(&store, &outside, false);
    first.engine.create(&plan).await.unwrap();
    let control = leaving();
    let interrupt = async {
        tokio::time::sleep(std::time::Duration::from_millis(150)).await;
        control.interrupt.cancel();
    };
    let running = first.engine.run(&plan.name, control.clone());
    let (error, ()) = tokio::join!(running, interrupt);
    assert!(matches!(error, Err(EngineError::Interrupted)), "{error:?}");
    assert_eq!((outside.left(), first.load.running()), (0, 0));
    let second = process(&store, &outside, false);
    let report = second.engine.run(&plan.name, leaving()).await.unwrap();
    assert_eq!(report.winner, Some(TrialId(1)));
    assert_eq!(report.trial(TrialId(1)).unwrap().blocks, 2);
}

#[tokio::test(start_paused = true)]
async fn a_stop_leaves_no_trace_in_the_journal() {
    let (store, outside) = (MemoryStore::new(), Outside::new());
    let plan = a_plan().trial(5).build();
    let process = process(&store, &outside, false);
    process.engine.create(&plan).await.unwrap();
    let control = leaving();
    let counted = store.clone();
    let stop = async {
        tokio::time::sleep(std::time::Duration::from_millis(150)).await;
        control.stop.cancel();
        counted.appends()
    };
    let running = process.engine.run(&plan.name, control.clone());
    let (error, before) = tokio::join!(running, stop);
    assert!(matches!(error, Err(EngineError::Stopped)), "{error:?}");
    assert_eq!(store.appends(), before);
}

#[tokio::test(start_paused = true)]
async fn only_orphans_of_this_experiment_and_store_are_ended() {
    let (store, outside) = (MemoryStore::new(), Outside::new());
    let plan = a_plan().trial(5).build();
    let process = process(&store, &outside, false);
    process.engine.create(&plan).await.unwrap();
    let epoch = crate::port::Store::claim(&store, &plan.name)
        .await
        .unwrap()
        .epoch;
    let key = |experiment: &str| OpKey::Iteration {
        experiment: experiment.parse().unwrap(),
        trial: TrialId(7),
        iteration: IterationNo(1),
    };
    let foreign = Epoch {
        store: "elsewhere".to_owned(),
        counter: 1,
    };
    outside.leave(key("a"), epoch.clone());
    outside.leave(key("b"), epoch);
    outside.leave(key("c"), foreign);
    let paused = Control {
        stop: tokio_util::sync::CancellationToken::new(),
        ..leaving()
    };
    paused.stop.cancel();
    let error = process.engine.run(&plan.name, paused).await;
    assert!(matches!(error, Err(EngineError::Stopped)), "{error:?}");
    assert_eq!(
        outside.left(),
        2,
        "those of another experiment and another store stay"
    );
}

#[tokio::test(start_paused = true)]
async fn a_crash_at_any_append_loses_doubles_and_changes_nothing() {
    let plan = a_plan().slots(2).trial(5).trial(20).build();
    for outlives in [false, true] {
        let expected = {
            let (store, outside) = (MemoryStore::new(), Outside::new());
            let report = run(&process(&store, &outside, outlives), &plan)
                .await
                .unwrap();
            (answer(&report), store.appends())
        };
        assert!(expected.1 > 30, "{} appends", expected.1);
        for k in 1..=expected.1 {
            for crash in [Crash::Lost(k), Crash::Unanswered(k)] {
                let (store, outside) = (MemoryStore::failing_at(crash), Outside::new());
                let mut process = process(&store, &outside, outlives);
                let died = run(&process, &plan).await;
                assert!(
                    died.is_err(),
                    "{crash:?}: the store died and nobody noticed"
                );
                let store = store.reopened();
                if outlives {
                    process = process_beside(&store, &outside, process.load);
                } else {
                    outside.manager_died();
                    process = self::process(&store, &outside, false);
                }
                let report = match process.engine.run(&plan.name, leaving()).await {
                    Err(EngineError::NotFound { .. }) => run(&process, &plan).await,
                    other => other,
                };
                let report = report.unwrap_or_else(|error| panic!("{crash:?}: {error:?}"));
                assert_eq!(
                    answer(&report),
                    expected.0,
                    "{crash:?}, outlives: {outlives}"
                );
                each_place_has_one_result(&process, &plan, &format!("{crash:?}")).await;
                let left = (outside.left(), process.load.running(), outside.broken());
                assert_eq!(left, (0, 0, Vec::new()), "{crash:?}, outlives: {outlives}");
            }
        }
    }
}

/// A crash is nobody's failure: what it broke off is repeated under a new number, and counts once.
async fn each_place_has_one_result(process: &Process, plan: &Plan, crash: &str) {
    let experiment = process.engine.experiment(&plan.name).await.unwrap();
    for block in experiment.blocks() {
        for (trial, place) in &block.places {
            let ends = place
                .iterations
                .iter()
                .map(|known| known.end.as_ref().unwrap());
            let (mut done, mut failed) = (0, 0);
            for end in ends {
                done += u32::from(matches!(end, IterationEnd::Done(_)));
                failed += u32::from(matches!(end, IterationEnd::Failed(_)));
            }
            assert_eq!(
                (done, failed),
                (1, 0),
                "{trial} in {}, {crash}",
                block.number
            );
        }
    }
}

/// The next process where deployments and load outlived the last one.
fn process_beside(store: &MemoryStore, outside: &Outside, load: Arc<FakeLoad>) -> Process {
    let target = FakeTarget::new(outside, 2).outliving();
    let engine = Engine::builder(
        Arc::new(target),
        Arc::clone(&load) as _,
        Arc::new(PlainAnalyst),
        Arc::new(store.clone()),
    )
    .summarizer("built-in", Arc::new(PlainSummarizer))
    .clock(load.clock())
    .build();
    Process { engine, load }
}

#[tokio::test(start_paused = true)]
async fn a_place_in_which_the_manager_dies_three_times_is_given_up() {
    let outside = Outside::new();
    let mut store = MemoryStore::new();
    let plan = a_plan().trial(5).iterations(1).build();
    process(&store, &outside, false)
        .engine
        .create(&plan)
        .await
        .unwrap();
    let mut runs = 0;
    let report = loop {
        runs += 1;
        assert!(runs < 20, "it does not come to an end");
        let process = process(&store, &outside, false);
        let control = leaving();
        let events = tokio::sync::broadcast::channel(256);
        let control = Control {
            events: Some(events.0),
            ..control
        };
        let mut listener = events.1;
        let kill = control.stop.clone();
        // Trial 1 takes its manager down while it is measured.
        let dies = async {
            while let Ok(event) = listener.recv().await {
                if let EventKind::Stage {
                    trial: TrialId(1),
                    stage: crate::journal::Stage::Collect,
                    ..
                } = event.kind
                {
                    kill.cancel();
                }
            }
        };
        let done = tokio::select! {
            done = process.engine.run(&plan.name, control.clone()) => done,
            () = dies => unreachable!("the channel lives as long as the run"),
        };
        match done {
            Ok(report) => break report,
            Err(EngineError::Stopped) => {
                outside.manager_died();
                store = store.reopened();
            }
            Err(other) => panic!("{other:?}"),
        }
    };
    let outcome = report.trial(TrialId(1)).unwrap().outcome.clone();
    let Some(Outcome::Failed { blame, why }) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(blame, crate::journal::Blame::Manager);
    assert_eq!(why, "the manager died 3 times in stage collect");
    assert_eq!(runs, 4, "three deaths, and the run that gives up");
    assert_eq!(outside.left(), 0);
}
