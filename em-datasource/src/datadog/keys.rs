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

    /// The fault without keys that the server may have repeated in it.
    pub(super) fn hushed(&self, fault: Fault) -> Fault {
        let chain = fault.chain();
        let said = self.without(&chain);
        if said == chain {
            return fault;
        }
        Fault::new(fault.kind, said).with_retry(fault.retry)
    }

    /// The text without keys.
    pub(super) fn without(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for key in [&self.api, &self.application] {
            if !key.expose().is_empty() {
                text = text.replace(key.expose(), "***");
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use em_core::fault::FaultKind;

    use super::*;

    #[test]
    fn a_key_that_the_server_repeats_is_not_repeated_by_us() {
        let keys = Keys {
            api: Secret::new("hush-api"),
            application: Secret::new(""),
        };
        let plain = keys.hushed(Fault::new(FaultKind::Invalid, "no"));
        assert_eq!(plain.message, "no");
        let cause = std::io::Error::other("key hush-api is unknown");
        let fault = Fault::new(FaultKind::Throttled, "refused").caused_by(cause);
        let hushed = keys.hushed(fault);
        assert_eq!(hushed.chain(), "refused: key *** is unknown");
        assert_eq!(hushed.kind, FaultKind::Throttled);
    }
}
