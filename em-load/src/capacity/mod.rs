//! The greatest rate that a target sustains, found once in a few seconds.
//!
//! Short open-model steps: the rate doubles until a step is not sustained, then the bracket is
//! halved. A step is sustained when as many answers came in as requests fell due over its second
//! half: then no backlog grew. Which rate to try next is decided by [`Bracket`], without I/O.

mod bracket;

use std::fmt;
use std::time::Duration;

use crate::batch::Batch;
use crate::checks::SelfChecks;
use crate::counts::Counts;
use crate::moment::Moment;
use crate::profile::{Profile, ProfileError};
use crate::request::Destination;
use crate::run::{Progress, Run, RunError, RunPlan};
use crate::schedule::Arrivals;

pub use bracket::Bracket;

/// What a search for the capacity may use.
#[derive(Debug, Clone, Copy)]
pub struct CapacityBudget {
    /// Time for the whole search.
    pub within: Duration,
    /// Most connections.
    pub connections: u32,
    /// Most requests under way.
    pub in_flight: u32,
    /// Time-out of one request.
    pub timeout: Duration,
}

impl Default for CapacityBudget {
    /// 15 s, 1000 connections and requests under way, time-out 5 s.
    fn default() -> Self {
        let within = Duration::from_secs(15);
        let timeout = Duration::from_secs(5);
        Self {
            within,
            connections: 1000,
            in_flight: 1000,
            timeout,
        }
    }
}

/// The greatest sustained rate, with every step that led to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Capacity {
    /// Requests per second.
    pub rate: f64,
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// Whether the search ended at the limits of this driver instead of the target's.
    pub is_driver_limited: bool,
}

/// One step of a search.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// Offered requests per second.
    pub offered: f64,
    /// Answers per second in the second half of the step.
    pub achieved: f64,
    /// Whether the target kept up.
    pub is_sustained: bool,
}

impl fmt::Display for Capacity {
    /// `735 requests/s: 512 ok, 1024 fell to 741, ...`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} requests/s:", self.rate)?;
        for (at, step) in self.steps.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            if step.is_sustained {
                write!(f, "{comma} {:.0} ok", step.offered)?;
            } else {
                write!(
                    f,
                    "{comma} {:.0} fell to {:.0}",
                    step.offered, step.achieved
                )?;
            }
        }
        let limit = if self.is_driver_limited {
            " (the limit of this load driver)"
        } else {
            ""
        };
        f.write_str(limit)
    }
}

/// Why there is no capacity to report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CapacityError {
    /// Not even the least rate was sustained.
    #[error(
        "failed to find the capacity of {url}: it did not keep up with {rate} requests/s; give \
         the load an absolute rate"
    )]
    Nothing {
        /// What was loaded.
        url: String,
        /// The least rate that was tried.
        rate: f64,
    },
    /// The target answers, but not successfully.
    #[error(
        "failed to find the capacity of {url}: {failed} of {offered} requests failed at {rate} \
         requests/s; look at one answer by hand"
    )]
    Failing {
        /// What was loaded.
        url: String,
        /// Failed requests of the first step.
        failed: u64,
        /// All requests of the first step.
        offered: u64,
        /// The rate of the first step.
        rate: f64,
    },
    /// The load ended by itself.
    #[error("failed to find the capacity: {why}")]
    Ended {
        /// What happened.
        why: String,
    },
    /// A step could not be started.
    #[error("failed to find the capacity: a step could not be started")]
    Start(#[source] RunError),
    /// A rate that is no rate; does not happen with a finite bracket.
    #[error("failed to find the capacity: a step has no valid rate")]
    Rate(#[source] ProfileError),
}

/// Finds the capacity of a target. Takes at most `budget.within`, often half of it; the target
/// is overloaded for moments. Dropping the future ends the load.
pub async fn find_capacity(
    destination: &Destination,
    budget: CapacityBudget,
) -> Result<Capacity, CapacityError> {
    let ends = Moment::now() + budget.within;
    let mut bracket = Bracket::new();
    let mut steps = Vec::new();
    let mut step_length = SHORTEST_STEP;
    let mut is_driver_limited = false;
    while let Some(rate) = bracket.next_rate() {
        if ends.since(Moment::now()) < step_length + PAUSE {
            break;
        }
        let batches = load(destination, budget, rate, step_length).await?;
        let total = sum(&batches);
        if steps.is_empty() {
            refuse_failing(destination, rate, &total)?;
        }
        step_length = step_length.max(settling(&total)).min(budget.within / 8);
        let step = judge(rate, &batches);
        steps.push(step);
        if is_at_limit(&total) {
            is_driver_limited = true;
            bracket.limit(step);
        } else {
            bracket.tell(step);
        }
        if !step.is_sustained {
            // The queues inside the target run empty before the next step.
            tokio::time::sleep(PAUSE).await;
        }
    }
    let rate = bracket.sustained().ok_or_else(|| CapacityError::Nothing {
        url: destination.request.display_url(),
        rate: bracket.least(),
    })?;
    Ok(Capacity {
        rate,
        steps,
        is_driver_limited,
    })
}

/// Long enough for a steady state of services that answer within 100 ms.
const SHORTEST_STEP: Duration = Duration::from_millis(600);
/// Between a step that overloaded the target and the next.
const PAUSE: Duration = Duration::from_millis(200);
/// Batches of a step; the last half of them is judged.
const PARTS: u32 = 4;

async fn load(
    destination: &Destination,
    budget: CapacityBudget,
    rate: f64,
    length: Duration,
) -> Result<Vec<Batch>, CapacityError> {
    let profile = Profile::constant(rate).map_err(CapacityError::Rate)?;
    let plan = RunPlan {
        // Even spacing: a short step must not owe its result to the draw of its arrivals.
        arrivals: Arrivals::Constant,
        connections: budget.connections,
        in_flight: budget.in_flight,
        timeout: budget.timeout,
        batch: length / PARTS,
        lasts: Some(length),
        ..RunPlan::new(destination.clone(), profile)
    };
    let run = Run::start(plan).map_err(CapacityError::Start)?;
    match run.ended().await {
        Progress::Failed { why } => Err(CapacityError::Ended { why }),
        Progress::Finished | Progress::Ramping | Progress::Steady { .. } => Ok(run.batches()),
    }
}

fn judge(rate: f64, batches: &[Batch]) -> Step {
    let half = batches.len().div_ceil(2);
    let settled = sum(&batches[batches.len() - half..]);
    let all = sum(batches);
    let span = settled.span.as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 requests")]
    let [achieved, offered] = [settled.achieved, settled.offered].map(|count| count as f64);
    // One request may straddle each end of the half.
    let keeps_up = achieved + 2.0 >= offered * SelfChecks::ACHIEVED;
    let fails = all.errors() * 100 > all.offered;
    Step {
        offered: rate,
        achieved: if span > 0.0 { achieved / span } else { 0.0 },
        is_sustained: keeps_up && all.dropped == 0 && !fails,
    }
}

fn refuse_failing(
    destination: &Destination,
    rate: f64,
    first: &Counts,
) -> Result<(), CapacityError> {
    let failed = first.errors();
    if failed * 2 <= first.offered {
        return Ok(());
    }
    let url = destination.request.display_url();
    Err(CapacityError::Failing {
        url,
        failed,
        offered: first.offered,
        rate,
    })
}

/// Several times the service time, so that the second half of a step is a steady state.
fn settling(total: &Counts) -> Duration {
    let answers = u32::try_from(total.achieved).unwrap_or(u32::MAX).max(1);
    total.service_time / answers * 6
}

/// Whether the driver, not the target, is what cannot go faster.
fn is_at_limit(total: &Counts) -> bool {
    total.client_cpu.as_secs_f64() > SelfChecks::CLIENT_CPU * total.span.as_secs_f64()
}

fn sum(batches: &[Batch]) -> Counts {
    let mut total = Counts::default();
    for batch in batches {
        total.followed_by(&batch.counts);
    }
    total
}
