//! Turns what happens to single requests into batches. Lives on the driver's own thread; takes
//! no lock and reads no clock but the one passed in.

use std::collections::VecDeque;
use std::time::Duration;

use crate::batch::{Batch, Times};
use crate::counts::Counts;
use crate::moment::Moment;
use crate::outcome::{ErrorClass, Finished};

/// Where batches begin and end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BatchPlan {
    pub(crate) origin: Moment,
    pub(crate) length: Duration,
    /// A batch begins exactly here, so that steady load shares no batch with the ramp.
    pub(crate) steady: Moment,
}

impl BatchPlan {
    fn end_of(&self, from: Moment) -> Moment {
        let end = from + self.length;
        if from < self.steady && self.steady < end {
            self.steady
        } else {
            end
        }
    }
}

/// A batch whose last requests may still be in flight.
#[derive(Debug)]
pub(crate) struct OpenBatch {
    index: usize,
    from: Moment,
    to: Moment,
    is_steady: bool,
    outstanding: u64,
    last_done: Moment,
    counts: Counts,
    times: Times,
}

impl OpenBatch {
    fn new(index: usize, from: Moment, plan: &BatchPlan) -> Self {
        Self {
            index,
            from,
            to: plan.end_of(from),
            is_steady: from >= plan.steady,
            outstanding: 0,
            last_done: from,
            counts: Counts::default(),
            times: Times::default(),
        }
    }

    /// Compresses the distributions: some hundred microseconds, not for the driver's thread.
    pub(crate) fn seal(mut self, origin: Moment) -> Batch {
        self.counts.unfinished = self.outstanding;
        self.counts.span = self.to.since(self.from);
        Batch {
            index: self.index,
            from: self.from.since(origin),
            to: self.to.since(origin),
            complete: self.last_done.max(self.to).since(origin),
            is_steady: self.is_steady,
            counts: self.counts,
            times: self.times.pack(),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Recorder {
    plan: BatchPlan,
    timeout: Duration,
    /// In order; the last is the one that time is in. Never empty.
    open: VecDeque<OpenBatch>,
    /// On a connection.
    in_flight: u64,
    /// On a connection or waiting for one.
    under_way: u64,
    counted_until: Moment,
    cpu_before: Duration,
    /// What happens after the end of the load belongs to no stretch of time.
    is_frozen: bool,
    latest_due: Moment,
}

impl Recorder {
    /// `cpu` is the CPU time that the driver's threads used before the run.
    pub(crate) fn new(plan: BatchPlan, timeout: Duration, cpu: Duration) -> Self {
        Self {
            plan,
            timeout,
            open: VecDeque::from([OpenBatch::new(0, plan.origin, &plan)]),
            in_flight: 0,
            under_way: 0,
            counted_until: plan.origin,
            cpu_before: cpu,
            is_frozen: false,
            latest_due: plan.origin,
        }
    }

    pub(crate) fn under_way(&self) -> u64 {
        self.under_way
    }

    /// Whether `now` lies beyond the current batch, so that [`Recorder::advance`] is due.
    pub(crate) fn has_ended(&self, now: Moment) -> bool {
        now >= self.current().to
    }

    /// Lets time pass until `now`; answers the batches that are complete by then. `cpu` is the
    /// CPU time of the driver's threads so far.
    pub(crate) fn advance(&mut self, now: Moment, cpu: Duration) -> Vec<OpenBatch> {
        while self.has_ended(now) {
            let boundary = self.current().to;
            self.integrate(boundary);
            let used = cpu.saturating_sub(self.cpu_before);
            self.cpu_before = cpu;
            self.current_mut().counts.client_cpu += used;
            let mut next = OpenBatch::new(self.current().index + 1, boundary, &self.plan);
            next.counts.in_flight_peak = self.in_flight;
            self.open.push_back(next);
        }
        self.integrate(now);
        let mut complete = Vec::new();
        while self.front_is_complete(now) {
            complete.extend(self.open.pop_front());
        }
        complete
    }

    /// A request fell due and will be sent. Answers the number of the batch that waits for it.
    pub(crate) fn accepted(&mut self, due: Moment) -> usize {
        self.under_way += 1;
        let batch = self.of(due);
        batch.counts.offered += 1;
        batch.outstanding += 1;
        let index = batch.index;
        self.latest_due = self.latest_due.max(due);
        index
    }

    /// An accepted request goes out.
    pub(crate) fn sent(&mut self, now: Moment) {
        self.integrate(now);
        self.in_flight += 1;
        let in_flight = self.in_flight;
        let current = &mut self.current_mut().counts;
        current.in_flight_peak = current.in_flight_peak.max(in_flight);
    }

    /// A request fell due and is not sent: too many are in flight.
    pub(crate) fn dropped(&mut self, due: Moment) {
        self.dropped_n(due, 1);
    }

    /// Several requests fell due around `due` and are not sent.
    pub(crate) fn dropped_n(&mut self, due: Moment, n: u64) {
        let timeout = self.timeout;
        let batch = self.of(due);
        batch.counts.offered += n;
        batch.counts.dropped += n;
        batch.times.response_time.record_n(timeout, n);
        self.latest_due = self.latest_due.max(due);
    }

    /// A request came to its end.
    pub(crate) fn finished(&mut self, request: Finished) {
        let Finished {
            batch,
            due,
            sent,
            done,
            result,
        } = request;
        self.integrate(done);
        self.in_flight -= 1;
        self.under_way -= 1;
        let service_time = done.since(sent);
        let timeout = self.timeout;
        let is_answer = matches!(result, Ok(()) | Err(ErrorClass::Status));
        if !self.is_frozen {
            let current = &mut self.current_mut().counts;
            current.service_time += service_time;
            current.achieved += u64::from(is_answer);
            current.throughput += u64::from(result.is_ok());
        }

        let batch = self.numbered(batch);
        batch.outstanding -= 1;
        batch.last_done = batch.last_done.max(done);
        batch.times.send_lag.record(sent.since(due));
        match result {
            Ok(()) => {
                batch.counts.answered += 1;
                batch.times.service_time.record(service_time);
                batch.times.response_time.record(done.since(due));
            }
            Err(class) => {
                batch.counts.errors[class.index()] += 1;
                if class == ErrorClass::Timeout {
                    batch
                        .times
                        .response_time
                        .record(done.since(due).max(timeout));
                }
            }
        }
    }

    /// The load ends at `now`. What is in flight may still end and counts where it was due, but
    /// is no throughput of the load's time any more.
    pub(crate) fn freeze(&mut self, now: Moment) {
        self.integrate(now);
        self.is_frozen = true;
    }

    /// Ends the run at `now`. What is in flight is given up and counted as unfinished. Nothing
    /// may be recorded afterwards.
    pub(crate) fn close(&mut self, now: Moment, cpu: Duration) -> Vec<OpenBatch> {
        let mut batches = self.advance(now, cpu);
        let used = cpu.saturating_sub(self.cpu_before);
        let current = self.current_mut();
        current.counts.client_cpu += used;
        current.to = now.max(current.from);
        batches.extend(self.open.drain(..));
        batches
    }

    /// Requests are handed over in due order, so a batch is complete once a later one is seen
    /// and all of its own have ended. At a low rate the next may take minutes: after a quarter
    /// of a second nothing can be on the way any more.
    pub(crate) fn front_is_complete(&self, now: Moment) -> bool {
        const HANDED_OVER: Duration = Duration::from_millis(250);
        let front = self.open.front().expect("never empty");
        let all_handed_over = self.latest_due >= front.to || now >= front.to + HANDED_OVER;
        self.open.len() > 1 && front.outstanding == 0 && all_handed_over
    }

    /// The batch that a due time belongs to. One that comes later than all hope (see
    /// `front_is_complete`) goes to the oldest that is still open.
    fn of(&mut self, due: Moment) -> &mut OpenBatch {
        let at = self
            .open
            .iter()
            .rposition(|batch| batch.from <= due)
            .unwrap_or(0);
        &mut self.open[at]
    }

    /// A batch that still waits for a request is always open.
    fn numbered(&mut self, index: usize) -> &mut OpenBatch {
        let first = self.open.front().expect("never empty").index;
        &mut self.open[index - first]
    }

    fn integrate(&mut self, now: Moment) {
        if self.is_frozen {
            return;
        }
        let elapsed = now.since(self.counted_until);
        let in_flight = u32::try_from(self.in_flight).unwrap_or(u32::MAX);
        self.current_mut().counts.in_flight_time += elapsed * in_flight;
        self.counted_until = self.counted_until.max(now);
    }

    fn current(&self) -> &OpenBatch {
        self.open.back().expect("never empty")
    }

    fn current_mut(&mut self) -> &mut OpenBatch {
        self.open.back_mut().expect("never empty")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(5);

    fn at(origin: Moment, millis: u64) -> Moment {
        origin + Duration::from_millis(millis)
    }

    fn recorder(origin: Moment, steady_ms: u64) -> Recorder {
        let length = Duration::from_secs(1);
        let plan = BatchPlan {
            origin,
            length,
            steady: at(origin, steady_ms),
        };
        Recorder::new(plan, TIMEOUT, Duration::ZERO)
    }

    fn send(recorder: &mut Recorder, due: Moment) {
        recorder.accepted(due);
        recorder.sent(due);
    }

    fn finish(recorder: &mut Recorder, due: Moment, done: Moment, result: Result<(), ErrorClass>) {
        recorder.finished(Finished {
            batch: 0,
            due,
            sent: due,
            done,
            result,
        });
    }

    #[test]
    fn a_slow_request_counts_where_it_was_due_and_its_answer_where_it_came() {
        let origin = Moment::now();
        let mut recorder = recorder(origin, 0);
        send(&mut recorder, at(origin, 900));
        assert!(
            recorder
                .advance(at(origin, 1000), Duration::ZERO)
                .is_empty()
        );
        send(&mut recorder, at(origin, 1100));
        assert!(
            recorder
                .advance(at(origin, 1200), Duration::ZERO)
                .is_empty(),
            "one is out"
        );
        finish(&mut recorder, at(origin, 900), at(origin, 1400), Ok(()));
        let first = recorder
            .advance(at(origin, 1400), Duration::ZERO)
            .remove(0)
            .seal(origin);
        assert_eq!((first.counts.offered, first.counts.answered), (1, 1));
        assert_eq!((first.counts.achieved, first.counts.throughput), (0, 0));
        let longest = first.times.unpack().response_time.max();
        assert_eq!(longest, Some(Duration::from_millis(500)));
        let second = recorder
            .close(at(origin, 1500), Duration::ZERO)
            .remove(0)
            .seal(origin);
        assert_eq!((second.counts.achieved, second.counts.unfinished), (1, 1));
    }

    #[test]
    fn a_batch_begins_exactly_where_the_load_becomes_steady() {
        let origin = Moment::now();
        let mut recorder = recorder(origin, 1300);
        let mut batches = recorder.advance(at(origin, 2500), Duration::ZERO);
        batches.extend(recorder.close(at(origin, 2600), Duration::ZERO));
        let bounds: Vec<_> = batches
            .into_iter()
            .map(|batch| batch.seal(origin))
            .map(|batch| {
                (
                    batch.from.as_millis(),
                    batch.to.as_millis(),
                    batch.is_steady,
                )
            })
            .collect();
        let expected = [
            (0, 1000, false),
            (1000, 1300, false),
            (1300, 2300, true),
            (2300, 2600, true),
        ];
        assert_eq!(bounds, expected);
    }

    #[test]
    fn time_outs_and_drops_are_recorded_with_at_least_the_time_out_and_refusals_are_not() {
        let origin = Moment::now();
        let mut recorder = recorder(origin, 0);
        send(&mut recorder, at(origin, 10));
        send(&mut recorder, at(origin, 20));
        recorder.dropped(at(origin, 30));
        finish(
            &mut recorder,
            at(origin, 20),
            at(origin, 20),
            Err(ErrorClass::Refused),
        );
        finish(
            &mut recorder,
            at(origin, 10),
            at(origin, 4999),
            Err(ErrorClass::Timeout),
        );
        let times = recorder
            .close(at(origin, 5000), Duration::ZERO)
            .remove(0)
            .seal(origin)
            .times;
        assert_eq!(times.response_time.count(), 2);
        assert_eq!(times.unpack().response_time.min(), Some(TIMEOUT));
        assert_eq!(times.service_time.count(), 0);
    }

    #[test]
    fn in_flight_time_equals_the_sum_of_service_times() {
        let origin = Moment::now();
        let mut recorder = recorder(origin, 0);
        for (due, done) in [(100, 400), (500, 1900), (1800, 1900)] {
            send(&mut recorder, at(origin, due));
            if done < 1000 {
                finish(&mut recorder, at(origin, due), at(origin, done), Ok(()));
            }
        }
        let mut batches = recorder.advance(at(origin, 1900), Duration::ZERO);
        finish(&mut recorder, at(origin, 500), at(origin, 1900), Ok(()));
        finish(&mut recorder, at(origin, 1800), at(origin, 1900), Ok(()));
        batches.extend(recorder.close(at(origin, 2000), Duration::ZERO));
        let mut all = Counts::default();
        for batch in batches {
            all.followed_by(&batch.seal(origin).counts);
        }
        assert_eq!(all.in_flight_time, all.service_time);
        assert_eq!(all.in_flight_peak, 2);
    }
}
