//! What everything of ours in a cluster carries, so that it is found again and nothing else is taken for it.

use em_core::id::OpKey;

/// Prefix of all labels and annotations of ours.
pub const PREFIX: &str = "experiment-manager.io/";
/// Label: the experiment, shortened where it is too long for a label.
pub const EXPERIMENT: &str = "experiment-manager.io/experiment";
/// Label: the store of the manager that wrote it.
pub const STORE: &str = "experiment-manager.io/store";
/// Label of all pods of one clone, and its selector.
pub const CLONE: &str = "experiment-manager.io/clone";
/// Annotation: the act that wrote it, as the engine names it.
pub const KEY: &str = "experiment-manager.io/key";
/// Annotation: the store and counter of who wrote it, as `STORE.COUNTER`.
pub const EPOCH: &str = "experiment-manager.io/epoch";
/// Annotation of a Lease that was taken from somebody: who it was, until what they left is put back.
pub const FORMER: &str = "experiment-manager.io/former";
/// Annotation of a live object while it is held: who holds it and how it is put back.
pub const HOLD: &str = "experiment-manager.io/hold";
/// Annotation of a live object while it is held: what was last applied, as digests by place.
pub const APPLIED: &str = "experiment-manager.io/applied";
/// Annotation of a pod template: the iteration for which it was rolled out.
pub const ITERATION: &str = "experiment-manager.io/iteration";
/// Who manages what is written, in `managedFields`.
pub const FIELD_MANAGER: &str = "experiment-manager";

/// A text as the value of a label: at most 63 characters of the permitted ones. What does not fit keeps its
/// beginning and ends in a digest of the whole.
pub fn label(text: &str) -> String {
    let is_fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let is_end = |c: char| c.is_ascii_alphanumeric();
    if text.len() <= 63
        && text.chars().all(is_fine)
        && text.starts_with(is_end)
        && text.ends_with(is_end)
    {
        return text.to_owned();
    }
    let kept: String = text.chars().filter(|c| is_fine(*c)).take(46).collect();
    let kept = kept.trim_matches(|c: char| !is_end(c));
    let digest = short_digest(text);
    if kept.is_empty() {
        return digest;
    }
    format!("{kept}-{digest}")
}

/// A text as the name of an object that is at most `most` characters long (at least 20).
pub fn object_name(text: &str, most: usize) -> String {
    let lower = text.to_ascii_lowercase();
    let is_fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let cleaned: String = lower
        .chars()
        .map(|c| if is_fine(c) { c } else { '-' })
        .collect();
    let cleaned = cleaned.trim_matches('-');
    if cleaned == text && text.len() <= most {
        return text.to_owned();
    }
    let digest = short_digest(text);
    let room = most.saturating_sub(digest.len() + 1);
    let kept: String = cleaned.chars().take(room).collect();
    let kept = kept.trim_matches('-');
    if kept.is_empty() {
        return format!("em-{digest}");
    }
    format!("{kept}-{digest}")
}

/// Ten hexadecimal digits of the SHA-256 of a text.
pub fn short_digest(text: &str) -> String {
    use sha2::{Digest as _, Sha256};
    let mut digest = hex::encode(Sha256::digest(text.as_bytes()));
    digest.truncate(10);
    digest
}

/// An act as text, for annotations.
pub fn key(key: &OpKey) -> String {
    serde_json::to_string(key).unwrap_or_else(|_| key.to_string())
}

/// The act that such a text names.
pub fn read_key(text: &str) -> Option<OpKey> {
    serde_json::from_str(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_fit_and_stay_distinct() {
        assert_eq!(label("checkout-latency"), "checkout-latency");
        let long = "x".repeat(80);
        let other = format!("{long}y");
        for text in [&long, &other] {
            assert!(label(text).len() <= 63);
        }
        assert_ne!(label(&long), label(&other));
        assert_ne!(label("a b"), label("ab"));
    }

    #[test]
    fn names_of_objects_fit_and_stay_distinct() {
        assert_eq!(object_name("checkout", 40), "checkout");
        let names = ["Checkout", "check.out", "check_out"].map(|name| object_name(name, 40));
        for name in &names {
            assert!(em_core::plan::is_dns_name(name), "{name}");
        }
        assert_ne!(names[1], names[2]);
        assert!(object_name(&"x".repeat(200), 30).len() <= 30);
    }

    #[test]
    fn acts_are_read_back() {
        let act = OpKey::Experiment {
            experiment: "demo".parse().unwrap(),
            seq: 4,
        };
        assert_eq!(read_key(&key(&act)), Some(act));
    }
}
