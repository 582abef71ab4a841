//! Holding a command target: its lock, the snapshot taken under it, and the way back.

use std::fs;
use std::path::Path;

use em_core::id::Digest;
use em_core::plan::CommandSpec;
use em_core::port::{OpContext, Undo};
use em_core::template::Template;
use serde_json::{Value as Json, json};

use super::error::CommandTargetError;
use super::undo::{UndoBody, differences};
use crate::call::{Call, Called};
use crate::fill::{self, Places, Values};
use crate::lock::{SlotLock, SlotRecord};
use crate::record;
use crate::surroundings::{Surroundings, mark_of};

/// A target that this process holds.
#[derive(Debug)]
pub(super) struct Hold {
    pub(super) undo: Undo,
    lock: SlotLock,
}

fn lock_name(spec: &CommandSpec) -> String {
    let given = spec.lock.clone();
    let name = given.unwrap_or_else(|| {
        let words: Vec<&str> = spec.snapshot.iter().map(Template::text).collect();
        Digest::of(words.join("\0").as_bytes()).short()
    });
    format!("command-{name}")
}

/// Locks the target, puts back what a dead holder left, takes the snapshot and writes it down.
pub(super) async fn acquire(
    surroundings: &Surroundings,
    cx: &OpContext,
    spec: &CommandSpec,
) -> Result<Hold, CommandTargetError> {
    let path = SlotLock::path(&surroundings.locks, &lock_name(spec));
    let taken = SlotLock::take(&path)?;
    let mut lock = taken.lock;
    let hold = cx.key.to_string();
    if let Some(left) = taken.left {
        let copy = read_copy(&left.undo);
        // An original is never read from a target that may be changed.
        match copy {
            Some(undo) if left.hold == hold && left.owner_store() == cx.epoch.store => {
                return Ok(Hold { undo, lock });
            }
            Some(undo) => {
                put_back(surroundings, cx, &UndoBody::of(&undo)?).await?;
                remove(&left.undo)?;
            }
            None => {
                return Err(CommandTargetError::LeftBehind {
                    hold: left.hold,
                    undo: left.undo,
                    lock: path,
                });
            }
        }
    }
    let folder = surroundings.base.clone();
    let body = UndoBody::new(spec, Json::Null, folder);
    let snapshot = snapshot(surroundings, cx, &body).await?;
    let undo = UndoBody { snapshot, ..body }.into_undo();
    let copy = surroundings.undo_file(&mark_of(cx));
    let bytes = serde_json::to_vec(&undo).unwrap_or_default();
    record::write(&copy, &bytes).map_err(|source| CommandTargetError::Record {
        path: copy.clone(),
        source,
    })?;
    let (owner, pid) = (cx.epoch.to_string(), std::process::id());
    lock.record(&SlotRecord {
        owner,
        hold,
        pid,
        undo: copy,
    })?;
    Ok(Hold { undo, lock })
}

/// Who puts the original back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// This target.
    Us,
    /// Somebody has done it.
    Hand,
}

/// Puts the original back, checks that the target shows it, and unlocks. `held` is none where another
/// process held it before; on failure it stays held, for the next attempt.
pub(super) async fn restore(
    surroundings: &Surroundings,
    cx: &OpContext,
    held: &mut Option<Hold>,
    undo: Option<&Undo>,
    by: By,
) -> Result<(), CommandTargetError> {
    if held.is_none() {
        *held = retake(surroundings, cx)?;
    }
    if held.is_none() {
        return Ok(());
    }
    if let Some(undo) = undo {
        let body = UndoBody::of(undo)?;
        match by {
            By::Us => put_back(surroundings, cx, &body).await?,
            By::Hand => shows_original(surroundings, cx, &body).await?,
        }
    }
    remove(&surroundings.undo_file(&mark_of(cx)))?;
    match held.take() {
        Some(hold) => Ok(hold.lock.release()?),
        None => Ok(()),
    }
}

/// The lock that an earlier process took under this very key; none where there is nothing to put back:
/// unlocked already, or somebody else's by now.
fn retake(surroundings: &Surroundings, cx: &OpContext) -> Result<Option<Hold>, CommandTargetError> {
    let Some(path) = lock_of(&surroundings.locks, &cx.key.to_string(), &cx.epoch.store) else {
        return Ok(None);
    };
    match SlotLock::take(&path) {
        Err(error) if error.is_taken_over_from(&cx.key.to_string()) => Ok(None),
        Err(error) => Err(error.into()),
        Ok(taken) => {
            let left = taken.left.filter(|left| left.hold == cx.key.to_string());
            let undo = left.and_then(|left| read_copy(&left.undo));
            Ok(undo.map(|undo| Hold {
                undo,
                lock: taken.lock,
            }))
        }
    }
}

/// The lock file whose record names this hold of this store. It is looked for by what stands in it,
/// because a restore after a crash has no plan that names the lock.
fn lock_of(folder: &Path, hold: &str, store: &str) -> Option<std::path::PathBuf> {
    let entries = fs::read_dir(folder).ok()?.filter_map(Result::ok);
    entries.map(|entry| entry.path()).find(|path| {
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        name.starts_with("em-slot-command-")
            && fs::read(path)
                .ok()
                .and_then(|text| serde_json::from_slice::<SlotRecord>(&text).ok())
                .is_some_and(|record| record.hold == hold && record.owner_store() == store)
    })
}

async fn put_back(
    surroundings: &Surroundings,
    cx: &OpContext,
    body: &UndoBody,
) -> Result<(), CommandTargetError> {
    let input = json!({ "act": "restore", "undo": body.snapshot });
    let called = call(surroundings, cx, body, &body.restore_command, &input).await;
    called.and_then(|called| {
        called
            .ended_with(&[0])
            .map_err(CommandTargetError::call("restore"))
    })?;
    shows_original(surroundings, cx, body).await
}

async fn shows_original(
    surroundings: &Surroundings,
    cx: &OpContext,
    body: &UndoBody,
) -> Result<(), CommandTargetError> {
    let seen = snapshot(surroundings, cx, body).await?;
    let places = differences(&body.snapshot, &seen);
    if places.is_empty() {
        return Ok(());
    }
    let first: Vec<String> = places.into_iter().take(5).collect();
    Err(CommandTargetError::NotBack {
        places: first.join(", "),
    })
}

async fn snapshot(
    surroundings: &Surroundings,
    cx: &OpContext,
    body: &UndoBody,
) -> Result<Json, CommandTargetError> {
    let input = json!({ "act": "snapshot" });
    let called = call(surroundings, cx, body, &body.snapshot_command, &input).await?;
    let printed = called.ended_with(&[0]).and_then(|called| called.json());
    printed.map_err(CommandTargetError::call("snapshot"))
}

/// Takes a snapshot only to look at it.
pub(super) async fn look(
    surroundings: &Surroundings,
    cx: &OpContext,
    spec: &CommandSpec,
) -> Result<Json, CommandTargetError> {
    let body = UndoBody::new(spec, Json::Null, surroundings.base.clone());
    snapshot(surroundings, cx, &body).await
}

/// Puts the original back within a hold: the deployment of a configuration without values.
pub(super) async fn deploy_original(
    surroundings: &Surroundings,
    cx: &OpContext,
    undo: &Undo,
) -> Result<(), CommandTargetError> {
    put_back(surroundings, cx, &UndoBody::of(undo)?).await
}

async fn call(
    surroundings: &Surroundings,
    cx: &OpContext,
    body: &UndoBody,
    command: &[Template],
    input: &Json,
) -> Result<Called, CommandTargetError> {
    let places = Places {
        executable: surroundings.executable.clone(),
        base: body.folder.clone(),
        ..Places::default()
    };
    let none = Values::new();
    let lookup = |name: &str| fill::lookup(&places, &none, name);
    let (env, _) = fill::environment("target.env", &body.env, &lookup)?;
    let call = Call {
        command: fill::command("target", command, &places.base, &lookup)?,
        env: env.into_iter().collect(),
        folder: body.folder.clone(),
    };
    let called = call.make(surroundings, &mark_of(cx), Some(input)).await;
    called.map_err(CommandTargetError::call("reach"))
}

fn read_copy(path: &Path) -> Option<Undo> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

fn remove(path: &Path) -> Result<(), CommandTargetError> {
    record::remove(path).map_err(|source| CommandTargetError::Record {
        path: path.to_owned(),
        source,
    })
}
