//! How far timing can be trusted in one process: how often it alone would have
//! chosen what other evidence made sure, by the number of requests in flight.
//! Timing learnt from its own guesses is sharp and wrong; this is what shows it.

/// Numbers of requests in flight told apart: 1, 2 to 3, 4 to 7, and so on.
const LEVELS: usize = 12;
/// Weight of what is assumed before anything was seen.
const PRIOR: f32 = 4.0;
/// At this many a level's counts are halved: it follows what changes.
const HALVE_AT: f32 = 256.0;

/// Agreement of timing with sure decisions.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Audit {
    levels: [(f32, f32); LEVELS],
}

impl Audit {
    /// A sure decision, made with so many requests in flight, was or was not
    /// what timing would have chosen.
    pub(super) fn add(&mut self, in_flight: u32, agreed: bool) {
        let (right, all) = &mut self.levels[level(in_flight)];
        *right += f32::from(u8::from(agreed));
        *all += 1.0;
        if *all > HALVE_AT {
            *right /= 2.0;
            *all /= 2.0;
        }
    }

    /// Probability that timing is right with so many requests in flight. With
    /// nothing seen it is that of a guess.
    pub(super) fn trust(&self, in_flight: u32) -> f32 {
        let (right, all) = self.levels[level(in_flight)];
        let guess = 1.0 / (in_flight.max(1) as f32 + 1.0);
        (right + PRIOR * guess) / (all + PRIOR)
    }
}

fn level(in_flight: u32) -> usize {
    (in_flight.max(1).ilog2() as usize).min(LEVELS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trust_is_that_of_a_guess_until_it_is_earned() {
        let mut audit = Audit::default();
        assert!(audit.trust(31) < 0.05);
        (0..100).for_each(|_| audit.add(20, true));
        assert!(audit.trust(31) > 0.9);
        assert!(audit.trust(3) < 0.3, "each level for itself");
        (0..100).for_each(|_| audit.add(20, false));
        assert!(audit.trust(31) < 0.55);
    }
}
