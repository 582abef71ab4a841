//! What was reported, by iteration.

use std::collections::{BTreeMap, VecDeque};

use em_core::id::OpKey;
use em_core::observe::Window;
use em_core::plan::Secret;
use em_core::port::{Labels, Point, Series};
use em_core::read::ReadSample;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use crate::instant::instant;
use crate::selector::Selector;

/// Iterations that are remembered; one reads its own within seconds of its end.
const KEPT: usize = 64;
/// Samples of one iteration: 20 per second of each of 100 series over ten minutes.
const MOST_SAMPLES: usize = 1_200_000;

/// The boxes of the iterations, the newest last.
#[derive(Debug, Default)]
pub(super) struct Inboxes {
    boxes: VecDeque<Inbox>,
}

/// What one iteration reported.
#[derive(Debug)]
struct Inbox {
    key: OpKey,
    token: Secret,
    /// How the token is found again without comparing secrets letter by letter.
    digest: [u8; 32],
    series: BTreeMap<Labels, Vec<Point>>,
    samples: usize,
}

/// Why samples are not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// The token is of no iteration that is known.
    Unknown,
    /// There are too many already.
    Full,
}

impl Inboxes {
    /// The token of an iteration, which is known from now on.
    pub(super) fn open(&mut self, key: &OpKey, fresh: impl FnOnce() -> String) -> Secret {
        if let Some(known) = self.boxes.iter().find(|inbox| inbox.key == *key) {
            return known.token.clone();
        }
        let token = Secret::new(fresh());
        self.boxes.push_back(Inbox {
            key: key.clone(),
            digest: digest(token.expose()),
            token: token.clone(),
            series: BTreeMap::new(),
            samples: 0,
        });
        if self.boxes.len() > KEPT {
            self.boxes.pop_front();
        }
        token
    }

    /// Takes samples in; those without a time are of `now`.
    pub(super) fn take(
        &mut self,
        token: &str,
        samples: Vec<ReadSample>,
        now: Timestamp,
    ) -> Result<(), Refused> {
        let wanted = digest(token);
        let inbox = self.boxes.iter_mut().find(|inbox| inbox.digest == wanted);
        let inbox = inbox.ok_or(Refused::Unknown)?;
        if inbox.samples + samples.len() > MOST_SAMPLES {
            return Err(Refused::Full);
        }
        inbox.samples += samples.len();
        for sample in samples {
            let at = sample.at.and_then(instant).unwrap_or(now);
            let mut labels = sample.labels;
            labels.insert("__name__".to_owned(), sample.name);
            let points = inbox.series.entry(labels).or_default();
            let point = Point {
                at,
                value: sample.value,
            };
            // Reports may overtake each other; of two at one instant the later counts.
            let place = points.partition_point(|known| known.at < at);
            match points.get_mut(place) {
                Some(known) if known.at == at => *known = point,
                _ => points.insert(place, point),
            }
        }
        Ok(())
    }

    /// What a selector means of an iteration's samples, both ends of the window included.
    pub(super) fn select(&self, key: &OpKey, selector: &Selector, window: Window) -> Vec<Series> {
        let inbox = self.boxes.iter().find(|inbox| inbox.key == *key);
        let all = inbox.into_iter().flat_map(|inbox| &inbox.series);
        let selected = all.filter(|(labels, _)| selector.means(labels));
        let series = selected.map(|(labels, points)| Series {
            labels: labels.clone(),
            points: points
                .iter()
                .filter(|point| window.reaches(point.at))
                .copied()
                .collect(),
        });
        series.filter(|series| !series.points.is_empty()).collect()
    }
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(iteration: u32) -> OpKey {
        OpKey::Iteration {
            experiment: "demo".parse().unwrap(),
            trial: em_core::id::TrialId(1),
            iteration: em_core::id::IterationNo(iteration),
        }
    }

    fn sample(at: Option<f64>, value: f64) -> ReadSample {
        ReadSample {
            name: "depth".to_owned(),
            labels: Labels::new(),
            at,
            value,
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn values(inboxes: &Inboxes, iteration: u32) -> Vec<(i64, f64)> {
        let selector = Selector::parse("depth").unwrap();
        let window = Window {
            start: at(0),
            end: at(100),
        };
        let series = inboxes.select(&key(iteration), &selector, window);
        let points = series.iter().flat_map(|one| &one.points);
        points.map(|p| (p.at.as_second(), p.value)).collect()
    }

    #[test]
    fn samples_are_in_order_of_time_however_they_come() {
        let mut inboxes = Inboxes::default();
        let token = inboxes.open(&key(1), || "abc".to_owned());
        for (second, value) in [(30.0, 3.0), (10.0, 1.0), (30.0, 4.0), (200.0, 9.0)] {
            let samples = vec![sample(Some(second), value)];
            inboxes.take(token.expose(), samples, at(99)).unwrap();
        }
        let samples = vec![sample(None, 2.0)];
        inboxes.take(token.expose(), samples, at(20)).unwrap();
        assert_eq!(values(&inboxes, 1), [(10, 1.0), (20, 2.0), (30, 4.0)]);
    }

    #[test]
    fn each_iteration_has_a_box_and_a_token_of_its_own() {
        let mut inboxes = Inboxes::default();
        let one = inboxes.open(&key(1), || "one".to_owned());
        let again = inboxes.open(&key(1), || "other".to_owned());
        assert_eq!(one, again);
        inboxes.open(&key(2), || "two".to_owned());
        let samples = || vec![sample(None, 1.0)];
        assert_eq!(inboxes.take("two", samples(), at(5)), Ok(()));
        let unknown = inboxes.take("three", samples(), at(5));
        assert_eq!(unknown, Err(Refused::Unknown));
        assert!(values(&inboxes, 1).is_empty());
        assert_eq!(values(&inboxes, 2), [(5, 1.0)]);
    }

    #[test]
    fn a_full_box_takes_nothing_of_a_report_in_part() {
        let mut inboxes = Inboxes::default();
        inboxes.open(&key(1), || "one".to_owned());
        inboxes.boxes[0].samples = MOST_SAMPLES - 1;
        let two = vec![sample(None, 1.0), sample(None, 2.0)];
        assert_eq!(inboxes.take("one", two, at(5)), Err(Refused::Full));
        assert!(values(&inboxes, 1).is_empty());
    }
}
