//! How long a gap lasts, learnt: a histogram over the logarithm of time.
//!
//! Four bins an octave from 1 µs to 17 s. A sample is spread over its
//! neighbours, more widely the fewer there are, so that a handful of samples
//! already gives a usable density.

/// Bins a factor of two in time.
const PER_OCTAVE: f32 = 4.0;
/// log2 of the shortest gap told apart, in ns.
const SHORTEST: f32 = 10.0;
/// Bins in all.
pub(super) const BINS: usize = 96;
/// Bins to each side that a sample reaches: most of it close by. Of what goes
/// farther, half goes to either.
const NEAR: i32 = 2;
const FAR: [i32; 2] = [6, 16];
/// Samples after which half of a sample goes far: early ones stand for many
/// gaps not seen yet.
const SPARSE: f32 = 4.0;
/// Weight from which only one sample of so many goes far.
const PLENTY: f32 = 128.0;
const SELDOM: u32 = 8;
/// At this weight the histogram is halved: it follows what changes.
const HALVE_AT: f32 = 4096.0;
/// Weight of the prior, which is flat over the logarithm of time.
const PRIOR: f32 = 0.5;

/// A learnt distribution of gaps.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Histogram {
    bins: [f32; BINS],
    total: f32,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            bins: [0.0; BINS],
            total: 0.0,
        }
    }
}

impl Histogram {
    /// Learns a gap (in ns) with a weight of 0 to 1.
    pub(super) fn add(&mut self, gap: u64, weight: f32) {
        let centre = position(gap) as i32;
        let far = SPARSE / (SPARSE + self.total);
        self.spread(centre, NEAR, weight * (1.0 - far));
        // Of many samples one now and then goes far for the others.
        let stands_for = if self.total > PLENTY { SELDOM } else { 1 };
        if (self.total as i32)
            .unsigned_abs()
            .is_multiple_of(stands_for)
        {
            for reach in FAR {
                self.spread(centre, reach, weight * far / 2.0 * stands_for as f32);
            }
        }
        self.total += weight;
        if self.total > HALVE_AT {
            self.bins.iter_mut().for_each(|bin| *bin /= 2.0);
            self.total /= 2.0;
        }
    }

    /// Spreads a weight over the bins around `centre`, as a triangle.
    fn spread(&mut self, centre: i32, reach: i32, weight: f32) {
        let norm = weight / ((reach + 1) * (reach + 1)) as f32;
        for offset in -reach..=reach {
            let bin = (centre + offset).max(0).unsigned_abs() as usize;
            self.bins[bin.min(BINS - 1)] += norm * (reach + 1 - offset.abs()) as f32;
        }
    }

    /// Probability density of a gap, per ns; `resolution` is the clock's, in ns.
    pub(super) fn density(&self, gap: u64, resolution: u64) -> f32 {
        let at = (position(gap) - 0.5).clamp(0.0, BINS as f32 - 1.0);
        let low = (at as i32).unsigned_abs() as usize;
        let high = (low + 1).min(BINS - 1);
        let part = at - low as f32;
        let count = self.bins[low] * (1.0 - part) + self.bins[high] * part;
        let mass = (count + PRIOR / BINS as f32) / (self.total + PRIOR);
        mass / width(gap, resolution)
    }

    /// Weight learnt.
    pub(super) fn total(&self) -> f32 {
        self.total
    }

    /// The bins, for saving.
    pub(super) fn bins(&self) -> &[f32; BINS] {
        &self.bins
    }

    /// A histogram from saved bins.
    pub(super) fn from_bins(bins: &[f32; BINS]) -> Self {
        let total = bins.iter().sum();
        Self { bins: *bins, total }
    }

    /// The gap in ns below which half of the samples lie.
    pub(super) fn median(&self) -> u64 {
        let mut left = self.total / 2.0;
        for (index, bin) in self.bins.iter().enumerate() {
            left -= bin;
            if left <= 0.0 {
                return ((SHORTEST + (index as f32 + 0.5) / PER_OCTAVE).exp2() as i64)
                    .unsigned_abs();
            }
        }
        0
    }
}

/// Density of a gap of which nothing has been learnt: flat in log time.
pub(super) fn prior_density(gap: u64, resolution: u64) -> f32 {
    1.0 / (BINS as f32 * width(gap, resolution))
}

fn position(gap: u64) -> f32 {
    ((log2(gap.max(1) as f32) - SHORTEST) * PER_OCTAVE).clamp(0.0, BINS as f32 - 1.0)
}

/// log2 of a positive, normal number to within 0.01: a parabola for the
/// mantissa, the exponent as it is.
pub(super) fn log2(x: f32) -> f32 {
    let bits = x.to_bits();
    let exponent = (bits >> 23) as f32 - 128.0;
    let mantissa = f32::from_bits(bits & 0x007f_ffff | 0x3f80_0000);
    exponent + (2.0 - mantissa / 3.0) * mantissa - 2.0 / 3.0
}

/// Width of a gap's bin in ns.
fn width(gap: u64, resolution: u64) -> f32 {
    let floor = SHORTEST.exp2();
    let bin = (gap as f32).max(floor) * std::f32::consts::LN_2 / PER_OCTAVE;
    bin.max(resolution as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_samples_make_their_neighbourhood_likely() {
        let mut histogram = Histogram::default();
        for gap in [90_000, 100_000, 110_000] {
            histogram.add(gap, 1.0);
        }
        let near = histogram.density(105_000, 1);
        assert!(near > 20.0 * histogram.density(1_000_000, 1));
        assert!(near > prior_density(105_000, 1));
        assert!((histogram.total() - 3.0).abs() < 1e-4);
        let median = histogram.median();
        assert!((80_000..125_000).contains(&median), "{median}");
    }

    #[test]
    fn a_coarse_clock_does_not_make_zero_gaps_dense() {
        let mut histogram = Histogram::default();
        histogram.add(0, 1.0);
        histogram.add(1_000_000, 1.0);
        let ratio = histogram.density(0, 1_000_000) / histogram.density(1_000_000, 1_000_000);
        assert!((0.2..5.0).contains(&ratio), "{ratio}");
    }

    #[test]
    fn the_quick_logarithm_is_close() {
        for n in 0..10_000_u32 {
            let x = 1.1e-30 * (n as f32 * 0.01).exp2();
            let error = (log2(x) - x.log2()).abs();
            assert!(error < 0.011, "{x}: {error}");
        }
    }

    #[test]
    fn weight_is_bounded() {
        let mut histogram = Histogram::default();
        (0..10_000).for_each(|_| histogram.add(5_000, 1.0));
        assert!(histogram.total() <= HALVE_AT);
        let sum: f32 = histogram.bins().iter().sum();
        assert!((sum / histogram.total() - 1.0).abs() < 0.01);
    }
}
