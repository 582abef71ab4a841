//! CPU and memory, from half of today's amount to twice.

use em_core::value::Quantity;

use super::Container;

const MEBI: i64 = 1024 * 1024;

/// An amount as the container has it, in thousandths of cores or in bytes.
pub(super) struct Today {
    amount: i64,
    /// What is set aside, where that is less than the limit: no limit lies below it.
    least: i64,
    side: &'static str,
}

impl Today {
    /// An amount of memory in MiB.
    pub(super) fn mebibytes(&self) -> i64 {
        self.amount / MEBI
    }
}

/// The tunables of both.
pub(super) fn lines(container: &Container<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    for resource in ["cpu", "memory"] {
        let Some(today) = today(container, resource) else {
            lines.push(format!(
                "  # {resource} has neither a request nor a limit today."
            ));
            continue;
        };
        lines.push(line(resource, &today));
    }
    lines
}

/// Where the container says nothing at all.
pub(super) fn without_any() -> Vec<String> {
    vec![
        "  # Nothing is set today, so this is a guess:".to_owned(),
        "  - { name: cpu, range: [250m, \"2\"], step: 250m, apply: { resource: cpu, of: both } }"
            .to_owned(),
    ]
}

/// Today's limit, else today's request.
pub(super) fn today(container: &Container<'_>, resource: &str) -> Option<Today> {
    let amount = |side: &str| {
        let text = container.body["resources"][side][resource].as_str()?;
        let quantity = text.parse::<Quantity>().ok()?;
        let unit = if resource == "cpu" {
            1_000_000
        } else {
            1_000_000_000
        };
        i64::try_from(quantity.nanos() / unit)
            .ok()
            .filter(|amount| *amount > 1)
    };
    let (limit, request) = (amount("limits"), amount("requests"));
    Some(match (limit, request) {
        (Some(limit), Some(request)) if limit == request => Today {
            amount: limit,
            least: 1,
            side: "both",
        },
        (Some(limit), request) => Today {
            amount: limit,
            least: request.unwrap_or(1),
            side: "limit",
        },
        (None, Some(request)) => Today {
            amount: request,
            least: 1,
            side: "request",
        },
        (None, None) => return None,
    })
}

fn line(resource: &str, today: &Today) -> String {
    let is_cpu = resource == "cpu";
    let write = |amount: i64| {
        let quantity = if is_cpu {
            Quantity::from_milli(amount)
        } else {
            Quantity::from_bytes(amount)
        };
        format!("\"{quantity}\"")
    };
    let low = (today.amount / 2).max(today.least);
    let high = today.amount.saturating_mul(2);
    let unit = if is_cpu { 10 } else { MEBI };
    // Steps that meet today's amount, where it is a round one.
    let step = if is_cpu {
        today.amount / 10
    } else {
        today.amount / 8
    };
    let is_round = step > 0 && step % unit == 0 && (today.amount - low) % step == 0;
    let step = if is_round && (high - low) % step == 0 {
        format!(", step: {}", write(step))
    } else {
        String::new()
    };
    format!(
        "  - {{ name: {resource}, range: [{}, {}]{step}, apply: {{ resource: {resource}, of: {} }} }} # today {}",
        write(low),
        write(high),
        today.side,
        write(today.amount).trim_matches('"')
    )
}
