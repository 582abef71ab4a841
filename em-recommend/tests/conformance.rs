//! Every built-in method keeps the rules of the port.

use std::sync::Arc;

use em_core::file::{FileContext, parse};
use em_core::testkit::conformance::{self, RecommenderScene};
use em_recommend::BuiltIn;

fn scene(method: &str) -> RecommenderScene {
    let file = format!(
        r"
name: searched
target: {{ kind: process, command: [sleep, '9'] }}
tunables:
  - {{ name: workers, range: [1, 4], default: 2, apply: {{ env: WORKERS }} }}
  - {{ name: memory, range: [512Mi, 2Gi], step: 512Mi, default: 1Gi, apply: {{ env: MEMORY }} }}
  - {{ name: cache, choices: [lru, none], default: lru, apply: {{ env: CACHE }} }}
  - {{ name: size, range: [1, 8], default: 2, when: {{ cache: [lru] }}, apply: {{ env: SIZE }} }}
load: {{ kind: http, url: 'http://127.0.0.1:9/' }}
objective: {{ minimize: load.response_time.p99 }}
search: {{ kind: built-in, method: {method} }}
budget: {{ trials: 30 }}
"
    );
    let parsed = parse(file.as_bytes(), &FileContext::bare());
    RecommenderScene {
        recommender: Arc::new(BuiltIn),
        plan: Arc::new(parsed.unwrap_or_else(|error| panic!("{error}")).plan),
    }
}

#[tokio::test]
async fn the_gaussian_process_keeps_the_rules() {
    conformance::recommender(async || scene("gp")).await;
}

#[tokio::test]
async fn designs_keep_the_rules() {
    conformance::recommender(async || scene("latin-hypercube")).await;
    conformance::recommender(async || scene("grid")).await;
    conformance::recommender(async || scene("random")).await;
}
