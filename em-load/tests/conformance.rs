//! The HTTP driver keeps the rules of its port.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use em_core::file::{FileContext, parse};
use em_core::port::{Address, LoadGoal, LoadPlan, SystemClock};
use em_core::testkit::conformance::{self, LoadScene};
use em_load::HttpDriver;
use em_load::demo::model::Cache;
use em_load::demo::{Demo, DemoOptions};

const FILE: &str = r"
name: loaded
target: { kind: process, command: [sleep, '9', '{{port}}'] }
tunables: [{ name: n, range: [1, 4], default: 2, apply: { env: N } }]
load: { kind: http, url: 'http://{{address}}/', rate: 100 }
objective: { minimize: load.response_time.p99 }
budget: { trials: 3 }
";

#[tokio::test]
async fn the_http_driver_keeps_the_rules() {
    conformance::load_driver(async || {
        let options = DemoOptions {
            host: Ipv4Addr::LOCALHOST.into(),
            port: 0,
            workers: 6,
            cache: Cache::Lru,
            seed: Some(1),
        };
        let demo = Demo::bind(&options).await.unwrap();
        let address = Address {
            name: "port".to_owned(),
            authority: demo.address().to_string(),
        };
        tokio::spawn(demo.serve());
        let plan = parse(FILE.as_bytes(), &FileContext::bare()).unwrap().plan;
        let goal = LoadGoal::Measure { rate: None };
        let load = LoadPlan::new(Arc::new(plan.load), goal, 1, Duration::from_secs(5));
        LoadScene {
            driver: Arc::new(HttpDriver::new(Arc::new(SystemClock))),
            plan: load.batch(Duration::from_millis(200)),
            addresses: vec![address],
            keep: Box::new(()),
        }
    })
    .await;
}
