//! The nearest of the names that exist.

/// The candidate that `word` is most likely a misspelling of, if any is near enough (a third of its letters may differ).
///
/// ```
/// use em_core::expression::closest;
/// assert_eq!(closest("respone_time", ["response_time", "throughput"]), Some("response_time"));
/// assert_eq!(closest("x", ["response_time"]), None);
/// ```
pub fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // The distance takes quadratic time: nobody misspells a name of hundreds of letters.
    if word.len() > 100 {
        return None;
    }
    let allowed = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .filter(|candidate| candidate.len() <= 200)
        .map(|candidate| (strsim::osa_distance(word, candidate), candidate))
        .filter(|(distance, candidate)| {
            *distance <= allowed && *distance < candidate.chars().count()
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}
