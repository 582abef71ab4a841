//! `em kube restore`: a held object put back with its store deleted.

use std::time::Duration;

use clap::Args;
use em_core::fault::FaultKind;
use em_core::plan::ObjectRef;
use em_core::port::{Clock as _, SystemClock};
use em_core::value::duration::parse;
use em_kube::cluster::Cluster;
use em_kube::command::restore::{Held, look};
use em_kube::fault::KubeError;

use super::super::guard::{check_askable, confirm};
use super::super::{Failure, print};
use super::{Where, failure};
use crate::screen;
use crate::view::section::Section;

/// The target is not put back.
const STRANDED: u8 = 5;

#[derive(Debug, Args)]
pub(in crate::cli) struct RestoreArgs {
    /// The object: deploy/NAME, sts/NAME, ds/NAME, cm/NAME, or PLURAL.GROUP/NAME
    object: ObjectRef,
    #[command(flatten)]
    place: Where,
    /// Put back without being asked
    #[arg(long, short)]
    yes: bool,
    /// Take it from a manager that is alive; its experiment cannot go on with it
    #[arg(long)]
    force: bool,
    /// How long the roll-out of the original may take
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = parse)]
    timeout: Duration,
}

pub(super) async fn restore(args: &RestoreArgs) -> Result<(), Failure> {
    let cluster = args.place.connect_to_write().await?;
    let held = look(&cluster, &args.object).await.map_err(stranded)?;
    let Some(held) = held else {
        screen::say(&format!(
            "nothing to put back: no experiment holds {} in namespace {} of {}",
            args.object,
            cluster.namespace(),
            cluster.context()
        ));
        return Ok(());
    };
    screen::say(shown(&held, &cluster).trim_end());
    check_askable(args.yes)?;
    if !args.force {
        refuse_living(&held, &cluster).await?;
    }
    confirm(args.yes)?;
    let deadline = SystemClock.now() + args.timeout;
    let restored = held.put_back(&cluster, deadline).await.map_err(stranded)?;
    let mut section = Section::new(format!("{} is put back", args.object));
    for place in &restored.back {
        section.row("as it was", [place.clone()]);
    }
    for left in &restored.left {
        section.row("left alone", [left.clone()]);
    }
    if held.is_resized() {
        section.row(
            "pods",
            ["were told the resources of the original".to_owned()],
        );
    } else if restored.back.is_empty() && restored.left.is_empty() {
        section.row(
            "as it was",
            ["everything: only our marks were there".to_owned()],
        );
    }
    print(section.text().trim_start())
}

fn shown(held: &Held, cluster: &Cluster) -> String {
    let mut section = Section::new("What will be put back");
    section.row("context", [cluster.context().to_owned()]);
    section.row("namespace", [cluster.namespace().to_owned()]);
    section.row("objects", held.objects().map(ToString::to_string));
    let (experiment, epoch) = (held.experiment(), held.epoch());
    section.row(
        "changed by",
        [format!("experiment {experiment}, owner {epoch}")],
    );
    if held.differs().is_empty() {
        section.row("differs", ["nothing but our marks".to_owned()]);
    } else {
        section.row("differs", held.differs().iter().cloned());
    }
    if held.is_resized() {
        section.row(
            "pods",
            ["get the resources of the original, without a roll-out".to_owned()],
        );
    }
    section.text()
}

/// Refuses where the manager that holds it is alive.
async fn refuse_living(held: &Held, cluster: &Cluster) -> Result<(), Failure> {
    screen::say(&format!(
        "looks whether somebody renews Lease {} (up to 15 s)",
        held.lease()
    ));
    if !held
        .is_owned(cluster, &SystemClock)
        .await
        .map_err(stranded)?
    {
        return Ok(());
    }
    let experiment = held.experiment();
    Err(Failure {
        code: STRANDED,
        message: format!(
            "experiment {experiment} is alive and puts it back itself: wait for its end, or call it off (em cancel {experiment}); --force takes it away from it"
        ),
    })
}

/// Whatever goes wrong now, the original is not back, unless the object is not there at all.
fn stranded(error: KubeError) -> Failure {
    let is_absent = matches!(&error, KubeError::Unfit { kind: FaultKind::NotFound, what } if what.starts_with("there is no"));
    let failure = failure(error);
    Failure {
        code: if is_absent { failure.code } else { STRANDED },
        ..failure
    }
}
