//! The middle of several measurements, and how far they lie apart.

/// The median; 0 for no measurements.
pub(super) fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

/// The distance between the quartiles.
pub(super) fn spread(values: &[f64]) -> f64 {
    quantile(values, 0.75) - quantile(values, 0.25)
}

/// The value below which this share (0 to 1) of the values lies, linear between
/// two of them.
fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else {
        return 0.0;
    };
    let place = share * last as f64;
    #[expect(clippy::cast_sign_loss, reason = "a share is not negative")]
    let below = place.floor() as usize;
    let above = (below + 1).min(last);
    sorted[below] + (sorted[above] - sorted[below]) * (place - below as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles() {
        let values = [4.0, 1.0, 3.0, 2.0, 5.0];
        assert!((median(&values) - 3.0).abs() < 1e-9);
        assert!((spread(&values) - 2.0).abs() < 1e-9);
        assert!((median(&[1.0, 2.0]) - 1.5).abs() < 1e-9);
        assert!(median(&[]).abs() < 1e-9);
    }
}
