//! `em kube clean`: removes what managers left that are gone.

use clap::Args;
use em_core::port::SystemClock;
use em_kube::command::clean::{Cleaning, carry_out, plan};
use em_kube::command::things::Thing;

use super::super::Failure;
use super::super::guard::confirm;
use super::{Where, failure};
use crate::screen;
use crate::view::section::Section;

#[derive(Debug, Args)]
pub(in crate::cli) struct CleanArgs {
    #[command(flatten)]
    place: Where,
    /// Remove without being asked
    #[arg(long, short)]
    yes: bool,
}

pub(super) async fn clean(args: &CleanArgs) -> Result<(), Failure> {
    let cluster = args.place.connect_to_write().await?;
    screen::say("looks what nobody renews (15 s where a Lease has run out)");
    let cleaning = plan(&cluster, &SystemClock).await.map_err(failure)?;
    screen::say(shown(&cleaning).trim());
    if cleaning.remove.is_empty() {
        screen::say(&format!(
            "there is nothing to remove in namespace {} of {}",
            cluster.namespace(),
            cluster.context()
        ));
        return Ok(());
    }
    confirm(args.yes)?;
    let failed = carry_out(&cluster, &cleaning).await;
    if failed.is_empty() {
        screen::say("removed");
        return Ok(());
    }
    Err(Failure {
        code: 1,
        message: format!("not everything was removed: {}", failed.join("; ")),
    })
}

fn shown(cleaning: &Cleaning) -> String {
    let mut removed = Section::new("What is removed");
    let rows: Vec<Vec<String>> = cleaning.remove.iter().map(|thing| row(thing, "")).collect();
    removed.table(&rows);
    let along = cleaning
        .along
        .iter()
        .map(|thing| row(thing, "with its Lease"));
    removed.table(&along.collect::<Vec<_>>());
    let mut left = Section::new("What is left alone");
    let rows = cleaning.left.iter().map(|(thing, why)| row(thing, why));
    left.table(&rows.collect::<Vec<_>>());
    for unseen in &cleaning.unseen {
        left.prose("not seen", unseen);
    }
    format!("{}{}", removed.text(), left.text())
}

fn row(thing: &Thing, why: &str) -> Vec<String> {
    let whose = format!("of {}", thing.experiment);
    let what = thing.what.word().to_owned();
    vec![what, thing.object.clone(), whose, why.to_owned()]
}
