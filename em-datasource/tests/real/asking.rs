//! Asking a datasource as the engine does.

use std::sync::Arc;
use std::time::Duration;

use em_core::fault::Fault;
use em_core::id::{Epoch, OpKey};
use em_core::observe::Window;
use em_core::plan::{DatasourceKind, DatasourceSpec, MetricKind, PrometheusSpec, QueryMethod, Tls};
use em_core::port::{Answer, Asked, Clock as _, Datasource as _, OpContext, SystemClock};
use em_datasource::PrometheusDatasource;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::servers::T0;

/// A server at that address, nothing else said.
pub(crate) fn plain(url: &str) -> DatasourceSpec {
    DatasourceSpec {
        kind: DatasourceKind::Prometheus(PrometheusSpec {
            url: url.to_owned(),
            params: std::collections::BTreeMap::new(),
            method: QueryMethod::Post,
            allow_partial: false,
        }),
        headers: std::collections::BTreeMap::new(),
        every: Some(Duration::from_secs(15)),
        auth: None,
        tls: Tls::default(),
    }
}

pub(crate) fn source(spec: &DatasourceSpec) -> PrometheusDatasource {
    let DatasourceKind::Prometheus(prometheus) = &spec.kind else {
        panic!("it is of another kind");
    };
    PrometheusDatasource::new(Arc::new(SystemClock), prometheus, spec)
}

pub(crate) fn cx(limit: Duration) -> OpContext {
    let key = OpKey::Experiment {
        experiment: "real".parse().unwrap(),
        seq: 1,
    };
    let epoch = Epoch {
        store: "test".to_owned(),
        counter: 1,
    };
    let deadline = SystemClock.now() + limit;
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

/// From so many seconds after the data begins to so many.
pub(crate) fn window(start: i64, end: i64) -> Window {
    let at = |seconds| Timestamp::from_second(T0 + seconds).unwrap();
    Window {
        start: at(start),
        end: at(end),
    }
}

pub(crate) async fn query(
    source: &PrometheusDatasource,
    kind: MetricKind,
    text: &str,
    window: Window,
) -> Result<Answer, Fault> {
    let cx = cx(Duration::from_secs(20));
    source.query(&cx, &asked(kind, text), window).await
}

/// The values of the only series.
pub(crate) fn only(answer: &Answer) -> Vec<f64> {
    assert_eq!(answer.series.len(), 1, "{answer:?}");
    answer.series[0]
        .points
        .iter()
        .map(|point| point.value)
        .collect()
}
