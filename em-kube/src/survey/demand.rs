//! How much the pods of the plan ask for at the least and at the most.

use em_core::plan::{Apply, Domain, ResourceKind, ResourceSide, Tunable};
use em_core::value::{Quantity, QuantityFormat, Value};
use serde_json::Value as Json;

use super::finding::{list_at, text_at};
use super::subject::Subject;

/// CPU or memory, as a request or as a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Amount {
    pub(super) resource: ResourceKind,
    pub(super) is_limit: bool,
}

impl Amount {
    /// All four.
    pub(super) const ALL: [Self; 4] = [
        Self::of(ResourceKind::Cpu, false),
        Self::of(ResourceKind::Memory, false),
        Self::of(ResourceKind::Cpu, true),
        Self::of(ResourceKind::Memory, true),
    ];

    /// An amount of a resource.
    pub(super) const fn of(resource: ResourceKind, is_limit: bool) -> Self {
        Self { resource, is_limit }
    }

    /// The resource as Kubernetes calls it.
    pub(super) fn resource_name(self) -> &'static str {
        match self.resource {
            ResourceKind::Cpu => "cpu",
            ResourceKind::Memory => "memory",
        }
    }

    /// For people: `limit of memory`.
    pub(super) fn name(self) -> String {
        let side = if self.is_limit { "limit" } else { "request" };
        format!("{side} of {}", self.resource_name())
    }
}

/// The sum, written as the larger part is; as much as can be written where it is beyond that.
pub(super) fn sum(one: Quantity, other: Quantity) -> Quantity {
    let (larger, smaller) = if one >= other {
        (one, other)
    } else {
        (other, one)
    };
    larger.checked_add(smaller).unwrap_or(larger)
}

/// The least and the most of something.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Range {
    pub(super) low: Quantity,
    pub(super) high: Quantity,
}

impl Range {
    /// Always the same.
    pub(super) fn only(amount: Quantity) -> Self {
        Self {
            low: amount,
            high: amount,
        }
    }

    /// Nothing.
    pub(super) const NONE: Self = Self {
        low: Quantity::ZERO,
        high: Quantity::ZERO,
    };

    fn and(self, other: Self) -> Self {
        Self {
            low: sum(self.low, other.low),
            high: sum(self.high, other.high),
        }
    }

    fn or(self, other: Self) -> Self {
        Self {
            low: self.low.min(other.low),
            high: self.high.max(other.high),
        }
    }
}

/// What a container of the plan's pods asks for. None: it does not say, or a derived value decides.
pub(super) fn of_container(
    subject: &Subject<'_>,
    container: &Json,
    amount: Amount,
) -> Option<Range> {
    let today = today(container, amount);
    let is_meant = subject.container().as_deref() == text_at(container, "/name");
    let tunables = subject.plan.tunables.iter().filter(|_| is_meant);
    let mut asked = tunables.filter(|tunable| sets(tunable, amount)).peekable();
    if asked.peek().is_some() {
        let mut all: Option<Range> = None;
        for tunable in asked {
            let mut range = values(subject, tunable)?;
            if let (false, Some(today)) = (tunable.when.is_empty(), today) {
                range = range.or(Range::only(today));
            }
            all = Some(all.map_or(range, |all| all.or(range)));
        }
        return all;
    }
    match today {
        Some(today) => Some(Range::only(today)),
        // A request that is not written is what the limit is.
        None if !amount.is_limit => of_container(
            subject,
            container,
            Amount {
                is_limit: true,
                ..amount
            },
        ),
        None => None,
    }
}

fn today(container: &Json, amount: Amount) -> Option<Quantity> {
    let side = if amount.is_limit {
        "limits"
    } else {
        "requests"
    };
    quantity(container.pointer(&format!("/resources/{side}/{}", amount.resource_name()))?)
}

/// An amount as Kubernetes writes it.
pub(super) fn quantity(written: &Json) -> Option<Quantity> {
    match written {
        Json::String(text) => text.parse().ok(),
        Json::Number(number) => number.to_string().parse().ok(),
        Json::Null | Json::Bool(_) | Json::Array(_) | Json::Object(_) => None,
    }
}

fn sets(tunable: &Tunable, amount: Amount) -> bool {
    tunable.apply.iter().any(|apply| match apply {
        Apply::Resource { resource, of } => {
            let is_side = match of {
                ResourceSide::Both => true,
                ResourceSide::Request => !amount.is_limit,
                ResourceSide::Limit => amount.is_limit,
            };
            *resource == amount.resource && is_side
        }
        Apply::Env { .. }
        | Apply::Arg { .. }
        | Apply::Replicas
        | Apply::Image { .. }
        | Apply::Patch { .. }
        | _ => false,
    })
}

/// The values that a tunable can get: the listed ones, and all of its range where there is a search.
fn values(subject: &Subject<'_>, tunable: &Tunable) -> Option<Range> {
    let listed = subject.plan.trials.iter();
    let listed = listed.filter_map(|trial| trial.configuration.get(&tunable.name));
    let baseline = subject.plan.baseline.configuration();
    let listed = listed.chain(baseline.and_then(|values| values.get(&tunable.name)));
    let mut known: Vec<Quantity> = listed.filter_map(amount_of).collect();
    if subject.plan.search.is_some() || known.is_empty() {
        match &tunable.domain {
            Domain::Integer { low, high, .. } => {
                known.extend(
                    [*low, *high]
                        .into_iter()
                        .filter_map(|end| amount_of(&Value::Integer(end))),
                );
            }
            Domain::Real { low, high, .. } => {
                let ends = [*low, *high].into_iter();
                known.extend(ends.filter_map(|end| amount_of(&Value::real(end).ok()?)));
            }
            Domain::Quantity { low, high, .. } => known.extend([*low, *high]),
            Domain::Categorical { choices } => known.extend(choices.iter().filter_map(amount_of)),
            Domain::Derived { .. } => return None,
        }
    }
    let low = known.iter().copied().min()?;
    Some(Range {
        low,
        high: known.into_iter().max()?,
    })
}

fn amount_of(value: &Value) -> Option<Quantity> {
    match value {
        Value::Quantity(quantity) => Some(*quantity),
        Value::Integer(_) | Value::Real(_) => {
            Quantity::from_f64(value.to_f64()?, QuantityFormat::Decimal).ok()
        }
        Value::Text(text) => text.parse().ok(),
        Value::Bool(_) => None,
    }
}

/// What a pod of the plan asks for: its containers together, or its largest first step. Containers that say nothing
/// count as nothing.
pub(super) fn of_pod(subject: &Subject<'_>, amount: Amount) -> Range {
    let Some(pod) = subject.pod() else {
        return Range::NONE;
    };
    let is_sidecar = |container: &&Json| text_at(container, "/restartPolicy") == Some("Always");
    let (sidecars, steps): (Vec<&Json>, Vec<&Json>) =
        list_at(pod, "/initContainers").iter().partition(is_sidecar);
    let together = list_at(pod, "/containers").iter().chain(sidecars);
    let asked = |container: &Json| of_container(subject, container, amount).unwrap_or(Range::NONE);
    let together = together.map(asked).fold(Range::NONE, Range::and);
    let step = steps
        .into_iter()
        .map(asked)
        .fold(Range::NONE, |most, one| Range {
            low: most.low.max(one.low),
            high: most.high.max(one.high),
        });
    let overhead = pod.pointer(&format!("/overhead/{}", amount.resource_name()));
    let overhead = overhead.and_then(quantity).map_or(Range::NONE, Range::only);
    let whole = Range {
        low: together.low.max(step.low),
        high: together.high.max(step.high),
    };
    whole.and(overhead)
}

/// What a pod asks for as it is, with what it does not say taken as nothing.
pub(super) fn of_running(pod: &Json, amount: Amount) -> Quantity {
    let asked = |container: &Json| {
        let limit = Amount {
            is_limit: true,
            ..amount
        };
        let request = today(container, amount);
        request
            .or_else(|| today(container, limit))
            .unwrap_or(Quantity::ZERO)
    };
    let containers = list_at(pod, "/spec/containers").iter().map(asked);
    containers.fold(Quantity::ZERO, sum)
}

/// The limits of a pod as it is, with what it does not say taken as nothing.
pub(super) fn limit_of_running(pod: &Json, resource: ResourceKind) -> Quantity {
    let limit = Amount::of(resource, true);
    let containers = list_at(pod, "/spec/containers").iter();
    let limits = containers.filter_map(|container| today(container, limit));
    limits.fold(Quantity::ZERO, sum)
}

/// How many pods the plan has: at the least and at the most, all clones together.
pub(super) fn pods(subject: &Subject<'_>) -> (i64, i64) {
    let live = subject.replicas();
    if subject.is_cloned() {
        let slots = i64::from(subject.spec.slots);
        if let Some(own) = subject.spec.clones.replicas {
            return (slots * i64::from(own), slots * i64::from(own));
        }
        let (low, high) = replicas(subject).unwrap_or((live, live));
        return (slots * low, slots * high);
    }
    replicas(subject).unwrap_or((live, live))
}

fn replicas(subject: &Subject<'_>) -> Option<(i64, i64)> {
    let is_replicas = |apply: &Apply| matches!(apply, Apply::Replicas);
    let tunables = &subject.plan.tunables;
    let tunable = tunables
        .iter()
        .find(|one| one.apply.iter().any(is_replicas))?;
    let range = values(subject, tunable)?;
    Some((range.low.to_integer()?, range.high.to_integer()?))
}

/// Pods that a roll-out adds before it takes old ones away.
pub(super) fn surge(subject: &Subject<'_>, pods: i64) -> i64 {
    let strategy = match subject.spec.workload.kind.as_str() {
        "deployment" => subject.object.pointer("/spec/strategy"),
        "daemonset" => subject.object.pointer("/spec/updateStrategy"),
        _ => return 0,
    };
    let Some(strategy) = strategy.filter(|one| text_at(one, "/type") == Some("RollingUpdate"))
    else {
        return 0;
    };
    match strategy.pointer("/rollingUpdate/maxSurge") {
        Some(Json::Number(number)) => number.as_i64().unwrap_or(0),
        Some(Json::String(share)) => {
            let share = share.trim_end_matches('%').parse::<i64>().unwrap_or(0);
            (pods * share + 99) / 100
        }
        Some(_) | None => 0,
    }
}
