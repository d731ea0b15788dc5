//! Whether a process hands connections on at all: most do not, and for them
//! nothing else of this is computed.

/// Calls over which the share of those handed on is taken, and the least.
const WINDOW: f32 = 128.0;
const FEW: f32 = 16.0;
/// Share from which it is considerable, and below which no longer.
const OPENS: f32 = 0.15;
const SHUTS: f32 = 0.05;

/// Who hands connections on with one thread.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Gate {
    thread: Option<u32>,
    /// More than one thread reads and writes, or it is not known which does.
    several: bool,
    /// Share of the last calls that were handed a connection.
    share: f32,
    /// Calls, up to the window.
    calls: f32,
    /// Responses before the first call, up to a few.
    responses: f32,
    open: bool,
}

impl Gate {
    /// A thread read or wrote; 0 if it is not known which.
    pub(super) fn acts(&mut self, thread: u32) {
        self.several |= *self.thread.get_or_insert(thread) != thread || thread == 0;
        self.open &= !self.several;
    }

    /// A call was written, handed on or not.
    pub(super) fn calls(&mut self, handed_on: bool) {
        self.calls = (self.calls + 1.0).min(WINDOW);
        self.share += (f32::from(u8::from(handed_on)) - self.share) / self.calls;
        let least = if self.open { SHUTS } else { OPENS };
        self.open = !self.several && self.calls >= FEW && self.share >= least;
    }

    /// A response was written.
    pub(super) fn responds(&mut self) {
        if self.calls == 0.0 {
            self.responses = (self.responses + 1.0).min(FEW);
        }
    }

    /// Whether it may open before long: not of who has several threads, or answers
    /// and never calls.
    pub(super) fn may_open(&self) -> bool {
        !self.several && (self.calls > 0.0 || self.responses < FEW)
    }

    /// Whether connections are handed on in a considerable share of the calls.
    pub(super) fn is_open(&self) -> bool {
        self.open
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_for_who_hands_on_and_shuts_when_that_is_over() {
        let mut gate = Gate::default();
        gate.acts(7);
        (0..1000).for_each(|n| gate.calls(n % 20 == 0));
        assert!(!gate.is_open(), "now and then is chance");
        (0..100).for_each(|n| gate.calls(n % 2 == 0));
        assert!(gate.is_open());
        (0..1000).for_each(|_| gate.calls(false));
        assert!(!gate.is_open());
    }

    #[test]
    fn who_answers_and_never_calls_will_not_open_it() {
        let mut gate = Gate::default();
        gate.acts(7);
        assert!(gate.may_open(), "nothing is known yet");
        (0..100).for_each(|_| gate.responds());
        assert!(!gate.may_open());
        gate.calls(false);
        assert!(gate.may_open());
    }

    #[test]
    fn several_threads_or_unknown_ones_keep_it_shut() {
        for other in [0, 8] {
            let mut gate = Gate::default();
            gate.acts(7);
            (0..100).for_each(|_| gate.calls(true));
            assert!(gate.is_open());
            gate.acts(other);
            assert!(!gate.is_open());
            (0..100).for_each(|_| gate.calls(true));
            assert!(!gate.is_open());
        }
    }
}
