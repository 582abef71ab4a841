//! Two runs that measure on one machine take turns, block by block.

use std::any::Any;
use std::sync::Mutex;

use async_trait::async_trait;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::*;
use crate::fault::Fault;

/// One place, and who was let in.
#[derive(Debug)]
struct Door {
    name: &'static str,
    place: Arc<Semaphore>,
    entered: Arc<Mutex<Vec<&'static str>>>,
}

#[async_trait]
impl Gate for Door {
    async fn enter(&self) -> Result<Box<dyn Any + Send>, Fault> {
        let permit: OwnedSemaphorePermit = Arc::clone(&self.place).acquire_owned().await.unwrap();
        self.entered.lock().unwrap().push(self.name);
        Ok(Box::new(permit))
    }
}

fn at(door: Door) -> Control {
    Control {
        gate: Some(Arc::new(door)),
        remarks: vec!["beside others".to_owned()],
        ..leaving()
    }
}

#[tokio::test(start_paused = true)]
async fn two_runs_take_turns_block_by_block_and_let_go_at_the_end() {
    let place = Arc::new(Semaphore::new(1));
    let entered = Arc::new(Mutex::new(Vec::new()));
    let door = |name| Door {
        name,
        place: Arc::clone(&place),
        entered: Arc::clone(&entered),
    };
    let plans = ["one", "two"].map(|name| {
        a_plan()
            .trial(5)
            .iterations(3)
            .with(|plan| plan.name = name.parse().unwrap())
            .build()
    });
    let (store, outside) = (MemoryStore::new(), [Outside::new(), Outside::new()]);
    let processes = [&outside[0], &outside[1]].map(|outside| process(&store, outside, false));
    for (process, plan) in processes.iter().zip(&plans) {
        process.engine.create(plan).await.unwrap();
    }
    let (one, two) = tokio::join!(
        processes[0].engine.run(&plans[0].name, at(door("one"))),
        processes[1].engine.run(&plans[1].name, at(door("two"))),
    );
    let (one, two) = (one.unwrap(), two.unwrap());
    let entered = entered.lock().unwrap().clone();
    assert_eq!(entered.len(), 6, "once a block: {entered:?}");
    assert!(
        entered.windows(2).all(|pair| pair[0] != pair[1]),
        "{entered:?}"
    );
    assert_eq!(place.available_permits(), 1);
    assert_eq!(one.remarks, ["beside others (6 iterations)"]);
    assert_eq!(two.remarks, one.remarks);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_waits_for_its_turn_can_be_interrupted() {
    let place = Arc::new(Semaphore::new(0));
    let door = Door {
        name: "one",
        place: Arc::clone(&place),
        entered: Arc::default(),
    };
    let (store, outside) = (MemoryStore::new(), Outside::new());
    let process = process(&store, &outside, false);
    let plan = a_plan().trial(5).build();
    process.engine.create(&plan).await.unwrap();
    let control = at(door);
    let interrupt = control.interrupt.clone();
    let (result, ()) = tokio::join!(process.engine.run(&plan.name, control), async {
        tokio::time::sleep(std::time::Duration::from_secs(5)).await;
        interrupt.cancel();
    });
    assert!(matches!(result, Err(EngineError::Interrupted)));
    assert_eq!((outside.deployments(), outside.left()), (0, 0));
}

/// A run before a gate that never opens, told something after five seconds.
async fn told_before_a_closed_gate(order: Order) -> (Result<Report, EngineError>, Outside) {
    let door = Door {
        name: "one",
        place: Arc::new(Semaphore::new(0)),
        entered: Arc::default(),
    };
    let (store, outside) = (MemoryStore::new(), Outside::new());
    let process = process(&store, &outside, false);
    let plan = a_plan().trial(5).build();
    process.engine.create(&plan).await.unwrap();
    let tell = async {
        tokio::time::sleep(std::time::Duration::from_secs(5)).await;
        process.engine.submit(&plan.name, &order).await.unwrap();
    };
    let (result, ()) = tokio::join!(process.engine.run(&plan.name, at(door)), tell);
    (result, outside)
}

#[tokio::test(start_paused = true)]
async fn a_run_that_waits_for_its_turn_can_be_cancelled() {
    let by = "ann".to_owned();
    let (result, outside) = told_before_a_closed_gate(Order::Cancel { by }).await;
    assert_eq!(result.unwrap().stopped, Some(Stopped::Cancelled));
    assert_eq!((outside.deployments(), outside.left()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_waits_for_its_turn_can_be_paused() {
    let why = "not now".to_owned();
    let (result, outside) = told_before_a_closed_gate(Order::Pause { why }).await;
    assert!(
        matches!(&result, Err(EngineError::Paused { why }) if why == "not now"),
        "{result:?}"
    );
    assert_eq!((outside.deployments(), outside.left()), (0, 0));
}
