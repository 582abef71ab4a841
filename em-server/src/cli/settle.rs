//! Which experiment a file means: a new one, one that goes on, or one that is finished.

use em_core::engine::{Control, Engine, EngineError};
use em_core::experiment::{Consequence, Experiment, Phase};
use em_core::id::ExperimentName;
use em_core::journal::Stopped;
use em_core::plan::Plan;
use em_core::report::Report;
use em_local::fitness::Fitness;

use super::run::failure;
use super::{Failure, RunArgs, who};
use crate::screen;
use crate::view::plan;

/// What to do about an experiment of that name.
pub(super) enum Settled {
    /// Run it, or go on with it.
    Run(ExperimentName),
    /// It is finished; this is what it said.
    Stored(Box<Report>),
}

/// What the present plan is to an experiment that is known.
enum Relation {
    /// The same.
    Same,
    /// Another one that goes on with what was measured.
    Amends(Consequence),
    /// Another one whose numbers mean something else: the parts that differ.
    Differs(Vec<String>),
}

pub(super) async fn settle(
    engine: &Engine,
    args: &RunArgs,
    mut plan: Plan,
) -> Result<Settled, Failure> {
    let first = plan.name.clone();
    let mut repetition = 1;
    loop {
        let known = match engine.experiment(&plan.name).await {
            Ok(known) => known,
            Err(EngineError::NotFound { .. }) => return create(engine, args, &plan).await,
            Err(error) => return Err(failure(&error)),
        };
        let is_finished = matches!(known.phase(), Phase::Finished { .. });
        match relation(&known, &plan) {
            Relation::Differs(_) if args.new => {}
            Relation::Differs(differing) => {
                return Err(Failure::usage(format!(
                    "{} was begun with a file that differs in {}: `--new` begins anew beside it",
                    plan.name,
                    differing.join(", ")
                )));
            }
            Relation::Same | Relation::Amends(_) if is_finished && args.again => {}
            Relation::Amends(consequence) => {
                // What is only judged anew writes nothing.
                if !is_finished || consequence == Consequence::Measured {
                    args.agreed.confirm(&plan)?;
                }
                return amend(engine, &plan).await;
            }
            Relation::Same if is_finished => return stored(engine, &known).await,
            Relation::Same => {
                screen::say(&format!("{} goes on where it was broken off", plan.name));
                args.agreed.confirm(&plan)?;
                return Ok(Settled::Run(plan.name));
            }
        }
        repetition += 1;
        let name = format!("{first}#{repetition}");
        plan.name = name
            .parse()
            .map_err(|error| Failure::usage(format!("{error}")))?;
    }
}

fn relation(known: &Experiment, plan: &Plan) -> Relation {
    match known.amendment(plan) {
        Err(differing) => Relation::Differs(differing),
        Ok(None) => Relation::Same,
        Ok(Some(_)) if was_called_off(known) => Relation::Same,
        Ok(Some(amendment)) => Relation::Amends(amendment.consequence),
    }
}

fn was_called_off(known: &Experiment) -> bool {
    let conclusion = known.phase().conclusion();
    conclusion.is_some_and(|conclusion| conclusion.stopped == Stopped::Cancelled)
}

async fn create(engine: &Engine, args: &RunArgs, plan: &Plan) -> Result<Settled, Failure> {
    screen::say(plan::describe(plan, None).trim_end());
    let slots = usize::try_from(plan.target.slots()).unwrap_or(usize::MAX);
    screen::say(&Fitness::survey(slots, 1).to_string());
    args.agreed.confirm(plan)?;
    let created = engine.create(plan).await;
    created.map_err(|error| failure(&error))?;
    Ok(Settled::Run(plan.name.clone()))
}

async fn amend(engine: &Engine, plan: &Plan) -> Result<Settled, Failure> {
    let amended = engine.amend(plan, &who()).await;
    let amended = amended.map_err(|error| failure(&error))?;
    if let Some(amendment) = amended {
        let follows = match amendment.consequence {
            Consequence::Noted => "",
            Consequence::Judged => "; what is stored is judged anew",
            Consequence::Measured => "; it goes on with what was measured",
        };
        let (name, what) = (&plan.name, amendment.what.join(", "));
        screen::say(&format!("{name} has another {what}{follows}"));
    }
    Ok(Settled::Run(plan.name.clone()))
}

async fn stored(engine: &Engine, known: &Experiment) -> Result<Settled, Failure> {
    let measured = known.last_event();
    screen::say(&format!("measured {measured}; `--again` measures anew"));
    let stored = engine.run(&known.plan().name, Control::default()).await;
    stored
        .map(|stored| Settled::Stored(Box::new(stored)))
        .map_err(|error| failure(&error))
}
