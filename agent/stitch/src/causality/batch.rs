//! What a thread read in a row, and wrote since: a turn of an event loop.
//!
//! A loop that handles each message as it reads it has one read in a row, or
//! what it writes belongs to the last of them. One that reads all that is there
//! before it handles any writes in the order of the reads.

use smallvec::SmallVec;

use super::act::ExchangeId;
use super::scene::Read;
use crate::time::Timestamp;

/// Reads in a row that are remembered: the latest.
const MAX_READS: usize = 32;

/// What a thread read in a row, and wrote since.
#[derive(Clone, Debug, Default)]
pub(super) struct Batch {
    reads: SmallVec<[(Read, Timestamp); 2]>,
    /// Whether earlier reads were forgotten.
    cut: bool,
    written: usize,
    since_last: Writes,
    /// The last message written, if it was a response: to what, and when.
    pub(super) response: Option<(u32, ExchangeId, Timestamp)>,
}

/// A read that a write may belong to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cue {
    /// What was read.
    pub(super) what: Read,
    /// When.
    pub(super) at: Timestamp,
    /// Where it stands among what was read and written.
    pub(super) place: Place,
}

/// Where a read stands among what its thread read and wrote around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The only one, with so much written since.
    Only(Writes),
    /// The last of several, with so much written since.
    Last(Writes),
    /// The last of several, and each before it had its write.
    LastInTurn,
    /// Not the last; each before it had its write.
    InTurn,
}

/// Messages that a thread wrote since it read one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Writes {
    /// None.
    #[default]
    None,
    /// Only a call on the socket whose answer it was: a pool of connections
    /// hands the socket on before anything is made of the answer.
    HandedOn,
    /// One other.
    One,
    /// More.
    More,
}

impl Place {
    /// How many there are.
    pub(super) const COUNT: usize = 10;

    /// Its number, below [`Place::COUNT`].
    pub(super) fn index(self) -> usize {
        match self {
            Self::Only(writes) => writes as usize,
            Self::Last(writes) => 4 + writes as usize,
            Self::LastInTurn => 8,
            Self::InTurn => 9,
        }
    }
}

impl Batch {
    /// A message was read. Gives the reads that the thread is done with.
    pub(super) fn read(&mut self, what: Read, at: Timestamp) -> SmallVec<[Read; 2]> {
        let mut done = SmallVec::new();
        if self.written > 0 {
            done.extend(self.reads.drain(..).map(|(what, _)| what));
            *self = Self::default();
        }
        if self.reads.len() >= MAX_READS {
            self.reads.remove(0);
            self.cut = true;
        }
        self.reads.push((what, at));
        done
    }

    /// A message was written; `hands_on` if it is a call on the socket of the
    /// last answer read.
    pub(super) fn wrote(&mut self, hands_on: bool, response: Option<(u32, ExchangeId, Timestamp)>) {
        self.written += 1;
        self.since_last = match self.since_last {
            Writes::None if hands_on => Writes::HandedOn,
            Writes::None | Writes::HandedOn => Writes::One,
            Writes::One | Writes::More => Writes::More,
        };
        self.response = response;
    }

    /// The last message read.
    pub(super) fn last(&self) -> Option<Read> {
        self.reads.last().map(|(what, _)| *what)
    }

    /// The reads that the next write may belong to: the last, and the one whose
    /// turn it is.
    pub(super) fn cues(&self) -> SmallVec<[Cue; 2]> {
        let mut cues = SmallVec::new();
        let Some((what, at)) = self.reads.last().copied() else {
            return cues;
        };
        let turn = self.written;
        let place = if self.reads.len() == 1 && !self.cut {
            Place::Only(self.since_last)
        } else if turn + 1 == self.reads.len() && !self.cut {
            Place::LastInTurn
        } else {
            Place::Last(self.since_last)
        };
        cues.push(Cue { what, at, place });
        if !self.cut
            && turn + 1 < self.reads.len()
            && let Some((what, at)) = self.reads.get(turn).copied()
        {
            let place = Place::InTurn;
            cues.push(Cue { what, at, place });
        }
        cues
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(n: u32) -> Read {
        Read::Request(n, ExchangeId(u64::from(n)))
    }

    fn cues(batch: &Batch) -> Vec<(Read, Place)> {
        batch
            .cues()
            .iter()
            .map(|cue| (cue.what, cue.place))
            .collect()
    }

    #[test]
    fn one_read_after_the_other() {
        let mut batch = Batch::default();
        batch.read(read(1), Timestamp(1));
        assert_eq!(cues(&batch), [(read(1), Place::Only(Writes::None))]);
        batch.wrote(true, None);
        assert_eq!(cues(&batch), [(read(1), Place::Only(Writes::HandedOn))]);
        batch.wrote(false, None);
        assert_eq!(batch.read(read(2), Timestamp(2)).as_slice(), [read(1)]);
        assert_eq!(cues(&batch), [(read(2), Place::Only(Writes::None))]);
    }

    #[test]
    fn several_reads_in_a_row_are_handled_in_turn_or_the_last_is() {
        let mut batch = Batch::default();
        batch.read(read(1), Timestamp(1));
        batch.read(read(2), Timestamp(2));
        let last = (read(2), Place::Last(Writes::None));
        assert_eq!(cues(&batch), [last, (read(1), Place::InTurn)]);
        batch.wrote(false, None);
        assert_eq!(cues(&batch), [(read(2), Place::LastInTurn)]);
        batch.wrote(false, None);
        assert_eq!(cues(&batch), [(read(2), Place::Last(Writes::More))]);
    }

    #[test]
    fn a_long_row_has_no_order_any_more() {
        let mut batch = Batch::default();
        (0..=MAX_READS as u32).for_each(|n| drop(batch.read(read(n), Timestamp(0))));
        let last = (read(MAX_READS as u32), Place::Last(Writes::None));
        assert_eq!(cues(&batch), [last]);
    }
}
