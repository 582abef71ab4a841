//! `load`: the load under which it is measured.

use std::time::Duration;

use super::datasource::headers;
use super::job;
use super::output;
use super::process::optional;
use super::reader::{Keys, Reader, Unsupported};
use super::scene::{Place, Scene};
use super::secret;
use super::target::{environment, time_or};
use super::tree::NodeKind;
use crate::plan::{
    Arrivals, CommandLoad, ExternalLoad, HttpLoad, LoadSpec, Phase, RateSpec, TargetSpec,
};
use crate::template::Template;
use crate::value::Rate;

/// The kinds of load, and the keys of each.
pub(super) const KINDS: [(&str, &[&str]); 6] = [
    (
        "http",
        &[
            "kind",
            "url",
            "method",
            "headers",
            "body",
            "rate",
            "arrivals",
            "phases",
            "connections",
            "in_flight",
            "timeout",
        ],
    ),
    (
        "command",
        &[
            "kind",
            "command",
            "env",
            "output",
            "run",
            "success_exit_codes",
        ],
    ),
    ("external", &["kind", "metric", "rate", "timeout", "shift"]),
    ("none", &["kind"]),
    ("custom", &["kind", "name"]),
    ("job", &job::KEYS),
];

const NOT_YET: Unsupported = &["levels", "find_capacity", "scenario", "samples"];

/// Where no rate is given: the share of the baseline's capacity.
const SHARE: f64 = 0.6;

/// Reads the load; `target` is where a job is at home.
pub(super) fn read<'a>(
    reader: &Reader<'a>,
    scene: &Scene<'a>,
    target: Option<&TargetSpec>,
) -> Option<LoadSpec> {
    if reader.map_if_any().is_none() {
        reader.wanted("a map");
        return None;
    }
    let Some(kind) = reader.peek("kind") else {
        reader.refuse_with(
            "the key \"kind\" is missing",
            "one of http, command, job, external, none, custom",
        );
        return None;
    };
    let text = kind.text()?;
    let keys = reader.keys(kind.one_of(&KINDS)?, NOT_YET)?;
    match text {
        "http" => http(&keys, scene).map(|http| LoadSpec::Http(Box::new(http))),
        "command" => command(&keys, scene).map(|command| LoadSpec::Command(Box::new(command))),
        "job" => job::read(&keys, scene, target).map(|job| LoadSpec::Job(Box::new(job))),
        "external" => external(&keys).map(LoadSpec::External),
        "none" => Some(LoadSpec::None),
        _ => {
            let name = keys.required("name")?.text()?.to_owned();
            Some(LoadSpec::Custom { name })
        }
    }
}

/// The URL that is asked under load.
fn http_url<'a>(reader: &Reader<'a>, scene: &Scene<'a>) -> Option<Template> {
    let text = reader.text()?;
    secret::check_url(reader, text);
    if !text.starts_with("http://") && !text.starts_with("{{") {
        let what = if text.starts_with("https://") {
            "https is not supported yet".to_owned()
        } else {
            format!("{text:?} is not a URL")
        };
        reader.refuse_with(
            what,
            "write http://HOST:PORT/PATH, or http://{{address}}/PATH",
        );
        return None;
    }
    scene.template(reader, Place::Load)
}

fn http<'a>(keys: &Keys<'a>, scene: &Scene<'a>) -> Option<HttpLoad> {
    let url = keys
        .required("url")
        .and_then(|reader| http_url(&reader, scene));
    let method = optional(keys, "method", method);
    let headers = headers(keys, scene, Place::Load);
    let body = optional(keys, "body", |reader| {
        scene.secret_or_text(reader, "body", Place::Load)
    });
    let rate = optional(keys, "rate", rate);
    let arrivals = optional(keys, "arrivals", |reader| {
        reader.one_of(&[
            ("poisson", Arrivals::Poisson),
            ("constant", Arrivals::Constant),
        ])
    });
    let phases = optional(keys, "phases", phases);
    let connections = optional(keys, "connections", |reader| reader.count(1..=65_535));
    let in_flight = optional(keys, "in_flight", |reader| reader.count(1..=1_000_000));
    let timeout = time_or(keys, "timeout", Duration::from_secs(10));
    let (rate, phases) = settled(keys, rate?, phases?.unwrap_or_default())?;
    let connections = connections?;
    let in_flight = in_flight?;
    if let (Some(connections), Some(in_flight)) = (connections, in_flight)
        && in_flight < connections
        && let Some(reader) = keys.get("in_flight")
    {
        reader.refuse_with(
            format!("{in_flight} requests under way cannot use {connections} connections"),
            "raise in_flight or lower connections",
        );
    }
    let connections = connections.unwrap_or_else(|| in_flight.unwrap_or(64).min(64));
    Some(HttpLoad {
        url: url?,
        method: method?.unwrap_or_else(|| "GET".to_owned()),
        headers: headers?,
        body: body?,
        rate,
        arrivals: arrivals?.unwrap_or_default(),
        phases,
        levels: Vec::new(),
        connections,
        in_flight: in_flight.unwrap_or_else(|| connections.max(1024)),
        timeout: timeout?,
    })
}

fn method(reader: &Reader<'_>) -> Option<String> {
    let text = reader.text()?;
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_uppercase()) {
        return Some(text.to_owned());
    }
    reader.refuse_with(
        format!("{text:?} is no method"),
        "methods are words in capitals, such as GET or POST",
    );
    None
}

fn rate(reader: &Reader<'_>) -> Option<RateSpec> {
    if reader.map_if_any().is_some() {
        let keys = reader.keys(&["of_capacity"], &[])?;
        let share = keys.required("of_capacity")?;
        let value = share.share()?;
        if value <= 0.0 || value > 0.95 {
            share.refuse_with(
                format!("{value} of the capacity cannot be held"),
                "a share above 0 and at most 0.95; beyond it queues grow without end",
            );
            return None;
        }
        return Some(RateSpec::OfCapacity(value));
    }
    per_second(reader).map(RateSpec::PerSecond)
}

fn per_second(reader: &Reader<'_>) -> Option<f64> {
    let rate = match reader.text_if_any() {
        Some(text) => text
            .parse::<Rate>()
            .map_err(|error| reader.refuse(error))
            .ok()?
            .per_second(),
        None => reader.number(0.0..=1e7)?,
    };
    if rate <= 0.0 || rate > 1e7 {
        reader.refuse_with(
            format!("a rate of {rate} is no load"),
            "give requests per second, above 0 and at most 10 million",
        );
        return None;
    }
    Some(rate)
}

/// A phase before the measured rate is known.
#[derive(Debug, Clone)]
enum RawPhase {
    Ramp(Amount, Amount, Duration),
    Constant(Amount, Option<Duration>),
}

#[derive(Debug, Clone, Copy)]
enum Amount {
    PerSecond(f64),
    Share(f64),
}

fn phases(reader: &Reader<'_>) -> Option<Vec<RawPhase>> {
    let entries = reader.filled_list()?;
    let last = entries.len() - 1;
    let read: Vec<Option<RawPhase>> = entries
        .iter()
        .enumerate()
        .map(|(index, entry)| phase(entry, index == last))
        .collect();
    read.into_iter().collect()
}

fn phase(reader: &Reader<'_>, is_last: bool) -> Option<RawPhase> {
    let keys = reader.keys(&["ramp", "constant", "for"], &["step", "spike"])?;
    let lasts = optional(&keys, "for", Reader::some_time);
    match (keys.get("ramp"), keys.get("constant")) {
        (Some(ramp), None) => {
            let [from, to] = ramp.pair()?;
            let (from, to) = (amount(&from), amount(&to));
            if is_last {
                reader.refuse_with(
                    "the last phase is the measured one and cannot be a ramp",
                    "add {constant: RATE} after it",
                );
                return None;
            }
            let Some(lasts) = lasts? else {
                reader.refuse("a ramp needs \"for\": how long it lasts");
                return None;
            };
            Some(RawPhase::Ramp(from?, to?, lasts))
        }
        (None, Some(constant)) => {
            let level = amount(&constant);
            let lasts = lasts?;
            if lasts.is_none() && !is_last {
                reader.refuse("a phase before the last needs \"for\": how long it lasts");
                return None;
            }
            if lasts.is_some() && is_last {
                reader.refuse_with(
                    "the last phase lasts as long as it is measured",
                    "leave out \"for\"",
                );
                return None;
            }
            Some(RawPhase::Constant(level?, lasts))
        }
        _ => {
            reader.refuse("exactly one of ramp and constant is wanted");
            None
        }
    }
}

fn amount(reader: &Reader<'_>) -> Option<Amount> {
    if let Some(text) = reader.text_if_any()
        && let Some(percent) = text.strip_suffix('%')
    {
        let percent = percent.trim().parse::<f64>().ok();
        let Some(percent) = percent.filter(|p| (0.0..=10_000.0).contains(p)) else {
            reader.refuse_with(format!("{text:?} is no share of the rate"), "write \"50%\"");
            return None;
        };
        return Some(Amount::Share(percent / 100.0));
    }
    if *reader.kind() == NodeKind::Integer(0) {
        return Some(Amount::PerSecond(0.0));
    }
    per_second(reader).map(Amount::PerSecond)
}

/// The measured rate, and the phases as shares of it.
fn settled(
    keys: &Keys<'_>,
    rate: Option<RateSpec>,
    raw: Vec<RawPhase>,
) -> Option<(RateSpec, Vec<Phase>)> {
    let Some(reader) = keys.get("phases") else {
        return Some((rate.unwrap_or(RateSpec::OfCapacity(SHARE)), Vec::new()));
    };
    let last = raw.last().and_then(|phase| match phase {
        RawPhase::Constant(level, _) => Some(*level),
        RawPhase::Ramp(..) => None,
    })?;
    let rate = match (rate, last) {
        (None, Amount::PerSecond(rate)) => RateSpec::PerSecond(rate),
        (Some(RateSpec::PerSecond(rate)), Amount::PerSecond(last))
            if (rate - last).abs() > 1e-9 * rate =>
        {
            reader.refuse_with(
                format!("the last phase runs {last}/s, but \"rate\" is {rate}/s"),
                "leave out one of them",
            );
            return None;
        }
        (Some(rate), _) => rate,
        (None, Amount::Share(_)) => RateSpec::OfCapacity(SHARE),
    };
    if let Amount::Share(share) = last
        && (share - 1.0).abs() > 1e-9
    {
        reader.refuse_with(
            "the last phase is the measured one: it runs the whole rate",
            "write {constant: \"100%\"}",
        );
        return None;
    }
    if let Amount::PerSecond(last) = last
        && last <= 0.0
    {
        reader.refuse("the measured phase has no load");
        return None;
    }
    let share = |amount: Amount| match (amount, rate) {
        (Amount::Share(share), _) => Some(share),
        (Amount::PerSecond(level), RateSpec::PerSecond(rate)) => Some(level / rate),
        (Amount::PerSecond(level), RateSpec::OfCapacity(_)) => (level <= 0.0).then_some(0.0),
    };
    let phases = raw.into_iter().map(|phase| match phase {
        RawPhase::Ramp(from, to, lasts) => Some(Phase::Ramp {
            from: share(from)?,
            to: share(to)?,
            lasts,
        }),
        RawPhase::Constant(level, lasts) => Some(Phase::Constant {
            share: share(level)?,
            lasts,
        }),
    });
    let phases: Option<Vec<Phase>> = phases.collect();
    if phases.is_none() {
        reader.refuse_with(
            "absolute rates do not go with a share of the capacity",
            "write percentages: {ramp: [\"0%\", \"100%\"], for: 30s}",
        );
    }
    Some((rate, phases?))
}

fn command<'a>(keys: &Keys<'a>, scene: &Scene<'a>) -> Option<CommandLoad> {
    let command = keys
        .required("command")
        .and_then(|reader| scene.command(&reader, Place::Load));
    let env = environment(keys, scene, Place::Load);
    let output = keys
        .required("output")
        .and_then(|reader| output::read(&reader));
    let run = optional(keys, "run", job::run_mode);
    let codes = optional(keys, "success_exit_codes", job::exit_codes);
    Some(CommandLoad {
        command: command?,
        env: env?,
        output: output?,
        run: run?.unwrap_or_default(),
        success_exit_codes: codes?.unwrap_or_else(|| vec![0]),
    })
}

fn external(keys: &Keys<'_>) -> Option<ExternalLoad> {
    let metric = keys.required("metric").and_then(|reader| reader.parsed());
    let rate = optional(keys, "rate", per_second);
    let timeout = time_or(keys, "timeout", Duration::from_mins(5));
    let shift = optional(keys, "shift", Reader::share);
    Some(ExternalLoad {
        metric: metric?,
        rate: rate?,
        timeout: timeout?,
        shift: shift?.unwrap_or(0.2),
    })
}
