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

    /// The fewest requests in flight of each level of which something is known,
    /// how far timing is trusted there, and how much was seen.
    pub(super) fn told(&self) -> impl Iterator<Item = (u32, f32, f32)> {
        let levels = self.levels.iter().enumerate();
        let known = levels.filter(|(_, (_, all))| *all >= 1.0);
        known.map(|(level, (_, all))| (1 << level, self.trust(1 << level), *all))
    }

    /// Counts of agreements and of all, by level, for [`Audit::from_levels`].
    pub(super) fn levels(&self) -> Vec<(f32, f32)> {
        self.levels.to_vec()
    }

    /// What was saved of an earlier run; `None` if it makes no sense.
    pub(super) fn from_levels(saved: &[(f32, f32)]) -> Option<Self> {
        let sound = |(right, all): &(f32, f32)| (0.0..=*all).contains(right) && *all <= HALVE_AT;
        if saved.len() > LEVELS || !saved.iter().all(sound) {
            return None;
        }
        let mut audit = Self::default();
        audit.levels[..saved.len()].copy_from_slice(saved);
        Some(audit)
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

    #[test]
    fn trust_survives_saving_and_nonsense_does_not() {
        let mut audit = Audit::default();
        (0..100).for_each(|n| audit.add(5, n % 4 > 0));
        let saved = audit.levels();
        let loaded = Audit::from_levels(&saved).unwrap();
        assert_eq!(loaded.levels(), saved);
        assert_eq!(
            loaded.told().map(|(from, ..)| from).collect::<Vec<_>>(),
            [4]
        );
        for bad in [(2.0, 1.0), (f32::NAN, 1.0), (1.0, 1e9)] {
            assert!(Audit::from_levels(&[bad]).is_none());
        }
        assert!(Audit::from_levels(&[(0.0, 0.0); 13]).is_none());
    }
}
