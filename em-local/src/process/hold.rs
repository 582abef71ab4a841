//! Holding a slot: its lock, and the hooks around all of its iterations.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use em_core::id::SlotId;
use em_core::plan::{ProcessSpec, Text};
use em_core::port::{OpContext, Undo};
use serde::{Deserialize, Serialize};

use super::error::ProcessError;
use super::hooks::HookRunner;
use super::render::render_once;
use super::survey;
use crate::fill::{self, Places, Values};
use crate::launch::Running;
use crate::lock::{SlotLock, SlotRecord};
use crate::record;
use crate::surroundings::{Surroundings, mark_of};
use crate::user::Account;

/// The kind of undo records of this target.
pub(super) const KIND: &str = "process";
const FORMAT: u32 = 1;

/// What has to be done to put a slot back. Secrets are in it by reference only.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct UndoBody {
    /// Commands that run once after everything.
    pub(super) teardown: Vec<Vec<String>>,
    /// Their environment: texts, and references to secrets.
    pub(super) env: BTreeMap<String, Text>,
    /// Their user.
    pub(super) user: Option<String>,
    /// Their working folder.
    pub(super) folder: PathBuf,
}

/// A slot that this process holds.
pub(super) struct Hold {
    pub(super) cpus: Vec<usize>,
    pub(super) undo: Undo,
    lock: SlotLock,
    /// Whether the commands that run once before everything have run.
    pub(super) is_set_up: bool,
    /// What these left running; it ends with the hold.
    pub(super) lingering: Vec<Running>,
}

impl std::fmt::Debug for Hold {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hold")
            .field("cpus", &self.cpus)
            .field("lock", &self.lock)
            .finish_non_exhaustive()
    }
}

/// The lock is named by store, experiment and slot: a process target changes nothing that two
/// experiments share, and who measures when is the measuring lock's business.
fn lock_name(cx: &OpContext, slot: SlotId) -> String {
    format!("process-{}-{}-{slot}", cx.epoch.store, cx.key.experiment())
}

/// Takes the slot, puts back what a dead holder left, and writes the undo down before anything else.
pub(super) async fn acquire(
    surroundings: &Surroundings,
    cx: &OpContext,
    spec: &ProcessSpec,
    slot: SlotId,
) -> Result<Hold, ProcessError> {
    let dealt = survey::slots(spec)?;
    let cpus = usize::try_from(slot.0)
        .ok()
        .and_then(|slot| dealt.get(slot))
        .cloned();
    let cpus = cpus.ok_or_else(|| ProcessError::NoSlot {
        slot: slot.to_string(),
        slots: dealt.len(),
    })?;
    let path = SlotLock::path(&surroundings.locks, &lock_name(cx, slot));
    let taken = SlotLock::take(&path)?;
    let mut lock = taken.lock;
    if let Some(left) = taken.left.filter(|left| left.hold != cx.key.to_string()) {
        put_back_left(surroundings, cx, &left, &path).await?;
    }
    let undo = undo_of(surroundings, spec)?;
    let copy = surroundings.undo_file(&mark_of(cx));
    write_durably(&copy, &serde_json::to_vec(&undo).unwrap_or_default())?;
    lock.record(&SlotRecord {
        owner: cx.epoch.to_string(),
        hold: cx.key.to_string(),
        pid: std::process::id(),
        undo: copy,
    })?;
    // With one slot the target may use every CPU anyway; pinning it would only be noise in the facts.
    let cpus = if dealt.len() > 1 { cpus } else { Vec::new() };
    Ok(Hold {
        cpus,
        undo,
        lock,
        is_set_up: false,
        lingering: Vec::new(),
    })
}

async fn put_back_left(
    surroundings: &Surroundings,
    cx: &OpContext,
    left: &SlotRecord,
    lock: &Path,
) -> Result<(), ProcessError> {
    let undo = fs::read(&left.undo)
        .ok()
        .and_then(|text| serde_json::from_slice::<Undo>(&text).ok());
    let undo = undo.ok_or_else(|| ProcessError::LeftBehind {
        hold: left.hold.clone(),
        undo: left.undo.clone(),
        lock: lock.to_owned(),
    })?;
    tear_down(surroundings, cx, &body_of(&undo)?).await?;
    remove_file(&left.undo)
}

/// Runs the commands that come once before everything, unless they have run in this hold.
pub(super) async fn set_up(
    surroundings: &Surroundings,
    cx: &OpContext,
    spec: &ProcessSpec,
    hold: &mut Hold,
) -> Result<(), ProcessError> {
    if hold.is_set_up || spec.setup.once.is_empty() {
        return Ok(());
    }
    let commands = render_once("target.setup.once", &spec.setup.once, &places(surroundings))?;
    let runner = runner(surroundings, cx, &body_of(&hold.undo)?)?;
    hold.lingering = runner.run("setup", &commands).await?;
    hold.is_set_up = true;
    Ok(())
}

/// Puts the slot back and unlocks it; `held` is none where another process held it before. On failure
/// it stays held, for the next attempt.
pub(super) async fn restore(
    surroundings: &Surroundings,
    cx: &OpContext,
    slot: SlotId,
    held: &mut Option<Hold>,
    undo: Option<&Undo>,
) -> Result<(), ProcessError> {
    if held.is_none() {
        match retake(surroundings, cx, slot)? {
            Some(hold) => *held = Some(hold),
            None => return Ok(()),
        }
    }
    let Some(hold) = held else { return Ok(()) };
    // Daemons that the setup left are not to stand in the way of the teardown's work on their files.
    hold.lingering.clear();
    if let Some(undo) = undo {
        tear_down(surroundings, cx, &body_of(undo)?).await?;
    }
    remove_file(&surroundings.undo_file(&mark_of(cx)))?;
    match held.take() {
        Some(hold) => Ok(hold.lock.release()?),
        None => Ok(()),
    }
}

/// The lock of a hold that an earlier process took under this very key; none where there is nothing
/// to put back: unlocked already, or somebody else's by now.
fn retake(
    surroundings: &Surroundings,
    cx: &OpContext,
    slot: SlotId,
) -> Result<Option<Hold>, ProcessError> {
    let path = SlotLock::path(&surroundings.locks, &lock_name(cx, slot));
    if !path.exists() {
        return Ok(None);
    }
    let taken = match SlotLock::take(&path) {
        Err(error) if error.is_taken_over_from(&cx.key.to_string()) => return Ok(None),
        taken => taken?,
    };
    match taken.left {
        Some(left) if left.hold != cx.key.to_string() => Ok(None),
        Some(_) => Ok(Some(Hold {
            cpus: Vec::new(),
            undo: Undo {
                kind: KIND.to_owned(),
                format: FORMAT,
                body: serde_json::Value::Null,
            },
            lock: taken.lock,
            is_set_up: false,
            lingering: Vec::new(),
        })),
        // Locked, and nothing written: nothing was changed.
        None => {
            taken.lock.release()?;
            Ok(None)
        }
    }
}

fn undo_of(surroundings: &Surroundings, spec: &ProcessSpec) -> Result<Undo, ProcessError> {
    let places = places(surroundings);
    // Variables with placeholders of an iteration mean nothing outside of one.
    let lasting = spec.env.iter().filter(|(_, text)| match text {
        Text::Template(template) => template.names().all(|name| name == "em"),
        Text::Secret(_) => true,
    });
    let body = UndoBody {
        teardown: render_once("target.teardown.once", &spec.teardown.once, &places)?,
        env: lasting
            .map(|(name, text)| (name.clone(), text.clone()))
            .collect(),
        user: spec.user.clone(),
        folder: surroundings.base.clone(),
    };
    let body = serde_json::to_value(body).unwrap_or_default();
    Ok(Undo {
        kind: KIND.to_owned(),
        format: FORMAT,
        body,
    })
}

fn body_of(undo: &Undo) -> Result<UndoBody, ProcessError> {
    let wrong = || ProcessError::Undo {
        kind: undo.kind.clone(),
        format: undo.format,
    };
    if undo.kind != KIND || undo.format != FORMAT {
        return Err(wrong());
    }
    serde_json::from_value(undo.body.clone()).map_err(|_| wrong())
}

async fn tear_down(
    surroundings: &Surroundings,
    cx: &OpContext,
    body: &UndoBody,
) -> Result<(), ProcessError> {
    runner(surroundings, cx, body)?
        .run("teardown", &body.teardown)
        .await
        .map(drop)
}

fn runner(
    surroundings: &Surroundings,
    cx: &OpContext,
    body: &UndoBody,
) -> Result<HookRunner, ProcessError> {
    let (places, none) = (places(surroundings), Values::new());
    let lookup = |name: &str| fill::lookup(&places, &none, name);
    let (env, _) = fill::environment("target.env", &body.env, &lookup)?;
    Ok(HookRunner {
        guardian: surroundings.guardian.clone(),
        mark: mark_of(cx),
        env: env.into_iter().collect(),
        folder: body.folder.clone(),
        account: body.user.as_deref().map(Account::find).transpose()?,
    })
}

fn places(surroundings: &Surroundings) -> Places {
    Places {
        executable: surroundings.executable.clone(),
        base: surroundings.base.clone(),
        ..Places::default()
    }
}

fn write_durably(path: &Path, bytes: &[u8]) -> Result<(), ProcessError> {
    record::write(path, bytes).map_err(|source| ProcessError::Record {
        act: "write",
        path: path.to_owned(),
        source,
    })
}

fn remove_file(path: &Path) -> Result<(), ProcessError> {
    record::remove(path).map_err(|source| ProcessError::Record {
        act: "remove",
        path: path.to_owned(),
        source,
    })
}
