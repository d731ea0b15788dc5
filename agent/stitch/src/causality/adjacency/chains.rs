//! Chains of steps from responses back to messages of known cause: the last ones,
//! those that are alike together.

use std::collections::VecDeque;

use smallvec::SmallVec;

use super::MAX_STEPS;

/// Chains remembered.
const MOST: usize = 256;

/// Steps that lead from a response to another message of known cause.
#[derive(Clone, Debug)]
pub(super) struct Chain {
    /// Places of their manners.
    pub(super) steps: SmallVec<[u16; MAX_STEPS]>,
    /// Whether the cause was the request answered.
    pub(super) agrees: bool,
    /// Share of other requests that it could have been as well.
    pub(super) by_chance: f32,
}

/// The last chains. In a process with threads nearly all are the same few.
#[derive(Clone, Debug, Default)]
pub(super) struct Chains {
    /// Places of the last ones among those that differ.
    last: VecDeque<u16>,
    /// With how many of the last are like each; those with none are free.
    different: Vec<(Chain, u16)>,
}

impl Chain {
    fn is_like(&self, other: &Self) -> bool {
        (&self.steps, self.agrees, self.by_chance) == (&other.steps, other.agrees, other.by_chance)
    }
}

impl Chains {
    /// One more, in place of the oldest if there are many.
    pub(super) fn add(&mut self, chain: Chain) {
        if self.last.len() >= MOST
            && let Some(oldest) = self.last.pop_front()
        {
            self.different[usize::from(oldest)].1 -= 1;
        }
        let all = &mut self.different;
        let like = |other: &(Chain, u16)| other.1 > 0 && other.0.is_like(&chain);
        let place = if let Some(place) = all.iter().position(like) {
            all[place].1 += 1;
            place
        } else if let Some(place) = all.iter().position(|(_, count)| *count == 0) {
            all[place] = (chain, 1);
            place
        } else {
            all.push((chain, 1));
            all.len() - 1
        };
        self.last.push_back(place as u16);
    }

    /// How many they are.
    pub(super) fn len(&self) -> usize {
        self.last.len()
    }

    /// Those that differ, with how many are like each.
    pub(super) fn different(&self) -> impl Iterator<Item = (&Chain, f32)> {
        let all = self.different.iter().filter(|(_, count)| *count > 0);
        all.map(|(chain, count)| (chain, f32::from(*count)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(step: u16) -> Chain {
        Chain {
            steps: SmallVec::from_slice(&[step]),
            agrees: true,
            by_chance: 0.5,
        }
    }

    #[test]
    fn those_that_are_alike_are_counted_and_old_ones_go() {
        let mut chains = Chains::default();
        (0..2 * MOST as u16).for_each(|n| chains.add(chain(n / 300)));
        let told = |chains: &Chains| -> Vec<_> {
            let all = chains.different();
            all.map(|(chain, count)| (chain.steps[0], count)).collect()
        };
        assert_eq!(told(&chains), [(0, 44.0), (1, 212.0)]);
        (0..MOST).for_each(|_| chains.add(chain(7)));
        assert_eq!((told(&chains), chains.len()), (vec![(7, 256.0)], MOST));
        assert!(chains.different.len() <= 3, "places are used again");
    }
}
