//! The one error that crosses every port.

use std::error::Error;
use std::fmt::{self, Write as _};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What went wrong, in the engine's terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FaultKind {
    /// The request can never succeed as it is.
    Invalid,
    /// What was asked for does not exist.
    NotFound,
    /// Credentials or rights are missing.
    Denied,
    /// Somebody else holds or changed it.
    Conflict,
    /// The other side asks to be left alone for a while.
    Throttled,
    /// The other side cannot be reached, is out of resources, or took too long.
    Unavailable,
    /// The answer could not be understood.
    Malformed,
    /// The operation was called off.
    Cancelled,
}

/// Whether the same request may succeed later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Retry {
    /// It will not.
    Never,
    /// It may, after the engine's own back-off.
    Later,
    /// It may, after at least this long: the other side said so.
    After(Duration),
}

/// A failed call of a port: kind, whether to try again, and a message that says what was tried on
/// what and, where known, what to do. The cause is in [`Error::source`], never in the message.
#[derive(Debug)]
pub struct Fault {
    /// What went wrong.
    pub kind: FaultKind,
    /// Whether trying again can help.
    pub retry: Retry,
    /// The act that failed, lower case, without the cause.
    pub message: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl Fault {
    /// A fault with the usual retry rule of its kind.
    pub fn new(kind: FaultKind, message: impl Into<String>) -> Self {
        let retry = match kind {
            FaultKind::Throttled | FaultKind::Unavailable => Retry::Later,
            FaultKind::Invalid
            | FaultKind::NotFound
            | FaultKind::Denied
            | FaultKind::Conflict
            | FaultKind::Malformed
            | FaultKind::Cancelled => Retry::Never,
        };
        Self {
            kind,
            retry,
            message: message.into(),
            source: None,
        }
    }

    /// The same with its cause.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The same with another retry rule.
    #[must_use]
    pub fn with_retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// Message and all causes in one line.
    pub fn chain(&self) -> String {
        chain(self)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Fault {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source
            .as_deref()
            .map(|source| source as &(dyn Error + 'static))
    }
}

/// An error and all its causes in one line, `act: cause: cause`.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        write!(text, ": {cause}").expect("writing to a string cannot fail");
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_names_every_cause_once() {
        let io = std::io::Error::other("disk on fire");
        let fault = Fault::new(
            FaultKind::Unavailable,
            "failed to append to iteration/a/t1/i2",
        )
        .caused_by(io);
        assert_eq!(fault.to_string(), "failed to append to iteration/a/t1/i2");
        assert_eq!(
            fault.chain(),
            "failed to append to iteration/a/t1/i2: disk on fire"
        );
        assert_eq!(fault.retry, Retry::Later);
    }
}
