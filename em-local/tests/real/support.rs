//! What the tests with real processes share.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use em_core::configuration::Configuration;
use em_core::fault::FaultKind;
use em_core::file::{FileContext, parse};
use em_core::id::{Epoch, IterationNo, OpKey, SlotId, TrialId, TunableName};
use em_core::plan::Plan;
use em_core::port::{
    Address, Clock, DeployPlan, Fact, OpContext, Readiness, SystemClock, Target, Undo,
};
use em_core::value::Value;
use em_local::guard;
use em_local::launch::{Guardian, Launch, Running};
use em_local::mark::{self, Mark};
use em_local::proc_table;
use em_local::surroundings::Surroundings;
use tokio_util::sync::CancellationToken;

/// A store that nobody else has: tests that run at once must not end each other's processes.
pub(crate) fn an_epoch() -> Epoch {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    Epoch {
        store: format!("{:08x}{number:08x}", std::process::id()),
        counter: 1,
    }
}

/// A mark nobody else has.
pub(crate) fn a_mark(name: &str) -> Mark {
    Mark::new(
        an_epoch(),
        OpKey::Experiment {
            experiment: name.parse().unwrap(),
            seq: 1,
        },
    )
}

/// A context of an act for this owner.
pub(crate) fn a_context(epoch: &Epoch, key: OpKey) -> OpContext {
    let deadline = SystemClock.now() + jiff::SignedDuration::from_secs(60);
    OpContext::new(key, epoch.clone(), deadline, CancellationToken::new())
}

/// A plan out of the text of a file, which lies in `base`.
pub(crate) fn a_plan(base: &Path, text: &str) -> Arc<Plan> {
    let text = format!("{text}\ntrials: [{{ id: a, values: {{}} }}]\n");
    let read = |path: &Path| std::fs::read(path);
    let context = FileContext {
        contexts: Vec::new(),
        base: base.to_owned(),
        executable: Some(guarded_example()),
        executable_digest: None,
        summarizers: BTreeMap::new(),
        read: &read,
    };
    Arc::new(parse(text.as_bytes(), &context).unwrap().plan)
}

/// One iteration of a target, step by step as the engine takes them.
pub(crate) struct Bench<T> {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) plan: Arc<Plan>,
    pub(crate) target: T,
    pub(crate) surroundings: Surroundings,
    pub(crate) epoch: Epoch,
}

impl<T: Target> Bench<T> {
    /// A bench on which the file `text` runs; files that it names are written by `prepare`.
    pub(crate) fn new(
        text: &str,
        prepare: impl FnOnce(&Path),
        make: impl FnOnce(Surroundings) -> T,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        prepare(folder.path());
        let mut surroundings =
            Surroundings::new(&folder.path().join("data")).guardian(a_guardian());
        surroundings.base = PathBuf::from(folder.path());
        surroundings.locks = PathBuf::from(folder.path());
        surroundings.executable = guarded_example();
        Self {
            plan: a_plan(folder.path(), text),
            target: make(surroundings.clone()),
            surroundings,
            epoch: an_epoch(),
            folder,
        }
    }

    pub(crate) fn survey_context(&self) -> OpContext {
        a_context(
            &self.epoch,
            OpKey::Experiment {
                experiment: self.plan.name.clone(),
                seq: 1,
            },
        )
    }

    pub(crate) fn hold(&self) -> OpContext {
        self.hold_of(0)
    }

    pub(crate) fn hold_of(&self, slot: u32) -> OpContext {
        a_context(
            &self.epoch,
            OpKey::Hold {
                experiment: self.plan.name.clone(),
                slot: SlotId(slot),
                n: 1,
            },
        )
    }

    /// The n-th hold of the first slot.
    pub(crate) fn hold_again(&self, n: u32) -> OpContext {
        let experiment = self.plan.name.clone();
        a_context(
            &self.epoch,
            OpKey::Hold {
                experiment,
                slot: SlotId(0),
                n,
            },
        )
    }

    /// Acquires for an owner who died a moment ago. A test beside us that starts a process just now
    /// holds a copy of every open file until its child has become another program.
    pub(crate) async fn inherited(&self, heir: &T, hold: &OpContext) -> Undo {
        for _ in 0..100 {
            match heir.acquire(hold, &self.plan, SlotId(0)).await {
                Err(fault) if fault.kind == FaultKind::Conflict => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                answer => return answer.unwrap(),
            }
        }
        panic!("the lock of a dead owner is never free");
    }

    pub(crate) fn iteration(&self) -> OpContext {
        self.iteration_of(0)
    }

    pub(crate) fn iteration_of(&self, trial: u32) -> OpContext {
        a_context(
            &self.epoch,
            OpKey::Iteration {
                experiment: self.plan.name.clone(),
                trial: TrialId(trial),
                iteration: IterationNo(1),
            },
        )
    }

    /// A deployment of the defaults, less what `values` says.
    pub(crate) fn deployment(&self, undo: Undo, values: &[(&str, Value)]) -> DeployPlan {
        let defaults = self.plan.tunables.iter();
        let defaults = defaults.filter_map(|one| Some((one.name.clone(), one.default.clone()?)));
        let chosen = values
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.clone()));
        let values: BTreeMap<TunableName, Value> = defaults.chain(chosen).collect();
        let mut configuration = Configuration::empty();
        for (name, value) in &values {
            configuration.set(name.clone(), value.clone());
        }
        DeployPlan::new(
            Arc::clone(&self.plan),
            SlotId(0),
            Arc::new(configuration),
            Arc::new(values),
            Arc::new(undo),
        )
    }

    /// Acquires and deploys.
    pub(crate) async fn deployed(&self, values: &[(&str, Value)]) -> DeployPlan {
        let undo = self
            .target
            .acquire(&self.hold(), &self.plan, SlotId(0))
            .await
            .unwrap();
        let plan = self.deployment(undo, values);
        self.target.deploy(&self.iteration(), &plan).await.unwrap();
        plan
    }

    /// Looks until the deployment is ready or stuck.
    pub(crate) async fn settled(&self, plan: &DeployPlan) -> Readiness {
        let cx = self.iteration();
        let looks = async {
            loop {
                let look = self.target.readiness(&cx, plan).await.unwrap();
                if !matches!(look, Readiness::Progressing { .. }) {
                    return look;
                }
                self.target.changed(&cx).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), looks)
            .await
            .unwrap()
    }

    /// Facts and addresses of a deployment that became ready.
    pub(crate) async fn ready(&self, plan: &DeployPlan) -> (Vec<Fact>, Vec<Address>) {
        let settled = self.settled(plan).await;
        let Readiness::Ready { facts, addresses } = settled else {
            panic!("{settled:?}")
        };
        (facts, addresses)
    }

    /// Everything away and back.
    pub(crate) async fn end(&self, plan: &DeployPlan) {
        self.target.withdraw(&self.iteration()).await.unwrap();
        self.target
            .restore(&self.hold(), Some((*plan.undo).clone()))
            .await
            .unwrap();
    }
}

/// The fact of that name.
pub(crate) fn fact<'f>(facts: &'f [Fact], name: &str) -> &'f Fact {
    facts
        .iter()
        .find(|fact| fact.name == name)
        .unwrap_or_else(|| panic!("{name} in {facts:?}"))
}

/// The example `guarded`, which `cargo test` builds beside the tests.
pub(crate) fn guarded_example() -> PathBuf {
    let me = std::env::current_exe().unwrap();
    let path = me.ancestors().nth(2).unwrap().join("examples/guarded");
    assert!(
        path.exists(),
        "{} is missing: cargo build -p em-local --examples",
        path.display()
    );
    path
}

/// A real guard.
pub(crate) fn a_guardian() -> Guardian {
    Guardian::Executable {
        path: guarded_example(),
        word: guard::WORD.to_owned(),
    }
}

/// A launch of a shell script.
pub(crate) fn a_script(key: &str, script: &str) -> Launch {
    Launch::new(
        a_mark(key),
        ["/bin/sh", "-c", script].map(str::to_owned).to_vec(),
    )
}

/// Starts it under a real guard.
pub(crate) async fn started(launch: &Launch) -> Running {
    Running::start(&a_guardian(), launch).await.unwrap()
}

/// Everything that lives and carries the mark, guards included.
pub(crate) fn marked(mark: &Mark) -> Vec<u32> {
    let text = mark.to_string();
    let carries = |pid: &u32| {
        proc_table::environment(*pid).is_some_and(|env| {
            env.iter()
                .any(|(name, value)| name == mark::VARIABLE && *value == text)
        })
    };
    proc_table::read_all()
        .iter()
        .filter(|stat| !stat.is_zombie())
        .map(|stat| stat.pid)
        .filter(carries)
        .collect()
}

/// Waits until `condition` holds; false when it never did.
pub(crate) fn eventually(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + limit;
    while !condition() {
        if Instant::now() > end {
            return false;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    true
}
