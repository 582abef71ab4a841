//! How a request ended.

use crate::moment::Moment;

/// Why a request that was sent has no successful answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ErrorClass {
    /// Nobody listens at the address.
    Refused,
    /// The connection could not be made for another reason.
    Connect,
    /// No complete answer within the time-out.
    Timeout,
    /// The connection broke before the answer was complete.
    Broken,
    /// The answer is not HTTP.
    Protocol,
    /// A complete answer whose status does not count as a success.
    Status,
}

impl ErrorClass {
    /// All classes, in the order in which reports list them.
    pub const ALL: [Self; 6] = [
        Self::Refused,
        Self::Connect,
        Self::Timeout,
        Self::Broken,
        Self::Protocol,
        Self::Status,
    ];

    /// Name in reports and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Connect => "connect",
            Self::Timeout => "timeout",
            Self::Broken => "broken",
            Self::Protocol => "protocol",
            Self::Status => "status",
        }
    }

    pub(crate) fn index(self) -> usize {
        Self::ALL
            .iter()
            .position(|class| *class == self)
            .expect("ALL holds every class")
    }
}

/// A request that came to its end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Finished {
    /// The batch that waits for it.
    pub(crate) batch: usize,
    /// When it should have been sent.
    pub(crate) due: Moment,
    /// When the driver took it up: from here on the target (or the way to it) is responsible.
    pub(crate) sent: Moment,
    /// When the last byte of the answer was here, or the failure was known.
    pub(crate) done: Moment,
    pub(crate) result: Result<(), ErrorClass>,
}
