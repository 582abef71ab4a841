//! A small experiment over the quickstart's service: no search, no look for the capacity.

/// The file of an experiment with that name, which takes `blocks` times about three seconds.
pub(crate) fn file(name: &str, blocks: u32) -> String {
    format!(
        "\
name: {name}
target: {{ kind: process, command: ['{{{{em}}}}', demo, --port, '{{{{port}}}}'] }}
tunables:
  - {{ name: workers, range: [1, 16], default: 2, apply: {{ env: WORKERS }} }}
  - {{ name: cache, choices: [lru, none], default: lru, apply: {{ arg: '--cache={{{{value}}}}' }} }}
load: {{ kind: http, url: 'http://{{{{address}}}}/', rate: 100 }}
objective: {{ minimize: load.response_time.p99 }}
trials: [{{ id: best, values: {{ workers: 4 }} }}]
measurement:
  warmup: 200ms
  cycles: 1
  cycle_duration: 500ms
  iterations: {{ min: {blocks}, max: {blocks} }}
"
    )
}
