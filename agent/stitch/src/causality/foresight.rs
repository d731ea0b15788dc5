//! How far timing can be trusted where nothing structural checks it: how well
//! it foretells whose response is written next, by the requests in flight.
//!
//! Whose a response is, is always known. What timing says of it beforehand rests
//! on the calls that each request was given so far and on what is learnt of gaps,
//! as what it says of a call does; so it is a test with known answers, made
//! before anything is learnt from them. A path is taken to be right as long as
//! every step of it was; where one was wrong, timing says nothing. How often a
//! step is right is found by expectation and maximisation: it is the value under
//! which the responses are likeliest.

/// Numbers of requests in flight told apart: 1, 2 to 3, 4 to 7, and so on.
const LEVELS: usize = 12;
/// What is assumed before anything was seen, and its weight.
const PRIOR: (f32, f32) = (0.3, 16.0);
/// At this many a level's counts are halved: it follows what changes.
const HALVE_AT: f32 = 256.0;
/// A response is foretold by what came before it; a call is decided knowing what
/// came after it too, and wrong steps before it may be put right. So much of the
/// doubt (in nats) is left: what is believed by 65 % is then right in 50 to 90 %.
const HINDSIGHT: f32 = 0.5;
/// Calls of one request that are told apart.
const MOST_CALLS: i32 = 8;
/// Calls of which the cause was sought among several requests, from which it is
/// known whether structure tells anything of it, and the share of them up to
/// which it does not.
const KNOWN: f32 = 32.0;
const SILENT: f32 = 0.2;

/// How well timing foretells responses, and how often it is needed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Foresight {
    /// Steps that timing told right, and all.
    levels: [(f32, f32); LEVELS],
    /// Calls of which structure told something, and all.
    told: (f32, f32),
}

impl Foresight {
    /// A response was written with so many requests in flight, after so many calls
    /// of its request. Timing gave it this probability.
    pub(super) fn responded(&mut self, in_flight: u32, calls: usize, foretold: f32) {
        let steps = steps(calls) as f32;
        let (step, all_right) = (self.step(in_flight), self.foretelling(in_flight, calls));
        let timed = all_right * foretold;
        let any = (1.0 - all_right) / in_flight.max(1) as f32;
        let told = timed / (timed + any).max(f32::MIN_POSITIVE);
        // Where one at least was wrong, so many were right.
        let others = steps * (step - all_right) / (1.0 - all_right).max(f32::EPSILON);
        let (right, all) = &mut self.levels[level(in_flight)];
        *right += told * steps + (1.0 - told) * others;
        *all += steps;
        if *all > HALVE_AT {
            *right /= 2.0;
            *all /= 2.0;
        }
    }

    /// A call was decided that several requests might have caused; whether
    /// evidence of structure spoke for the one that was chosen.
    pub(super) fn decided(&mut self, told: bool) {
        let (spoken_for, all) = &mut self.told;
        *spoken_for += f32::from(u8::from(told));
        *all += 1.0;
        if *all > HALVE_AT {
            *spoken_for /= 2.0;
            *all /= 2.0;
        }
    }

    /// Whether it is of use to know how well timing foretells responses: not where
    /// structure tells causes.
    pub(super) fn is_wanted(&self) -> bool {
        self.told.1 < KNOWN || self.alone()
    }

    /// Whether nothing but timing tells causes apart in this process.
    pub(super) fn alone(&self) -> bool {
        let (told, all) = self.told;
        all >= KNOWN && told <= SILENT * all
    }

    /// How far timing is to be trusted, 0 to 1, of what a request does after so
    /// many calls, known what it does then.
    pub(super) fn trust(&self, in_flight: u32, calls: usize) -> f32 {
        self.foretelling(in_flight, calls).powf(HINDSIGHT)
    }

    /// The same, known only what it did before: all of that must have been right.
    fn foretelling(&self, in_flight: u32, calls: usize) -> f32 {
        self.step(in_flight).powi(steps(calls))
    }

    /// Probability that one step of a path is right with so many requests in flight.
    fn step(&self, in_flight: u32) -> f32 {
        let (right, all) = self.levels[level(in_flight)];
        let (assumed, weight) = PRIOR;
        (right + weight * assumed) / (all + weight)
    }
}

/// What must be right for a request's next step to be foretold: the calls before
/// it, and that step.
fn steps(calls: usize) -> i32 {
    i32::try_from(calls).map_or(MOST_CALLS, |calls| calls.min(MOST_CALLS)) + 1
}

fn level(in_flight: u32) -> usize {
    (in_flight.max(1).ilog2() as usize).min(LEVELS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_foretells_responses_is_trusted_the_less_the_more_rests_on() {
        let mut foresight = Foresight::default();
        assert!(foresight.trust(8, 3) < 0.2);
        (0..400).for_each(|_| foresight.responded(8, 3, 0.9));
        assert!(foresight.trust(8, 3) > 0.8);
        assert!(foresight.trust(8, 0) > foresight.trust(8, 3));
        assert!(foresight.trust(32, 3) < 0.2, "each level for itself");
    }

    #[test]
    fn who_guesses_is_not_trusted() {
        let mut foresight = Foresight::default();
        // Sharp, and right as often as a guess.
        (0..800).for_each(|n| foresight.responded(8, 3, if n % 8 == 0 { 0.99 } else { 0.0 }));
        assert!(foresight.trust(8, 3) < 0.25, "{}", foresight.trust(8, 3));
        assert!(foresight.trust(8, 3) >= 0.0);
    }

    #[test]
    fn the_share_of_right_paths_is_found() {
        let mut foresight = Foresight::default();
        // Of four steps each is right in nine of ten.
        for n in 0..2000 {
            foresight.responded(8, 3, if n % 3 == 0 { 0.0 } else { 0.999 });
        }
        let step = foresight.step(8);
        assert!((0.78..0.92).contains(&step), "a little too careful: {step}");
    }

    #[test]
    fn timing_is_alone_where_structure_tells_nothing() {
        let mut foresight = Foresight::default();
        assert!(
            !foresight.alone() && foresight.is_wanted(),
            "nothing is known"
        );
        (0..100).for_each(|n| foresight.decided(n % 10 == 0));
        assert!(foresight.alone());
        (0..100).for_each(|_| foresight.decided(true));
        assert!(!foresight.alone() && !foresight.is_wanted());
    }
}
