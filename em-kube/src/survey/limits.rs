//! What a `LimitRange` of the namespace allows pods to ask for.

use em_core::port::Finding;
use em_core::value::Quantity;
use serde_json::Value as Json;

use super::demand::{Amount, Range, of_container, of_pod, quantity};
use super::finding::{error, list_at, name_of, note, text_at, warning};
use super::subject::Subject;

/// The values of the plan against every `LimitRange`.
pub(super) fn check(subject: &Subject<'_>, ranges: &[Json]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let Some(pod) = subject.pod() else {
        return findings;
    };
    for range in ranges {
        for rule in list_at(range, "/spec/limits") {
            let source = format!("LimitRange {}", name_of(range));
            match text_at(rule, "/type") {
                Some("Container") => {
                    for container in list_at(pod, "/containers") {
                        let who = format!("container {} of {}", name_of(container), subject.what());
                        let asked = |amount| of_container(subject, container, amount);
                        findings.extend(of_rule(rule, &source, &who, &asked));
                        findings.extend(defaults(rule, &source, &who, &asked));
                    }
                }
                Some("Pod") => {
                    let who = format!("a pod of {}", subject.what());
                    let asked = |amount| Some(of_pod(subject, amount));
                    findings.extend(of_rule(rule, &source, &who, &asked));
                }
                Some(_) | None => {}
            }
        }
    }
    findings
}

type Asked<'a> = &'a dyn Fn(Amount) -> Option<Range>;

fn of_rule(rule: &Json, source: &str, who: &str, asked: Asked<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for amount in Amount::ALL {
        let resource = amount.resource_name();
        let bound = |key: &str| {
            rule.pointer(&format!("/{key}/{resource}"))
                .and_then(quantity)
        };
        let Some(range) = asked(amount).filter(|range| *range != Range::NONE) else {
            continue;
        };
        let name = amount.name();
        if let Some(most) = bound("max") {
            findings.extend(above(&name, range, most, source, who));
        }
        if let Some(least) = bound("min").filter(|_| !amount.is_limit) {
            findings.extend(below(&name, range, least, source, who));
        }
        if let Some(most) = bound("maxLimitRequestRatio").filter(|_| amount.is_limit) {
            let request = asked(Amount {
                is_limit: false,
                ..amount
            });
            findings.extend(ratio(resource, range, request, most, source, who));
        }
    }
    findings
}

fn above(name: &str, range: Range, most: Quantity, source: &str, who: &str) -> Option<Finding> {
    if range.high <= most {
        return None;
    }
    let remedy = format!("keep the {name} at {most} or below, or raise the maximum");
    let what = format!("{source} refuses a {name} above {most}, and {who} gets");
    Some(if range.low > most {
        error(format!("{what} {} at the least", range.low), remedy)
    } else {
        warning(
            format!("{what} up to {}: such trials fail", range.high),
            remedy,
        )
    })
}

fn below(name: &str, range: Range, least: Quantity, source: &str, who: &str) -> Option<Finding> {
    if range.low >= least {
        return None;
    }
    let remedy = format!("keep the {name} at {least} or above, or lower the minimum");
    let what = format!("{source} refuses a {name} below {least}, and {who} gets");
    Some(if range.high < least {
        error(format!("{what} {} at the most", range.high), remedy)
    } else {
        warning(
            format!("{what} as little as {}: such trials fail", range.low),
            remedy,
        )
    })
}

fn ratio(
    resource: &str,
    limit: Range,
    request: Option<Range>,
    most: Quantity,
    source: &str,
    who: &str,
) -> Option<Finding> {
    let least = request?.low.to_f64();
    let is_over = least > 0.0 && limit.high.to_f64() / least > most.to_f64();
    is_over.then(|| {
        warning(
            format!("{source} refuses a limit of {resource} above {most} times its request, and {who} may get {} on {}", limit.high, request.map_or(Quantity::ZERO, |range| range.low)),
            "tie the request to the limit: apply.of: both",
        )
    })
}

/// What pods get without having asked shows up in the proof as a difference, so it is told before.
fn defaults(rule: &Json, source: &str, who: &str, asked: Asked<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for amount in Amount::ALL {
        let key = if amount.is_limit {
            "default"
        } else {
            "defaultRequest"
        };
        let given = rule
            .pointer(&format!("/{key}/{}", amount.resource_name()))
            .and_then(quantity);
        if let (Some(given), None) = (given, asked(amount)) {
            findings.push(note(format!(
                "{who} says no {}: {source} gives it {given}",
                amount.name()
            )));
        }
    }
    findings
}
