//! Every command, file, request and query at the baseline, and what differs from it at each bound.

mod changes;
mod part;
mod settings;

use std::path::Path;

use anyhow::{Context as _, Result};
use em_core::assign::assign;
use em_core::configuration::Configuration;
use em_core::observe::Window;
use em_core::plan::{Metric, Plan, TargetSpec};
use em_core::port::{Survey, WINDOW_PLACEHOLDERS};

use super::section::Section;
use em_local::fill::{Places, Values};
use part::{Known, Part};
use settings::Setting;

/// What would be started, loaded and asked. `survey`: what the target runs today, where somebody looked.
///
/// # Errors
/// Where a value does not fit where it is used: such a trial could not run.
pub fn describe(
    plan: &Plan,
    survey: Option<&Survey>,
    base: &Path,
    executable: &Path,
) -> Result<String> {
    let baseline = settings::baseline(plan, survey);
    let first = parts(plan, &baseline, base, executable)?;
    let mut whole = Section::new(format!("At {}{}", baseline.name, drawn_later(plan)));
    for part in &first {
        whole.row(&part.name, part.whole());
    }
    if first.is_empty() {
        return Ok(String::new());
    }
    let mut differing = Section::new("What differs from it");
    for setting in settings::others(plan, &baseline) {
        let parts = parts(plan, &setting, base, executable)?;
        differing.row(&setting.name, changes::between(&first, &parts));
    }
    Ok(format!("{}{}", whole.text(), differing.text()))
}

/// What would be started for one configuration; none for targets of other kinds.
pub fn command(
    plan: &Plan,
    configuration: &Configuration,
    base: &Path,
    executable: &Path,
) -> Result<Option<String>> {
    let TargetSpec::Process(spec) = &plan.target else {
        return Ok(None);
    };
    let values = assign(plan, configuration).context("failed to work out the values")?;
    let text = part::process::line_and_files(plan, spec, &values, base, executable)?;
    Ok(Some(text))
}

/// What tunables and what follows from them are at the baseline.
///
/// # Errors
/// As [`describe`].
pub fn baseline_values(plan: &Plan) -> Result<Values> {
    let baseline = settings::baseline(plan, None);
    assign(plan, &baseline.configuration).context("failed to work out the values")
}

/// The query of a metric at the baseline, about this window; what only a deployment knows stands as
/// its name in capitals.
///
/// # Errors
/// As [`describe`].
pub fn query(plan: &Plan, metric: &Metric, base: &Path, window: Window) -> Result<String> {
    let baseline = settings::baseline(plan, None);
    let values = assign(plan, &baseline.configuration).context("failed to work out the values")?;
    let places = Places {
        base: base.to_owned(),
        ..Places::default()
    };
    let known = Known {
        plan,
        values: &values,
        places: &places,
    };
    part::measured::query(&known, metric, Some(window))
}

/// Whether the query of a metric names something that only a deployment knows.
pub fn depends_on_deployment(plan: &Plan, metric: &Metric) -> bool {
    let is_known = |name: &str| {
        let mut tunables = plan.tunables.iter();
        WINDOW_PLACEHOLDERS.contains(&name) || tunables.any(|tunable| tunable.name.as_str() == name)
    };
    metric.query.text.names().any(|name| !is_known(name))
}

fn drawn_later(plan: &Plan) -> &'static str {
    if matches!(plan.target, TargetSpec::Process(_)) {
        " (0 stands for ports, which are drawn at each start)"
    } else {
        ""
    }
}

fn parts(plan: &Plan, setting: &Setting, base: &Path, executable: &Path) -> Result<Vec<Part>> {
    let values = assign(plan, &setting.configuration)
        .with_context(|| format!("failed to work out the values at {}", setting.name))?;
    part::all(plan, &values, base, executable)
        .with_context(|| format!("failed to fill in the file at {}", setting.name))
}
