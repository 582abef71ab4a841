//! What a cluster refuses, in the engine's terms.

use em_core::fault::{Fault, FaultKind};

/// A failed call of a cluster. `act` says what was tried on what: `patch deployment/checkout`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KubeError {
    /// The cluster answered with a refusal.
    #[error("failed to {act}")]
    Refused {
        /// What was tried on what.
        act: String,
        /// The refusal.
        #[source]
        status: Box<kube::core::Status>,
    },
    /// The cluster could not be reached, or its answer could not be read.
    #[error("failed to {act}")]
    Call {
        /// What was tried on what.
        act: String,
        /// What is in the way.
        #[source]
        source: Box<kube::Error>,
    },
    /// The kubeconfig cannot be used.
    #[error("failed to read the kubeconfig")]
    Config(#[source] Box<kube::config::KubeconfigError>),
    /// The service account of the own pod cannot be used.
    #[error(
        "failed to find the service account of the own pod (context \"in-cluster\" works in a pod only)"
    )]
    InCluster(#[source] Box<kube::config::InClusterError>),
    /// The kubeconfig has no such context.
    #[error("there is no context {wanted:?} in the kubeconfig (it has {has})")]
    NoContext {
        /// What was asked for.
        wanted: String,
        /// What there is, as people read it.
        has: String,
    },
    /// What the cluster shows is not what is needed.
    #[error("{what}")]
    Unfit {
        /// What is wrong, where, and what to do.
        what: String,
        /// What the engine should make of it.
        kind: FaultKind,
    },
}

impl KubeError {
    /// Whatever `act` met.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "all but refusals are failed calls, whatever the client adds"
    )]
    pub fn of(act: impl Into<String>) -> impl FnOnce(kube::Error) -> Self {
        let act = act.into();
        move |error| match error {
            kube::Error::Api(status) => Self::Refused { act, status },
            source => Self::Call {
                act,
                source: Box::new(source),
            },
        }
    }

    /// Something is not as it has to be.
    pub fn unfit(kind: FaultKind, what: impl Into<String>) -> Self {
        Self::Unfit {
            what: what.into(),
            kind,
        }
    }

    /// The code of the refusal, where it is one.
    pub fn code(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(status.code),
            Self::Call { .. }
            | Self::Config(_)
            | Self::InCluster(_)
            | Self::NoContext { .. }
            | Self::Unfit { .. } => None,
        }
    }

    /// Whether what was asked for is not there.
    pub fn is_not_found(&self) -> bool {
        self.code() == Some(404)
    }

    /// Whether the cluster does not allow it.
    pub fn is_forbidden(&self) -> bool {
        self.code() == Some(403)
    }

    /// Whether somebody else was faster.
    pub fn is_conflict(&self) -> bool {
        self.code() == Some(409)
    }

    fn kind(&self) -> FaultKind {
        match self {
            Self::Refused { status, .. } => kind_of(status),
            Self::Call { source, .. } => kind_of_call(source),
            Self::Config(_) | Self::InCluster(_) | Self::NoContext { .. } => FaultKind::Invalid,
            Self::Unfit { kind, .. } => *kind,
        }
    }
}

impl From<KubeError> for Fault {
    fn from(error: KubeError) -> Self {
        let kind = error.kind();
        let message = error.to_string();
        let Some(source) = into_source(error) else {
            return Self::new(kind, message);
        };
        Self::new(kind, message).caused_by(source)
    }
}

fn into_source(error: KubeError) -> Option<Box<dyn std::error::Error + Send + Sync>> {
    match error {
        KubeError::Refused { status, .. } => Some(words(&status).into()),
        KubeError::Call { source, .. } => Some(source),
        KubeError::Config(source) => Some(source),
        KubeError::InCluster(source) => Some(source),
        KubeError::NoContext { .. } | KubeError::Unfit { .. } => None,
    }
}

/// The cluster's own words.
fn words(status: &kube::core::Status) -> String {
    if status.message.is_empty() {
        format!("the cluster answered {} {}", status.code, status.reason)
    } else {
        status.message.clone()
    }
}

/// Codes first: they are the part of a status that every server fills in.
fn kind_of(status: &kube::core::Status) -> FaultKind {
    match status.code {
        400 | 405 | 406 | 410 | 413 | 415 | 422 => FaultKind::Invalid,
        401 | 403 => FaultKind::Denied,
        404 => FaultKind::NotFound,
        409 => FaultKind::Conflict,
        429 => FaultKind::Throttled,
        // A server says so of an unknown field in an applied object: that will not get better.
        500 if status.message.contains("not declared in schema") => FaultKind::Invalid,
        _ => FaultKind::Unavailable,
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "all that is not named is a connection that did not work"
)]
fn kind_of_call(error: &kube::Error) -> FaultKind {
    match error {
        kube::Error::SerdeError(_) | kube::Error::FromUtf8(_) => FaultKind::Malformed,
        kube::Error::Auth(_) => FaultKind::Denied,
        kube::Error::BuildRequest(_) | kube::Error::Discovery(_) => FaultKind::Invalid,
        _ => FaultKind::Unavailable,
    }
}
