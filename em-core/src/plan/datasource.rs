//! Where metrics come from, and how it is reached.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::load::OutputRules;
use super::secret::{SecretRef, Text};
use super::vendor::{
    CloudWatchSpec, DatadogSpec, DynatraceSpec, GraphiteSpec, InfluxDbSpec, InstanaSpec, JsonSpec,
    NewRelicSpec,
};
use crate::template::{Escape, Template};
use crate::value::Value;

/// Where metrics come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DatasourceSpec {
    /// What it is.
    pub kind: DatasourceKind,
    /// Headers of each request.
    #[serde(default)]
    pub headers: BTreeMap<String, Text>,
    /// How often a source without history is looked at, or how often one with history looks. None:
    /// its own rule.
    pub every: Option<Duration>,
    /// Who asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,
    /// How the other side is known.
    #[serde(default, skip_serializing_if = "Tls::is_usual")]
    pub tls: Tls,
}

/// Kinds of datasources.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum DatasourceKind {
    /// The target's own Prometheus text page.
    Scrape {
        /// Address of the page.
        url: Template,
    },
    /// A Prometheus server, or one that answers like it.
    Prometheus(PrometheusSpec),
    /// Datadog.
    Datadog(DatadogSpec),
    /// Instana.
    Instana(InstanaSpec),
    /// Dynatrace.
    Dynatrace(DynatraceSpec),
    /// Amazon `CloudWatch`.
    #[serde(rename = "cloudwatch")]
    CloudWatch(CloudWatchSpec),
    /// New Relic, asked in NRQL.
    #[serde(rename = "newrelic")]
    NewRelic(NewRelicSpec),
    /// InfluxDB, asked in InfluxQL.
    #[serde(rename = "influxdb")]
    InfluxDb(InfluxDbSpec),
    /// Graphite.
    Graphite(GraphiteSpec),
    /// Numbers in JSON documents.
    Json(JsonSpec),
    /// What the workload reports to us.
    Push,
    /// A command whose output is read.
    Command {
        /// Program and arguments.
        command: Vec<Template>,
        /// How its output is read.
        output: OutputRules,
    },
    /// A file of comma-separated values that the target or a tool writes.
    Csv {
        /// The file; relative to the working folder of the iteration.
        path: PathBuf,
        /// Column of the time, seconds since 1970. None: read as a whole, at the end.
        time: Option<String>,
    },
    /// What the target reports of itself (CPU seconds, memory): always there as `target`.
    Target,
    /// A datasource that the embedding program registered under this name.
    Custom {
        /// The name.
        name: String,
    },
}

impl DatasourceKind {
    /// How a length of time is written in its queries.
    pub fn duration(&self, length: Duration) -> Value {
        // Their durations have a unit and no fractions.
        if matches!(self, Self::Prometheus(_) | Self::InfluxDb(_)) {
            return Value::Text(format!("{}ms", length.as_millis()));
        }
        Value::real(length.as_secs_f64()).unwrap_or(Value::Integer(0))
    }

    /// How values are escaped in its queries.
    pub fn escape(&self) -> Escape {
        match self {
            Self::Scrape { .. } | Self::Prometheus(_) | Self::Push => Escape::PromQl,
            Self::Datadog(_) | Self::Dynatrace(_) | Self::Graphite(_) => Escape::Word,
            Self::Instana(_) | Self::CloudWatch(_) => Escape::Json,
            // Texts of NRQL are quoted the same way.
            Self::InfluxDb(_) | Self::NewRelic(_) => Escape::InfluxQl,
            // A query is a path or a name, with nothing of the iteration in it.
            Self::Json(_)
            | Self::Command { .. }
            | Self::Csv { .. }
            | Self::Target
            | Self::Custom { .. } => Escape::None,
        }
    }
}

/// A Prometheus server, or one that answers like it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrometheusSpec {
    /// Its address, to which `/api/v1/query` is added.
    pub url: String,
    /// Parameters of every request, such as `dedup` or `partial_response`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, String>,
    /// How queries are sent.
    #[serde(default)]
    pub method: QueryMethod,
    /// Whether an answer counts that says of itself that parts are missing.
    #[serde(default)]
    pub allow_partial: bool,
}

/// How queries are sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueryMethod {
    /// As a form: of any length.
    #[default]
    Post,
    /// In the URL: where a gateway lets nothing else through.
    Get,
}

/// Who asks. Secrets by reference only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Auth {
    /// A user and a password.
    Basic {
        /// The user.
        user: String,
        /// The password.
        password: SecretRef,
    },
    /// A token, read anew for every request.
    Bearer(SecretRef),
    /// A token that a server gives to this client (OAuth 2.0, client credentials).
    #[serde(rename = "oauth2")]
    OAuth2 {
        /// Where tokens are given.
        token_url: String,
        /// The client.
        client_id: String,
        /// Its secret.
        client_secret: SecretRef,
        /// What is asked for.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        scopes: Vec<String>,
    },
    /// A signature of Amazon Web Services, made anew for every request.
    #[serde(rename = "sigv4")]
    SigV4(SigV4),
}

/// What requests to Amazon Web Services are signed with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SigV4 {
    /// The region that is asked.
    pub region: String,
    /// The name of the service in signatures, `aps` for Prometheus.
    pub service: String,
    /// The name of the key.
    pub access_key: SecretRef,
    /// The key.
    pub secret_key: SecretRef,
    /// What makes a key of a session valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_token: Option<SecretRef>,
}

/// How the other side is known, and we to it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tls {
    /// Certificates (PEM) of the only authorities that are trusted. None: those of the system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// Our certificate and its key (PEM).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientCertificate>,
    /// Trust whoever answers. For trying things out only.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub insecure_skip_verify: bool,
}

/// A certificate and its key, both PEM files; read when the server is first asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientCertificate {
    /// The certificate, with those between it and the authority.
    pub cert_file: PathBuf,
    /// Its private key.
    pub key_file: PathBuf,
}

impl Tls {
    fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}
