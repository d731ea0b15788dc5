//! How long requests take until they act, in ms.

use crate::time::Timestamp;

/// Timers are no shorter than this, and so long on average (in ms).
const SHORTEST_TIMER: f32 = 0.7;
const MEAN_TIMER: f32 = 1.8;
/// After so long (in ms) every timer has fired.
const ALL_FIRED: f32 = 12.0;
/// Density (per ms) and probability of what should not be.
const NEVER: f32 = 1e-5;

/// Density (per ms) of the time that an act at once takes.
pub(super) fn at_once(gap: f32) -> f32 {
    f32::max(2.0 * (-2.0 * gap).exp(), 0.3 * (-gap / 3.0).exp())
}

/// Density (per ms) of the time that a timer takes.
pub(super) fn fires(gap: f32) -> f32 {
    let mean = MEAN_TIMER / 2.0;
    let past = gap - SHORTEST_TIMER;
    if past <= 0.0 {
        NEVER
    } else {
        past * (-past / mean).exp() / mean.powi(2)
    }
}

/// Probability that a timer takes no longer.
fn fired(gap: f32) -> f32 {
    let past = (gap - SHORTEST_TIMER) / (MEAN_TIMER / 2.0);
    if past <= 0.0 {
        NEVER * gap.max(0.0)
    } else {
        1.0 - (-past).exp() * (1.0 + past)
    }
}

/// Likelihood that who has waited for a timer since entry `place` is the first to
/// wait for a connection, and the place that it has most likely. `ages` are those
/// of all entries (in ms), `first` the probabilities that nobody before each
/// place waits.
pub(super) fn enters(ages: &[f32], first: &[f32], place: usize) -> (f32, usize) {
    let since = ages[place];
    let (mut all, mut best) = (0.0, (0.0, place + 1));
    let mut before = fired(0.0);
    for at in place..ages.len() {
        let to = since - ages.get(at + 1).copied().unwrap_or(0.0);
        let now = fired(to).max(before);
        let chance = (now - before) * first[at + 1];
        before = now;
        all += chance;
        if chance > best.0 {
            best = (chance, at + 1);
        }
        if to > ALL_FIRED {
            break;
        }
    }
    (all, best.1)
}

/// Time in between in ms; 0 if `to` is earlier.
pub(super) fn milliseconds(from: Timestamp, to: Timestamp) -> f32 {
    to.since(from).as_secs_f32() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timer_enters_where_it_most_likely_fired() {
        // Five entries, the first of which began to wait 5 ms ago.
        let ages = [5.0, 4.9, 4.0, 1.0, 0.5];
        let (all, place) = enters(&ages, &[1.0; 6], 0);
        assert!((0.9..=1.0).contains(&all), "{all}");
        assert_eq!(place, 3, "before that which came 4 ms later");
        let (none, _) = enters(&ages, &[1.0; 6], 4);
        assert!(none < 1e-4, "half a millisecond is no timer");
    }
}
