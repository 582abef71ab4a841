//! The configurations that are shown: the baseline, and it with one tunable elsewhere.

use em_core::configuration::Configuration;
use em_core::plan::{Baseline, Domain, Plan, Tunable};
use em_core::port::Survey;
use em_core::value::Value;

/// Listed trials that are shown at the most; the others differ from them in values only.
const LISTED: usize = 12;

/// One configuration with its name.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Setting {
    pub(super) name: String,
    pub(super) configuration: Configuration,
}

/// What the others are compared with: the baseline's values, those of today where it is live, else a
/// configuration that is made up and says so.
pub(super) fn baseline(plan: &Plan, survey: Option<&Survey>) -> Setting {
    if let Some(configuration) = plan.baseline.configuration() {
        return Setting {
            name: "the baseline".to_owned(),
            configuration: configuration.clone(),
        };
    }
    let mut made_up = Vec::new();
    let mut configuration = Configuration::empty();
    for tunable in plan.tunables.iter().filter(|tunable| !tunable.is_derived()) {
        let today = survey.and_then(|survey| survey.today.get(&tunable.name));
        let today = today.filter(|_| matches!(plan.baseline, Baseline::Live));
        let known = today.or(tunable.default.as_ref()).cloned();
        if known.is_none() {
            made_up.push(tunable.name.as_str());
        }
        if let Some(value) = known.or_else(|| bounds(tunable).into_iter().next()) {
            configuration.set(tunable.name.clone(), tunable.domain.typed(&value));
        }
    }
    let name = match (&plan.baseline, made_up.is_empty()) {
        _ if plan.tunables.is_empty() => "all times".to_owned(),
        (Baseline::Live, true) if survey.is_some() => "today's values".to_owned(),
        (_, true) => "the defaults".to_owned(),
        (_, false) => format!("the first values of {}", made_up.join(", ")),
    };
    Setting {
        name,
        configuration,
    }
}

/// One tunable at each of its bounds, or at each other choice; then the listed trials.
pub(super) fn others(plan: &Plan, baseline: &Setting) -> Vec<Setting> {
    let mut settings: Vec<Setting> = Vec::new();
    for tunable in &plan.tunables {
        for value in bounds(tunable) {
            let mut configuration = baseline.configuration.clone();
            let mut name = format!("{}={value}", tunable.name);
            configuration.set(tunable.name.clone(), value);
            for missing in allow(tunable, &mut configuration) {
                name = format!("{name} {missing}");
            }
            add(
                &mut settings,
                baseline,
                Setting {
                    name,
                    configuration,
                },
            );
        }
    }
    for trial in plan.trials.iter().take(LISTED) {
        let configuration = trial.configuration.or(&baseline.configuration);
        let name = format!("trial {}", trial.label);
        add(
            &mut settings,
            baseline,
            Setting {
                name,
                configuration,
            },
        );
    }
    settings
}

fn add(settings: &mut Vec<Setting>, baseline: &Setting, setting: Setting) {
    let is_known = settings
        .iter()
        .chain([baseline])
        .any(|known| known.configuration == setting.configuration);
    if !is_known {
        settings.push(setting);
    }
}

/// A tunable that exists only under choices of others gets such a choice; those that had to change.
fn allow(tunable: &Tunable, configuration: &mut Configuration) -> Vec<String> {
    let mut changed = Vec::new();
    for condition in &tunable.when {
        let is_met = configuration
            .get(&condition.tunable)
            .is_some_and(|value| condition.is.contains(value));
        if let Some(choice) = condition.is.first().filter(|_| !is_met) {
            configuration.set(condition.tunable.clone(), choice.clone());
            changed.push(format!("{}={choice}", condition.tunable));
        }
    }
    changed
}

fn bounds(tunable: &Tunable) -> Vec<Value> {
    match &tunable.domain {
        Domain::Integer { low, high, .. } => vec![Value::Integer(*low), Value::Integer(*high)],
        Domain::Real { low, high, .. } => [*low, *high]
            .into_iter()
            .filter_map(|bound| Value::real(bound).ok())
            .collect(),
        Domain::Quantity { low, high, .. } => vec![Value::Quantity(*low), Value::Quantity(*high)],
        Domain::Categorical { choices } => choices.clone(),
        Domain::Derived { .. } => Vec::new(),
    }
}
