//! How a window is cut into buckets.

use std::fmt;
use std::time::Duration;

use em_core::fault::{Fault, FaultKind};
use em_core::observe::Window;
use em_core::plan::MetricKind;
use jiff::{SignedDuration, Timestamp};

use super::inquiry::{Endpoint, Inquiry};

/// No answer holds more points of one series.
const MOST_POINTS: u32 = 600;
/// No answer is about more at once.
const LONGEST: Duration = Duration::from_hours(31 * 24);
const DAY: Duration = Duration::from_hours(24);

/// Buckets of the infrastructure in seconds, and how long each is kept.
const ROLLUPS: [(u64, Duration); 5] = [
    (1, DAY),
    (5, DAY),
    (60, LONGEST),
    (300, Duration::from_hours(92 * 24)),
    (3600, Duration::MAX),
];
/// Buckets of calls in seconds.
const GRANULARITIES: [u64; 13] = [
    1, 5, 10, 60, 300, 600, 1800, 3600, 14_400, 21_600, 28_800, 43_200, 86_400,
];

/// How a window is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// Not at all: one aggregate of it.
    Whole,
    /// Into buckets of this length.
    Buckets(Duration),
}

impl Cut {
    /// As the query says; else into the shortest buckets that are kept and not too many.
    pub(super) fn of(
        inquiry: &Inquiry,
        kind: MetricKind,
        window: Window,
        now: Timestamp,
    ) -> Result<Self, Fault> {
        let length = length(window)?;
        let is_whole = kind == MetricKind::Value
            && inquiry.width.is_none()
            && inquiry.endpoint != Endpoint::Infrastructure;
        if is_whole {
            return Ok(Self::Whole);
        }
        let age = Duration::try_from(now.duration_since(window.start)).unwrap_or_default();
        let fits = |width: &Duration| length <= width.saturating_mul(MOST_POINTS);
        let width = match inquiry.width {
            Some(width) => Some(width),
            None => kept(inquiry.endpoint, age).find(fits),
        };
        let width = width.ok_or_else(|| {
            let message = format!(
                "the window {window} is cut into more than {MOST_POINTS} of the buckets that \
                 Instana keeps: measure for less"
            );
            Fault::new(FaultKind::Invalid, message)
        })?;
        if length < width {
            let message = format!(
                "the window {window} is shorter than {}: measure for longer, or ask for shorter ones",
                Self::Buckets(width)
            );
            return Err(Fault::new(FaultKind::Invalid, message));
        }
        Ok(Self::Buckets(width))
    }

    pub(super) fn width(self) -> Option<Duration> {
        match self {
            Self::Whole => None,
            Self::Buckets(width) => Some(width),
        }
    }

    /// The next longer buckets that the window holds.
    pub(super) fn coarser(self, endpoint: Endpoint, window: Window) -> Option<Self> {
        let width = self.width()?;
        let length = length(window).ok()?;
        let mut longer = kept(endpoint, Duration::ZERO).filter(|next| *next > width);
        let next = longer.next().filter(|next| *next <= length);
        next.map(Self::Buckets)
    }

    /// The part of the window that whole buckets cover, which lie at multiples of their length
    /// since 1970. None: the window holds no whole one.
    pub(super) fn frame(self, window: Window) -> Option<Window> {
        let Some(width) = self.width() else {
            return Some(window);
        };
        let width = i64::try_from(width.as_millis()).ok()?.max(1);
        // The millisecond that begins at the start, or the next one.
        let start = window.start.as_nanosecond().div_euclid(1_000_000);
        let is_within = window.start.as_nanosecond().rem_euclid(1_000_000) > 0;
        let start = i64::try_from(start).ok()? + i64::from(is_within);
        let over = start.rem_euclid(width);
        let first = if over == 0 {
            start
        } else {
            start - over + width
        };
        let end = window.end.as_millisecond();
        let last = end - end.rem_euclid(width);
        let start = Timestamp::from_millisecond(first).ok()?;
        let end = Timestamp::from_millisecond(last).ok()?;
        (start < end).then_some(Window { start, end })
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole => f.write_str("one aggregate"),
            Self::Buckets(width) => write!(f, "buckets of {width:?}"),
        }
    }
}

/// Lengths of buckets that are still there for something that old, the shortest first.
fn kept(endpoint: Endpoint, age: Duration) -> impl Iterator<Item = Duration> {
    let (rollups, granularities) = match endpoint {
        Endpoint::Infrastructure | Endpoint::Groups => (&ROLLUPS[..], &[][..]),
        Endpoint::Each(_) | Endpoint::Overall => (&[][..], &GRANULARITIES[..]),
    };
    let rollups = rollups.iter().filter(move |(_, keeps)| age <= *keeps);
    let rollups = rollups.map(|(seconds, _)| *seconds);
    let all = rollups.chain(granularities.iter().copied());
    all.map(Duration::from_secs)
}

fn length(window: Window) -> Result<Duration, Fault> {
    let length = Duration::try_from(window.end.duration_since(window.start)).unwrap_or_default();
    if length < Duration::from_millis(1) {
        let message =
            format!("the window {window} has no length, so there is nothing to ask about");
        return Err(Fault::new(FaultKind::Invalid, message));
    }
    if length > LONGEST {
        let message = format!(
            "the window {window} is longer than 31 days, and Instana answers about no more at \
             once: measure for less"
        );
        return Err(Fault::new(FaultKind::Invalid, message));
    }
    Ok(length)
}

/// The shortest distance between neighbours over all series; none without two points.
pub(super) fn shortest<'p>(points: impl Iterator<Item = &'p [Timestamp]>) -> Option<Duration> {
    let pairs = points.flat_map(|points| points.windows(2));
    let distances = pairs.filter_map(|pair| Some(pair.last()?.duration_since(*pair.first()?)));
    let positive = distances.filter(SignedDuration::is_positive);
    positive
        .min()
        .and_then(|distance| Duration::try_from(distance).ok())
}

#[cfg(test)]
mod tests;
