//! Sources of metrics with a wire format of their own.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::datasource::QueryMethod;
use super::secret::SecretRef;
use crate::read::TimeFormat;
use crate::template::Template;

/// Datadog.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatadogSpec {
    /// Its address, `https://api.SITE`.
    pub url: String,
    /// Key of the organisation.
    pub api_key: SecretRef,
    /// Key of whoever asks.
    pub application_key: SecretRef,
    /// Which of its interfaces is asked.
    #[serde(default)]
    pub api: DatadogApi,
}

/// Interfaces of Datadog for queries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DatadogApi {
    /// Time series only.
    V1,
    /// Time series, one number of a window, formulas.
    #[default]
    V2,
}

/// Instana.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanaSpec {
    /// Its address, `https://UNIT-TENANT.instana.io`.
    pub url: String,
    /// An API token.
    pub token: SecretRef,
}

/// Dynatrace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DynatraceSpec {
    /// Its address, `https://ENVIRONMENT.live.dynatrace.com`, to which `/api/v2` is added.
    pub url: String,
    /// An access token with the scope `metrics.read`.
    pub token: SecretRef,
}

/// Amazon `CloudWatch`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloudWatchSpec {
    /// Its address, `https://monitoring.REGION.amazonaws.com`.
    pub url: String,
}

/// New Relic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewRelicSpec {
    /// Its address, `https://api.newrelic.com` or that of another region, to which `/graphql` is
    /// added.
    pub url: String,
    /// The account whose data are asked for.
    pub account: u64,
    /// Key of a user.
    pub key: SecretRef,
}

/// InfluxDB 1.x, and later ones that answer InfluxQL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InfluxDbSpec {
    /// Its address, to which `/query` is added.
    pub url: String,
    /// The database.
    pub database: String,
    /// The retention policy. None: the database's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention_policy: Option<String>,
}

/// Graphite.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GraphiteSpec {
    /// Its address, to which `/render` is added.
    pub url: String,
}

/// JSON documents over HTTP.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JsonSpec {
    /// Address of the document.
    pub url: Template,
    /// How it is asked for.
    pub method: QueryMethod,
    /// What is sent along, a JSON text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Template>,
    /// Where the times of the values are. None: the document is about now, and has no history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<JsonTime>,
    /// Where the labels are, by name: as many places as values, or one for all.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// Where the times are in a JSON document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JsonTime {
    /// JSON path: as many places as values, or one for all.
    pub path: String,
    /// How they are written.
    pub format: TimeFormat,
}
