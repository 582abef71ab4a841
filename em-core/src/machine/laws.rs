//! Laws over every reachable state of every machine, breadth-first, and the machines as pictures.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::{Debug, Write as _};

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::*;
use crate::journal::{
    Blame, Collection, Failure, InterruptCause, IterationEnd, IterationResult, Stage, Timing,
};
use crate::observe::{Labelled, Steadiness, Window};
use crate::port::Undo;

/// A machine as the laws see it.
trait Lawful: Clone + PartialEq + Debug + Default + Serialize + DeserializeOwned {
    type Event: Clone + PartialEq + Debug + Serialize + DeserializeOwned;

    /// One event of each kind, and more where kinds have kinds.
    fn events() -> Vec<Self::Event>;
    fn on(self, event: Self::Event) -> Result<Self, IllegalTransition>;
    fn has_effect(&self) -> bool;
    /// Whether it waits for somebody else, or is over.
    fn waits(&self) -> bool;
    fn is_over(&self) -> bool;
    fn name(&self) -> &'static str;
    fn event_name(event: &Self::Event) -> &'static str;
    /// Whether the event is one that every state takes.
    fn is_welcome(event: &Self::Event) -> bool;
    /// Names of the states that a state of this name may lead to.
    fn successors(name: &str) -> &'static [&'static str];
}

impl Lawful for HoldState {
    type Event = HoldEvent;

    fn events() -> Vec<HoldEvent> {
        let undo = Undo {
            kind: "fake".into(),
            format: 1,
            body: serde_json::json!({"workers": 4}),
        };
        vec![
            HoldEvent::Acquired { undo },
            HoldEvent::Refused {
                why: "taken".into(),
            },
            HoldEvent::Close { why: "idle".into() },
            HoldEvent::Cancel,
            HoldEvent::Interrupt,
            HoldEvent::Restored { note: None },
            HoldEvent::RestoreFailed { why: "gone".into() },
            HoldEvent::Retry,
            HoldEvent::DoneByHand { by: "ann".into() },
        ]
    }

    fn on(self, event: HoldEvent) -> Result<Self, IllegalTransition> {
        self.on(event)
    }

    fn has_effect(&self) -> bool {
        self.effect().is_some()
    }

    fn waits(&self) -> bool {
        matches!(
            self,
            Self::Held { .. } | Self::Stranded { .. } | Self::Released { .. }
        )
    }

    fn is_over(&self) -> bool {
        self.is_released()
    }

    fn name(&self) -> &'static str {
        self.name()
    }

    fn event_name(event: &HoldEvent) -> &'static str {
        event.name()
    }

    fn is_welcome(event: &HoldEvent) -> bool {
        matches!(event, HoldEvent::Cancel | HoldEvent::Interrupt)
    }

    fn successors(name: &str) -> &'static [&'static str] {
        match name {
            "Acquiring" => &["Held", "Restoring"],
            "Held" => &["Restoring"],
            "Restoring" => &["Released", "Stranded"],
            "Stranded" => &["Restoring", "Released"],
            _ => &[],
        }
    }
}

impl Lawful for IterationState {
    type Event = IterationEvent;

    fn events() -> Vec<IterationEvent> {
        let running = Running {
            facts: Vec::new(),
            addresses: Vec::new(),
        };
        let failure = Failure {
            stage: Stage::Verify,
            blame: Blame::Target,
            fault: None,
            message: "not ready".into(),
        };
        let by = "ann".to_owned();
        vec![
            IterationEvent::Begun,
            IterationEvent::Deployed,
            IterationEvent::Verified(running),
            IterationEvent::BarrierOpened,
            IterationEvent::LoadSteady {
                since: Timestamp::UNIX_EPOCH,
            },
            collected(),
            IterationEvent::Failed(failure),
            IterationEvent::Interrupt {
                cause: InterruptCause::Asked,
            },
            IterationEvent::Interrupt {
                cause: InterruptCause::ManagerDied,
            },
            IterationEvent::Cancel,
            IterationEvent::Withdrawn,
            IterationEvent::WithdrawFailed { why: "busy".into() },
            IterationEvent::Retry,
            IterationEvent::DoneByHand { by },
        ]
    }

    fn on(self, event: IterationEvent) -> Result<Self, IllegalTransition> {
        self.on(event)
    }

    fn has_effect(&self) -> bool {
        self.effect().is_some()
    }

    fn waits(&self) -> bool {
        matches!(
            self,
            Self::AtBarrier(_) | Self::Stranded { .. } | Self::Ended { .. }
        )
    }

    fn is_over(&self) -> bool {
        self.end().is_some()
    }

    fn name(&self) -> &'static str {
        self.name()
    }

    fn event_name(event: &IterationEvent) -> &'static str {
        event.name()
    }

    fn is_welcome(event: &IterationEvent) -> bool {
        matches!(
            event,
            IterationEvent::Cancel | IterationEvent::Interrupt { .. }
        )
    }

    fn successors(name: &str) -> &'static [&'static str] {
        match name {
            "Queued" => &["Deploying", "Ended"],
            "Deploying" => &["Verifying", "Withdrawing"],
            "Verifying" => &["AtBarrier", "Withdrawing"],
            "AtBarrier" => &["Loading", "Withdrawing"],
            "Loading" => &["Collecting", "Withdrawing"],
            "Collecting" => &["Withdrawing"],
            "Withdrawing" => &["Ended", "Stranded"],
            "Stranded" => &["Withdrawing", "Ended"],
            _ => &[],
        }
    }
}

impl Lawful for DeliveryState {
    type Event = DeliveryEvent;

    fn events() -> Vec<DeliveryEvent> {
        let why = || "refused".to_owned();
        vec![
            DeliveryEvent::Sent,
            DeliveryEvent::Acknowledged,
            DeliveryEvent::Failed { why: why() },
            DeliveryEvent::GivenUp { why: why() },
            DeliveryEvent::Resend,
            DeliveryEvent::Cancel,
            DeliveryEvent::Interrupt,
        ]
    }

    fn on(self, event: DeliveryEvent) -> Result<Self, IllegalTransition> {
        self.on(event)
    }

    fn has_effect(&self) -> bool {
        self.effect().is_some()
    }

    fn waits(&self) -> bool {
        matches!(self, Self::Acknowledged | Self::Dead { .. })
    }

    fn is_over(&self) -> bool {
        self.waits()
    }

    fn name(&self) -> &'static str {
        self.name()
    }

    fn event_name(event: &DeliveryEvent) -> &'static str {
        event.name()
    }

    fn is_welcome(event: &DeliveryEvent) -> bool {
        matches!(event, DeliveryEvent::Cancel | DeliveryEvent::Interrupt)
    }

    fn successors(name: &str) -> &'static [&'static str] {
        match name {
            "Due" => &["Sent", "Dead"],
            "Sent" => &["Due", "Acknowledged", "Dead"],
            "Dead" => &["Due"],
            _ => &[],
        }
    }
}

/// A state and where each event leads from it.
struct Place<M: Lawful> {
    state: M,
    moves: Vec<(M::Event, M)>,
}

/// Every state that can be reached by these events; attempts of a delivery are counted up to 3.
fn reachable<M: Lawful>() -> Vec<Place<M>> {
    const ENOUGH: usize = 500;
    let mut places: Vec<Place<M>> = Vec::new();
    let mut seen = BTreeSet::new();
    let mut waiting = VecDeque::from([M::default()]);
    while let Some(state) = waiting.pop_front() {
        if !seen.insert(json(&state)) || places.len() > ENOUGH || attempts_over(&state, 3) {
            continue;
        }
        let moves: Vec<(M::Event, M)> = M::events()
            .into_iter()
            .filter_map(|event| Some((event.clone(), state.clone().on(event).ok()?)))
            .collect();
        waiting.extend(moves.iter().map(|(_, next)| next.clone()));
        places.push(Place { state, moves });
    }
    assert!(places.len() < ENOUGH, "the machine has no end of states");
    places
}

fn attempts_over<M: Serialize>(state: &M, limit: u64) -> bool {
    let value = serde_json::to_value(state).unwrap();
    value["attempts"].as_u64().is_some_and(|n| n > limit)
}

fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap()
}

fn states_lead_only_where_they_may<M: Lawful>() {
    for place in reachable::<M>() {
        for (event, next) in &place.moves {
            let name = place.state.name();
            let allowed = M::successors(name);
            assert!(
                next.name() == name || allowed.contains(&next.name()),
                "{name} --{event:?}--> {}",
                next.name()
            );
            assert!(
                next.name() != name || M::is_welcome(event) || *next == place.state,
                "{name} --{event:?}--> another {name}"
            );
        }
    }
}

fn waiting_states_have_no_effect_and_all_others_one<M: Lawful>() {
    for place in reachable::<M>() {
        assert_ne!(
            place.state.has_effect(),
            place.state.waits(),
            "{:?}",
            place.state
        );
    }
}

fn cancel_and_interrupt_are_accepted_in_every_state<M: Lawful>() {
    for place in reachable::<M>() {
        for event in M::events().into_iter().filter(M::is_welcome) {
            assert!(
                place.state.clone().on(event.clone()).is_ok(),
                "{:?} refuses {event:?}",
                place.state
            );
        }
    }
}

fn states_and_events_survive_json<M: Lawful>() {
    for place in reachable::<M>() {
        let read: M = serde_json::from_str(&json(&place.state)).unwrap();
        assert_eq!(read, place.state);
    }
    for event in M::events() {
        let read: M::Event = serde_json::from_str(&json(&event)).unwrap();
        assert_eq!(read, event);
    }
}

fn from_every_state_an_end_is_reachable<M: Lawful>() {
    let places = reachable::<M>();
    let mut ending: BTreeSet<String> = places
        .iter()
        .filter(|place| place.state.is_over())
        .map(|place| json(&place.state))
        .collect();
    assert!(!ending.is_empty());
    let mut before = 0;
    while before != ending.len() {
        before = ending.len();
        for place in &places {
            if place
                .moves
                .iter()
                .any(|(_, next)| ending.contains(&json(next)))
            {
                ending.insert(json(&place.state));
            }
        }
    }
    for place in &places {
        assert!(
            ending.contains(&json(&place.state)),
            "{:?} has no way out",
            place.state
        );
    }
}

macro_rules! laws {
    ($($module:ident: $machine:ty),+) => {$(
        mod $module {
            use super::*;

            #[test]
            fn states_lead_only_where_they_may() {
                super::states_lead_only_where_they_may::<$machine>();
            }

            #[test]
            fn waiting_states_have_no_effect_and_all_others_one() {
                super::waiting_states_have_no_effect_and_all_others_one::<$machine>();
            }

            #[test]
            fn cancel_and_interrupt_are_accepted_in_every_state() {
                super::cancel_and_interrupt_are_accepted_in_every_state::<$machine>();
            }

            #[test]
            fn states_and_events_survive_json() {
                super::states_and_events_survive_json::<$machine>();
            }

            #[test]
            fn from_every_state_an_end_is_reachable() {
                super::from_every_state_an_end_is_reachable::<$machine>();
            }

            #[test]
            fn the_picture_is_the_one_in_the_documents() {
                insta::assert_snapshot!(stringify!($module), mermaid::<$machine>());
            }
        }
    )+};
}

laws!(hold: HoldState, iteration: IterationState, delivery: DeliveryState);

/// The machine as a Mermaid state diagram: one arrow per pair of states, with its events.
fn mermaid<M: Lawful>() -> String {
    let mut arrows: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
    let mut order = Vec::new();
    for place in reachable::<M>() {
        for (event, next) in &place.moves {
            if place.state.name() != next.name() {
                let arrow = (place.state.name(), next.name());
                if !arrows.contains_key(&arrow) {
                    order.push(arrow);
                }
                arrows
                    .entry(arrow)
                    .or_default()
                    .insert(M::event_name(event));
            }
        }
    }
    let mut text = format!("stateDiagram-v2\n    [*] --> {}\n", M::default().name());
    for arrow @ (from, to) in order {
        let events: Vec<&str> = arrows[&arrow].iter().copied().collect();
        writeln!(text, "    {from} --> {to}: {}", events.join(", ")).unwrap();
    }
    let ends: BTreeSet<&str> = reachable::<M>()
        .iter()
        .filter(|place| place.state.is_over())
        .map(|place| place.state.name())
        .collect();
    for end in ends {
        writeln!(text, "    {end} --> [*]").unwrap();
    }
    text
}

#[test]
fn a_slot_that_was_never_read_is_unlocked_without_an_undo() {
    let state = HoldState::new()
        .on(HoldEvent::Refused {
            why: "somebody else has it".into(),
        })
        .unwrap();
    assert_eq!(state.effect(), Some(HoldEffect::Restore(None)));
}

#[test]
fn what_a_person_put_back_is_released_with_a_note() {
    let [acquired, ..] = <[HoldEvent; 9]>::try_from(HoldState::events()).unwrap();
    let story = [
        acquired,
        HoldEvent::Interrupt,
        HoldEvent::RestoreFailed { why: "gone".into() },
        HoldEvent::Retry,
        HoldEvent::RestoreFailed { why: "gone".into() },
        HoldEvent::DoneByHand { by: "ann".into() },
    ];
    let note = Some("put back by ann".to_owned());
    assert_eq!(told::<HoldState>(&story), HoldState::Released { note });
}

#[test]
fn a_late_cancel_does_not_take_away_what_was_measured() {
    let running = Running {
        facts: Vec::new(),
        addresses: Vec::new(),
    };
    let story = [
        IterationEvent::Begun,
        IterationEvent::Deployed,
        IterationEvent::Verified(running),
        IterationEvent::BarrierOpened,
        IterationEvent::LoadSteady {
            since: Timestamp::UNIX_EPOCH,
        },
        collected(),
        IterationEvent::Cancel,
        IterationEvent::Withdrawn,
    ];
    let state = told::<IterationState>(&story);
    assert!(
        matches!(state.end(), Some(IterationEnd::Done(_))),
        "{state:?}"
    );
}

#[test]
fn an_iteration_that_never_began_leaves_nothing_to_take_down() {
    let state = told::<IterationState>(&[IterationEvent::Cancel]);
    let end = IterationEnd::Interrupted {
        stage: None,
        cause: InterruptCause::CalledOff,
    };
    assert_eq!(state, IterationState::Ended { end });
}

fn told<M: Lawful>(story: &[M::Event]) -> M {
    story.iter().fold(M::default(), |state, event| {
        state.on(event.clone()).unwrap()
    })
}

fn collected() -> IterationEvent {
    let at = Timestamp::UNIX_EPOCH;
    let collection = Collection {
        window: Window { start: at, end: at },
        raw: Vec::new(),
        labelled: Labelled {
            warmup_end: at,
            method: "fixed".into(),
            cycles: Vec::new(),
            steadiness: Steadiness::Enough,
        },
        incidents: Vec::new(),
        facts: Vec::new(),
        warnings: Vec::new(),
    };
    let result = IterationResult {
        summary: BTreeMap::new(),
        capacity: None,
        timing: Timing::default(),
        remarks: Vec::new(),
    };
    IterationEvent::Collected {
        collection: Box::new(collection),
        result: Box::new(result),
    }
}
