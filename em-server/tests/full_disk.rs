//! A disk that is full in mid-experiment, for real: a small one in a mount namespace of its own.

use std::process::Command;

/// A file stands for the system that is tuned; every iteration leaves its number in `applied`.
const FILE: &str = "\
name: crowded
target:
  kind: command
  lock: LOCK
  snapshot: [sh, -c, 'printf \"{\\\"n\\\": %s}\" $(cat state)']
  apply: [sh, -c, 'echo {{n}} > state; echo {{n}} >> applied']
  restore: [sh, -c, 'tr -dc 0-9 > state']
tunables: [{ name: n, range: [1, 50], default: 7 }]
datasources: { own: { kind: command, every: 20ms, command: [sh, -c, 'echo x $(cat state)'], output: { patterns: { x: { find: 'x ([0-9]+)', as: value } } } } }
metrics: [{ name: x, datasource: own, query: x, as: value }]
load: { kind: none }
baseline: { n: 9 }
objective: { minimize: x.value }
trials: [TRIALS]
measurement: { warmup: 50ms, cycles: 1, cycle_duration: 150ms, iterations: { max: 1 }, design: sequential }
";

/// Fills the disk when the experiment runs, until its log has no room to grow. Prints exit codes and
/// what is set in the system after each step.
const STORY: &str = r#"
set -u
cd "$ROOT"
mount -t tmpfs -o size=48m tmpfs disk
say() { echo "$1 state=$(cat state) reserve=$(test -e disk/reserve && echo kept || echo given)"; }
( timeout 30 sh -c 'while [ "$(cat applied 2>/dev/null | wc -l)" -lt 3 ]; do sleep 0.05; done'
  cat /dev/zero > disk/filler ) 2>/dev/null &
"$EM" run file.yaml > /dev/null 2> first; say "first=$?"
wait
cat /dev/zero 2>/dev/null >> disk/filler
truncate -s -256K disk/filler
applied=$(wc -l < applied)
"$EM" resume crowded 2> second
"$EM" run file.yaml >> /dev/null 2>> second; say "second=$?"
[ "$applied" = "$(wc -l < applied)" ] && echo "second touched nothing"
rm disk/filler
"$EM" resume crowded 2> third
"$EM" run file.yaml >> /dev/null 2>> third; say "third=$?"
"#;

#[test]
fn a_full_disk_pauses_an_experiment_with_everything_put_back() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let trials = (10..40).map(|n| format!("{{ values: {{ n: {n} }} }}"));
    let trials = trials.collect::<Vec<_>>().join(", ");
    let lock = format!("crowded-{}", std::process::id());
    let file = FILE.replace("TRIALS", &trials).replace("LOCK", &lock);
    std::fs::write(at("file.yaml"), file).unwrap();
    std::fs::write(at("state"), "7\n").unwrap();
    std::fs::create_dir(at("disk")).unwrap();
    let story = Command::new("unshare")
        .args(["--mount", "--map-root-user", "sh", "-c", STORY])
        .env("ROOT", folder.path())
        .env("EM", env!("CARGO_BIN_EXE_em"))
        .env("EM_DATA", at("disk"))
        .env("EM_BESIDE", "1")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&story.stdout);
    let said = |step: &str| std::fs::read_to_string(at(step)).unwrap();
    let all = format!(
        "{told}\n{}\n{}\n{}\n{}",
        String::from_utf8_lossy(&story.stderr),
        said("first"),
        said("second"),
        said("third")
    );
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(
        lines,
        [
            "first=1 state=7 reserve=given",
            "second=1 state=7 reserve=given",
            "second touched nothing",
            "third=0 state=7 reserve=kept"
        ],
        "{all}"
    );
    assert!(said("first").contains("is full"), "{all}");
}
