//! A value that cannot be applied to an object.

use em_core::fault::{Fault, FaultKind};
use em_core::id::TunableName;
use em_core::plan::ObjectRef;
use em_core::template::TemplateError;

/// A value cannot be applied.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChangeError {
    /// The container that the file names is not there.
    #[error("{object} has no container {wanted:?} (it has {})", has.join(", "))]
    NoContainer {
        /// The workload.
        object: ObjectRef,
        /// What the file says.
        wanted: String,
        /// What there is.
        has: Vec<String>,
    },
    /// The file names no container and there are several, or none.
    #[error("{object} has the containers {} (say which one is meant: target.container)", has.join(", "))]
    ManyContainers {
        /// The workload.
        object: ObjectRef,
        /// What there is.
        has: Vec<String>,
    },
    /// A template.
    #[error("failed to fill in tunable {tunable}")]
    Template {
        /// The tunable.
        tunable: TunableName,
        /// What is wrong.
        #[source]
        source: TemplateError,
    },
    /// A regular expression.
    #[error("tunable {tunable}: apply.replaces is not a regular expression")]
    Replaces {
        /// The tunable.
        tunable: TunableName,
        /// What is wrong.
        #[source]
        source: Box<regex::Error>,
    },
    /// A variable whose value is kept elsewhere cannot be composed.
    #[error(
        "tunable {tunable}: the value of {variable} comes from a Secret, a ConfigMap or a field, so there is nothing to put a piece into (write the whole variable: leave out \"piece\")"
    )]
    Elsewhere {
        /// The tunable.
        tunable: TunableName,
        /// The variable.
        variable: String,
    },
    /// The arguments are the image's own.
    #[error(
        "tunable {tunable}: container {container} has neither command nor args, so an argument would replace those of its image (write the image's own arguments into the workload first)"
    )]
    ImageArguments {
        /// The tunable.
        tunable: TunableName,
        /// The container.
        container: String,
    },
    /// A value is of the wrong kind.
    #[error("tunable {tunable}: {value} is no {wanted}")]
    Value {
        /// The tunable.
        tunable: TunableName,
        /// Its value.
        value: String,
        /// What is needed.
        wanted: &'static str,
    },
    /// A patch does not fit the object.
    #[error("tunable {tunable}: the patch of {object} cannot be applied: {problem}")]
    Patch {
        /// The tunable.
        tunable: TunableName,
        /// The object.
        object: ObjectRef,
        /// Why.
        problem: String,
    },
    /// A variable of clones that is a secret.
    #[error(
        "clones.env.{variable}: a secret would be readable in the object (keep it in a Secret of the cluster and name that one in clones.patch)"
    )]
    Secret {
        /// The variable.
        variable: String,
    },
    /// A variable of clones that cannot be filled in.
    #[error("failed to fill in clones.env.{variable}")]
    Variable {
        /// The variable.
        variable: String,
        /// What is wrong.
        #[source]
        source: TemplateError,
    },
    /// This target cannot do it.
    #[error("tunable {tunable}: a workload has no such thing to apply it to")]
    Unsupported {
        /// The tunable.
        tunable: TunableName,
    },
}

impl From<ChangeError> for Fault {
    fn from(error: ChangeError) -> Self {
        let message = error.to_string();
        let fault = Self::new(FaultKind::Invalid, message);
        match error {
            ChangeError::Template { source, .. } | ChangeError::Variable { source, .. } => {
                fault.caused_by(source)
            }
            ChangeError::Replaces { source, .. } => fault.caused_by(source),
            ChangeError::NoContainer { .. }
            | ChangeError::ManyContainers { .. }
            | ChangeError::Elsewhere { .. }
            | ChangeError::ImageArguments { .. }
            | ChangeError::Value { .. }
            | ChangeError::Patch { .. }
            | ChangeError::Secret { .. }
            | ChangeError::Unsupported { .. } => fault,
        }
    }
}
