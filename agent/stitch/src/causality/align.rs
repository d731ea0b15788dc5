//! Which of the messages that a thread read in a row each of those that it
//! taken after them belongs to, where it handles them in their order.
//!
//! Reads and writes are aligned: of two writes the later one belongs to the same
//! read as the earlier, or to a later one. A read may have no write (it waits for
//! something else, or was the end of it), a write may have no read among these (a
//! timer ran out). All alignments are weighed, not the best one alone: going
//! through the table once from each end gives the chance of every pair
//! (the forward-backward algorithm of hidden Markov models).

/// What is known of a row of reads and the writes after them, as likelihoods.
#[derive(Clone, Debug, Default)]
pub(super) struct Rows {
    /// Of each read: that no write belongs to it.
    pub(super) idle: Vec<f64>,
    /// Of each write: that it belongs to none of the reads.
    pub(super) stray: Vec<f64>,
    /// Of each write: that it belongs to each read; 0 is never.
    pub(super) follows: Vec<Vec<f64>>,
}

/// The chances of each write to belong to each read, 0 to 1: by write, then by
/// read.
pub(super) type Chances = Vec<Vec<f32>>;

/// Likelihood that one more write belongs to a read that has one already.
const AGAIN: f64 = 0.2;

impl Rows {
    /// Weighs all alignments. Takes time and memory by the product of the two
    /// lengths.
    pub(super) fn align(&mut self) -> Chances {
        self.scale();
        let from_start = self.forward();
        let to_end = self.backward();
        let all = to_end.at(0, 0, false);
        let chance = |read: usize, write: usize| {
            let follows = self.follows[write][read];
            let ways = from_start.at(read + 1, write, false)
                + AGAIN * from_start.at(read + 1, write, true);
            (ways * follows * to_end.at(read + 1, write + 1, true) / all) as f32
        };
        let reads = || 0..self.idle.len();
        let of_write = |write: usize| reads().map(|read| chance(read, write)).collect();
        (0..self.stray.len()).map(of_write).collect()
    }

    /// Makes the likeliest of each write 1: products of many stay in range.
    fn scale(&mut self) {
        for (stray, follows) in self.stray.iter_mut().zip(&mut self.follows) {
            let most = follows.iter().copied().fold(*stray, f64::max);
            *stray /= most;
            for entry in follows {
                *entry /= most;
            }
        }
    }

    /// Ways to come to each state.
    fn forward(&self) -> Table {
        let (reads, writes) = (self.idle.len(), self.stray.len());
        let mut table = Table::new(reads, writes);
        table.add(0, 0, false, 1.0);
        for read in 0..=reads {
            for write in 0..=writes {
                for taken in [false, true] {
                    let ways = table.at(read, write, taken);
                    if read < reads {
                        table.add(read + 1, write, false, ways * self.leave(read, taken));
                    }
                    if write < writes {
                        table.add(
                            read,
                            write + 1,
                            taken,
                            ways * self.stray(read, write, taken),
                        );
                        table.add(
                            read,
                            write + 1,
                            true,
                            ways * self.follow(read, write, taken),
                        );
                    }
                }
            }
        }
        table
    }

    /// Ways to go on from each state.
    fn backward(&self) -> Table {
        let (reads, writes) = (self.idle.len(), self.stray.len());
        let mut table = Table::new(reads, writes);
        for read in (0..=reads).rev() {
            for write in (0..=writes).rev() {
                for taken in [false, true] {
                    let mut ways = 0.0;
                    if read == reads && write == writes {
                        ways = self.leave(read, taken);
                    }
                    if read < reads {
                        ways += self.leave(read, taken) * table.at(read + 1, write, false);
                    }
                    if write < writes {
                        ways += self.stray(read, write, taken) * table.at(read, write + 1, taken);
                        ways += self.follow(read, write, taken) * table.at(read, write + 1, true);
                    }
                    table.add(read, write, taken, ways);
                }
            }
        }
        table
    }

    /// Likelihood that nothing more belongs to the read before `read`.
    fn leave(&self, read: usize, taken: bool) -> f64 {
        match read.checked_sub(1) {
            Some(present) if !taken => self.idle[present],
            _ => 1.0,
        }
    }

    /// Likelihood that a write belongs to no read. Once it is a read's turn, the
    /// next write is its: or one alignment would be counted several times.
    fn stray(&self, read: usize, write: usize, taken: bool) -> f64 {
        if taken || read == 0 {
            self.stray[write]
        } else {
            0.0
        }
    }

    /// Likelihood that a write belongs to the read before `read`.
    fn follow(&self, read: usize, write: usize, taken: bool) -> f64 {
        let follows = read
            .checked_sub(1)
            .map_or(0.0, |present| self.follows[write][present]);
        if taken { AGAIN * follows } else { follows }
    }
}

/// A number for each state: reads begun, writes done, whether the present read
/// has a write.
struct Table {
    entries: Vec<f64>,
    writes: usize,
}

impl Table {
    fn new(reads: usize, writes: usize) -> Self {
        Self {
            entries: vec![0.0; 2 * (reads + 1) * (writes + 1)],
            writes,
        }
    }

    fn at(&self, read: usize, write: usize, taken: bool) -> f64 {
        self.entries[self.place(read, write, taken)]
    }

    fn add(&mut self, read: usize, write: usize, taken: bool, ways: f64) {
        let place = self.place(read, write, taken);
        self.entries[place] += ways;
    }

    fn place(&self, read: usize, write: usize, taken: bool) -> usize {
        2 * (read * (self.writes + 1) + write) + usize::from(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn even(reads: usize, writes: usize) -> Rows {
        Rows {
            idle: vec![0.2; reads],
            stray: vec![0.01; writes],
            follows: vec![vec![0.3; reads]; writes],
        }
    }

    #[test]
    fn as_many_writes_as_reads_go_one_to_one() {
        let chances = even(4, 4).align();
        for (write, chances) in chances.iter().enumerate() {
            let best = (0..4).max_by(|a, b| chances[*a].total_cmp(&chances[*b]));
            assert_eq!(best, Some(write), "{chances:?}");
        }
    }

    #[test]
    fn chances_are_shared_out() {
        for row in even(3, 5).align() {
            let sum: f32 = row.iter().sum();
            assert!(row.iter().all(|chance| (0.0..=1.0).contains(chance)) && sum <= 1.0001);
        }
    }

    #[test]
    fn one_that_is_known_holds_its_neighbours_in_place() {
        let mut rows = even(4, 2);
        // The second write belongs to the second read for certain: so the first
        // one can only be that of the first, or of the same.
        rows.follows[1] = vec![0.0, 1.0, 0.0, 0.0];
        rows.stray[1] = 1e-9;
        let chances = rows.align();
        assert!(chances[1][1] > 0.999);
        assert!(chances[0][0] > 0.7 && chances[0][2] < 1e-6, "{chances:?}");
    }

    #[test]
    fn against_all_ways_counted_one_by_one() {
        let mut rows = Rows {
            idle: vec![0.4, 0.7],
            stray: vec![0.05, 0.1],
            follows: vec![vec![0.6, 0.2], vec![0.3, 0.5]],
        };
        let (i, s, f) = (rows.idle.clone(), rows.stray.clone(), rows.follows.clone());
        let first_on_first = f[0][0] * (AGAIN * f[1][0] * i[1] + f[1][1] + s[1] * i[1]);
        let first_on_second = i[0] * f[0][1] * (AGAIN * f[1][1] + s[1]);
        let first_stray = s[0] * (f[1][0] * i[1] + i[0] * f[1][1] + s[1] * i[0] * i[1]);
        let all = first_on_first + first_on_second + first_stray;
        let chances = rows.align();
        let near = |chance: f32, ways: f64| (f64::from(chance) - ways / all).abs() < 1e-6;
        assert!(near(chances[0][0], first_on_first));
        assert!(near(chances[0][1], first_on_second));
    }

    #[test]
    fn long_rows_stay_in_range() {
        assert!(even(64, 64).align()[63][63] > 0.5);
    }
}
