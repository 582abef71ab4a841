//! From this crate's errors to the one fault that crosses the ports.

use std::error::Error;

use em_core::fault::{Fault, FaultKind, chain};

/// A fault of `kind` that says what `error` says, its causes behind it.
pub(crate) fn of_kind(kind: FaultKind, error: &dyn Error) -> Fault {
    let fault = Fault::new(kind, error.to_string());
    match error.source() {
        None => fault,
        Some(source) => fault.caused_by(chain(source)),
    }
}

/// Blocking work on a thread of its own; a panic in it is ours.
pub(crate) async fn blocking<T: Send + 'static>(act: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(act).await {
        Ok(answer) => answer,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
