//! The rules of the [`Target`] port.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::{context, experiment, hold, iteration};
use crate::configuration::Configuration;
use crate::fault::FaultKind;
use crate::id::{Epoch, OpKey, SlotId, TunableName};
use crate::plan::Plan;
use crate::port::{
    Clock as _, DeployPlan, OpContext, Readiness, Remnant, SystemClock, Target, Undo,
};
use crate::value::Value;

/// A target with a system that nobody else uses.
#[derive(Debug)]
pub struct TargetScene {
    /// The target.
    pub target: Arc<dyn Target>,
    /// A plan for it. Every tunable has a default, or needs none.
    pub plan: Arc<Plan>,
    /// Whose acts they are.
    pub epoch: Epoch,
    /// Whether a held slot is refused to other experiments.
    pub locks: bool,
    /// Whether it deploys: somebody else's system is only looked at.
    pub deploys: bool,
    /// What must live as long as the scene: folders, servers.
    pub keep: Box<dyn Any + Send + Sync>,
}

const LIMIT: Duration = Duration::from_secs(30);

/// Puts a target through its rules.
///
/// # Panics
/// When a rule is broken.
pub async fn target<F>(fresh: F)
where
    F: AsyncFn() -> TargetScene,
{
    a_survey_only_looks_and_names_the_slots(&fresh().await).await;
    acquiring_twice_under_one_key_answers_one_undo(&fresh().await).await;
    a_held_slot_is_refused_to_others(&fresh().await).await;
    a_deployment_becomes_ready_as_it_was_asked(&fresh().await).await;
    withdrawing_leaves_nothing_and_may_be_repeated(&fresh().await).await;
    one_hold_carries_one_iteration_after_the_other(&fresh().await).await;
    restoring_gives_the_slot_back_as_it_was(&fresh().await).await;
}

impl TargetScene {
    fn cx(&self, key: OpKey) -> OpContext {
        context(&self.epoch, key)
    }

    fn hold(&self, n: u32) -> OpContext {
        self.cx(hold(&self.plan.name, n))
    }

    fn iteration(&self, number: u32) -> OpContext {
        self.cx(iteration(&self.plan.name, number))
    }

    async fn acquire(&self, n: u32) -> Undo {
        let cx = self.hold(n);
        let acquired = self.target.acquire(&cx, &self.plan, SlotId(0)).await;
        acquired.expect("a free slot can be had")
    }

    async fn restore(&self, n: u32, undo: Option<&Undo>) {
        let restored = self.target.restore(&self.hold(n), undo.cloned()).await;
        restored.expect("what was acquired can be restored");
    }

    /// A deployment of the defaults.
    fn deployment(&self, undo: &Undo) -> DeployPlan {
        let defaults = self.plan.tunables.iter();
        let values: BTreeMap<TunableName, Value> = defaults
            .filter_map(|one| Some((one.name.clone(), one.default.clone()?)))
            .collect();
        let configuration: Configuration = values.clone().into_iter().collect();
        DeployPlan::new(
            Arc::clone(&self.plan),
            SlotId(0),
            Arc::new(configuration),
            Arc::new(values),
            Arc::new(undo.clone()),
        )
    }

    async fn ready(&self, number: u32, plan: &DeployPlan) -> Readiness {
        let cx = self.iteration(number);
        let looks = async {
            loop {
                let look = self.target.readiness(&cx, plan).await;
                let look = look.expect("what is deployed can be looked at");
                if !matches!(look, Readiness::Progressing { .. }) {
                    return look;
                }
                self.target.changed(&cx).await;
            }
        };
        let settled = tokio::time::timeout(LIMIT, looks).await;
        settled.expect("a deployment settles, and a change ends the wait for one")
    }

    async fn deployed(&self, number: u32, undo: &Undo) -> DeployPlan {
        let plan = self.deployment(undo);
        let cx = self.iteration(number);
        self.target
            .deploy(&cx, &plan)
            .await
            .expect("the defaults can be deployed");
        plan
    }

    async fn withdraw(&self, number: u32) {
        let withdrawn = self.target.withdraw(&self.iteration(number)).await;
        withdrawn.expect("whatever is there can be withdrawn");
    }

    /// What carries the scene's mark and belongs to this key.
    async fn remnants(&self, key: &OpKey) -> Vec<Remnant> {
        let cx = self.cx(experiment(&self.plan.name, 9));
        let all = self
            .target
            .remnants(&cx)
            .await
            .expect("remnants can be listed");
        let own = all
            .into_iter()
            .filter(|one| one.epoch.store == self.epoch.store);
        own.filter(|one| one.key == *key).collect()
    }
}

async fn a_survey_only_looks_and_names_the_slots(scene: &TargetScene) {
    let cx = scene.cx(experiment(&scene.plan.name, 1));
    let mut slots = Vec::new();
    for _ in 0..2 {
        let survey = scene.target.survey(&cx, &scene.plan).await;
        let survey = survey.expect("the target can be surveyed");
        let ids: Vec<SlotId> = survey.slots.iter().map(|slot| slot.id).collect();
        let distinct: BTreeSet<_> = ids.iter().copied().collect();
        assert!(!ids.is_empty(), "a survey names no slot");
        assert_eq!(
            distinct.len(),
            ids.len(),
            "two slots have one number: {ids:?}"
        );
        slots.push(ids);
    }
    assert_eq!(
        slots[0], slots[1],
        "a survey changes what the next one finds"
    );
    // It took nothing: the slot is free.
    let undo = scene.acquire(1).await;
    scene.restore(1, Some(&undo)).await;
}

async fn acquiring_twice_under_one_key_answers_one_undo(scene: &TargetScene) {
    let first = scene.acquire(1).await;
    let second = scene.acquire(1).await;
    assert_eq!(first, second, "one key has two undo records");
    assert!(!first.kind.is_empty(), "the undo does not say whose it is");
    let json = serde_json::to_string(&first).unwrap();
    let read: Undo = serde_json::from_str(&json).unwrap();
    assert_eq!(read, first, "the undo does not survive the journal");
    scene.restore(1, Some(&first)).await;
}

async fn a_held_slot_is_refused_to_others(scene: &TargetScene) {
    if !scene.locks {
        return;
    }
    let undo = scene.acquire(1).await;
    let other: crate::id::ExperimentName = "somebody-else".parse().unwrap();
    let cx = scene.cx(hold(&other, 1));
    let refused = scene.target.acquire(&cx, &scene.plan, SlotId(0)).await;
    let fault = refused.expect_err("a held slot was given to somebody else");
    assert_eq!(fault.kind, FaultKind::Conflict, "{fault:?}");
    scene.restore(1, Some(&undo)).await;
    let now = scene.target.acquire(&cx, &scene.plan, SlotId(0)).await;
    let undo = now.expect("a restored slot is free for others");
    scene.target.restore(&cx, Some(undo)).await.unwrap();
}

async fn a_deployment_becomes_ready_as_it_was_asked(scene: &TargetScene) {
    let began = SystemClock.now();
    let undo = scene.acquire(1).await;
    let plan = scene.deployed(1, &undo).await;
    let cx = scene.iteration(1);
    scene
        .target
        .deploy(&cx, &plan)
        .await
        .expect("deploying twice under one key is one deployment");
    let settled = scene.ready(1, &plan).await;
    let Readiness::Ready { facts, addresses } = settled else {
        panic!("the defaults do not become ready: {settled:?}");
    };
    for fact in &facts {
        let as_asked = fact.asked.is_none() || fact.asked == fact.seen;
        assert!(as_asked, "what runs is not what was asked: {fact:?}");
    }
    for address in &addresses {
        let port = address
            .authority
            .rsplit_once(':')
            .map(|(_, port)| port.parse::<u16>());
        assert!(matches!(port, Some(Ok(_))), "{address:?} has no port");
    }
    let incidents = scene.target.health(&cx, began).await.unwrap();
    let fatal: Vec<_> = incidents.iter().filter(|one| one.fatal).collect();
    assert!(fatal.is_empty(), "a sound deployment has died: {fatal:?}");
    let usage = scene.target.usage(&cx).await.unwrap();
    assert!(usage.values().all(|value| value.is_finite()), "{usage:?}");
    scene.withdraw(1).await;
    scene.restore(1, Some(&undo)).await;
}

async fn withdrawing_leaves_nothing_and_may_be_repeated(scene: &TargetScene) {
    scene.withdraw(7).await;
    let undo = scene.acquire(1).await;
    let plan = scene.deployed(1, &undo).await;
    scene.ready(1, &plan).await;
    scene.withdraw(1).await;
    scene.withdraw(1).await;
    let key = iteration(&scene.plan.name, 1);
    let left = scene.remnants(&key).await;
    assert!(left.is_empty(), "withdrawn, and still there: {left:?}");
    if scene.deploys {
        let look = scene.target.readiness(&scene.iteration(1), &plan).await;
        let is_ready = matches!(look, Ok(Readiness::Ready { .. }));
        assert!(!is_ready, "what was withdrawn is still ready");
    }
    scene.restore(1, Some(&undo)).await;
}

async fn one_hold_carries_one_iteration_after_the_other(scene: &TargetScene) {
    let undo = scene.acquire(1).await;
    for number in 1..=2 {
        let plan = scene.deployed(number, &undo).await;
        let settled = scene.ready(number, &plan).await;
        let is_ready = matches!(settled, Readiness::Ready { .. });
        assert!(is_ready, "iteration {number} of one hold: {settled:?}");
        scene.withdraw(number).await;
    }
    scene.restore(1, Some(&undo)).await;
}

async fn restoring_gives_the_slot_back_as_it_was(scene: &TargetScene) {
    let first = scene.acquire(1).await;
    let plan = scene.deployed(1, &first).await;
    scene.ready(1, &plan).await;
    scene.withdraw(1).await;
    scene.restore(1, Some(&first)).await;
    // Restored already: nothing to do.
    scene.restore(1, Some(&first)).await;
    let left = scene.remnants(&hold(&scene.plan.name, 1)).await;
    assert!(left.is_empty(), "restored, and still there: {left:?}");
    let second = scene.acquire(2).await;
    assert_eq!(second.kind, first.kind);
    // Whoever was refused or called off has no undo, and still gives the slot back.
    scene.restore(2, None).await;
    let third = scene.acquire(3).await;
    scene.restore(3, Some(&third)).await;
}
