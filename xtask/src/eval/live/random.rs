//! Numbers that look random and are the same for the same seed.

/// A generator: xorshift64* (Vigna, 2016).
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    /// Starts at a place that the seed and a purpose name.
    pub(super) fn new(seed: u64, purpose: &str) -> Self {
        let state = xxhash_rust::xxh3::xxh3_64_with_seed(purpose.as_bytes(), seed);
        Self(state.max(1))
    }

    /// All 64 bits.
    pub(super) fn bits(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// From 0 to just below 1.
    pub(super) fn share(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// From 0 to just below `end`.
    pub(super) fn below(&mut self, end: usize) -> usize {
        let whole = u128::from(self.bits()) * end as u128;
        (whole >> 64) as usize
    }

    /// True in so many percent of cases.
    pub(super) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of them.
    pub(super) fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }

    /// A time until the next of events that come by chance, with this mean.
    pub(super) fn wait(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.share()).ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_numbers_and_another_others() {
        let draw = |seed| {
            let mut random = Random::new(seed, "test");
            [random.bits(), random.bits()]
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }

    #[test]
    fn waits_have_the_mean_they_are_asked_for() {
        let mut random = Random::new(1, "test");
        let sum: f64 = (0..10_000).map(|_| random.wait(5.0)).sum();
        assert!((4.8..5.2).contains(&(sum / 10_000.0)), "{sum}");
    }
}
