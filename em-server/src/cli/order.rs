//! `em pause`, `em resume`, `em cancel`, `em restore`: requests to the owner of an experiment.
//!
//! A running owner takes them from the inbox within a second. Without one, what needs an owner
//! (calling off, putting back) is done here; the rest waits for the next `em run`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{ArgGroup, Args};
use em_core::engine::{Control, Engine, EngineError, Order, WhenPaused};
use em_core::experiment::{Experiment, Phase};
use em_core::fault::FaultKind;
use em_core::id::ExperimentName;
use em_core::port::Store as _;
use em_store::SqliteStore;

use super::guard::Agreed;
use super::run::failure;
use super::{Failure, data_folder, record, runtime, who};
use crate::{compose, screen};

#[derive(Debug, Args)]
pub(super) struct OrderArgs {
    /// Name of the experiment
    name: String,
    /// Where experiments are kept [default: the XDG data home]
    #[arg(long, env = "EM_DATA", value_name = "DIR")]
    data: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct ResumeArgs {
    #[command(flatten)]
    order: OrderArgs,
    /// The context that the experiment writes to, once more; a protected one needs it
    #[arg(long, value_name = "NAME")]
    context: Vec<String>,
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("how").args(["retry", "done_by_hand"])))]
pub(super) struct RestoreArgs {
    #[command(flatten)]
    order: OrderArgs,
    /// Try again to put the original back (this is what happens without an option)
    #[arg(long)]
    retry: bool,
    /// The original was put back by hand: it is looked at, and let go
    #[arg(long)]
    done_by_hand: bool,
}

pub(super) fn pause(args: &OrderArgs) -> Result<(), Failure> {
    let why = format!("asked for by {}", who());
    with(args, async |asked: Asked| {
        asked.refuse_finished()?;
        asked.submit(&Order::Pause { why }).await?;
        let name = &asked.name;
        asked
            .say_who_does_it(&format!(
                "{name} is not running; it is paused when it is run next"
            ))
            .await
    })
}

pub(super) fn resume(args: &ResumeArgs) -> Result<(), Failure> {
    // Putting back needs no such word: it is never wrong. Going on changes the cluster again.
    let agreed = Agreed {
        context: args.context.clone(),
        ..Agreed::default()
    };
    with(&args.order, async |asked: Asked| {
        asked.refuse_finished()?;
        agreed.check(asked.experiment.plan())?;
        asked.submit(&Order::Resume).await?;
        let name = &asked.name;
        asked
            .say_who_does_it(&format!(
                "nobody runs {name}; `em run` with its file goes on with it"
            ))
            .await
    })
}

pub(super) fn cancel(args: &OrderArgs) -> Result<(), Failure> {
    with(args, async |asked: Asked| {
        asked.refuse_finished()?;
        asked.submit(&Order::Cancel { by: who() }).await?;
        let done = asked.own(Control::default()).await?;
        let name = &asked.name;
        match done {
            None => screen::say(&format!(
                "{name} was told; it puts everything back and ends"
            )),
            Some(Ok(_)) => screen::say(&format!("{name} is called off")),
            Some(Err(error)) => return Err(failure(&error)),
        }
        Ok(())
    })
}

pub(super) fn restore(args: &RestoreArgs) -> Result<(), Failure> {
    let order = if args.done_by_hand {
        Order::RestoredByHand { by: who() }
    } else {
        Order::RestoreAgain
    };
    with(&args.order, async |asked: Asked| {
        let name = &asked.name;
        if asked.holds() == 0 {
            screen::say(&format!(
                "{name} holds nothing; there is nothing to put back"
            ));
            return Ok(());
        }
        asked.submit(&order).await?;
        let control = Control::default();
        // Only what is held is put back; nothing is measured on the way.
        control.interrupt.cancel();
        match asked.own(control).await? {
            None => screen::say(&format!("{name} was told; its owner puts it back")),
            Some(Ok(_) | Err(EngineError::Interrupted)) => {
                screen::say(&format!("{name}: everything is put back; `em run` goes on"));
            }
            Some(Err(error)) => return Err(failure(&error)),
        }
        Ok(())
    })
}

/// An experiment of which something is asked.
struct Asked {
    name: ExperimentName,
    experiment: Experiment,
    store: Arc<SqliteStore>,
    data: PathBuf,
}

/// Opens the store, finds the experiment, and does it.
fn with<F>(args: &OrderArgs, act: F) -> Result<(), Failure>
where
    F: AsyncFnOnce(Asked) -> Result<(), Failure>,
{
    let data = data_folder(args.data.as_deref())?;
    let name = record::name(&args.name)?;
    runtime()?.block_on(async {
        let store = Arc::new(record::open_existing(&data).await?);
        let experiment = record::replay(&store, &name).await?;
        act(Asked {
            name,
            experiment,
            store,
            data,
        })
        .await
    })
}

impl Asked {
    fn refuse_finished(&self) -> Result<(), Failure> {
        if matches!(self.experiment.phase(), Phase::Finished { .. }) {
            return Err(Failure::usage(format!(
                "{} is finished; `em show {}` prints what it said",
                self.name, self.name
            )));
        }
        Ok(())
    }

    /// Slots that are held, or on their way back.
    fn holds(&self) -> usize {
        let holds = self.experiment.holds().values();
        holds.filter(|hold| hold.open).count()
    }

    fn engine(&self) -> Result<Engine, Failure> {
        let plan = self.experiment.plan();
        let store = Arc::clone(&self.store);
        // An undo knows its own folder; relative paths of the plan are not needed to put back.
        compose::engine(plan, Path::new("."), &self.data, store)
            .map_err(|error| Failure::usage(format!("{error:#}")))
    }

    async fn submit(&self, order: &Order) -> Result<(), Failure> {
        let submitted = self.engine()?.submit(&self.name, order).await;
        submitted.map(drop).map_err(|error| failure(&error))
    }

    /// Says that the owner was told, or what follows where there is none.
    async fn say_who_does_it(&self, without_owner: &str) -> Result<(), Failure> {
        let claimed = self.store.claim(&self.name).await;
        let has_owner = claimed.is_err_and(|fault| fault.kind == FaultKind::Conflict);
        if has_owner {
            screen::say(&format!("{} was told", self.name));
        } else {
            screen::say(without_owner);
        }
        Ok(())
    }

    /// Owns the experiment for as long as the request takes; none where somebody owns it already.
    async fn own(
        &self,
        control: Control,
    ) -> Result<Option<Result<em_core::report::Report, EngineError>>, Failure> {
        let control = Control {
            when_paused: WhenPaused::Leave,
            ..control
        };
        let result = self.engine()?.run(&self.name, control).await;
        if let Err(error) = &result
            && error.kind() == Some(FaultKind::Conflict)
        {
            return Ok(None);
        }
        Ok(Some(result))
    }
}
