//! What tests ask, and in which surroundings.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]
#![allow(dead_code, reason = "not every source needs every helper")]

use std::collections::BTreeMap;
use std::time::Duration;

use em_core::id::{Epoch, ExperimentName, IterationNo, OpKey, TrialId};
use em_core::observe::Window;
use em_core::plan::{DatasourceKind, DatasourceSpec, MetricKind, Tls};
use em_core::port::{Answer, Asked, Clock as _, OpContext, SystemClock};
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

/// A source of this kind, without headers, credentials or an authority of its own.
pub(crate) fn plain(kind: DatasourceKind) -> DatasourceSpec {
    DatasourceSpec {
        kind,
        headers: BTreeMap::new(),
        every: None,
        auth: None,
        tls: Tls::default(),
    }
}

/// A question that has ten seconds.
pub(crate) fn context() -> OpContext {
    within(Duration::from_secs(10))
}

pub(crate) fn within(limit: Duration) -> OpContext {
    let key = OpKey::Iteration {
        experiment: "test".parse::<ExperimentName>().unwrap(),
        trial: TrialId(1),
        iteration: IterationNo(1),
    };
    let epoch = Epoch {
        store: "test".to_owned(),
        counter: 1,
    };
    let limit = SignedDuration::try_from(limit).unwrap();
    let deadline = SystemClock.now().checked_add(limit).unwrap();
    OpContext::new(key, epoch, deadline, CancellationToken::new())
}

pub(crate) fn asked(kind: MetricKind, text: &str) -> Asked {
    Asked {
        text: text.to_owned(),
        kind,
        endpoint: None,
        body: None,
    }
}

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

pub(crate) fn window(start: i64, end: i64) -> Window {
    Window {
        start: at(start),
        end: at(end),
    }
}

/// Seconds and values of each series.
pub(crate) fn values(answer: &Answer) -> Vec<Vec<(i64, f64)>> {
    let points = |series: &em_core::port::Series| {
        let points = series.points.iter();
        points.map(|p| (p.at.as_second(), p.value)).collect()
    };
    answer.series.iter().map(points).collect()
}
