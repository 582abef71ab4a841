//! How this crate's errors cross the ports.

use em_core::fault::{Fault, FaultKind};

use crate::request::{LookupError, RequestError};
use crate::run::RunError;

impl From<RequestError> for Fault {
    fn from(error: RequestError) -> Self {
        Self::new(FaultKind::Invalid, error.to_string())
    }
}

impl From<LookupError> for Fault {
    fn from(error: LookupError) -> Self {
        let fault = Self::new(FaultKind::Unavailable, error.to_string());
        fault.caused_by(error.into_source())
    }
}

impl From<RunError> for Fault {
    fn from(error: RunError) -> Self {
        let message = error.to_string();
        match error {
            RunError::Plan { .. } => Self::new(FaultKind::Invalid, message),
            RunError::Start { source, .. } => {
                Self::new(FaultKind::Unavailable, message).caused_by(source)
            }
        }
    }
}

/// The error with its causes, on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
