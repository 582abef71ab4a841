//! `datasources`: where metrics come from.

use std::collections::BTreeMap;

use super::access::{self, Signed};
use super::output;
use super::process::optional;
use super::reader::{Keys, Reader};
use super::scene::{Place, Scene};
use super::secret;
use super::vendor;
use crate::id::DatasourceName;
use crate::plan::{DatasourceKind, DatasourceSpec, PrometheusSpec, QueryMethod, Text, Tls};
use crate::template::Template;

/// The datasource that is always there.
pub(super) const TARGET: &str = "target";

const NOT_YET_KINDS: [&str; 1] = ["opensearch"];

/// The kinds, and the keys of each.
pub(super) const DATASOURCE_KEYS: [(&str, &[&str]); 14] = [
    (
        "scrape",
        &["kind", "headers", "every", "auth", "tls", "url"],
    ),
    (
        "prometheus",
        &[
            "kind",
            "url",
            "headers",
            "every",
            "auth",
            "tls",
            "params",
            "method",
            "allow_partial",
        ],
    ),
    ("datadog", &vendor::DATADOG_KEYS),
    ("instana", &vendor::INSTANA_KEYS),
    ("influxdb", &vendor::INFLUXDB_KEYS),
    ("graphite", &vendor::GRAPHITE_KEYS),
    ("json", &vendor::JSON_KEYS),
    ("dynatrace", &vendor::DYNATRACE_KEYS),
    ("newrelic", &vendor::NEWRELIC_KEYS),
    ("cloudwatch", &vendor::CLOUDWATCH_KEYS),
    ("push", &["kind"]),
    ("command", &["kind", "every", "command", "output"]),
    ("csv", &["kind", "path", "time"]),
    ("custom", &["kind", "name", "every"]),
];

/// Reads the datasources; `target` is added.
pub(super) fn read<'a>(
    reader: Option<&Reader<'a>>,
    scene: &Scene<'a>,
) -> BTreeMap<DatasourceName, DatasourceSpec> {
    let mut sources = BTreeMap::new();
    let target = DatasourceSpec {
        kind: DatasourceKind::Target,
        headers: BTreeMap::new(),
        every: None,
        auth: None,
        tls: Tls::default(),
    };
    sources.insert(name(TARGET), target);
    let entries = reader.and_then(Reader::any_map);
    let mut has_push = false;
    for (key, reader) in entries.unwrap_or_default() {
        if matches!(key, TARGET | "load") {
            let what = format!("{key:?} is the name of a source that is always there");
            reader.refuse_with(what, "choose another name");
            continue;
        }
        let parsed = key.parse::<DatasourceName>();
        let parsed = parsed.map_err(|error| reader.refuse(error)).ok();
        let source = datasource(&reader, scene);
        if let (Some(name), Some(source)) = (parsed, source) {
            let is_push = source.kind == DatasourceKind::Push;
            if is_push && has_push {
                reader.refuse_with(
                    "there are two sources of kind push, and a workload reports to one address",
                    "let all metrics that it reports be of one source",
                );
            }
            has_push |= is_push;
            sources.insert(name, source);
        }
    }
    sources
}

pub(super) fn name(text: &str) -> DatasourceName {
    text.parse().expect("the built-in names follow the rule")
}

fn datasource<'a>(reader: &Reader<'a>, scene: &Scene<'a>) -> Option<DatasourceSpec> {
    if reader.map_if_any().is_none() {
        reader.wanted("a map");
        return None;
    }
    let Some(kind) = reader.peek("kind") else {
        let kinds = DATASOURCE_KEYS.map(|(kind, _)| kind);
        reader.refuse_with(
            "the key \"kind\" is missing",
            format!("one of {}", kinds.join(", ")),
        );
        return None;
    };
    let text = kind.text()?;
    if NOT_YET_KINDS.contains(&text) {
        kind.refuse(format!("kind {text:?} is not supported yet"));
        inline_auth(reader);
        return None;
    }
    let known = kind.one_of(&DATASOURCE_KEYS)?;
    let keys = reader.keys(known, &[])?;
    let signed = match text {
        "cloudwatch" => Signed {
            service: "monitoring",
            region: keys.get("region").and_then(|reader| reader.text_if_any()),
        },
        _ => Signed::default(),
    };
    let auth = optional(&keys, "auth", |reader| access::auth(reader, scene, &signed));
    let tls = access::tls(&keys, scene);
    let of_target = text == "scrape";
    let headers = headers(&keys, scene, Place::Header { of_target });
    let every = optional(&keys, "every", Reader::some_time);
    let kind = match text {
        "scrape" => url(&keys, scene).map(|url| DatasourceKind::Scrape { url }),
        "prometheus" => prometheus(&keys).map(DatasourceKind::Prometheus),
        "datadog" => vendor::datadog(&keys, scene).map(DatasourceKind::Datadog),
        "instana" => vendor::instana(&keys, scene).map(DatasourceKind::Instana),
        "dynatrace" => vendor::dynatrace(&keys, scene).map(DatasourceKind::Dynatrace),
        "newrelic" => vendor::newrelic(&keys, scene).map(DatasourceKind::NewRelic),
        "cloudwatch" => vendor::cloudwatch(&keys).map(DatasourceKind::CloudWatch),
        "influxdb" => vendor::influxdb(&keys).map(DatasourceKind::InfluxDb),
        "graphite" => vendor::graphite(&keys).map(DatasourceKind::Graphite),
        "json" => vendor::json(&keys, scene).map(DatasourceKind::Json),
        "push" => Some(DatasourceKind::Push),
        "command" => {
            let command = keys
                .required("command")
                .and_then(|reader| scene.command(&reader, Place::Query));
            let output = keys
                .required("output")
                .and_then(|reader| output::read(&reader));
            Some(DatasourceKind::Command {
                command: command?,
                output: output?,
            })
        }
        "csv" => csv(&keys),
        _ => keys
            .required("name")
            .and_then(|reader| reader.text())
            .map(|name| DatasourceKind::Custom {
                name: name.to_owned(),
            }),
    };
    Some(DatasourceSpec {
        kind: kind?,
        headers: headers?,
        every: every?,
        auth: auth?,
        tls: tls?,
    })
}

fn prometheus(keys: &Keys<'_>) -> Option<PrometheusSpec> {
    let url = keys.required("url");
    let url = url.and_then(|reader| access::server_url(&reader));
    let params = access::params(keys);
    let method = optional(keys, "method", |reader| {
        reader.one_of(&[("post", QueryMethod::Post), ("get", QueryMethod::Get)])
    });
    let allow_partial = optional(keys, "allow_partial", Reader::bool);
    Some(PrometheusSpec {
        url: url?,
        params: params?,
        method: method?.unwrap_or_default(),
        allow_partial: allow_partial?.unwrap_or(false),
    })
}

fn url<'a>(keys: &Keys<'a>, scene: &Scene<'a>) -> Option<Template> {
    let reader = keys.required("url")?;
    page_url(&reader, scene)
}

/// The URL of one document, which may hold placeholders.
pub(super) fn page_url<'a>(reader: &Reader<'a>, scene: &Scene<'a>) -> Option<Template> {
    let text = reader.text()?;
    secret::check_url(reader, text);
    let is_url = ["http://", "https://", "{{"].iter();
    if !is_url.into_iter().any(|start| text.starts_with(start)) {
        reader.refuse_with(
            format!("{text:?} is not a URL"),
            "write https://HOST/PATH, or http://{{address}}/PATH",
        );
        return None;
    }
    scene.template(reader, Place::Query)
}

/// Headers by name; their secrets by reference only.
pub(super) fn headers<'a>(
    keys: &Keys<'a>,
    scene: &Scene<'a>,
    place: Place,
) -> Option<BTreeMap<String, Text>> {
    let mut headers = BTreeMap::new();
    let Some(reader) = keys.get("headers") else {
        return Some(headers);
    };
    for (name, reader) in reader.any_map()? {
        let is_name = !name.is_empty()
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b));
        if !is_name {
            reader.refuse(format!("{name:?} is no name of a header"));
            continue;
        }
        if let Some(text) = scene.secret_or_text(&reader, name, place) {
            headers.insert(name.to_owned(), text);
        }
    }
    Some(headers)
}

/// Whatever the kind, a secret in the file is said at once.
fn inline_auth(reader: &Reader<'_>) {
    if let Some(url) = reader.peek("url")
        && let Some(text) = url.text_if_any()
    {
        secret::check_url(&url, text);
    }
    let ways = reader.peek("auth").and_then(|auth| {
        auth.map_if_any()?;
        auth.any_map()
    });
    for (name, way) in ways.unwrap_or_default() {
        if way.text_if_any().is_some() {
            way.refuse_with(
                format!("{name} is a secret and stands in the file itself"),
                secret::remedy(name),
            );
        }
    }
}

fn csv(keys: &Keys<'_>) -> Option<DatasourceKind> {
    let path = keys.required("path").and_then(|reader| reader.text());
    let time = optional(keys, "time", |reader| reader.text().map(str::to_owned));
    Some(DatasourceKind::Csv {
        path: path?.into(),
        time: time?,
    })
}
