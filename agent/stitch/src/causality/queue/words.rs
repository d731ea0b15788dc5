//! What requests of a route do next, learnt: given how far one has got and what
//! it was just told, the calls that it makes at once, its response, a timer that
//! it waits for, or nothing.

use hashbrown::HashMap;
use smallvec::SmallVec;

use super::progress::State;
use super::word::{FIRST_CALL, LABELS, LONGEST, Label, RESPONSE, TIMER, Word};

/// States remembered; at more all are forgotten.
const MAX_ROWS: usize = 8192;
/// Words of one state; beyond it the rarest goes.
const MAX_WORDS: usize = 12;
/// At this weight a state's counts are halved: what was learnt of guesses in the
/// beginning must not stay.
const HALVE_AT: f32 = 10.0;
/// Words rarer than this are left out of what is expected.
const RARE: f32 = 1e-3;
/// What is assumed of a request beforehand: nothing, the response, a timer. What
/// could explain anything (timers, calls for nobody) must be improbable, or it
/// explains everything before the truth has been learnt.
/// Who is told something while nothing of it is under way does something, or
/// waits for a timer: it would never answer.
const NOTHING: f32 = 0.1;
const NOTHING_IDLE: f32 = 0.001;
const RESPONDS: f32 = 0.2;
const WAITS: f32 = 0.005;
/// That who has answered already makes more calls.
const GOES_ON: f32 = 0.01;
/// The same where its task goes on at once, and is waited for.
const GOES_ON_AT_ONCE: f32 = 0.1;
/// Weight of the coarser state in what is expected of one, coarsest first.
const COARSER: [f32; 3] = [4.0, 2.0, 2.0];
/// Assumed share of an unforeseen word that is left for each act that it has.
const UNFORESEEN: f32 = 0.7;
/// The same of each after the first, and of one of a kind that was done already.
const ONE_MORE: f32 = 0.15;
const ANOTHER: f32 = 0.1;
/// Shares of unforeseen words that are known ones with an act less, and more.
const FEWER: f32 = 0.3;
const VARIED: f32 = 0.3;
const LEAST_UNFORESEEN: f32 = 0.003;

/// Calls taken to be somebody's before any was.
const FEW_STRAYS: f32 = 30.0;

/// What is expected in a state.
#[derive(Debug)]
pub(super) struct Outlook {
    words: SmallVec<[(Word, f32); 6]>,
    /// Probability of anything else.
    rest: f32,
}

/// What was learnt of one process.
#[derive(Debug)]
pub(super) struct Words {
    rows: HashMap<u64, Row>,
    /// Calls by label.
    seen: [f32; LABELS],
    all: f32,
    /// Calls that no request made, by label, of how many; and of all labels.
    strays: [(f32, f32); LABELS],
    weighed: f32,
    /// The last label seen.
    last: Label,
    /// The callee of each label, as a bit.
    callees: [u64; LABELS],
}

#[derive(Debug, Default)]
struct Row {
    total: f32,
    words: SmallVec<[(Word, f32); 3]>,
}

impl Default for Words {
    fn default() -> Self {
        Self {
            rows: HashMap::new(),
            seen: [0.0; LABELS],
            strays: [(0.0, 0.0); LABELS],
            weighed: 0.0,
            all: 0.0,
            last: 0,
            callees: [0; LABELS],
        }
    }
}

impl Words {
    /// A call of this kind was made; `callee` is a bit.
    pub(super) fn saw(&mut self, label: Label, callee: u64) {
        self.seen[usize::from(label)] += 1.0;
        self.all += 1.0;
        self.last = self.last.max(label);
        self.callees[usize::from(label)] = callee;
    }

    /// A call of this kind was made by no request, with this probability.
    pub(super) fn strayed(&mut self, label: Label, chance: f32) {
        let (strayed, all) = &mut self.strays[usize::from(label)];
        *strayed += chance;
        *all += 1.0;
        self.weighed += 1.0;
    }

    /// Share of calls that are of this kind and made by no request.
    pub(super) fn stray(&self, label: Label) -> f32 {
        self.strays[usize::from(label)].0 / (self.weighed + FEW_STRAYS)
    }

    /// Share of calls of this kind that no request has made.
    pub(super) fn strays(&self, label: Label) -> f32 {
        let (strayed, all) = self.strays[usize::from(label)];
        strayed / (all + FEW_STRAYS)
    }

    /// The callee of an act, as a bit; the response has the first.
    pub(super) fn callee(&self, label: Label) -> u64 {
        match label {
            RESPONSE => 1,
            TIMER => 0,
            _ => self.callees[usize::from(label)],
        }
    }

    pub(super) fn share(&self, label: Label) -> f32 {
        (self.seen[usize::from(label)] + 0.3) / (self.all + 3.0)
    }

    /// What is expected in a state.
    pub(super) fn outlook(&self, state: State) -> Outlook {
        let assumed: &[(Label, f32)] = if state.aside {
            &[(TIMER, 0.1 * GOES_ON)]
        } else {
            &[(RESPONSE, RESPONDS), (TIMER, WAITS)]
        };
        let nothing = match (state.aside, state.waiting) {
            (true, true) => 1.0 - GOES_ON_AT_ONCE,
            (true, false) => 1.0 - GOES_ON,
            (false, true) => NOTHING,
            (false, false) => NOTHING_IDLE,
        };
        let mut words: SmallVec<[(Word, f32); 6]> = SmallVec::new();
        words.push((Word::default(), nothing));
        for (label, chance) in assumed {
            words.push((Word::of(*label), *chance));
        }
        let mut rest = 1.0 - words.iter().map(|(_, chance)| chance).sum::<f32>();
        for (key, weight) in state.keys.iter().rev().zip(COARSER) {
            let Some(row) = self.rows.get(key) else {
                continue;
            };
            let kept = weight / (row.total + weight);
            rest *= kept;
            words.iter_mut().for_each(|(_, chance)| *chance *= kept);
            for (word, count) in &row.words {
                let chance = count / (row.total + weight);
                match words.iter_mut().find(|(other, _)| other == word) {
                    Some((_, present)) => *present += chance,
                    None => words.push((*word, chance)),
                }
            }
        }
        words.retain(|(_, chance)| *chance > RARE);
        Outlook {
            words,
            rest: rest.max(LEAST_UNFORESEEN),
        }
    }

    /// Learns that in this state `word` was done, as likely as `weight`. Whether
    /// all had to be forgotten.
    pub(super) fn learn(&mut self, state: State, word: Word, weight: f32) -> bool {
        if word.is_full() || word.is_empty() && !state.aside && !state.waiting {
            return false;
        }
        let full = self.rows.len() + 3 > MAX_ROWS;
        if full {
            self.rows.clear();
        }
        for key in state.keys {
            let row = self.rows.entry(key).or_default();
            if row.total + weight > HALVE_AT {
                row.total /= 2.0;
                row.words.iter_mut().for_each(|(_, count)| *count /= 2.0);
            }
            row.total += weight;
            match row.words.iter_mut().find(|(other, _)| *other == word) {
                Some((_, count)) => *count += weight,
                None => row.words.push((word, weight)),
            }
            if row.words.len() > MAX_WORDS {
                let rarest =
                    (0..row.words.len()).min_by(|a, b| row.words[*a].1.total_cmp(&row.words[*b].1));
                let gone = rarest.map(|at| row.words.swap_remove(at));
                row.total -= gone.map_or(0.0, |(_, count)| count);
            }
        }
        full
    }

    /// Probability of having done `taken` and nothing more at the callees of
    /// `closed`.
    pub(super) fn chance(&self, outlook: &Outlook, taken: Word, closed: u64) -> f32 {
        let known = outlook.sum(taken, |left| self.is_elsewhere(left, closed));
        let hidden: f32 = if closed == 0 {
            0.0
        } else {
            (FIRST_CALL..=self.last)
                .filter(|label| self.callee(*label) & closed != 0)
                .map(|label| self.share(label))
                .sum()
        };
        let open = (1.0 - 0.9 * hidden).max(0.05);
        known + self.unforeseen(outlook, taken) * open
    }

    /// Probability of having done `taken` and then `label`, at once.
    pub(super) fn chance_of(&self, outlook: &Outlook, taken: Word, label: Label) -> f32 {
        let mut next = taken;
        next.push(label);
        let anew = self.anew(taken.acts()) * self.one_more(taken.acts(), label);
        let known = outlook.sum(taken, |left| left.has(label));
        known + outlook.rest * (anew + self.varied(outlook, next))
    }

    /// Share of what is expected beyond `taken` that may still come.
    pub(super) fn may_come(&self, outlook: &Outlook, taken: Word, closed: u64) -> f32 {
        outlook.sum(taken, |left| {
            !left.is_empty() && self.is_elsewhere(left, closed)
        })
    }

    /// Whether nothing of it is done at the callees of `closed`.
    fn is_elsewhere(&self, word: Word, closed: u64) -> bool {
        let mut acts = word.acts().iter();
        acts.all(|label| self.callee(*label) & closed == 0)
    }

    /// Probability of having done `taken` as part of a word that is not known.
    fn unforeseen(&self, outlook: &Outlook, taken: Word) -> f32 {
        let fewer = FEWER * outlook.sum(taken, |_| true);
        outlook.rest * (self.anew(taken.acts()) + self.varied(outlook, taken) + fewer)
    }

    /// Probability that an unforeseen word begins so.
    fn anew(&self, acts: &[Label]) -> f32 {
        let each = (0..acts.len()).map(|at| self.one_more(&acts[..at], acts[at]));
        each.product()
    }

    /// Probability that an unforeseen word is a known one and one of these acts.
    fn varied(&self, outlook: &Outlook, taken: Word) -> f32 {
        let each = taken.acts().iter().map(|label| {
            let others = taken.without(Word::of(*label));
            let known = others.map_or(0.0, |others| outlook.sum(others, |_| true));
            self.share(*label) * known
        });
        VARIED * each.sum::<f32>()
    }

    /// Probability that an unforeseen word goes on with this act.
    fn one_more(&self, taken: &[Label], label: Label) -> f32 {
        let more = if taken.is_empty() { 1.0 } else { ONE_MORE };
        let again = if taken.contains(&label) { ANOTHER } else { 1.0 };
        let room = if taken.len() < LONGEST - 1 { 1.0 } else { 1e-3 };
        UNFORESEEN * self.share(label) * more * again * room
    }
}

impl Outlook {
    /// Probability of waiting for a timer.
    pub(super) fn timer(&self) -> f32 {
        self.of(Word::of(TIMER)) + 0.01 * self.rest
    }

    /// Whether nothing is known of the state.
    pub(super) fn is_blank(&self) -> bool {
        self.rest > 0.3
    }

    /// Probability of exactly this word.
    pub(super) fn exactly(&self, word: Word) -> f32 {
        self.of(word) + self.rest
    }

    fn of(&self, word: Word) -> f32 {
        let known = self.words.iter().find(|(other, _)| *other == word);
        known.map_or(0.0, |(_, chance)| *chance)
    }

    /// Probability of the words that begin with `taken` and go on so.
    fn sum(&self, taken: Word, goes_on: impl Fn(Word) -> bool) -> f32 {
        let words = self.words.iter();
        let words = words.filter(|(word, _)| word.without(taken).is_some_and(&goes_on));
        words.map(|(_, chance)| chance).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::super::progress::Progress;
    use super::*;

    fn word(labels: &[Label]) -> Word {
        let mut word = Word::default();
        for label in labels {
            word.push(*label);
        }
        word
    }

    #[test]
    fn what_follows_is_learnt_by_state() {
        let mut words = Words::default();
        words.saw(2, 2);
        words.saw(3, 4);
        let state = State::new(1, 1, Progress::default(), false, false);
        for _ in 0..20 {
            assert!(!words.learn(state, word(&[2, 3]), 1.0));
        }
        let outlook = words.outlook(state);
        assert!(words.chance_of(&outlook, Word::default(), 2) > 0.9);
        assert!(words.chance_of(&outlook, Word::of(2), 3) > 0.9);
        assert!(words.chance_of(&outlook, Word::of(2), 2) < 0.05);
        assert!(
            words.chance(&outlook, Word::default(), 2) < 0.1,
            "the first is not made"
        );
        assert!(
            words.chance(&outlook, Word::of(2), 2) > 0.9,
            "but it was made"
        );
        assert!(words.may_come(&outlook, word(&[2, 3]), 0) < 0.05);
    }

    #[test]
    fn what_is_not_known_is_mostly_a_known_word_and_one_act() {
        let mut words = Words::default();
        (2..10).for_each(|label| words.saw(label, 2));
        let state = State::new(1, 1, Progress::default(), false, false);
        (0..20).for_each(|_| assert!(!words.learn(state, word(&[2, 3]), 1.0)));
        let outlook = words.outlook(state);
        let one_more = words.chance_of(&outlook, word(&[2, 3]), 4);
        let others = words.chance_of(&outlook, word(&[4, 5]), 6);
        assert!(one_more > 20.0 * others, "{one_more} {others}");
        let varied = words.chance_of(&outlook, word(&[2, 4]), 3);
        assert!((varied / one_more - 1.0).abs() < 0.1, "whatever the order");
    }

    #[test]
    fn chances_add_up_however_long_is_learnt() {
        let mut words = Words::default();
        let state = State::new(1, 1, Progress::default(), true, false);
        for label in (2..40).cycle().take(1000) {
            words.learn(state, Word::of(label), 0.7);
            let outlook = words.outlook(state);
            let all: f32 = outlook.words.iter().map(|(_, chance)| chance).sum();
            assert!(all + outlook.rest < 1.01, "{all}");
        }
    }

    #[test]
    fn nothing_is_learnt_to_be_done_only_where_more_may_come() {
        for pending in [false, true] {
            let mut words = Words::default();
            let state = State::new(1, 1, Progress::default(), false, pending);
            (0..20).for_each(|_| assert!(!words.learn(state, Word::default(), 1.0)));
            let outlook = words.outlook(state);
            assert_eq!(outlook.of(Word::default()) > 0.9, pending);
        }
    }

    #[test]
    fn strays_are_counted_by_kind() {
        let mut words = Words::default();
        for _ in 0..100 {
            words.strayed(2, 0.5);
            words.strayed(3, 0.0);
        }
        assert!((0.3..0.5).contains(&words.strays(2)));
        assert!(words.stray(2) < words.strays(2) && words.stray(3).abs() < 1e-6);
    }

    #[test]
    fn a_finer_state_falls_back_on_a_coarser_one() {
        let mut words = Words::default();
        words.saw(2, 2);
        let mut progress = Progress::default();
        for _ in 0..20 {
            progress.issued.add(2);
            words.learn(State::new(1, 1, progress, false, false), Word::of(2), 1.0);
        }
        let other = State::new(1, 1, Progress::default(), false, false);
        let outlook = words.outlook(other);
        assert!(words.chance_of(&outlook, Word::default(), 2) > 0.5);
        let elsewhere = words.outlook(State::new(2, 1, Progress::default(), false, false));
        assert!(elsewhere.is_blank());
    }
}
