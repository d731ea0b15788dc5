//! When calls of a kind are made: while requests are open, or how long after the
//! last response. What happens as often whether or not there is anything that
//! could cause it has no cause.

use std::ops::Range;

use crate::time::Timestamp;

/// Moments told apart: less than 1, 2, 4, … 512 ms after the last response and
/// later, with no request open; and with some open.
pub(super) const MOMENTS: usize = 12;
const BUSY: usize = MOMENTS - 1;
/// Where the moments soon after a response end, and the late ones begin.
const LATE: usize = 5;
/// Calls at the rate of all idle moments that are assumed to be among those soon
/// after a response, and among the late ones.
const SMOOTH: f64 = 2.0;
/// The end of the first moment, in ns.
const FIRST: u64 = 1_000_000;
/// Calls with a cause that are assumed to be among those of each moment.
const CAUSED: f32 = 0.5;
/// Standard deviations by which calls at one moment may be fewer than at others.
const FEWER: f32 = 3.0;
/// The most that this may say for "no cause" (in nats).
const MOST: f32 = 5.0;

/// A kind of moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::causality) struct Moment(usize);

impl Moment {
    /// The moment at `now`, with the last response at `responded` and requests
    /// open or not.
    pub(in crate::causality) fn at(
        now: Timestamp,
        responded: Option<Timestamp>,
        open: bool,
    ) -> Self {
        let since = responded.map_or(u64::MAX, |at| now.0.saturating_sub(at.0));
        Self(if open { BUSY } else { idle(since) })
    }
}

/// An amount by kind of moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct ByMoment(pub(super) [f64; MOMENTS]);

impl ByMoment {
    /// Adds to the amount of one.
    pub(super) fn add(&mut self, moment: Moment, amount: f64) {
        self.0[moment.0] += amount;
    }

    /// Adds the time between two events in which nothing was open, in ns since
    /// the last response.
    pub(super) fn add_idle(&mut self, from: u64, to: u64) {
        let mut from = from;
        while from < to {
            let at = idle(from);
            let end = if at + 1 < BUSY { FIRST << at } else { to };
            self.0[at] += (end.min(to) - from) as f64;
            from = end.min(to);
        }
    }

    /// Of all moments without open requests.
    pub(super) fn idle(&self) -> f64 {
        self.0[..BUSY].iter().sum()
    }

    /// Of all moments.
    pub(super) fn total(&self) -> f64 {
        self.0.iter().sum()
    }
}

/// What speaks for a call at this moment having no cause, in nats, from what was
/// seen of its kind and how long each kind of moment was.
pub(super) fn causeless(seen: &ByMoment, time: &ByMoment, moment: Moment) -> f32 {
    let of = |amount: &ByMoment, moments: Range<usize>| -> f64 {
        let moments = moments.filter(|at| *at != moment.0);
        moments.map(|at| amount.0[at]).sum()
    };
    let (calls, idle) = (of(seen, 0..BUSY), of(time, 0..BUSY));
    if calls <= 1.0 || idle <= 0.0 {
        return 0.0;
    }
    // It is at least so frequent; and if what requests cause after their response
    // is among it, that comes soon or late, not both.
    let mut rate = (calls - calls.sqrt()) / idle;
    if moment.0 == BUSY {
        let half = |moments: Range<usize>| {
            (of(seen, moments.clone()) + SMOOTH) / (of(time, moments) + SMOOTH / rate)
        };
        rate = rate.min(half(0..LATE)).min(half(LATE..BUSY));
    }
    let expected = (rate * time.0[moment.0]) as f32;
    let here = seen.0[moment.0] as f32;
    // What requests cause after their response is seen while nothing is open too,
    // but is the rarer at other moments.
    if expected > here + FEWER * here.sqrt() {
        return 0.0;
    }
    let beyond = (here - expected - expected.sqrt()).max(0.0);
    (expected / (beyond + CAUSED)).ln().clamp(0.0, MOST)
}

/// The moment so many ns after the last response.
fn idle(since: u64) -> usize {
    match since / FIRST {
        0 => 0,
        whole => (whole.ilog2() as usize + 1).min(BUSY - 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn at(ms: u64) -> Moment {
        Moment::at(Timestamp(ms * MS), Some(Timestamp(0)), false)
    }

    #[test]
    fn idle_time_is_shared_out_by_what_it_is_long_after() {
        let mut time = ByMoment::default();
        time.add_idle(0, 3 * MS);
        time.add_idle(500 * MS, 550 * MS);
        assert_eq!([0, 1, 2, 3, 64].map(at), [0, 1, 2, 2, 7].map(Moment));
        let expected = [1, 1, 1, 0, 0, 0, 0, 0, 0, 12, 38, 0].map(|ms| f64::from(ms) * MS as f64);
        assert_eq!(time.0.map(f64::to_bits), expected.map(f64::to_bits));
    }

    #[test]
    fn what_is_as_frequent_without_requests_has_no_cause() {
        let busy = Moment(BUSY);
        let mut time = ByMoment::default();
        time.add_idle(0, 900 * MS);
        time.add(busy, 900e6);
        let timer = ByMoment(time.0.map(|ns| ns / 20e6));
        let (mut caused, mut late) = (ByMoment::default(), ByMoment::default());
        caused.add(busy, 50.0);
        late.add(at(3), 50.0);
        assert!(causeless(&timer, &time, busy) > 2.0);
        assert!(causeless(&timer, &time, at(90)) > 1.0);
        for (seen, moment) in [(&caused, busy), (&late, at(3)), (&late, busy)] {
            assert!(causeless(seen, &time, moment) <= 0.0);
        }
    }
}
