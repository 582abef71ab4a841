//! Which rate to try next.

use super::Step;

/// A rate known to be sustained and one known not to be, closing in on each other.
#[derive(Debug, Clone, PartialEq)]
pub struct Bracket {
    sustained: Option<f64>,
    broken: Option<f64>,
    /// Just below and just above what a broken step achieved: a good guess of the capacity.
    guesses: Vec<f64>,
    least: f64,
    has_ended: bool,
}

/// Where the search begins, in requests per second.
const FIRST: f64 = 64.0;
/// Below this a target is not loaded, it is asked now and then.
const LEAST: f64 = 0.5;
/// The bracket is closed when its ends differ by less.
const WIDTH: f64 = 1.03;

impl Bracket {
    /// Knows nothing yet.
    pub fn new() -> Self {
        Self {
            sustained: None,
            broken: None,
            guesses: Vec::new(),
            least: FIRST,
            has_ended: false,
        }
    }

    /// The next rate to try; `None` when the answer is known well enough.
    pub fn next_rate(&mut self) -> Option<f64> {
        if self.has_ended {
            return None;
        }
        let next = match (self.sustained, self.broken) {
            (None, None) => FIRST,
            (Some(sustained), None) => sustained * 2.0,
            (None, Some(broken)) if broken / 2.0 < LEAST => return None,
            (None, Some(broken)) => self.guess_within(LEAST, broken).unwrap_or(broken / 2.0),
            (Some(sustained), Some(broken)) if broken / sustained < WIDTH => return None,
            (Some(sustained), Some(broken)) => self
                .guess_within(sustained, broken)
                .unwrap_or((sustained * broken).sqrt()),
        };
        self.least = self.least.min(next);
        Some(next)
    }

    /// Learns how a step went.
    pub fn tell(&mut self, step: Step) {
        if step.is_sustained {
            self.sustained = Some(self.sustained.unwrap_or(0.0).max(step.offered));
        } else {
            // An overloaded target may do less than it can, hardly ever more. Taken from the end.
            self.guesses = vec![step.achieved * 1.03, step.achieved * 0.975];
            self.broken = Some(self.broken.unwrap_or(f64::INFINITY).min(step.offered));
        }
    }

    /// Learns how the last step went: faster than this the driver cannot go.
    pub fn limit(&mut self, step: Step) {
        self.tell(step);
        self.has_ended = true;
    }

    /// The greatest sustained rate so far.
    pub fn sustained(&self) -> Option<f64> {
        self.sustained
    }

    /// The least rate that was tried.
    pub fn least(&self) -> f64 {
        self.least
    }

    /// The next guess that lies well within the bracket.
    fn guess_within(&mut self, low: f64, high: f64) -> Option<f64> {
        while let Some(guess) = self.guesses.pop() {
            if low * 1.01 < guess && guess < high / 1.01 {
                return Some(guess);
            }
        }
        None
    }
}

impl Default for Bracket {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the search against a target that sustains `capacity` and, overloaded, does
    /// `collapse` of it.
    fn search(capacity: f64, collapse: f64) -> (Option<f64>, usize) {
        let mut bracket = Bracket::new();
        let mut steps = 0;
        while let Some(offered) = bracket.next_rate() {
            let is_sustained = offered <= capacity;
            let achieved = if is_sustained {
                offered
            } else {
                capacity * collapse
            };
            bracket.tell(Step {
                offered,
                achieved,
                is_sustained,
            });
            steps += 1;
            assert!(steps < 40, "no end at {capacity}");
        }
        (bracket.sustained(), steps)
    }

    #[test]
    fn any_capacity_is_found_within_three_percent_and_few_steps() {
        for capacity in [0.7, 5.0, 63.0, 64.0, 65.0, 735.0, 12_345.0] {
            for collapse in [1.0, 0.9, 0.3, 0.0] {
                let (found, steps) = search(capacity, collapse);
                let found = found.unwrap();
                assert!(
                    found <= capacity && found > capacity / WIDTH,
                    "{found} of {capacity}"
                );
                assert!(steps <= 20, "{steps} steps for {capacity}");
            }
        }
    }

    #[test]
    fn a_usual_target_takes_nine_steps() {
        assert!(search(735.0, 1.0).1 <= 9, "{} steps", search(735.0, 1.0).1);
    }

    #[test]
    fn a_target_that_sustains_nothing_ends_the_search() {
        assert_eq!(search(0.1, 1.0).0, None);
    }
}
