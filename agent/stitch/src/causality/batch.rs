//! What a thread read in a row, and wrote since: a turn of an event loop.
//!
//! A loop that handles each message as it reads it has one read in a row, or
//! what it writes belongs to the last of them. One that reads all that is there
//! before it handles any writes in the order of the reads.

use smallvec::SmallVec;

use super::act::ExchangeId;
use super::scene::Read;
use crate::exchange::Moment;
use crate::time::Timestamp;

/// Reads in a row that are remembered: the latest, at least half as many.
const MAX_READS: usize = 64;
/// Writes after them that are aligned with the reads.
const MAX_WRITES: usize = 64;

/// What a thread read in a row, and wrote since.
#[derive(Clone, Debug, Default)]
pub(super) struct Batch {
    reads: SmallVec<[(Read, Timestamp); 2]>,
    /// Whether earlier reads were forgotten.
    cut: bool,
    /// What was written since, as far as it is aligned with the reads.
    writes: SmallVec<[Write; 2]>,
    written: usize,
    since_last: Writes,
    /// Whether its writes were aligned with its reads already.
    over: bool,
}

/// A message that a thread wrote.
#[derive(Clone, Copy, Debug)]
pub(super) struct Write {
    /// Which.
    pub(super) what: Written,
    /// When, and who.
    pub(super) at: Moment,
    /// Where the last read stood then.
    pub(super) place: Place,
}

/// Which message was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// A call.
    Call(u32, ExchangeId),
    /// The response to a request.
    Response(u32, ExchangeId),
}

/// Several reads in a row and what was written after them.
#[derive(Clone, Debug)]
pub(super) struct Turn {
    pub(super) reads: SmallVec<[(Read, Timestamp); 2]>,
    pub(super) writes: SmallVec<[Write; 2]>,
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
    /// One of several, found by aligning them with what was written: how sure.
    Aligned(u8),
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
    pub(super) const COUNT: usize = 8 + Self::LEVELS.len() + 1;
    /// Chances from which an alignment is surer than the level before.
    const LEVELS: [f32; 3] = [0.7, 0.85, 0.95];

    /// That of a read found by alignment, with this chance.
    pub(super) fn aligned(chance: f32) -> Self {
        let level = Self::LEVELS.iter().filter(|from| chance >= **from).count();
        Self::Aligned(level as u8)
    }

    /// Its number, below [`Place::COUNT`].
    pub(super) fn index(self) -> usize {
        match self {
            Self::Only(writes) => writes as usize,
            Self::Last(writes) => 4 + writes as usize,
            Self::Aligned(level) => 8 + usize::from(level),
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
            // Half of them, so that it costs little for each.
            self.reads.drain(..MAX_READS / 2);
            self.cut = true;
        }
        self.reads.push((what, at));
        done
    }

    /// A message was written; `hands_on` if it is a call on the socket of the
    /// last answer read. Whether it is the first of a turn.
    pub(super) fn wrote(&mut self, hands_on: bool, what: Written, at: Moment) -> bool {
        let place = self.last_place();
        let begins = self.is_turn() && self.written == 0;
        self.written += 1;
        if self.writes.len() < MAX_WRITES {
            self.writes.push(Write { what, at, place });
        }
        self.since_last = match self.since_last {
            Writes::None if hands_on => Writes::HandedOn,
            Writes::None | Writes::HandedOn => Writes::One,
            Writes::One | Writes::More => Writes::More,
        };
        begins
    }

    /// The last message written, if it was a response: to what, and when.
    pub(super) fn response(&self) -> Option<(u32, ExchangeId, Timestamp)> {
        let last = self.writes.last()?;
        match last.what {
            Written::Response(slot, id) => Some((slot, id, last.at.time)),
            Written::Call(..) => None,
        }
    }

    /// Whether what is written belongs to one of several reads, so that more is
    /// known at the end of the turn.
    pub(super) fn is_turn(&self) -> bool {
        self.reads.len() > 1 && !self.over && !self.cut && self.written < MAX_WRITES
    }

    /// When the first message of a turn was written.
    pub(super) fn began(&self) -> Option<Timestamp> {
        let first = self.writes.first().filter(|_| self.is_turn());
        first.map(|write| write.at.time)
    }

    /// Ends a turn: what is written from here on is not part of it.
    pub(super) fn end_turn(&mut self) -> Option<Turn> {
        let is_turn = self.reads.len() > 1 && !self.over && !self.cut && self.written > 0;
        is_turn.then(|| {
            self.over = true;
            Turn {
                reads: self.reads.clone(),
                writes: self.writes.clone(),
            }
        })
    }

    /// Whether there was more in this turn than is aligned.
    pub(super) fn is_cut(&self) -> bool {
        !self.over && self.written > 0 && (self.cut || self.is_long())
    }

    /// The last message read.
    pub(super) fn last(&self) -> Option<Read> {
        self.reads.last().map(|(what, _)| *what)
    }

    /// The read that the next write may belong to, as far as can be told now: the
    /// last.
    pub(super) fn cue(&self) -> Option<Cue> {
        let (what, at) = self.reads.last().copied()?;
        let place = self.last_place();
        Some(Cue { what, at, place })
    }

    /// Whether more was written after several reads than is aligned with them.
    fn is_long(&self) -> bool {
        self.reads.len() > 1 && self.written > self.writes.len()
    }

    /// Where the last read stands.
    fn last_place(&self) -> Place {
        if self.reads.len() == 1 && !self.cut {
            Place::Only(self.since_last)
        } else {
            Place::Last(self.since_last)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(n: u32) -> Read {
        Read::Request(n, ExchangeId(u64::from(n)))
    }

    fn cue(batch: &Batch) -> Option<(Read, Place)> {
        batch.cue().map(|cue| (cue.what, cue.place))
    }

    fn write(batch: &mut Batch, hands_on: bool, time: u64) {
        let at = Moment {
            time: Timestamp(time),
            ..Moment::default()
        };
        batch.wrote(hands_on, Written::Call(0, ExchangeId(time)), at);
    }

    #[test]
    fn one_read_after_the_other() {
        let mut batch = Batch::default();
        batch.read(read(1), Timestamp(1));
        assert_eq!(cue(&batch), Some((read(1), Place::Only(Writes::None))));
        write(&mut batch, true, 2);
        assert_eq!(cue(&batch), Some((read(1), Place::Only(Writes::HandedOn))));
        write(&mut batch, false, 3);
        assert!(batch.end_turn().is_none(), "there is nothing to align");
        assert_eq!(batch.read(read(2), Timestamp(4)).as_slice(), [read(1)]);
        assert_eq!(cue(&batch), Some((read(2), Place::Only(Writes::None))));
    }

    #[test]
    fn several_reads_in_a_row_make_a_turn() {
        let mut batch = Batch::default();
        batch.read(read(1), Timestamp(1));
        batch.read(read(2), Timestamp(2));
        assert!(batch.is_turn() && batch.began().is_none());
        write(&mut batch, false, 3);
        write(&mut batch, false, 4);
        assert_eq!(batch.began(), Some(Timestamp(3)));
        let turn = batch.end_turn().unwrap();
        assert_eq!((turn.reads.len(), turn.writes.len()), (2, 2));
        assert!(
            batch.end_turn().is_none() && !batch.is_turn(),
            "it ends once"
        );
        batch.read(read(3), Timestamp(5));
        assert_eq!(cue(&batch), Some((read(3), Place::Only(Writes::None))));
    }

    #[test]
    fn a_long_row_has_no_order_any_more() {
        let mut batch = Batch::default();
        (0..=MAX_READS as u32).for_each(|n| drop(batch.read(read(n), Timestamp(0))));
        let last = (read(MAX_READS as u32), Place::Last(Writes::None));
        assert_eq!(cue(&batch), Some(last));
        assert!(!batch.is_cut(), "nothing was to be aligned yet");
        write(&mut batch, false, 1);
        assert!(batch.is_cut() && batch.end_turn().is_none());
    }
}
