//! Sources of metrics with a wire format of their own.

use std::collections::BTreeMap;

use super::access;
use super::datasource::page_url;
use super::process::optional;
use super::reader::{Keys, Reader};
use super::scene::{Place, Scene};
use crate::plan::{
    CloudWatchSpec, DatadogApi, DatadogSpec, DynatraceSpec, GraphiteSpec, InfluxDbSpec,
    InstanaSpec, JsonSpec, JsonTime, NewRelicSpec, QueryMethod, SecretRef,
};
use crate::port::WINDOW_PLACEHOLDERS;
use crate::read::TimeFormat;
use crate::read::json_path::JsonPath;

/// Keys of `datadog`.
pub(super) const DATADOG_KEYS: [&str; 9] = [
    "kind",
    "every",
    "site",
    "url",
    "api_key",
    "application_key",
    "api",
    "headers",
    "tls",
];
/// Keys of `instana`.
pub(super) const INSTANA_KEYS: [&str; 5] = ["kind", "url", "token", "headers", "tls"];
/// Keys of `dynatrace`.
pub(super) const DYNATRACE_KEYS: [&str; 6] = ["kind", "url", "token", "every", "headers", "tls"];
/// Keys of `newrelic`.
pub(super) const NEWRELIC_KEYS: [&str; 8] = [
    "kind", "region", "url", "account", "key", "every", "headers", "tls",
];
/// Keys of `cloudwatch`.
pub(super) const CLOUDWATCH_KEYS: [&str; 7] =
    ["kind", "region", "url", "auth", "every", "headers", "tls"];
/// Keys of `influxdb`.
pub(super) const INFLUXDB_KEYS: [&str; 8] = [
    "kind",
    "every",
    "url",
    "database",
    "retention_policy",
    "headers",
    "auth",
    "tls",
];
/// Keys of `graphite`.
pub(super) const GRAPHITE_KEYS: [&str; 6] = ["kind", "every", "url", "headers", "auth", "tls"];
/// Keys of `json`.
pub(super) const JSON_KEYS: [&str; 10] = [
    "kind", "url", "method", "body", "time", "labels", "headers", "every", "auth", "tls",
];
/// Keys of `time` of `json`.
pub(super) const JSON_TIME_KEYS: [&str; 2] = ["path", "format"];

/// Where Datadog answers.
const SITES: [&str; 9] = [
    "datadoghq.com",
    "us3.datadoghq.com",
    "us5.datadoghq.com",
    "datadoghq.eu",
    "ap1.datadoghq.com",
    "ap2.datadoghq.com",
    "uk1.datadoghq.com",
    "ddog-gov.com",
    "us2.ddog-gov.com",
];

/// Where New Relic answers.
const REGIONS: [(&str, &str); 3] = [
    ("us", "https://api.newrelic.com"),
    ("eu", "https://api.eu.newrelic.com"),
    ("jp", "https://api.jp.newrelic.com"),
];

pub(super) fn datadog<'a>(keys: &Keys<'a>, scene: &Scene<'a>) -> Option<DatadogSpec> {
    let url = optional(keys, "url", access::server_url);
    let site = optional(keys, "site", |reader| {
        reader.one_of(&SITES.map(|site| (site, site)))
    });
    if let (Some(site), true) = (keys.get("site"), keys.has("url")) {
        site.refuse_with("there are a site and a url", "give one of them");
        return None;
    }
    let api_key = secret_of(keys, "api_key", scene);
    let application_key = secret_of(keys, "application_key", scene);
    let api = optional(keys, "api", |reader| {
        reader.one_of(&[("v1", DatadogApi::V1), ("v2", DatadogApi::V2)])
    });
    let site = site?.unwrap_or(SITES[0]);
    Some(DatadogSpec {
        url: url?.unwrap_or_else(|| format!("https://api.{site}")),
        api_key: api_key?,
        application_key: application_key?,
        api: api?.unwrap_or_default(),
    })
}

pub(super) fn instana<'a>(keys: &Keys<'a>, scene: &Scene<'a>) -> Option<InstanaSpec> {
    let url = url(keys);
    let token = secret_of(keys, "token", scene);
    Some(InstanaSpec {
        url: url?,
        token: token?,
    })
}

pub(super) fn dynatrace<'a>(keys: &Keys<'a>, scene: &Scene<'a>) -> Option<DynatraceSpec> {
    let url = url(keys);
    let token = secret_of(keys, "token", scene);
    Some(DynatraceSpec {
        url: url?,
        token: token?,
    })
}

pub(super) fn newrelic<'a>(keys: &Keys<'a>, scene: &Scene<'a>) -> Option<NewRelicSpec> {
    let url = optional(keys, "url", access::server_url);
    let region = optional(keys, "region", |reader| reader.one_of(&REGIONS));
    if let (Some(region), true) = (keys.get("region"), keys.has("url")) {
        region.refuse_with("there are a region and a url", "give one of them");
        return None;
    }
    let account = keys.required("account");
    let account = account.and_then(|reader| reader.integer(1..=i64::from(i32::MAX)));
    let key = secret_of(keys, "key", scene);
    let (_, usual) = REGIONS[0];
    let region = region?.unwrap_or(usual);
    Some(NewRelicSpec {
        url: url?.unwrap_or_else(|| region.to_owned()),
        account: account?.unsigned_abs(),
        key: key?,
    })
}

pub(super) fn cloudwatch(keys: &Keys<'_>) -> Option<CloudWatchSpec> {
    let region = keys.required("region").and_then(|reader| region(&reader));
    let url = optional(keys, "url", access::server_url);
    let auth = keys.required("auth");
    if let Some(auth) = &auth
        && auth.map_if_any() == Some(1)
        && auth.peek("sigv4").is_none()
    {
        auth.refuse_with(
            "CloudWatch is asked with a signature",
            "write auth: {sigv4: {access_key: ..., secret_key: ...}}",
        );
        return None;
    }
    let (region, url) = (region?, url?);
    auth?;
    Some(CloudWatchSpec {
        url: url.unwrap_or_else(|| {
            let country = if region.starts_with("cn-") { ".cn" } else { "" };
            format!("https://monitoring.{region}.amazonaws.com{country}")
        }),
    })
}

/// The name of a region, which becomes a part of an address.
fn region(reader: &Reader<'_>) -> Option<String> {
    let text = reader.text()?;
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if text.is_empty() || !text.chars().all(is_name) {
        reader.refuse_with(format!("{text:?} is no region"), "such as eu-west-1");
        return None;
    }
    Some(text.to_owned())
}

pub(super) fn influxdb(keys: &Keys<'_>) -> Option<InfluxDbSpec> {
    let url = url(keys);
    let database = keys.required("database").and_then(|reader| reader.word());
    let retention_policy = optional(keys, "retention_policy", Reader::word);
    Some(InfluxDbSpec {
        url: url?,
        database: database?,
        retention_policy: retention_policy?,
    })
}

pub(super) fn graphite(keys: &Keys<'_>) -> Option<GraphiteSpec> {
    url(keys).map(|url| GraphiteSpec { url })
}

pub(super) fn json<'a>(keys: &Keys<'a>, scene: &Scene<'a>) -> Option<JsonSpec> {
    let url = keys.required("url");
    let url = url.and_then(|reader| page_url(&reader, scene));
    let method = optional(keys, "method", |reader| {
        reader.one_of(&[("get", QueryMethod::Get), ("post", QueryMethod::Post)])
    });
    let body = optional(keys, "body", |reader| {
        let text = reader.json_or_text()?;
        scene.template_of(reader, &text, Place::Query)
    });
    let time = optional(keys, "time", json_time);
    let labels = optional(keys, "labels", |reader| {
        let labels = reader.any_map()?.into_iter();
        labels
            .map(|(name, path)| Some((name.to_owned(), json_path(&path)?)))
            .collect::<Option<BTreeMap<_, _>>>()
    });
    let (method, body) = (method?, body?);
    let is_sent = body.is_some();
    if let (Some(QueryMethod::Get), Some(reader)) = (method, keys.get("body")) {
        reader.refuse_with("nothing is sent with method get", "write method: post");
        return None;
    }
    let usual = if is_sent {
        QueryMethod::Post
    } else {
        QueryMethod::Get
    };
    let (url, time) = (url?, time?);
    let mut templates = std::iter::once(&url).chain(&body);
    let names_end = |name: &str| {
        let is_of_window = WINDOW_PLACEHOLDERS.contains(&name);
        is_of_window && (name.starts_with("start") || name.starts_with("end"))
    };
    if time.is_none() && templates.any(|template| template.names().any(names_end)) {
        keys.reader.refuse_with(
            "a document about a window tells when its values were",
            "give time: {path: JSONPATH, format: s}",
        );
        return None;
    }
    Some(JsonSpec {
        method: method.unwrap_or(usual),
        url,
        body,
        time,
        labels: labels?.unwrap_or_default(),
    })
}

fn json_time(reader: &Reader<'_>) -> Option<JsonTime> {
    let keys = reader.keys(&JSON_TIME_KEYS, &[])?;
    let path = keys.required("path").and_then(|reader| json_path(&reader));
    let format = keys.required_as("format", "one of s, ms, us, ns, rfc3339");
    let format = format.and_then(|reader| {
        reader.one_of(&[
            ("s", TimeFormat::Seconds),
            ("ms", TimeFormat::Milliseconds),
            ("us", TimeFormat::Microseconds),
            ("ns", TimeFormat::Nanoseconds),
            ("rfc3339", TimeFormat::Rfc3339),
        ])
    });
    Some(JsonTime {
        path: path?,
        format: format?,
    })
}

/// A JSON path that can be read.
pub(super) fn json_path(reader: &Reader<'_>) -> Option<String> {
    let text = reader.text()?;
    let parsed = text.parse::<JsonPath>();
    parsed.map_err(|error| reader.refuse(error)).ok()?;
    Some(text.to_owned())
}

fn url(keys: &Keys<'_>) -> Option<String> {
    keys.required("url")
        .and_then(|reader| access::server_url(&reader))
}

fn secret_of<'a>(keys: &Keys<'a>, name: &str, scene: &Scene<'a>) -> Option<SecretRef> {
    keys.required(name)
        .and_then(|reader| access::reference(&reader, name, scene))
}
