//! Questions in `GraphQL`, whose variables hold whatever a query says.

use em_core::fault::{Fault, FaultKind};
use em_core::observe::Window;
use em_core::plan::MetricKind;
use em_core::port::{Answer, OpContext};
use serde::{Deserialize, Serialize};

use super::decode::{self, Data, Row};
use super::statement::{self, Statement};
use super::{NewRelicDatasource, judge};
use crate::remote::{Content, Question, Reply};

const QUERY: &str = "query($id: Int!, $nrql: Nrql!, $timeout: Seconds!) { actor { account(id: $id) { nrql(query: $nrql, timeout: $timeout) { results metadata { facets messages } } } } }";
const ACCOUNT: &str = "query($id: Int!) { actor { account(id: $id) { id } } }";
/// As many groups are answered where the query does not say how many it wants.
const GROUPS: usize = 10;
/// The shortest and the longest time that a query is given, in seconds.
const TIMES: (u64, u64) = (1, 60);

#[derive(Serialize)]
struct Body<'a> {
    query: &'static str,
    variables: Variables<'a>,
}

#[derive(Serialize)]
struct Variables<'a> {
    id: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    nrql: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout: Option<u64>,
}

/// What is told of an account itself.
#[derive(Deserialize)]
struct Known {
    actor: Opened,
}

#[derive(Deserialize)]
struct Opened {
    account: Option<serde::de::IgnoredAny>,
}

/// Rows of an answer.
struct Heard {
    rows: Vec<Row>,
    warnings: Vec<String>,
    status: u16,
}

impl NewRelicDatasource {
    /// One value per bucket and group.
    pub(super) async fn buckets(
        &self,
        cx: &OpContext,
        statement: &Statement<'_>,
        kind: MetricKind,
        window: Window,
    ) -> Result<Answer, Fault> {
        let step = statement::bucket(window, self.every);
        let heard = self.hear(cx, &statement.in_buckets(window, step)).await?;
        let groups = decode::grouped(self.remote.shown(), &heard.rows)?;
        let width = decode::width(&groups, step);
        let mut warnings = heard.warnings;
        warnings.extend(about_groups(statement, groups.len()));
        if width != step {
            let told =
                format!("one value per {width:?} was answered, not one per {step:?} as asked");
            warnings.push(told);
        }
        Ok(Answer {
            series: decode::in_buckets(groups, width, kind, window),
            window,
            warnings,
            tries: cx.attempt,
            step: Some(width),
            status: Some(heard.status),
        })
    }

    /// One number of the whole window per group.
    pub(super) async fn whole(
        &self,
        cx: &OpContext,
        statement: &Statement<'_>,
        window: Window,
    ) -> Result<Answer, Fault> {
        let heard = self.hear(cx, &statement.over(window)).await?;
        let numbers = decode::numbers(heard.rows)?;
        let mut warnings = heard.warnings;
        warnings.extend(about_groups(statement, numbers.len()));
        Ok(Answer {
            series: decode::at(window.end, numbers),
            window,
            warnings,
            tries: cx.attempt,
            step: None,
            status: Some(heard.status),
        })
    }

    /// Whether the key opens the account; the server's clock minus ours, where it tells.
    pub(super) async fn look_around(&self, cx: &OpContext) -> Result<Option<i64>, Fault> {
        let server = self.remote.shown();
        let before = self.now();
        let variables = Variables {
            id: self.spec.account,
            nrql: None,
            timeout: None,
        };
        self.put(cx, ACCOUNT, variables, |reply| {
            let known: Known = judge::read(server, reply)?;
            match known.actor.account {
                Some(_) => Ok(reply.skew(before, self.now())),
                None => Err(decode::no_account(server)),
            }
        })
        .await
    }

    async fn hear(&self, cx: &OpContext, nrql: &str) -> Result<Heard, Fault> {
        let server = self.remote.shown();
        let left = cx.deadline.duration_since(self.now()).as_secs();
        let left = u64::try_from(left).unwrap_or_default();
        let variables = Variables {
            id: self.spec.account,
            nrql: Some(nrql),
            timeout: Some(left.clamp(TIMES.0, TIMES.1)),
        };
        self.put(cx, QUERY, variables, |reply| {
            let data: Data = judge::read(server, reply)?;
            let (rows, warnings) = data.results(server)?.read(server)?;
            let status = reply.status.as_u16();
            Ok(Heard {
                rows,
                warnings,
                status,
            })
        })
        .await
    }

    async fn put<T>(
        &self,
        cx: &OpContext,
        query: &'static str,
        variables: Variables<'_>,
        read: impl FnOnce(&Reply) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let body = Body { query, variables };
        let body = serde_json::to_string(&body).map_err(|source| {
            let message = "failed to write the question as JSON";
            Fault::new(FaultKind::Invalid, message).caused_by(source)
        })?;
        let key = self.spec.key.resolve()?;
        let question = Question {
            path: "/graphql",
            content: Content::Json(&body),
            headers: &[("API-Key", key.expose().to_owned())],
        };
        let reply = self.remote.put(cx, &question).await?;
        read(&reply)
    }
}

fn about_groups(statement: &Statement<'_>, count: usize) -> Option<String> {
    (count == GROUPS && !statement.has_limit).then(|| {
        format!("{GROUPS} groups came back, and no more are told where the query has no LIMIT")
    })
}
