//! Images that cannot be had.

use em_core::journal::Blame;
use k8s_openapi::api::core::v1::{ContainerStateWaiting, Pod};

use super::super::Verdict;
use super::super::look::{Cause, Look};
use super::container::called;
use crate::scene::event::{self, quote};
use crate::scene::pod::{self, Container};

const REASONS: [&str; 7] = [
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "ErrImageNeverPull",
    "ImageInspectError",
    "RegistryUnavailable",
    "SignatureValidationFailed",
];

/// Words of a registry that cannot be reached or does not want to answer now.
const UNREACHABLE: [&str; 13] = [
    "dial tcp",
    "i/o timeout",
    "no such host",
    "connection refused",
    "connection reset",
    "tls handshake",
    "deadline exceeded",
    "unexpected eof",
    "toomanyrequests",
    "too many requests",
    "service unavailable",
    "bad gateway",
    "x509",
];

pub(super) fn judge(
    look: &Look<'_>,
    pod: &Pod,
    container: Container<'_>,
    waiting: &ContainerStateWaiting,
) -> Option<Verdict> {
    let reason = waiting.reason.as_deref()?;
    if !REASONS.contains(&reason) {
        return None;
    }
    let words = words(look, pod, container, waiting);
    let lower = words.to_ascii_lowercase();
    let is_unreachable =
        reason == "RegistryUnavailable" || UNREACHABLE.iter().any(|word| lower.contains(word));
    let (blame, advice) = if is_unreachable {
        (
            Blame::Cluster,
            "the registry cannot be reached from the node; try again when it can",
        )
    } else {
        (
            Blame::Configuration,
            "correct the name, tag or digest, or give the pods the right to pull it",
        )
    };
    let why = format!(
        "{} cannot get its image {} ({reason}): {}; {advice}",
        called(pod, container),
        container.status.image,
        quote(&words),
    );
    Some(Cause::new(blame, why).stuck())
}

/// While the kubelet waits to try again, older ones do not repeat the cause: their event has it.
fn words(
    look: &Look<'_>,
    pod: &Pod,
    container: Container<'_>,
    waiting: &ContainerStateWaiting,
) -> String {
    let own = waiting.message.clone().unwrap_or_default();
    let says_cause = own.contains("ErrImagePull:") || !own.starts_with("Back-off");
    if says_cause {
        return own;
    }
    let told = look.events(pod::uid(pod)).find(|told| {
        event::message(told).starts_with("Failed to pull image")
            && event::is_of(told, &container.status.name)
    });
    told.map_or(own, |told| event::message(told).to_owned())
}
