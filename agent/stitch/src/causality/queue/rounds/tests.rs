//! A loop of the tests' own making: whose each call is, is known.

use std::collections::{HashMap, VecDeque};

use super::super::steps::EACH;
use super::super::{Message, steps};
use super::Rounds;
use crate::event::SocketId;
use crate::time::Timestamp;

const US: u64 = 1_000;

/// What is asked in order, by route. The last one goes on after the response.
const ROUTES: [&[u64]; 3] = [&[11, 12], &[12, 12, 13], &[13, 11]];

/// A process with one thread that reads all that is there, then handles it.
struct Loop {
    /// What may be read next, with the time at which it is there.
    coming: Vec<(u64, Coming)>,
    /// Calls: whose, and how many it made before.
    calls: HashMap<u64, (u64, usize)>,
    ids: u64,
    seed: u64,
    now: u64,
    messages: Vec<(Message, Timestamp)>,
    truth: Vec<(u64, u64)>,
}

#[derive(Clone, Copy)]
enum Coming {
    Request,
    Answer(u64),
}

impl Loop {
    /// What is read and written while so many requests are served at a time.
    fn run(in_flight: u64, turns: usize) -> Self {
        let mut process = Self {
            coming: (0..in_flight)
                .map(|n| (n * 700 * US, Coming::Request))
                .collect(),
            calls: HashMap::new(),
            ids: 1,
            seed: 1,
            now: 0,
            messages: Vec::new(),
            truth: Vec::new(),
        };
        (0..turns).for_each(|_| process.turn());
        process
    }

    /// Reads all that is there; answers are acted on in the first round, requests
    /// in the second.
    fn turn(&mut self) {
        let first = self.coming.iter().map(|(at, _)| *at).min().unwrap_or(0);
        self.now = self.now.max(first) + US;
        let (mut ready, later): (Vec<_>, Vec<_>) = std::mem::take(&mut self.coming)
            .into_iter()
            .partition(|(at, _)| *at <= self.now);
        self.coming = later;
        ready.sort_by_key(|(at, _)| *at);
        let (mut answered, mut begun) = (Vec::new(), VecDeque::new());
        for (_, what) in ready {
            match what {
                Coming::Request => {
                    let id = self.id();
                    let route = id % ROUTES.len() as u64;
                    self.says(Message::Request { id, route });
                    begun.push_back((id, 0));
                }
                Coming::Answer(call) => {
                    self.says(Message::Answer { id: call });
                    answered.push(self.calls[&call]);
                }
            }
        }
        for (who, made) in answered.into_iter().chain(begun) {
            self.acts(who, made);
        }
    }

    fn acts(&mut self, who: u64, made: usize) {
        let route = ROUTES[(who % ROUTES.len() as u64) as usize];
        if let Some(asked) = route.get(made) {
            let id = self.id();
            self.says(Message::Call {
                id,
                asked: *asked,
                callee: 1,
                socket: SocketId(1),
                first: false,
                handed_on: false,
            });
            self.truth.push((id, who));
            self.calls.insert(id, (who, made + 1));
            let takes = 300 + self.random(3000);
            self.coming
                .push((self.now + takes * US, Coming::Answer(id)));
        } else {
            self.says(Message::Response { id: who });
            let pause = self.random(2000);
            self.coming.push((self.now + pause * US, Coming::Request));
        }
    }

    fn says(&mut self, message: Message) {
        self.now += 100 * US;
        self.messages.push((message, Timestamp(self.now)));
    }

    fn id(&mut self) -> u64 {
        self.ids += 1;
        self.ids
    }

    fn random(&mut self, below: u64) -> u64 {
        self.seed = self
            .seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.seed >> 33) % below
    }
}

/// Shares of the calls of the second half that are given right, and wrong, by more
/// than 2 nats.
fn shares(process: &Loop, steps: u32) -> (f64, f64) {
    let mut rounds = Rounds::new(steps);
    for (message, at) in &process.messages {
        rounds.add(*message, *at);
    }
    let calls = &process.truth[process.truth.len() / 2..];
    let (mut right, mut wrong) = (0, 0);
    for (call, who) in calls {
        let Some(verdict) = rounds.verdict(*call).filter(|v| !v.is_silent()) else {
            continue;
        };
        let weight = |who: u64| verdict.weight(Some(who), 8, 7.0);
        let others = process.truth.iter().map(|(_, other)| *other);
        let others = others.filter(|other| other != who && other.abs_diff(*who) < 200);
        let best = others.map(weight).fold(0.0, f32::max);
        right += u32::from(weight(*who) > best + 2.0);
        wrong += u32::from(best > weight(*who) + 2.0);
    }
    let all = calls.len() as f64;
    (f64::from(right) / all, f64::from(wrong) / all)
}

#[test]
fn whose_calls_are_is_learnt_under_load() {
    let process = Loop::run(8, 1500);
    assert!(process.truth.len() > 1000, "{}", process.truth.len());
    let (right, wrong) = shares(&process, EACH);
    assert!(right > 0.9 && wrong < 0.03, "{right} {wrong}");
}

#[test]
fn without_steps_nothing_is_said_and_that_is_counted() {
    let process = Loop::run(8, 300);
    assert_eq!(shares(&process, 0), (0.0, 0.0));
    let mut rounds = Rounds::new(0);
    for (message, at) in &process.messages {
        rounds.add(*message, *at);
    }
    let (cut, _) = rounds.take_limits();
    assert!(cut as usize >= process.truth.len() / 2, "{cut}");
    assert_eq!(rounds.take_limits(), (0, 0), "counted once");
}

#[test]
fn what_is_kept_is_bounded() {
    let process = Loop::run(8, 6000);
    let mut rounds = Rounds::new(steps::EACH);
    let mut most = 0;
    for (message, at) in &process.messages {
        rounds.add(*message, *at);
        most = most.max(rounds.filter.entries.len());
    }
    assert!(most < 20_000, "{most}");
    assert!(rounds.told.all.len() <= super::MAX_TOLD);
    assert!(rounds.known.all.len() <= super::MAX_KNOWN);
}
