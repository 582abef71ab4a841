//! `baseline`, `trials` and `search`: which configurations are measured.

use super::process::optional;
use super::reader::{Reader, Unsupported};
use super::target::observing;
use super::tree::NodeKind;
use crate::configuration::Configuration;
use crate::id::TunableName;
use crate::plan::{
    Baseline, Domain, ListedTrial, Search, SearchMethod, Suggester, TargetSpec, Tunable,
};

/// Keys of `search`.
pub(super) const KEYS: [&str; 7] = [
    "kind", "method", "name", "parallel", "blocks", "verify", "approval",
];

const NOT_YET: Unsupported = &["url", "command", "address"];

/// What trials are made of.
#[derive(Debug)]
pub(super) struct Space<'t> {
    pub(super) tunables: &'t [Tunable],
    pub(super) target: Option<&'t TargetSpec>,
    /// Whether the list of tunables is whole: otherwise unknown names are not reported.
    pub(super) is_whole: bool,
}

impl Space<'_> {
    fn is_observed(&self) -> bool {
        self.target.is_some_and(TargetSpec::is_observed)
    }

    fn searched(&self) -> impl Iterator<Item = &Tunable> {
        self.tunables.iter().filter(|tunable| !tunable.is_derived())
    }
}

/// The baseline; `whole` is the reader of the file, for what is wrong with an absent key.
pub(super) fn baseline(
    reader: Option<&Reader<'_>>,
    whole: &Reader<'_>,
    space: &Space<'_>,
) -> Option<Baseline> {
    let place = reader.unwrap_or(whole);
    let wanted = match reader.map(|reader| (reader, reader.kind())) {
        Some((reader, NodeKind::Map(_))) => {
            let values = values(reader, space)?;
            complete(reader, &values, space, "the baseline");
            return Some(Baseline::Values(values));
        }
        Some((reader, _)) => {
            reader.one_of(&[("live", "live"), ("defaults", "defaults"), ("none", "none")])?
        }
        None => usual(space)?,
    };
    match wanted {
        "none" => Some(Baseline::None),
        _ if space.is_observed() => {
            let how = space.target.map_or("kind observe", observing);
            place.refuse_with(
                format!("nothing is deployed with {how}, so there is no baseline"),
                "leave it out, or write baseline: none",
            );
            None
        }
        "live" => live(place, space),
        _ => defaults(place, space),
    }
}

fn usual(space: &Space<'_>) -> Option<&'static str> {
    let all = |space: &Space<'_>| space.searched().all(|tunable| tunable.default.is_some());
    match space.target? {
        TargetSpec::Process(_) | TargetSpec::Simulated(_) => Some("defaults"),
        observed if observed.is_observed() => Some("none"),
        TargetSpec::Observe => Some("none"),
        TargetSpec::Custom(_) if all(space) => Some("defaults"),
        TargetSpec::Custom(_) | TargetSpec::Command(_) | TargetSpec::Kubernetes(_) => Some("live"),
    }
}

fn live(place: &Reader<'_>, space: &Space<'_>) -> Option<Baseline> {
    if let Some(TargetSpec::Process(_) | TargetSpec::Simulated(_)) = space.target {
        place.refuse_with(
            "there is no live object: the target exists only while it is measured",
            "write baseline: defaults, or give its values",
        );
        return None;
    }
    Some(Baseline::Live)
}

fn defaults(place: &Reader<'_>, space: &Space<'_>) -> Option<Baseline> {
    let missing: Vec<&str> = space
        .searched()
        .filter(|tunable| tunable.default.is_none())
        .map(|tunable| tunable.name.as_str())
        .collect();
    if !missing.is_empty() {
        place.refuse_with(
            format!(
                "the baseline is every tunable's default, and there is none for {}",
                missing.join(", ")
            ),
            "give them a default, or give the baseline's values, or write baseline: none",
        );
        return None;
    }
    let values = space
        .searched()
        .filter_map(|tunable| Some((tunable.name.clone(), tunable.default.clone()?)));
    Some(Baseline::Defaults(values.collect()))
}

/// A map of values, each with the kind of its tunable.
fn values(reader: &Reader<'_>, space: &Space<'_>) -> Option<Configuration> {
    let mut configuration = Configuration::empty();
    for (name, reader) in reader.any_map()? {
        let name = name.parse::<TunableName>();
        let name = name.map_err(|error| reader.refuse(error)).ok();
        let (Some(name), Some(value)) = (name, reader.value()) else {
            continue;
        };
        let single: Configuration = [(name.clone(), value)].into_iter().collect();
        let single = single.typed(space.tunables);
        if !space.is_observed() {
            for violation in single.check(space.tunables) {
                let is_known = space.tunables.iter().any(|t| t.name == violation.tunable);
                if is_known || space.is_whole {
                    reader.refuse(violation.problem);
                }
            }
        }
        configuration = single.or(&configuration);
    }
    Some(configuration)
}

/// Reports the tunables without a value.
fn complete(reader: &Reader<'_>, values: &Configuration, space: &Space<'_>, whose: &str) {
    let missing: Vec<&str> = space
        .searched()
        .filter(|tunable| tunable.when.is_empty() && values.get(&tunable.name).is_none())
        .map(|tunable| tunable.name.as_str())
        .collect();
    if !missing.is_empty() && !space.is_observed() {
        reader.refuse(format!("{whose} has no value for {}", missing.join(", ")));
    }
}

pub(super) fn trials(
    reader: Option<&Reader<'_>>,
    space: &Space<'_>,
    baseline: Option<&Baseline>,
) -> Vec<ListedTrial> {
    let Some(reader) = reader else {
        let observed = ListedTrial {
            label: "observed".to_owned(),
            configuration: Configuration::empty(),
        };
        return if space.is_observed() {
            vec![observed]
        } else {
            Vec::new()
        };
    };
    let mut trials: Vec<ListedTrial> = Vec::new();
    for (index, entry) in reader.filled_list().unwrap_or_default().iter().enumerate() {
        if let Some(trial) = trial(entry, index, space, baseline) {
            check_repeated(entry, &trial, &trials);
            trials.push(trial);
        }
    }
    trials
}

fn trial(
    reader: &Reader<'_>,
    index: usize,
    space: &Space<'_>,
    baseline: Option<&Baseline>,
) -> Option<ListedTrial> {
    let keys = reader.keys(&["id", "values"], &[])?;
    let label = optional(&keys, "id", Reader::word);
    let given = keys.required("values")?;
    let values = values(&given, space)?;
    let configuration = match baseline.and_then(Baseline::configuration) {
        Some(baseline) => values.or(baseline),
        None => values,
    };
    if baseline == Some(&Baseline::None) {
        complete(&given, &configuration, space, "the trial");
    }
    Some(ListedTrial {
        label: label?.unwrap_or_else(|| (index + 1).to_string()),
        configuration,
    })
}

fn check_repeated(reader: &Reader<'_>, trial: &ListedTrial, before: &[ListedTrial]) {
    if before.iter().any(|other| other.label == trial.label) {
        reader.refuse(format!("there are two trials {:?}", trial.label));
    }
    let same = before
        .iter()
        .find(|other| other.configuration == trial.configuration);
    if let Some(same) = same {
        reader.warn(
            format!("it is the configuration of trial {:?} again", same.label),
            "an A/A comparison tells how often a difference is seen where there is none",
        );
    }
}

/// Who proposes trials. Absent: the built-in search, where no trial is listed and something can be searched.
#[expect(
    clippy::option_option,
    reason = "no search and a broken one are two things"
)]
pub(super) fn search(
    reader: Option<&Reader<'_>>,
    space: &Space<'_>,
    has_trials: bool,
    seed: u64,
) -> Option<Option<Search>> {
    let Some(reader) = reader else {
        let is_wanted = !has_trials && space.searched().next().is_some();
        return Some(is_wanted.then(|| usual_search(seed)));
    };
    let keys = reader.keys(&KEYS, NOT_YET)?;
    if space.is_observed() || (space.is_whole && space.searched().next().is_none()) {
        reader.refuse_with(
            "there is nothing to search: no tunable has values to choose from",
            "leave out search, or give tunables a range or choices",
        );
        return None;
    }
    let suggester = suggester(&keys, space, seed);
    let count = |key, least| optional(&keys, key, |reader| reader.count(least..=1000));
    let (parallel, blocks) = (count("parallel", 1), count("blocks", 1));
    let verify = count("verify", 0);
    let approval = optional(&keys, "approval", |reader| {
        let wanted = reader.bool()?;
        if wanted {
            reader.refuse_with("approval of proposals is not supported yet", "remove it");
        }
        (!wanted).then_some(false)
    });
    let usual = usual_search(seed);
    Some(Some(Search {
        suggester: suggester?,
        parallel: parallel?.unwrap_or(usual.parallel),
        blocks: blocks?.unwrap_or(usual.blocks),
        verify: verify?.unwrap_or(usual.verify),
        approval: approval?.unwrap_or(false),
    }))
}

fn usual_search(seed: u64) -> Search {
    Search {
        suggester: Suggester::BuiltIn {
            method: SearchMethod::Gp,
            seed,
        },
        parallel: 4,
        blocks: 2,
        verify: 3,
        approval: false,
    }
}

fn suggester(keys: &super::reader::Keys<'_>, space: &Space<'_>, seed: u64) -> Option<Suggester> {
    let kind = match keys.get("kind") {
        None => "built-in",
        Some(reader) => match reader.text()? {
            text @ ("kruize-hpo" | "webhook" | "command") => {
                reader.refuse(format!("kind {text:?} is not supported yet"));
                return None;
            }
            _ => reader.one_of(&[("built-in", "built-in"), ("custom", "custom")])?,
        },
    };
    let foreign = if kind == "custom" { "method" } else { "name" };
    if let Some(reader) = keys.get(foreign) {
        reader.refuse(format!("{foreign:?} has no meaning with kind {kind:?}"));
    }
    if kind == "custom" {
        let name = keys.required("name")?.text()?.to_owned();
        return Some(Suggester::Custom { name });
    }
    let method = optional(keys, "method", |reader| {
        let method = reader.one_of(&[
            ("gp", SearchMethod::Gp),
            ("latin-hypercube", SearchMethod::LatinHypercube),
            ("grid", SearchMethod::Grid),
            ("random", SearchMethod::Random),
        ])?;
        if method == SearchMethod::Grid {
            check_grid(reader, space);
        }
        Some(method)
    });
    Some(Suggester::BuiltIn {
        method: method?.unwrap_or(SearchMethod::Gp),
        seed,
    })
}

/// A grid needs a number of steps.
fn check_grid(reader: &Reader<'_>, space: &Space<'_>) {
    let endless: Vec<&str> = space
        .searched()
        .filter(|tunable| {
            matches!(
                tunable.domain,
                Domain::Real { step: None, .. } | Domain::Quantity { step: None, .. }
            )
        })
        .map(|tunable| tunable.name.as_str())
        .collect();
    if !endless.is_empty() {
        reader.refuse_with(
            format!("a grid has no end without a step of {}", endless.join(", ")),
            "give them a step",
        );
    }
}
