//! How much work the hypotheses of one process may cost: so many steps for each
//! of its calls, on average. A step is a look at one entry of one hypothesis,
//! some ns.

/// Steps that a call brings.
pub(super) const EACH: u32 = 4096;
/// Calls whose share may be saved up.
const SAVED: u32 = 2048;
/// What is not understood gets so much less in the long run.
const LESS: u32 = 32;
/// Steps below which fewer hypotheses are followed.
const SCARCE: u32 = EACH * SAVED / 4;

/// Steps left.
#[derive(Debug)]
pub(super) struct Steps {
    left: u32,
    each: u32,
}

impl Steps {
    /// So many a call; all that may be saved up is there to begin with, when most
    /// has to be learnt.
    pub(super) fn new(each: u32) -> Self {
        let left = each.saturating_mul(SAVED);
        Self { left, each }
    }

    /// A call brings its share, or a part of it while nothing that is foretold
    /// comes true.
    pub(super) fn earn(&mut self, understood: bool) {
        let most = self.each.saturating_mul(SAVED);
        let share = if understood {
            self.each
        } else {
            self.each / LESS
        };
        self.left = self.left.saturating_add(share).min(most);
    }

    /// Steps were taken.
    pub(super) fn spend(&mut self, steps: usize) {
        let steps = u32::try_from(steps).unwrap_or(u32::MAX);
        self.left = self.left.saturating_sub(steps);
    }

    /// Hypotheses that can be afforded out of `most`.
    pub(super) fn afford(&self, most: usize) -> usize {
        (most * self.left as usize / SCARCE as usize).min(most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn less_is_afforded_as_steps_run_out() {
        let mut steps = Steps::new(EACH);
        assert_eq!(steps.afford(128), 128);
        steps.spend((EACH * SAVED - SCARCE / 2) as usize);
        assert_eq!(steps.afford(128), 64);
        steps.spend(usize::MAX);
        assert_eq!(steps.afford(128), 0);
        (0..SAVED).for_each(|_| steps.earn(true));
        assert_eq!(steps.afford(128), 128);
    }

    #[test]
    fn what_is_not_understood_gets_less() {
        let mut steps = Steps::new(EACH);
        steps.spend(usize::MAX);
        (0..SAVED).for_each(|_| steps.earn(false));
        assert_eq!(steps.afford(128), 16);
    }

    #[test]
    fn nothing_is_afforded_of_nothing() {
        let mut steps = Steps::new(0);
        steps.earn(true);
        assert_eq!(steps.afford(128), 0);
    }
}
