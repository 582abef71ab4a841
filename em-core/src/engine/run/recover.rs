//! Going on with what an earlier owner began.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::decide::Run;
use super::fleet::IterationKey;
use crate::assign;
use crate::configuration::Configuration;
use crate::engine::blame::Patience;
use crate::engine::driver::Machine;
use crate::engine::error::EngineError;
use crate::engine::performer::{HoldPerformer, IterationPerformer, Job, Stamps};
use crate::id::{OpKey, SlotId};
use crate::journal::{self, ExperimentEvent, InterruptCause};
use crate::machine::{HoldEvent, HoldState, IterationEvent, IterationState};
use crate::plan::LoadSpec;
use crate::port::{Entry, LoadGoal, StreamId, Undo};

/// Time for the search for the baseline's capacity.
const SEARCH: Duration = Duration::from_secs(15);

/// All streams of an experiment.
type Streams = [(StreamId, Vec<Entry>)];

/// A stream as it was found: where it leads, and what happened when.
struct Found<M: Machine> {
    state: M,
    events: Vec<(jiff::Timestamp, M::Event)>,
}

impl Run {
    /// Ends what belongs to nobody, then starts the drivers of all that is open.
    pub(super) async fn recover(&mut self, streams: &Streams) -> Result<(), EngineError> {
        self.end_orphans().await?;
        let holds: Vec<(SlotId, u32)> = self
            .experiment
            .holds()
            .iter()
            .filter(|(_, hold)| hold.open)
            .map(|(slot, hold)| (*slot, hold.n))
            .collect();
        for (slot, n) in holds {
            self.recover_hold(streams, slot, n).await?;
        }
        let iterations: Vec<IterationKey> = self.experiment.active().keys().copied().collect();
        for key in iterations {
            self.recover_iteration(streams, key).await?;
        }
        self.settle().await
    }

    async fn recover_hold(
        &mut self,
        streams: &Streams,
        slot: SlotId,
        n: u32,
    ) -> Result<(), EngineError> {
        let stream = StreamId::Hold(self.session.plan.name.clone(), slot, n);
        let found = replay::<HoldState>(&stream, entries_of(streams, &stream))?;
        if let HoldState::Released { note } = found.state {
            let refused = found.events.into_iter().find_map(|(_, event)| {
                if let HoldEvent::Refused { why } = event {
                    Some(why)
                } else {
                    None
                }
            });
            return self.decide(ExperimentEvent::HoldClosed {
                slot,
                n,
                note,
                refused,
            });
        }
        // The lock is taken over under its key, before anything is done in the slot.
        let lost = if let HoldState::Held { .. } = &found.state {
            HoldPerformer::new(&self.session, slot, n)
                .acquire()
                .await
                .err()
        } else {
            None
        };
        let entries = found.events.len() as u64;
        self.fleet.hold(slot, n, found.state, entries);
        if let Some(why) = lost {
            self.fleet.close(slot, HoldEvent::Close { why });
        }
        Ok(())
    }

    async fn recover_iteration(
        &mut self,
        streams: &Streams,
        key @ (trial, iteration): IterationKey,
    ) -> Result<(), EngineError> {
        let name = self.session.plan.name.clone();
        let stream = StreamId::Iteration(name, trial, iteration);
        let mut found = replay::<IterationState>(&stream, entries_of(streams, &stream))?;
        if found.state.is_active() && !self.outlives_manager() {
            let mut writer = self.session.writer(stream, found.events.len() as u64);
            let event = IterationEvent::Interrupt {
                cause: InterruptCause::ManagerDied,
            };
            let at = writer.push(&event);
            writer.flush().await?;
            found.state = found
                .state
                .on(event.clone())
                .expect("an interrupt is accepted in every state");
            found.events.push((at, event));
        }
        if let IterationState::Ended { end } = found.state {
            return self.decide(ExperimentEvent::IterationEnded {
                trial,
                iteration,
                end,
            });
        }
        let entries = found.events.len() as u64;
        self.start_iteration(key, found.state, entries, &found.events);
        Ok(())
    }

    /// Whether a measurement goes on when its manager dies.
    fn outlives_manager(&self) -> bool {
        let ports = &self.session.ports;
        let has_load = !matches!(self.session.plan.load, LoadSpec::None);
        let load = !has_load || ports.load.outlives_manager();
        load && ports.target.outlives_manager()
    }

    /// Starts the driver of a placed iteration.
    pub(super) fn start_iteration(
        &mut self,
        key: IterationKey,
        state: IterationState,
        entries: u64,
        events: &[(jiff::Timestamp, IterationEvent)],
    ) {
        let Some(job) = self.job(key) else {
            return;
        };
        let mut stamps = Stamps::default();
        for (at, event) in events {
            stamps.note(event, *at);
        }
        let name = self.session.plan.name.clone();
        let stream = StreamId::Iteration(name, job.trial, job.iteration);
        let writer = self.session.writer(stream, entries);
        let performer = IterationPerformer::new(&self.session, job.clone(), stamps);
        self.fleet.iteration(state, writer, performer, &job);
    }

    /// What a placed iteration is to do.
    fn job(&self, (trial, iteration): IterationKey) -> Option<Job> {
        let placing = *self.experiment.active().get(&(trial, iteration))?;
        let known = self.experiment.trial(trial)?;
        let plan = &self.session.plan;
        let values = match &known.configuration {
            Some(configuration) => assign::assign(plan, configuration)
                .map(Arc::new)
                .map_err(|error| crate::fault::chain(&error)),
            // Whatever runs today runs on: nothing is applied.
            None => Ok(Arc::default()),
        };
        let configuration = known.configuration.clone();
        let hold = self.fleet.holds.get(&placing.slot);
        let is_calibration = placing.block.is_none();
        Some(Job {
            trial,
            iteration,
            slot: placing.slot,
            configuration: configuration.unwrap_or_else(|| Arc::new(Configuration::empty())),
            values,
            undo: hold
                .and_then(|hold| hold.undo.clone())
                .unwrap_or_else(nothing_to_undo),
            goal: if is_calibration {
                LoadGoal::FindCapacity { within: SEARCH }
            } else {
                LoadGoal::Measure {
                    rate: self.experiment.rate(),
                }
            },
            seed: self.experiment.load_seed(placing.block),
            is_alone: self.experiment.wave_of(trial, iteration).len() == 1,
        })
    }

    /// Ends everything out there that this store's earlier owners of this experiment have left and
    /// that no open key explains.
    async fn end_orphans(&mut self) -> Result<(), EngineError> {
        let session = Arc::clone(&self.session);
        let (ports, plan) = (&session.ports, &session.plan);
        let caller = session.caller(self.act());
        let remnants = caller
            .call("look for remnants", Patience::look(plan), |cx| async move {
                ports.target.remnants(&cx).await
            })
            .await
            .map_err(EngineError::failed("look for what an earlier run has left"))?;
        let open = self.open_keys();
        let orphans = remnants.iter().filter(|remnant| {
            let of_earlier = remnant.epoch.store == session.epoch.store
                && remnant.epoch.counter < session.epoch.counter;
            // Other experiments count their owners for themselves.
            let of_this = *remnant.key.experiment() == plan.name;
            of_earlier && of_this && !open.contains(&remnant.key)
        });
        for orphan in orphans {
            tracing::warn!(what = %orphan.what, "ending what an earlier run has left: {}", orphan.what);
            caller
                .call("end a remnant", Patience::look(plan), |cx| async move {
                    ports.target.end_remnant(&cx, orphan).await
                })
                .await
                .map_err(EngineError::failed(format!("end {}", orphan.what)))?;
        }
        Ok(())
    }

    fn open_keys(&self) -> HashSet<OpKey> {
        let experiment = &self.session.plan.name;
        let holds = self.experiment.holds().iter().filter(|(_, hold)| hold.open);
        let holds = holds.map(|(slot, hold)| OpKey::Hold {
            experiment: experiment.clone(),
            slot: *slot,
            n: hold.n,
        });
        let iterations = self.experiment.active().keys();
        let iterations = iterations.map(|(trial, iteration)| OpKey::Iteration {
            experiment: experiment.clone(),
            trial: *trial,
            iteration: *iteration,
        });
        holds.chain(iterations).collect()
    }
}

fn entries_of<'s>(streams: &'s Streams, stream: &StreamId) -> &'s [Entry] {
    let found = streams.iter().find(|(known, _)| known == stream);
    found
        .map(|(_, entries)| entries.as_slice())
        .unwrap_or_default()
}

fn replay<M: Machine + Default>(
    stream: &StreamId,
    entries: &[Entry],
) -> Result<Found<M>, EngineError>
where
    M::Event: DeserializeOwned,
{
    let mut found = Found {
        state: M::default(),
        events: Vec::with_capacity(entries.len()),
    };
    for (seq, entry) in (0..).zip(entries) {
        let event: M::Event = journal::decode(stream, seq, entry)
            .map_err(EngineError::failed(format!("read {stream}")))?;
        let next = found.state.on(event.clone());
        found.state = next.map_err(|source| EngineError::Damaged {
            stream: stream.to_string(),
            seq,
            source,
        })?;
        found.events.push((entry.at, event));
    }
    Ok(found)
}

/// An iteration is placed only in a held slot; where the hold is lost it is only taken down.
fn nothing_to_undo() -> Arc<Undo> {
    Arc::new(Undo {
        kind: "none".to_owned(),
        format: 1,
        body: serde_json::Value::Null,
    })
}
