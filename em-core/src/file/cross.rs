//! Checks across the file: names in templates, tunables that nothing uses, conditions, circles.

use super::fit;
use super::reader::Reader;
use super::scene::{Place, Placed, Scene};
use super::target::observing;
use super::tunable::ReadTunable;
use crate::assign;
use crate::expression::{Name, closest};
use crate::plan::{Domain, TargetSpec, Tunable};
use crate::port::WINDOW_PLACEHOLDERS;

const EVERYWHERE: [&str; 3] = ["em", "trial", "iteration"];
const CLUSTER: [&str; 4] = ["pods", "container", "namespace", "workload"];

/// What is known about the target when templates are checked.
#[derive(Debug)]
pub(super) struct Surroundings<'t> {
    pub(super) target: Option<&'t TargetSpec>,
    pub(super) tunables: &'t [Tunable],
    /// Names of the target's files, those that cannot be read included.
    pub(super) files: Vec<&'t str>,
    /// Whether every tunable could be read: otherwise unknown names are not reported.
    pub(super) is_whole: bool,
}

/// Every name in every template.
pub(super) fn templates(scene: &Scene<'_>, around: &Surroundings<'_>) {
    for placed in scene.templates.borrow().iter() {
        if let Place::Header { of_target } = placed.place {
            around.check_header(placed, of_target, scene);
            continue;
        }
        let known = around.names(placed.place);
        for name in placed.template.names() {
            around.check_special(placed, name, scene);
        }
        if !around.is_whole || around.target.is_none() {
            continue;
        }
        let mut known: Vec<&str> = known.iter().map(String::as_str).collect();
        // Refused with words of their own, or named freely.
        let own = |name: &&str| CLUSTER.contains(name) || name.starts_with("ports.");
        known.extend(placed.template.names().filter(own));
        known.extend(["em", "port", "address", "value"]);
        for error in placed.template.unknown(known) {
            match &placed.file {
                Some(file) => placed.reader.refuse(format!("in {file:?}, {error}")),
                None => placed.reader.refuse(error.problem),
            }
        }
    }
}

impl Surroundings<'_> {
    fn names(&self, place: Place) -> Vec<String> {
        let mut names: Vec<String> = EVERYWHERE.map(str::to_owned).to_vec();
        if place == Place::Apply {
            names.push("value".into());
        }
        if matches!(place, Place::Load | Place::Query) {
            names.extend(WINDOW_PLACEHOLDERS.map(str::to_owned));
            names.push("duration_s".into());
        }
        names.extend(self.tunables.iter().map(|tunable| tunable.name.to_string()));
        names.extend(self.files.iter().map(|name| (*name).to_owned()));
        if self.has_address() {
            names.push("address".into());
        }
        if self.has_port() {
            names.push("port".into());
        }
        names
    }

    fn has_address(&self) -> bool {
        match self.target {
            Some(TargetSpec::Command(command)) => command.address.is_some(),
            Some(TargetSpec::Kubernetes(kubernetes)) => kubernetes.service.is_some(),
            Some(TargetSpec::Observe) => false,
            Some(TargetSpec::Process(_) | TargetSpec::Simulated(_) | TargetSpec::Custom(_))
            | None => true,
        }
    }

    /// Whether the target may tell what queries name (`{{pods}}`).
    fn has_facts(&self) -> bool {
        match self.target {
            Some(TargetSpec::Command(command)) => !command.facts.is_empty(),
            Some(TargetSpec::Custom(_) | TargetSpec::Kubernetes(_)) | None => true,
            Some(TargetSpec::Process(_) | TargetSpec::Observe | TargetSpec::Simulated(_)) => false,
        }
    }

    fn has_port(&self) -> bool {
        !matches!(
            self.target,
            Some(TargetSpec::Command(_) | TargetSpec::Kubernetes(_) | TargetSpec::Observe)
        )
    }

    fn is_cluster(&self) -> bool {
        matches!(self.target, Some(TargetSpec::Kubernetes(_)))
    }

    /// A header knows no values of the iteration: it is filled in for each request, of a probe, too.
    fn check_header(&self, placed: &Placed<'_>, of_target: bool, scene: &Scene<'_>) {
        for name in placed.template.names() {
            match name {
                "trial" | "iteration" => {}
                "address" if of_target => self.check_special(placed, name, scene),
                _ => placed.reader.refuse_with(
                    format!("{{{{{name}}}}} has no value in a header of this source"),
                    if of_target {
                        "a header knows {{trial}}, {{iteration}} and {{address}}"
                    } else {
                        "a header knows {{trial}} and {{iteration}}"
                    },
                ),
            }
        }
    }

    /// Names that mean something, but not here.
    fn check_special(&self, placed: &Placed<'_>, name: &str, scene: &Scene<'_>) {
        let reader = &placed.reader;
        let kind = self.target.map_or("", TargetSpec::kind);
        match name {
            "em" if scene.context.executable.is_none() => {
                reader.refuse("there is no executable that {{em}} could stand for");
            }
            "value" if placed.place != Place::Apply => {
                reader.refuse("{{value}} has a meaning only in \"apply\" of a tunable");
            }
            "em" | "address" | "trial" | "iteration"
                if !self.is_known_inside(placed.place, name) =>
            {
                reader.refuse_with(
                    format!("{{{{{name}}}}} has no value inside the cluster"),
                    "the tunables have one, and {{value}} in \"apply\"",
                );
            }
            "address" if !self.has_address() => reader.refuse_with(
                format!("kind {kind} has no address"),
                match kind {
                    "command" => "give target.address",
                    "kubernetes" => "give target.service, through which load reaches the workload",
                    _ => "write the address itself",
                },
            ),
            "port" if !self.has_port() => {
                reader.refuse(format!("kind {kind} has no ports"));
            }
            name if name.starts_with("ports.") && !self.has_port() => {
                reader.refuse(format!("kind {kind} has no ports"));
            }
            name if CLUSTER.contains(&name) && !self.is_tunable(name) => {
                if placed.place != Place::Query && self.is_cluster() {
                    reader.refuse(format!("{{{{{name}}}}} has a value in queries only"));
                } else if placed.place != Place::Query {
                    reader.refuse(format!("{{{{{name}}}}} is not supported yet"));
                } else if !self.has_facts() {
                    reader.refuse_with(
                        format!("nobody says what {{{{{name}}}}} are: kind {kind} has no facts of that name"),
                        format!("a target of kind command has, where what its facts print names {name}"),
                    );
                }
            }
            _ => {}
        }
    }

    /// What is filled in for a cluster runs there: this machine's executable is not there, and the address is not known yet.
    fn is_known_inside(&self, place: Place, name: &str) -> bool {
        match place {
            Place::Apply => !self.is_cluster(),
            Place::Target => !self.is_cluster() || matches!(name, "trial" | "iteration"),
            Place::Load | Place::Query | Place::Header { .. } => true,
        }
    }

    fn is_tunable(&self, name: &str) -> bool {
        self.tunables
            .iter()
            .any(|tunable| tunable.name.as_str() == name)
    }
}

/// Everything about tunables that needs the others.
pub(super) fn tunables(read: &[ReadTunable<'_>], scene: &Scene<'_>, around: &Surroundings<'_>) {
    for ReadTunable { tunable, reader } in read {
        check_name(tunable, reader, around);
        check_conditions(tunable, reader, around);
        check_derived(tunable, reader, around);
        check_use(tunable, reader, scene, around);
    }
    if let Err(circle) = assign::in_order_of_need(around.tunables) {
        let first = read
            .iter()
            .find(|read| Some(&read.tunable.name) == circle.names.first());
        if let Some(first) = first {
            first
                .reader
                .refuse_with(circle, "one of them has to come first");
        }
    }
}

fn check_name(tunable: &Tunable, reader: &Reader<'_>, around: &Surroundings<'_>) {
    let name = tunable.name.as_str();
    let is_placeholder = EVERYWHERE.contains(&name)
        || WINDOW_PLACEHOLDERS.contains(&name)
        || name == "duration_s"
        || matches!(name, "port" | "ports" | "address")
        || (around.is_cluster() && CLUSTER.contains(&name));
    let is_file = around.files.contains(&name);
    if is_placeholder || is_file {
        let place = reader.peek("name").unwrap_or_else(|| reader.clone());
        place.refuse_with(
            format!("{name:?} is the name of a placeholder already"),
            "choose another name",
        );
    }
    if let Some(target) = around.target.filter(|target| target.is_observed()) {
        reader.refuse_with(
            format!(
                "nothing is deployed with {}, so nothing can be tuned",
                observing(target)
            ),
            "note values in trials instead",
        );
    }
}

fn check_conditions(tunable: &Tunable, reader: &Reader<'_>, around: &Surroundings<'_>) {
    let place = reader.peek("when").unwrap_or_else(|| reader.clone());
    for condition in &tunable.when {
        let other = around
            .tunables
            .iter()
            .find(|other| other.name == condition.tunable);
        let Some(other) = other else {
            if around.is_whole {
                let known = around.tunables.iter().map(|other| other.name.as_str());
                let hint = closest(condition.tunable.as_str(), known);
                let hint = hint.map_or(String::new(), |near| format!(" (did you mean {near:?}?)"));
                place.refuse(format!("there is no tunable {}{hint}", condition.tunable));
            }
            continue;
        };
        for value in &condition.is {
            if !other.is_derived()
                && let Some(problem) = other.refusal(value)
            {
                place.refuse(format!("{}: {problem}", other.name));
            }
        }
    }
}

fn check_derived(tunable: &Tunable, reader: &Reader<'_>, around: &Surroundings<'_>) {
    let Domain::Derived { value } = &tunable.domain else {
        return;
    };
    if !around.is_whole {
        return;
    }
    let place = reader.peek("value").unwrap_or_else(|| reader.clone());
    let is_circle = assign::in_order_of_need(around.tunables).is_err();
    if is_circle {
        return;
    }
    if let Err(error) = value.check(&|name| assign::meaning_of(name, around.tunables)) {
        place.refuse(error);
        return;
    }
    for name in value.names() {
        let Name::Tunable(needed) = name else {
            continue;
        };
        let needed = around.tunables.iter().find(|t| t.name.as_str() == needed);
        let uncovered = needed.and_then(|needed| {
            let covered = |condition| tunable.when.contains(condition);
            needed.when.iter().find(|condition| !covered(condition))
        });
        if let (Some(condition), Some(needed)) = (uncovered, needed) {
            place.refuse_with(
                format!("{} exists only while {condition}", needed.name),
                "give this tunable the same condition in \"when\"",
            );
        }
    }
}

/// A tunable that changes nothing would be searched in vain.
fn check_use(tunable: &Tunable, reader: &Reader<'_>, scene: &Scene<'_>, around: &Surroundings<'_>) {
    fit::check(tunable, reader, around.target, around.tunables);
    let name = tunable.name.as_str();
    let is_named = || {
        let templates = scene.templates.borrow();
        templates
            .iter()
            .any(|placed| placed.template.names().any(|used| used == name))
    };
    let is_needed = || {
        around.tunables.iter().any(|other| match &other.domain {
            Domain::Derived { value } => value.names().any(|needed| is_it(needed, name)),
            Domain::Integer { .. }
            | Domain::Real { .. }
            | Domain::Quantity { .. }
            | Domain::Categorical { .. } => other.when.iter().any(|c| c.tunable == tunable.name),
        })
    };
    let is_used = match around.target {
        Some(target) if target.is_observed() => true,
        Some(TargetSpec::Simulated(simulated)) => {
            let mut names = simulated
                .model
                .values()
                .flat_map(super::super::expression::Expression::names);
            names.any(|needed| is_it(needed, name)) || !tunable.apply.is_empty()
        }
        Some(TargetSpec::Process(_) | TargetSpec::Kubernetes(_)) => !tunable.apply.is_empty(),
        // They get every value: command as JSON, custom as they like.
        Some(TargetSpec::Command(_) | TargetSpec::Custom(_) | TargetSpec::Observe) | None => true,
    };
    if !is_used && !is_named() && !is_needed() {
        reader.refuse_with(
            format!("the tunable {name} is used nowhere"),
            if around.is_cluster() {
                "give it an apply, or write its placeholder into a patch or the load"
            } else {
                "give it an apply, or write its placeholder into the command or a file"
            },
        );
    }
}

fn is_it(needed: &Name, name: &str) -> bool {
    matches!(needed, Name::Tunable(needed) if needed == name)
}

/// The formulas of a simulated target.
pub(super) fn model(reader: &Reader<'_>, around: &Surroundings<'_>) {
    let Some(TargetSpec::Simulated(simulated)) = around.target else {
        return;
    };
    let model = reader.peek("model");
    for (name, expression) in &simulated.model {
        let place = model.as_ref().and_then(|model| model.peek(name.as_str()));
        let place = place.unwrap_or_else(|| reader.clone());
        if !around.is_whole {
            continue;
        }
        if let Err(error) = expression.check(&|name| assign::meaning_of(name, around.tunables)) {
            place.refuse(error);
        }
    }
}
