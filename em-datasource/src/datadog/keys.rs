//! Who asks.

use em_core::fault::Fault;
use em_core::plan::{DatadogSpec, Secret};

/// Both keys, for one question.
pub(super) struct Keys {
    api: Secret,
    application: Secret,
}

impl Keys {
    pub(super) fn of(spec: &DatadogSpec) -> Result<Self, Fault> {
        Ok(Self {
            api: spec.api_key.resolve()?,
            application: spec.application_key.resolve()?,
        })
    }

    pub(super) fn headers(&self) -> [(&'static str, String); 2] {
        [
            ("DD-API-KEY", self.api.expose().to_owned()),
            ("DD-APPLICATION-KEY", self.application.expose().to_owned()),
        ]
    }
}
