//! Datasource `push`: what the workload reports to us while it is measured.
//!
//! A deployment finds in its environment where to report (`EM_PUSH_URL`) and a token of its own
//! iteration (`EM_PUSH_TOKEN`). A report is a page of metrics in the Prometheus text format or in
//! `OpenMetrics` text, taken whole or not at all; samples without a time are of their arrival:
//!
//! ```text
//! echo 'queue_depth{queue="in"} 7' |
//!     curl --data-binary @- -H "Authorization: Bearer $EM_PUSH_TOKEN" "$EM_PUSH_URL"
//! ```
//!
//! The query of a metric is a selector, as for a page that is scraped.

mod door;
mod inbox;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use em_core::fault::{Fault, FaultKind, chain};
use em_core::observe::Window;
use em_core::plan::Secret;
use em_core::port::{Answer, Asked, Clock, Datasource, Health, OpContext, Validation};
use rand::RngExt as _;
use tokio::net::TcpListener;
use tokio::sync::OnceCell;
use tokio::task::AbortHandle;

use self::door::Door;
use self::inbox::Inboxes;
use crate::selector::Selector;

/// The variable with the address for reports.
pub const PUSH_URL: &str = "EM_PUSH_URL";
/// The variable with the token of an iteration.
pub const PUSH_TOKEN: &str = "EM_PUSH_TOKEN";

/// Samples that workloads report, one box per iteration.
///
/// It listens on a free port of the loopback interface from its first use until it is dropped.
#[derive(Debug)]
pub struct PushDatasource {
    door: Door,
    open: OnceCell<Open>,
}

/// A door that is open.
#[derive(Debug)]
struct Open {
    address: SocketAddr,
    task: AbortHandle,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl PushDatasource {
    /// A source to which nothing was reported yet.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let inboxes = Arc::new(Mutex::default());
        Self {
            door: Door { clock, inboxes },
            open: OnceCell::new(),
        }
    }

    /// Where reports come in.
    async fn address(&self) -> Result<SocketAddr, Fault> {
        let open = self.open.get_or_try_init(async || {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            let address = listener.local_addr()?;
            let router = self.door.clone().router();
            let serving = async move {
                if let Err(error) = axum::serve(listener, router).await {
                    tracing::warn!("reports cannot come in any more: {error}");
                }
            };
            let task = tokio::spawn(serving).abort_handle();
            Ok::<_, std::io::Error>(Open { address, task })
        });
        let open = open.await.map_err(|source| {
            let message = "failed to listen for reports on the loopback interface";
            Fault::new(FaultKind::Unavailable, message).caused_by(source)
        })?;
        Ok(open.address)
    }

    fn inboxes(&self) -> MutexGuard<'_, Inboxes> {
        let inboxes = self.door.inboxes.lock();
        inboxes.unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Datasource for PushDatasource {
    async fn probe(&self, _cx: &OpContext) -> Result<Health, Fault> {
        self.address().await?;
        Ok(Health::default())
    }

    /// Nothing is reported before something runs.
    async fn validate(&self, _cx: &OpContext, asked: &Asked) -> Result<Validation, Fault> {
        selector(asked)?;
        Ok(Validation::default())
    }

    async fn environment(&self, cx: &OpContext) -> Result<BTreeMap<String, Secret>, Fault> {
        let address = self.address().await?;
        let fresh = || hex::encode(rand::rng().random::<[u8; 32]>());
        let token = self.inboxes().open(&cx.key, fresh);
        let url = Secret::new(format!("http://{address}{}", door::PATH));
        Ok(BTreeMap::from([
            (PUSH_URL.to_owned(), url),
            (PUSH_TOKEN.to_owned(), token),
        ]))
    }

    async fn query(&self, cx: &OpContext, asked: &Asked, window: Window) -> Result<Answer, Fault> {
        let selector = selector(asked)?;
        let series = self.inboxes().select(&cx.key, &selector, window);
        let warning = format!("the workload reported no {} in the window", selector.name);
        Ok(Answer {
            warnings: series.is_empty().then_some(warning).into_iter().collect(),
            series,
            window,
            tries: cx.attempt,
            step: None,
            status: None,
        })
    }
}

fn selector(asked: &Asked) -> Result<Selector, Fault> {
    Selector::parse(&asked.text).map_err(|error| Fault::new(FaultKind::Invalid, chain(&error)))
}
