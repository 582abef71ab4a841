//! One run of one experiment: claimed, replayed, recovered, driven to its end or to a stop.

mod decide;
mod ending;
mod fleet;
mod passage;
mod recover;
mod requests;
mod sources;
mod steps;
mod tell;

use std::sync::Arc;

use tokio::sync::mpsc;

use self::decide::Run;
use super::control::Control;
use super::error::EngineError;
use super::performer::Wanted;
use super::ports::Engine;
use super::session::Session;
use super::stream::StreamWriter;
use crate::experiment::{Amendment, Experiment, Phase};
use crate::fault::{Fault, FaultKind};
use crate::id::{Digest, ExperimentName};
use crate::journal::{self, ExperimentEvent};
use crate::plan::Plan;
use crate::port::{Claim, Entry, StreamId};
use crate::report::Report;

/// Notices that may wait for the loop before drivers wait for it.
const NOTICES: usize = 256;

impl Engine {
    /// Journals a new experiment. Nothing is done until it is run.
    pub async fn create(&self, plan: &Plan) -> Result<(), EngineError> {
        let name = plan.name.clone();
        let claim = self.claim(&name).await?;
        let stream = StreamId::Experiment(name.clone());
        let known = self.ports.store.read(&stream).await;
        let known = known.map_err(EngineError::failed(format!("read {stream}")))?;
        if !known.is_empty() {
            return Err(EngineError::Exists { name });
        }
        let (store, clock) = (&self.ports.store, &self.ports.clock);
        let mut writer = StreamWriter::new(store, clock, stream, claim.epoch.clone(), 0);
        writer.push(&ExperimentEvent::Created {
            plan: Box::new(plan.clone()),
        });
        writer.flush().await
    }

    /// Runs an experiment to its end, or until it is told to leave. An experiment that was begun
    /// earlier goes on where it stood; a finished one answers its stored report.
    pub async fn run(
        &self,
        name: &ExperimentName,
        control: Control,
    ) -> Result<Report, EngineError> {
        let claim = self.claim(name).await?;
        let streams = self.ports.store.read_all(name).await;
        let streams = streams.map_err(EngineError::failed(format!("read experiment {name}")))?;
        let own = StreamId::Experiment(name.clone());
        let entries = streams.iter().find(|(stream, _)| *stream == own);
        let Some((_, entries)) = entries.filter(|(_, entries)| !entries.is_empty()) else {
            return Err(EngineError::NotFound { name: name.clone() });
        };
        let experiment = replay(&own, entries)?;
        if let (Phase::Finished { .. }, Some(digest)) = (experiment.phase(), experiment.report()) {
            return self.stored_report(digest).await;
        }
        self.ports.check(experiment.plan())?;
        let (notices, received) = mpsc::channel(NOTICES);
        let session = Session {
            ports: Arc::clone(&self.ports),
            plan: Arc::clone(experiment.plan()),
            epoch: claim.epoch.clone(),
            stop: control.stop.child_token(),
            notices,
            remarks: control.remarks.clone(),
            wanted: Wanted::of(experiment.plan(), self.ports.load.as_ref()),
        };
        let mut run = Run::new(Arc::new(session), experiment, control, received);
        let result = run.start_and_drive(&streams).await;
        run.leave().await;
        drop(claim);
        result
    }

    /// Journals that an experiment goes by another plan from now on; nothing is done until it is
    /// run. `Conflict` while somebody runs it; a plan that may not replace the present one is
    /// `Invalid`.
    pub async fn amend(&self, plan: &Plan, by: &str) -> Result<Option<Amendment>, EngineError> {
        let name = &plan.name;
        let claim = self.claim(name).await?;
        let experiment = self.experiment(name).await?;
        let refuse = |refused: Vec<String>| {
            let message = format!("it was begun otherwise: {}", refused.join(", "));
            let fault = Fault::new(FaultKind::Invalid, message);
            EngineError::failed(format!("amend {name}"))(fault)
        };
        let Some(amendment) = experiment.amendment(plan).map_err(refuse)? else {
            return Ok(None);
        };
        let event = ExperimentEvent::Amended {
            plan: Box::new(plan.clone()),
            what: amendment.what.clone(),
            consequence: amendment.consequence,
            by: by.to_owned(),
        };
        let (store, clock) = (&self.ports.store, &self.ports.clock);
        let stream = StreamId::Experiment(name.clone());
        let (epoch, next) = (claim.epoch.clone(), experiment.next_seq());
        let mut writer = StreamWriter::new(store, clock, stream, epoch, next);
        if let Err(illegal) = experiment.check(&event) {
            return Err(refuse(vec![format!("end: {illegal}")]));
        }
        writer.push(&event);
        writer.flush().await?;
        Ok(Some(amendment))
    }

    /// The experiment as its journal tells it.
    pub async fn experiment(&self, name: &ExperimentName) -> Result<Experiment, EngineError> {
        let stream = StreamId::Experiment(name.clone());
        let entries = self.ports.store.read(&stream).await;
        let entries = entries.map_err(EngineError::failed(format!("read {stream}")))?;
        if entries.is_empty() {
            return Err(EngineError::NotFound { name: name.clone() });
        }
        replay(&stream, &entries)
    }

    async fn claim(&self, name: &ExperimentName) -> Result<Claim, EngineError> {
        let claim = self.ports.store.claim(name).await;
        claim.map_err(EngineError::failed(format!("claim experiment {name}")))
    }

    async fn stored_report(&self, digest: &Digest) -> Result<Report, EngineError> {
        let act = || format!("read report {}", digest.short());
        let bytes = self.ports.store.get(digest).await;
        let bytes = bytes.map_err(EngineError::failed(act()))?;
        serde_json::from_slice(&bytes).map_err(|source| {
            let kind = FaultKind::Malformed;
            let fault = Fault::new(kind, "it is not a report of this format");
            EngineError::failed(act())(fault.caused_by(source))
        })
    }
}

/// The experiment that the entries tell of.
fn replay(stream: &StreamId, entries: &[Entry]) -> Result<Experiment, EngineError> {
    let mut experiment: Option<Experiment> = None;
    for (seq, entry) in (0..).zip(entries) {
        let event: ExperimentEvent = journal::decode(stream, seq, entry)
            .map_err(EngineError::failed(format!("read {stream}")))?;
        let taken = match &mut experiment {
            None => Experiment::created(entry.at, &event).map(|created| {
                experiment = Some(created);
            }),
            Some(known) => known.apply(entry.at, &event),
        };
        taken.map_err(|source| EngineError::Damaged {
            stream: stream.to_string(),
            seq,
            source,
        })?;
    }
    Ok(experiment.expect("whoever replays has seen an entry"))
}
