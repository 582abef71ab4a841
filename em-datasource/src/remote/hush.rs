//! What a server repeats of the secrets that it was told.

use em_core::fault::Fault;
use em_core::plan::Secret;

/// The text without the secret.
pub(crate) fn without(secret: &Secret, text: &str) -> String {
    match secret.expose().trim() {
        "" => text.to_owned(),
        secret => text.replace(secret, "***"),
    }
}

/// The fault without a secret that the server may have repeated in it.
pub(crate) fn hushed(secret: &Secret, fault: Fault) -> Fault {
    let chain = fault.chain();
    let said = without(secret, &chain);
    if said == chain {
        return fault;
    }
    Fault::new(fault.kind, said).with_retry(fault.retry)
}

#[cfg(test)]
mod tests {
    use em_core::fault::FaultKind;

    use super::*;

    #[test]
    fn a_secret_that_the_server_repeats_is_not_repeated_by_us() {
        let cause = std::io::Error::other("token hush is unknown");
        let fault = Fault::new(FaultKind::Throttled, "refused").caused_by(cause);
        let hushed = hushed(&Secret::new("hush"), fault);
        assert_eq!(hushed.chain(), "refused: token *** is unknown");
        assert_eq!(hushed.kind, FaultKind::Throttled);
    }

    #[test]
    fn an_empty_secret_is_in_no_text() {
        let fault = Fault::new(FaultKind::Invalid, "no");
        assert_eq!(hushed(&Secret::new(" "), fault).message, "no");
    }
}
