//! The figures there are.

use anyhow::Result;

use crate::bench::Bench;
use crate::{
    aa, crash, dead_time, decode, fuzz, kill9, kube_clones, kube_dead_time, kube_failures,
    kube_kill9, kube_quickstart, kube_rbac, kube_takeover, overhead, prom_quickstart, quickstart,
    raw_size, servers, suites, two_managers,
};

/// One figure.
#[derive(Debug)]
pub(crate) struct Figure {
    /// What it is called.
    pub(crate) name: &'static str,
    /// What is measured, for people.
    pub(crate) what: &'static str,
    /// What it should be.
    pub(crate) goal: &'static str,
    /// What a miss depends on.
    pub(crate) kind: Kind,
    /// Measures it.
    pub(crate) measure: fn(&mut Bench) -> Result<Measured>,
}

/// What a figure depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// On time and on what else the machine does: it is measured alone.
    Timing,
    /// On the program only.
    Counting,
}

/// What a figure is.
#[derive(Debug)]
pub(crate) struct Measured {
    /// Value and unit.
    pub(crate) value: String,
    /// Whether it is what it should be.
    pub(crate) is_met: bool,
}

/// All figures.
pub(crate) const FIGURES: &[Figure] = &[
    Figure {
        name: "quickstart",
        what: "the README's main job as an unprivileged user on one core, over seeds",
        goal: "winner the known best in >= 9 of 10, better in >= 8 of 10, each < 120 s",
        kind: Kind::Timing,
        measure: quickstart::measure,
    },
    Figure {
        name: "kill9",
        what: "what is left two seconds after a kill -9 of em run, and whether it goes on",
        goal: "nothing left, every chain finishes",
        kind: Kind::Counting,
        measure: kill9::measure,
    },
    Figure {
        name: "two-managers",
        what: "two em run at once, of two files and of one",
        goal: "neither harms the other, the second of one file is told who runs it",
        kind: Kind::Counting,
        measure: two_managers::measure,
    },
    Figure {
        name: "aa",
        what: "verdicts between identical configurations, over seeds",
        goal: "better or worse in at most 1 of 10",
        kind: Kind::Timing,
        measure: aa::measure,
    },
    Figure {
        name: "laws",
        what: "the laws of the state machines over every reachable state",
        goal: "all kept",
        kind: Kind::Counting,
        measure: suites::laws,
    },
    Figure {
        name: "crash",
        what: "a crash at every append of a whole experiment",
        goal: "the same answer, nothing lost, doubled or left",
        kind: Kind::Counting,
        measure: crash::measure,
    },
    Figure {
        name: "dead-time",
        what: "time that the manager adds per iteration of the quickstart",
        goal: "<= 50 ms at p99",
        kind: Kind::Timing,
        measure: dead_time::measure,
    },
    Figure {
        name: "overhead",
        what: "CPU and memory of the manager per trial, and how fast it resumes",
        goal: "<= 0.3 ms CPU with 64 side by side, flat, < 10 KB waiting, < 1 s resume of 10,000",
        kind: Kind::Timing,
        measure: overhead::measure,
    },
    Figure {
        name: "raw-size",
        what: "raw data of a default experiment of 40 trials",
        goal: "< 100 MB",
        kind: Kind::Counting,
        measure: raw_size::measure,
    },
    Figure {
        name: "bad-input",
        what: "broken files and their messages",
        goal: ">= 80 files, every message exact",
        kind: Kind::Counting,
        measure: suites::bad_input,
    },
    Figure {
        name: "prom-quickstart",
        what: "the quickstart's service judged by what a real Prometheus scraped, over seeds",
        goal: "the same winner each time, p50, p95, p99 within one bucket of the driver's own",
        kind: Kind::Timing,
        measure: prom_quickstart::measure,
    },
    Figure {
        name: "prom-real",
        what: "datasource prometheus against a real Prometheus, packaged and current, and a real VictoriaMetrics",
        goal: "all pass",
        kind: Kind::Counting,
        measure: servers::prom_real,
    },
    Figure {
        name: "prom-golden",
        what: "golden values through raw samples and through PromQL, the port's conformance suite",
        goal: "all pass",
        kind: Kind::Counting,
        measure: servers::prom_golden,
    },
    Figure {
        name: "decode",
        what: "an answer of a million points becomes observations",
        goal: "<= 1.3 x the time of serde_json, <= 2 x the body of memory, <= 1/5 of Python",
        kind: Kind::Timing,
        measure: decode::measure,
    },
    Figure {
        name: "vendors",
        what: "sources that only their vendors run, against recorded shapes of their answers",
        goal: "all pass",
        kind: Kind::Counting,
        measure: suites::vendors,
    },
    Figure {
        name: "fuzz",
        what: "files, expressions, pages and answers that nobody would write, fed to whatever reads them",
        goal: "no crash",
        kind: Kind::Counting,
        measure: fuzz::measure,
    },
    Figure {
        name: "kube-failures",
        what: "ways to fail on real pods: outcome, blame, reason, time to it, workload put back",
        goal: ">= 25 of 25, each told within 5 s",
        kind: Kind::Counting,
        measure: kube_failures::measure,
    },
    Figure {
        name: "walls",
        what: "each crate alone, who knows whom, a workspace that embeds the core",
        goal: "all build and pass",
        kind: Kind::Counting,
        measure: suites::walls,
    },
    Figure {
        name: "kube-quickstart",
        what: "the quickstart on a Deployment of a real cluster: env, argument, replicas and CPU limit in place",
        goal: "winner the known best in >= 4 of 5, the live object as before, nothing left, no pod in two iterations",
        kind: Kind::Timing,
        measure: kube_quickstart::measure,
    },
    Figure {
        name: "kube-clones",
        what: "the same in four copies side by side beside the live object; limits changed in running pods",
        goal: "as kube-quickstart, live object untouched, guard silent in >= 9 of 10 and speaking under a CPU hog",
        kind: Kind::Timing,
        measure: kube_clones::measure,
    },
    Figure {
        name: "kube-dead-time",
        what: "time that the manager adds per iteration on a Deployment",
        goal: "<= 50 ms at p99",
        kind: Kind::Timing,
        measure: kube_dead_time::measure,
    },
    Figure {
        name: "kube-kill9",
        what: "what a kill -9 of em run leaves in a cluster after the next start, over all stages",
        goal: "the original back, nothing left, no iteration doubled, every chain finishes",
        kind: Kind::Counting,
        measure: kube_kill9::measure,
    },
    Figure {
        name: "kube-takeover",
        what: "a workload whose manager is gone, taken over by another experiment of another store",
        goal: "the original back before the other's first patch, the former one touches nothing",
        kind: Kind::Counting,
        measure: kube_takeover::measure,
    },
    Figure {
        name: "kube-rbac",
        what: "the Role that em kube rbac prints, and each of its verbs taken away in turn",
        goal: "enough as it is; each needed verb taken away fails the survey and nothing is written, each helpful one is said",
        kind: Kind::Counting,
        measure: kube_rbac::measure,
    },
];
