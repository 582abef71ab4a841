//! Series of one answer are told apart by their labels.

use std::collections::BTreeSet;

use em_core::port::Labels;

/// The first labels that were there before.
pub(crate) fn first_twice<'l>(mut labels: impl Iterator<Item = &'l Labels>) -> Option<&'l Labels> {
    let mut seen = BTreeSet::new();
    labels.find(|labels| !seen.insert(*labels))
}
