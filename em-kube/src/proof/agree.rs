//! What several pods show, as one fact.

use em_core::port::Fact;

/// What one pod shows of something that was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shown {
    /// What was asked, however it is spelled.
    AsAsked,
    /// Something else.
    Other(String),
    /// Nothing.
    Absent,
}

/// Something that was asked of all pods. Without pods it is absent.
pub(super) fn asked(name: &str, asked: &str, shown: &[(&str, Shown)]) -> Fact {
    let spelled = shown.iter().map(|(pod, shown)| {
        let text = match shown {
            Shown::AsAsked => Some(asked.to_owned()),
            Shown::Other(text) => Some(text.clone()),
            Shown::Absent => None,
        };
        (*pod, text)
    });
    Fact {
        name: name.to_owned(),
        asked: Some(asked.to_owned()),
        seen: together(spelled),
    }
}

/// Something that nobody asked for; none where no pod shows it.
pub(super) fn noted<'a>(
    name: &str,
    shown: impl IntoIterator<Item = (&'a str, Option<String>)>,
) -> Option<Fact> {
    Some(Fact {
        name: name.to_owned(),
        asked: None,
        seen: Some(together(shown)?),
    })
}

/// One text where all agree, else each with the pods that show it: `4 (pod a), 2 (pods b c)`.
fn together<'a>(shown: impl IntoIterator<Item = (&'a str, Option<String>)>) -> Option<String> {
    let mut groups: Vec<(Option<String>, Vec<&str>)> = Vec::new();
    for (pod, text) in shown {
        match groups.iter_mut().find(|(known, _)| *known == text) {
            Some((_, pods)) => pods.push(pod),
            None => groups.push((text, vec![pod])),
        }
    }
    if let [(text, _)] = groups.as_slice() {
        return text.clone();
    }
    let spelled = groups.iter().map(|(text, pods)| {
        let text = text.as_deref().unwrap_or("absent");
        let word = if pods.len() == 1 { "pod" } else { "pods" };
        format!("{text} ({word} {})", pods.join(" "))
    });
    let spelled: Vec<_> = spelled.collect();
    (!spelled.is_empty()).then(|| spelled.join(", "))
}

/// The fact as it is where the file accepts facts of these names: it may be anything, and says so where it
/// differs. A name covers what is below it: `limit` is every limit.
pub(super) fn accepted(fact: Fact, accept: &[String]) -> Fact {
    let covers = |name: &String| {
        let rest = fact.name.strip_prefix(name.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let Some(asked) = fact.asked.clone().filter(|_| accept.iter().any(covers)) else {
        return fact;
    };
    let seen = if fact.seen.as_ref() == Some(&asked) {
        asked
    } else {
        let seen = fact.seen.as_deref().unwrap_or("absent");
        format!("{seen} (asked {asked}, accepted)")
    };
    Fact {
        name: fact.name,
        asked: None,
        seen: Some(seen),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn other(text: &str) -> Shown {
        Shown::Other(text.to_owned())
    }

    #[test]
    fn pods_that_agree_are_one_text_and_others_are_told_apart() {
        let seen = |shown: &[(&str, Shown)]| asked("env.X", "4", shown).seen;
        let both = [("a", Shown::AsAsked), ("b", Shown::AsAsked)];
        assert_eq!(seen(&both).unwrap(), "4");
        let split = [
            ("a", Shown::AsAsked),
            ("b", other("2")),
            ("c", Shown::AsAsked),
        ];
        assert_eq!(seen(&split).unwrap(), "4 (pods a c), 2 (pod b)");
        let missing = [("a", other("2")), ("b", Shown::Absent)];
        assert_eq!(seen(&missing).unwrap(), "2 (pod a), absent (pod b)");
    }

    #[test]
    fn no_pod_proves_nothing() {
        assert_eq!(asked("env.X", "4", &[]).seen, None);
        assert_eq!(asked("env.X", "4", &[("a", Shown::Absent)]).seen, None);
        assert_eq!(noted("qos", [("a", None)]), None);
    }

    #[test]
    fn what_is_accepted_may_differ_and_says_so() {
        let fact = |name: &str, shown: Shown| asked(name, "1Gi", &[("a", shown)]);
        let accept = ["limit".to_owned(), "image".to_owned()];
        let one = accepted(fact("limit.memory", other("512Mi")), &accept);
        assert_eq!(one.asked, None);
        assert_eq!(one.seen.unwrap(), "512Mi (asked 1Gi, accepted)");
        let same = accepted(fact("limit.memory", Shown::AsAsked), &accept);
        assert_eq!(same.seen.unwrap(), "1Gi");
        let gone = accepted(fact("image", Shown::Absent), &accept);
        assert_eq!(gone.seen.unwrap(), "absent (asked 1Gi, accepted)");
        let strict = accepted(fact("limits", other("512Mi")), &accept);
        assert_eq!(strict.asked.unwrap(), "1Gi");
    }
}
