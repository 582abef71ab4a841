//! `em kube list`: what of ours is in a cluster.

use anyhow::Context as _;
use clap::Args;
use em_core::port::{Clock as _, SystemClock};
use em_kube::command::things::{Thing, Things, What, look};
use jiff::Timestamp;

use super::super::{Failure, print};
use super::{Where, failure};
use crate::screen;
use crate::view::section::Section;

#[derive(Debug, Args)]
pub(in crate::cli) struct ListArgs {
    #[command(flatten)]
    place: Where,
    /// In all namespaces
    #[arg(long, short = 'A', conflicts_with = "namespace")]
    all_namespaces: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn list(args: &ListArgs) -> Result<(), Failure> {
    let cluster = args.place.connect().await?;
    let found = look(&cluster, args.all_namespaces, &SystemClock).await;
    let found = found.map_err(failure)?;
    for unseen in &found.unseen {
        screen::say(&format!("warning: there may be more: {unseen}"));
    }
    if args.json {
        let text = serde_json::to_string_pretty(&found).context("failed to write the list")?;
        return print(&format!("{text}\n"));
    }
    if found.things.is_empty() {
        let place = if args.all_namespaces {
            "any namespace".to_owned()
        } else {
            format!("namespace {}", cluster.namespace())
        };
        screen::say(&format!(
            "nothing of ours is in {place} of {}",
            cluster.context()
        ));
        return Ok(());
    }
    print(&told(&found, SystemClock.now()))
}

/// A block for each experiment in each namespace.
fn told(found: &Things, now: Timestamp) -> String {
    let title = |thing: &Thing| {
        format!(
            "{} of store {}, namespace {}",
            or_unknown(&thing.experiment),
            or_unknown(&thing.store),
            thing.namespace
        )
    };
    let groups = found.things.chunk_by(|a, b| title(a) == title(b));
    let block = |group: &[Thing]| {
        let mut section = Section::new(title(&group[0]));
        let rows: Vec<Vec<String>> = group.iter().map(|one| row(one, now)).collect();
        section.table(&rows);
        section.text()
    };
    let text: String = groups.map(block).collect();
    text.trim_start().to_owned()
}

fn or_unknown(text: &str) -> &str {
    if text.is_empty() {
        "(unreadable)"
    } else {
        text
    }
}

fn row(thing: &Thing, now: Timestamp) -> Vec<String> {
    let since = thing
        .since
        .map_or_else(String::new, |since| format!("since {since:.0}"));
    let more = match (thing.what, &thing.about) {
        (What::Lease, _) => lease(thing, now),
        (What::Held, _) => {
            let (object, namespace) = (&thing.object, &thing.namespace);
            format!("put back at its end, or by: em kube restore {object} -n {namespace}")
        }
        (What::Undo, Some(about)) => format!("the original of {about}"),
        _ => String::new(),
    };
    vec![
        thing.what.word().to_owned(),
        thing.object.clone(),
        since,
        more,
    ]
}

fn lease(thing: &Thing, now: Timestamp) -> String {
    let Some(renewed) = thing.renewed else {
        return "never renewed".to_owned();
    };
    let ago = now.as_second().saturating_sub(renewed.as_second()).max(0);
    let state = if thing.is_expired { "run out" } else { "held" };
    format!("{state}, renewed {ago} s ago")
}
