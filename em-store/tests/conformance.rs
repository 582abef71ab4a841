//! The store on SQLite keeps the rules of its port.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::sync::Arc;

use em_core::port::{Store, SystemClock};
use em_core::testkit::conformance;
use em_store::SqliteStore;

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_keeps_the_rules_of_the_port() {
    conformance::store(places).await;
}

#[tokio::test]
async fn sqlite_keeps_the_rules_of_the_port_on_one_thread() {
    conformance::store(places).await;
}

/// A new folder, and how to open the store in it.
fn places() -> impl Fn() -> futures::future::BoxFuture<'static, Arc<dyn Store>> {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    move || {
        let folder = Arc::clone(&folder);
        Box::pin(async move {
            let store = SqliteStore::open(folder.path(), Arc::new(SystemClock))
                .await
                .unwrap();
            Arc::new(store) as Arc<dyn Store>
        })
    }
}
