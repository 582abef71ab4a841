//! The rules of the [`Store`] port.

use std::sync::Arc;

use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};

use crate::fault::{Fault, FaultKind};
use crate::id::{Digest, Epoch, ExperimentName, IterationNo, SlotId, TrialId};
use crate::port::{Entry, Store, StreamFilter, StreamHead, StreamId};

/// Puts a store through its rules. `fresh` makes a new, empty place; what it answers opens that
/// place, and may be called while it is still open elsewhere.
///
/// # Panics
/// When a rule is broken.
pub async fn store<P, O, F>(fresh: P)
where
    P: Fn() -> O,
    O: Fn() -> F,
    F: Future<Output = Arc<dyn Store>>,
{
    entries_are_read_back_in_order(&*fresh()().await).await;
    a_sequence_has_no_gap_and_no_repetition(&*fresh()().await).await;
    an_append_is_all_or_nothing(&*fresh()().await).await;
    streams_of_an_experiment_are_read_in_one_pass(&*fresh()().await).await;
    lists_are_filtered(&*fresh()().await).await;
    raw_data_is_named_by_its_digest(&*fresh()().await).await;
    one_owner_at_a_time(&*fresh()().await).await;
    experiments_are_owned_one_by_one(&*fresh()().await).await;
    epochs_of_others_are_refused(&*fresh()().await).await;
    a_hundred_appenders_do_not_disturb_each_other(&*fresh()().await).await;
    a_conflict_fails_only_its_own_append(&*fresh()().await).await;
    requests_have_many_writers(&*fresh()().await).await;
    two_users_of_one_place_exclude_each_other(&fresh()).await;
    what_was_written_is_there_after_reopening(&fresh()).await;
}

async fn entries_are_read_back_in_order(store: &dyn Store) {
    let claim = store
        .claim(&name("a"))
        .await
        .expect("a fresh experiment can be claimed");
    for stream in streams("a") {
        assert!(
            store.read(&stream).await.unwrap().is_empty(),
            "{stream} is not empty at first"
        );
        let all = entries(0..7);
        append(store, &stream, 0, &claim.epoch, &all[..1])
            .await
            .unwrap();
        append(store, &stream, 1, &claim.epoch, &all[1..4])
            .await
            .unwrap();
        append(store, &stream, 4, &claim.epoch, &all[4..])
            .await
            .unwrap();
        assert_eq!(
            store.read(&stream).await.unwrap(),
            all,
            "{stream} reads otherwise than written"
        );
    }
}

async fn a_sequence_has_no_gap_and_no_repetition(store: &dyn Store) {
    let claim = store.claim(&name("a")).await.unwrap();
    let stream = StreamId::Experiment(name("a"));
    let first = append(store, &stream, 1, &claim.epoch, &entries(0..1)).await;
    assert_conflict(first, "a stream that begins at 1");
    append(store, &stream, 0, &claim.epoch, &entries(0..2))
        .await
        .unwrap();
    for seq in [0, 1, 3, u64::MAX] {
        let refused = append(store, &stream, seq, &claim.epoch, &entries(9..10)).await;
        assert_conflict(refused, "an entry that is not the next");
    }
    append(store, &stream, 2, &claim.epoch, &entries(2..3))
        .await
        .unwrap();
    assert_eq!(store.read(&stream).await.unwrap(), entries(0..3));
}

async fn an_append_is_all_or_nothing(store: &dyn Store) {
    let claim = store.claim(&name("a")).await.unwrap();
    let stream = StreamId::Delivery(name("a"), 1);
    // More than any sensible batch, so that it cannot be one by accident.
    append(store, &stream, 0, &claim.epoch, &entries(0..1000))
        .await
        .unwrap();
    let overlap = append(store, &stream, 999, &claim.epoch, &entries(999..1003)).await;
    assert_conflict(overlap, "entries of which one is there");
    append(store, &stream, 1000, &claim.epoch, &[])
        .await
        .expect("nothing can be appended");
    assert_eq!(store.read(&stream).await.unwrap(), entries(0..1000));
}

async fn streams_of_an_experiment_are_read_in_one_pass(store: &dyn Store) {
    let claim = store.claim(&name("a")).await.unwrap();
    let other = store.claim(&name("b")).await.unwrap();
    for (stream, length) in streams("a").iter().zip(1..) {
        append(store, stream, 0, &claim.epoch, &entries(0..length))
            .await
            .unwrap();
    }
    append(
        store,
        &StreamId::Experiment(name("b")),
        0,
        &other.epoch,
        &entries(0..1),
    )
    .await
    .unwrap();
    let mut all = store.read_all(&name("a")).await.unwrap();
    all.sort_by(|one, other| one.0.cmp(&other.0));
    let expected: Vec<_> = streams("a")
        .into_iter()
        .zip(1..)
        .map(|(id, length)| (id, entries(0..length)))
        .collect();
    assert_eq!(
        all, expected,
        "read_all answers something else than each read"
    );
    assert!(store.read_all(&name("nobody")).await.unwrap().is_empty());
}

async fn lists_are_filtered(store: &dyn Store) {
    for experiment in ["a", "b"] {
        let claim = store.claim(&name(experiment)).await.unwrap();
        for stream in streams(experiment) {
            append(store, &stream, 0, &claim.epoch, &entries(0..3))
                .await
                .unwrap();
        }
    }
    let of_a = StreamFilter {
        experiment: Some(name("a")),
        experiments_only: false,
    };
    assert_eq!(
        list(store, &of_a).await,
        heads(streams("a")),
        "list by experiment"
    );
    let only = StreamFilter {
        experiment: None,
        experiments_only: true,
    };
    let both = vec![
        StreamId::Experiment(name("a")),
        StreamId::Experiment(name("b")),
    ];
    assert_eq!(list(store, &only).await, heads(both), "list of experiments");
    let everything = [streams("a"), streams("b")].concat();
    assert_eq!(
        list(store, &StreamFilter::default()).await,
        heads(everything),
        "list of all"
    );
    let nobody = StreamFilter {
        experiment: Some(name("nobody")),
        experiments_only: false,
    };
    assert!(list(store, &nobody).await.is_empty());
}

async fn raw_data_is_named_by_its_digest(store: &dyn Store) {
    let large: Vec<u8> = (0..200_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    for bytes in [b"".as_slice(), b"one", b"\0\xff", &large] {
        let digest = store.put(bytes).await.unwrap();
        assert_eq!(digest, Digest::of(bytes));
        assert_eq!(
            store.put(bytes).await.unwrap(),
            digest,
            "the same bytes have one digest"
        );
        assert_eq!(store.get(&digest).await.unwrap(), bytes);
    }
    let missing = store.get(&Digest::of(b"never put")).await.unwrap_err();
    assert_eq!(missing.kind, FaultKind::NotFound);
    let same = join_all((0..20).map(|_| store.put(b"all at once"))).await;
    assert!(
        same.into_iter()
            .all(|digest| digest.unwrap() == Digest::of(b"all at once"))
    );
}

async fn one_owner_at_a_time(store: &dyn Store) {
    let first = store.claim(&name("a")).await.unwrap();
    let refused = store
        .claim(&name("a"))
        .await
        .expect_err("a second owner was let in");
    assert_eq!(refused.kind, FaultKind::Conflict);
    let owner = std::process::id().to_string();
    assert!(
        refused.message.contains(&owner),
        "{refused} does not name the owner {owner}"
    );

    let stream = StreamId::Experiment(name("a"));
    append(store, &stream, 0, &first.epoch, &entries(0..1))
        .await
        .unwrap();
    let old = first.epoch.clone();
    drop(first);
    let orphaned = append(store, &stream, 1, &old, &entries(1..2)).await;
    assert_conflict(orphaned, "an append after the claim was dropped");

    let second = store
        .claim(&name("a"))
        .await
        .expect("the claim was dropped");
    assert!(second.epoch.counter > old.counter, "epochs grow");
    assert_eq!(second.epoch.store, old.store, "a store keeps its id");
    let stale = append(store, &stream, 1, &old, &entries(1..2)).await;
    assert_conflict(stale, "an append of an older epoch");
    append(store, &stream, 1, &second.epoch, &entries(1..2))
        .await
        .unwrap();
    assert_eq!(store.read(&stream).await.unwrap(), entries(0..2));
}

async fn experiments_are_owned_one_by_one(store: &dyn Store) {
    let a = store.claim(&name("a")).await.unwrap();
    let b = store
        .claim(&name("b"))
        .await
        .expect("another experiment is free");
    drop(a);
    let stream = StreamId::Experiment(name("b"));
    append(store, &stream, 0, &b.epoch, &entries(0..1))
        .await
        .unwrap();
    let foreign = append(store, &StreamId::Experiment(name("a")), 0, &b.epoch, &[]).await;
    assert_conflict(foreign, "an append to an experiment that nobody owns");
}

async fn epochs_of_others_are_refused(store: &dyn Store) {
    let claim = store.claim(&name("a")).await.unwrap();
    let stream = StreamId::Experiment(name("a"));
    let other_store = Epoch {
        store: "somebody else".to_owned(),
        ..claim.epoch.clone()
    };
    let future = Epoch {
        counter: claim.epoch.counter + 1,
        ..claim.epoch.clone()
    };
    for epoch in [other_store, future] {
        assert_conflict(
            append(store, &stream, 0, &epoch, &entries(0..1)).await,
            "a wrong epoch",
        );
    }
    assert!(store.read(&stream).await.unwrap().is_empty());
}

async fn a_hundred_appenders_do_not_disturb_each_other(store: &dyn Store) {
    let claim = store.claim(&name("a")).await.unwrap();
    let iteration = |n| StreamId::Iteration(name("a"), TrialId(n), IterationNo(1));
    let appenders = (0..100).map(|n| {
        let (stream, epoch) = (iteration(n), claim.epoch.clone());
        async move {
            for seq in 0..10 {
                append(store, &stream, seq, &epoch, &entries(seq..seq + 1))
                    .await
                    .unwrap();
            }
        }
    });
    join_all(appenders).await;
    for n in 0..100 {
        assert_eq!(store.read(&iteration(n)).await.unwrap(), entries(0..10));
    }
}

async fn a_conflict_fails_only_its_own_append(store: &dyn Store) {
    let claim = store.claim(&name("a")).await.unwrap();
    let one = entries(0..1);
    let streams: Vec<_> = (0..40).map(|n| StreamId::Delivery(name("a"), n)).collect();
    // Every fourth begins at 1, all wait at the same time.
    let appends = streams
        .iter()
        .zip(0_u64..)
        .map(|(stream, n)| append(store, stream, u64::from(n % 4 == 3), &claim.epoch, &one));
    for (answer, n) in join_all(appends).await.into_iter().zip(0_u64..) {
        assert_eq!(
            answer.is_err(),
            n % 4 == 3,
            "append {n} answered {answer:?}"
        );
    }
    // Of several that want the same place, one gets it.
    let stream = StreamId::Experiment(name("a"));
    let rivals = (0..10).map(|_| append(store, &stream, 0, &claim.epoch, &one));
    let winners = join_all(rivals).await.into_iter().flatten().count();
    assert_eq!(winners, 1, "of ten appends to one place");
    assert_eq!(store.read(&stream).await.unwrap(), one);
}

async fn requests_have_many_writers(store: &dyn Store) {
    let _owner = store.claim(&name("a")).await.unwrap();
    let submitted = join_all((0..50).map(|n| async move {
        store
            .submit(&name("a"), &format!("{{\"pause\":{n}}}"))
            .await
            .unwrap()
    }))
    .await;
    store
        .submit(&name("nobody"), "{}")
        .await
        .expect("nobody need own the experiment");
    let requests = store.requests(&name("a"), 0).await.unwrap();
    assert_eq!(requests.len(), 50);
    assert!(
        requests.is_sorted_by(|one, next| one.number < next.number),
        "numbers grow"
    );
    for (number, n) in submitted.iter().zip(0..) {
        let request = requests
            .iter()
            .find(|request| request.number == *number)
            .unwrap();
        assert_eq!(
            request.body,
            format!("{{\"pause\":{n}}}"),
            "request {number}"
        );
    }
    let after = store
        .requests(&name("a"), requests[29].number)
        .await
        .unwrap();
    assert_eq!(after, requests[30..]);
    assert!(
        store
            .requests(&name("a"), u64::MAX)
            .await
            .unwrap()
            .is_empty()
    );
}

async fn two_users_of_one_place_exclude_each_other<O, F>(open: &O)
where
    O: Fn() -> F,
    F: Future<Output = Arc<dyn Store>>,
{
    let (here, there) = (open().await, open().await);
    let stream = StreamId::Experiment(name("a"));
    let claim = here.claim(&name("a")).await.unwrap();
    append(&*here, &stream, 0, &claim.epoch, &entries(0..1))
        .await
        .unwrap();
    assert_eq!(
        there.read(&stream).await.unwrap(),
        entries(0..1),
        "readers see what is written"
    );
    assert_eq!(
        there.claim(&name("a")).await.unwrap_err().kind,
        FaultKind::Conflict
    );
    drop(claim);
    let taken = there.claim(&name("a")).await.expect("the owner let go");
    append(&*there, &stream, 1, &taken.epoch, &entries(1..2))
        .await
        .unwrap();
    drop(taken);
    let again = here.claim(&name("a")).await.unwrap();
    append(&*here, &stream, 2, &again.epoch, &entries(2..3))
        .await
        .expect("an owner that comes back goes on where the other ended");
    there.submit(&name("a"), "{}").await.unwrap();
    assert_eq!(here.requests(&name("a"), 0).await.unwrap().len(), 1);
}

async fn what_was_written_is_there_after_reopening<O, F>(open: &O)
where
    O: Fn() -> F,
    F: Future<Output = Arc<dyn Store>>,
{
    let store = open().await;
    let claim = store.claim(&name("a")).await.unwrap();
    let stream = StreamId::Hold(name("a"), SlotId(1), 1);
    append(&*store, &stream, 0, &claim.epoch, &entries(0..5))
        .await
        .unwrap();
    let digest = store.put(b"raw").await.unwrap();
    let number = store.submit(&name("a"), "{}").await.unwrap();
    let epoch = claim.epoch.clone();
    drop(claim);
    drop(store);

    let store = open().await;
    assert_eq!(store.read(&stream).await.unwrap(), entries(0..5));
    assert_eq!(store.get(&digest).await.unwrap(), b"raw");
    assert_eq!(
        store.requests(&name("a"), 0).await.unwrap()[0].number,
        number
    );
    let claim = store.claim(&name("a")).await.unwrap();
    assert!(claim.epoch > epoch && claim.epoch.store == epoch.store);
    append(&*store, &stream, 5, &claim.epoch, &entries(5..6))
        .await
        .unwrap();
}

async fn append(
    store: &dyn Store,
    stream: &StreamId,
    seq: u64,
    epoch: &Epoch,
    entries: &[Entry],
) -> Result<(), Fault> {
    store.append(stream, seq, epoch, entries).await
}

async fn list(store: &dyn Store, filter: &StreamFilter) -> Vec<StreamHead> {
    let mut heads = store.list(filter).await.unwrap();
    heads.sort_by(|one, other| one.stream.cmp(&other.stream));
    heads
}

fn assert_conflict(answer: Result<(), Fault>, what: &str) {
    let fault = answer.expect_err(what);
    assert_eq!(fault.kind, FaultKind::Conflict, "{what} answered {fault:?}");
}

/// One stream of each kind, in their order.
fn streams(experiment: &str) -> Vec<StreamId> {
    let name = name(experiment);
    vec![
        StreamId::Experiment(name.clone()),
        StreamId::Hold(name.clone(), SlotId(0), 1),
        StreamId::Iteration(name.clone(), TrialId(7), IterationNo(2)),
        StreamId::Iteration(name.clone(), TrialId(u32::MAX), IterationNo(2)),
        StreamId::Delivery(name, 3),
    ]
}

fn heads(mut streams: Vec<StreamId>) -> Vec<StreamHead> {
    streams.sort();
    streams
        .into_iter()
        .map(|stream| StreamHead { stream, entries: 3 })
        .collect()
}

fn entries(numbers: std::ops::Range<u64>) -> Vec<Entry> {
    let entry = |n: u64| Entry {
        // Nanoseconds must survive.
        at: Timestamp::UNIX_EPOCH
            + SignedDuration::from_nanos(1_700_000_000_123_456_789)
            + SignedDuration::from_secs(n.cast_signed()),
        body: format!("{{\"n\":{n},\"text\":\"ü \\\"quoted\\\"\\n\"}}"),
    };
    numbers.map(entry).collect()
}

fn name(text: &str) -> ExperimentName {
    text.parse().expect("a valid name")
}
