//! What a store in memory holds: the part that survives the death of its user.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{BuildHasher as _, Hasher as _, RandomState};

use jiff::Timestamp;

use super::crash::Fuse;
use crate::fault::{Fault, FaultKind};
use crate::id::{Digest, Epoch, ExperimentName};
use crate::port::{Entry, Request, StreamFilter, StreamHead, StreamId};

/// Everything that is stored. All methods are pure but for the shelf itself.
#[derive(Debug, Clone)]
pub(super) struct Shelf {
    store: String,
    pub(super) fuse: Fuse,
    pub(super) shortage: Option<String>,
    epochs: HashMap<ExperimentName, u64>,
    owned: HashSet<ExperimentName>,
    streams: BTreeMap<StreamId, Vec<Entry>>,
    raw: HashMap<Digest, Vec<u8>>,
    inbox: Vec<(ExperimentName, Request)>,
}

impl Default for Shelf {
    fn default() -> Self {
        // Marks of one store must not look like another's: two in one process, or one after the
        // other, are two stores.
        let store = format!("{:016x}", RandomState::new().build_hasher().finish());
        Self {
            store,
            fuse: Fuse::default(),
            shortage: None,
            epochs: HashMap::new(),
            owned: HashSet::new(),
            streams: BTreeMap::new(),
            raw: HashMap::new(),
            inbox: Vec::new(),
        }
    }
}

impl Shelf {
    pub(super) fn claim(&mut self, experiment: &ExperimentName) -> Result<Epoch, Fault> {
        if !self.owned.insert(experiment.clone()) {
            return Err(conflict(format!(
                "experiment {experiment} is being run by process {}; wait for it or end it first",
                std::process::id()
            )));
        }
        let counter = self.epochs.entry(experiment.clone()).or_insert(0);
        *counter += 1;
        Ok(Epoch {
            store: self.store.clone(),
            counter: *counter,
        })
    }

    /// Lets go of a claim, unless it was taken over.
    pub(super) fn release(&mut self, experiment: &ExperimentName, epoch: &Epoch) {
        if self.epochs.get(experiment) == Some(&epoch.counter) {
            self.owned.remove(experiment);
        }
    }

    /// What is left when the process that used it is gone.
    pub(super) fn reopened(&self) -> Self {
        Self {
            fuse: Fuse::default(),
            owned: HashSet::new(),
            ..self.clone()
        }
    }

    pub(super) fn append(
        &mut self,
        stream: &StreamId,
        seq: u64,
        epoch: &Epoch,
        entries: &[Entry],
    ) -> Result<(), Fault> {
        let experiment = stream.experiment();
        let is_last = self.epochs.get(experiment) == Some(&epoch.counter);
        if epoch.store != self.store || !is_last || !self.owned.contains(experiment) {
            return Err(conflict(format!(
                "claim {} of experiment {experiment} is over; whoever claimed it last writes its \
                 streams",
                epoch.counter
            )));
        }
        let next = self
            .streams
            .get(stream)
            .map_or(0, |entries| entries.len() as u64);
        if next != seq {
            return Err(conflict(format!(
                "entry {seq} does not follow in {stream}: its next entry is {next}"
            )));
        }
        if !entries.is_empty() {
            self.streams
                .entry(stream.clone())
                .or_default()
                .extend_from_slice(entries);
        }
        Ok(())
    }

    pub(super) fn read(&self, stream: &StreamId) -> Vec<Entry> {
        self.streams.get(stream).cloned().unwrap_or_default()
    }

    pub(super) fn read_all(&self, experiment: &ExperimentName) -> Vec<(StreamId, Vec<Entry>)> {
        let of_experiment = self
            .streams
            .iter()
            .filter(|(id, _)| id.experiment() == experiment);
        of_experiment
            .map(|(id, entries)| (id.clone(), entries.clone()))
            .collect()
    }

    pub(super) fn list(&self, filter: &StreamFilter) -> Vec<StreamHead> {
        let passes = |stream: &StreamId| {
            let is_wanted = filter
                .experiment
                .as_ref()
                .is_none_or(|name| name == stream.experiment());
            let is_experiment = matches!(stream, StreamId::Experiment(_));
            is_wanted && (is_experiment || !filter.experiments_only)
        };
        let streams = self.streams.iter().filter(|(stream, _)| passes(stream));
        streams
            .map(|(stream, entries)| StreamHead {
                stream: stream.clone(),
                entries: entries.len() as u64,
            })
            .collect()
    }

    pub(super) fn put(&mut self, bytes: &[u8]) -> Digest {
        let digest = Digest::of(bytes);
        self.raw.entry(digest).or_insert_with(|| bytes.to_vec());
        digest
    }

    pub(super) fn get(&self, digest: &Digest) -> Result<Vec<u8>, Fault> {
        self.raw.get(digest).cloned().ok_or_else(|| {
            Fault::new(
                FaultKind::NotFound,
                format!("there is no raw data {digest} in the store; it was swept or never put"),
            )
        })
    }

    pub(super) fn submit(&mut self, experiment: &ExperimentName, at: Timestamp, body: &str) -> u64 {
        let number = self.inbox.len() as u64 + 1;
        let request = Request {
            number,
            at,
            body: body.to_owned(),
        };
        self.inbox.push((experiment.clone(), request));
        number
    }

    pub(super) fn requests(&self, experiment: &ExperimentName, after: u64) -> Vec<Request> {
        let left = self
            .inbox
            .iter()
            .filter(|(name, request)| name == experiment && request.number > after);
        left.map(|(_, request)| request.clone()).collect()
    }
}

fn conflict(message: String) -> Fault {
    Fault::new(FaultKind::Conflict, message)
}
