//! Group commit: whatever waits when the disk is free again goes to it in one transaction.

use tokio::sync::mpsc;

/// Jobs that may wait at one writer; whoever comes later waits to be let in.
pub(crate) const QUEUE: usize = 1024;

/// The next job and all that wait behind it, at most `most`. Empty when nobody can send any more.
///
/// Appenders that the last commit woke have not run yet when the writer looks at its queue. It
/// steps aside until no new job arrives, so that they share one sync instead of waiting for two.
pub(crate) async fn gather<J>(queue: &mut mpsc::Receiver<J>, most: usize) -> Vec<J> {
    let mut jobs = Vec::new();
    if queue.recv_many(&mut jobs, most).await == 0 {
        return jobs;
    }
    while jobs.len() < most {
        tokio::task::yield_now().await;
        let before = jobs.len();
        while jobs.len() < most
            && let Ok(job) = queue.try_recv()
        {
            jobs.push(job);
        }
        if jobs.len() == before {
            break;
        }
    }
    jobs
}
