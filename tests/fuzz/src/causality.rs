//! The causality stage alone: what processes did in, decisions out. The whole engine
//! comes here only by bytes that are HTTP; so few of its inputs reach the end of
//! what is learnt.
//!
//! What must hold: each call is decided once; each candidate is a request of the
//! same process that was read before, the likeliest first, with probabilities
//! that add up to 1 at most; and it does not matter how often time is told.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use wirespan_stitch::causality::{Act, Causality, Config, Decision, ExchangeId, Features};
use wirespan_stitch::event::{SocketId, Task, Woke};
use wirespan_stitch::exchange::{Moment, Role};
use wirespan_stitch::time::Timestamp;

use crate::input::Input;

/// Callees of a process, and threads; so few that what is learnt of them counts.
const CALLEES: u64 = 3;
const THREADS: u8 = 4;
/// Rounding errors of a sum of probabilities.
const ROUNDING: f32 = 1e-3;

pub(crate) fn run(input: &[u8]) {
    let mut world = World::default();
    let mut input = Input::new(input);
    while !input.is_empty() {
        world.act(&mut input);
    }
    let seldom = decisions(&world.acts, false);
    let often = decisions(&world.acts, true);
    assert_eq!(seldom, often, "it matters how often time is told");
    check(&world.acts, &seldom);
}

/// What is decided. Time is told before each act, and again in between if `often`.
fn decisions(acts: &[(Timestamp, Act)], often: bool) -> Vec<Decision> {
    let mut stage = Causality::new(Config::default());
    let mut decisions = Vec::new();
    let mut before = Timestamp(0);
    for (time, act) in acts {
        if often {
            stage.handle_timeout(before + time.since(before) / 2);
        }
        stage.handle_timeout(*time);
        stage.observe(act.clone());
        decisions.extend(std::iter::from_fn(|| stage.poll_decision()));
        before = *time;
    }
    stage.finish();
    decisions.extend(std::iter::from_fn(|| stage.poll_decision()));
    assert_eq!(stage.counters().decisions, decisions.len() as u64);
    decisions
}

fn check(acts: &[(Timestamp, Act)], decisions: &[Decision]) {
    let mut requests = HashMap::new();
    let mut undecided = HashMap::new();
    for (_, act) in acts {
        if let Act::Started {
            exchange,
            role,
            at,
            features,
            ..
        } = act
        {
            let all = match role {
                Role::Server => &mut requests,
                Role::Client => &mut undecided,
            };
            all.insert(*exchange, (features.pid, at.time));
        }
    }
    for decision in decisions {
        let Some((pid, started)) = undecided.remove(&decision.call) else {
            panic!("no call, or decided twice: {decision:?}");
        };
        let mut named = HashSet::new();
        let (mut sum, mut before) = (0.0, f32::INFINITY);
        for candidate in &decision.candidates {
            assert!(
                (0.0..=before).contains(&candidate.confidence),
                "{decision:?}"
            );
            (sum, before) = (sum + candidate.confidence, candidate.confidence);
            let cause = requests.get(&candidate.cause);
            let earlier = cause.is_some_and(|(of, read)| *of == pid && *read <= started);
            assert!(earlier, "{decision:?}");
            assert!(named.insert(candidate.cause), "named twice: {decision:?}");
        }
        assert!(sum <= 1.0 + ROUNDING, "{decision:?}");
    }
    assert!(undecided.is_empty(), "never decided: {undecided:?}");
}

/// Two processes, and what is open in them.
#[derive(Debug, Default)]
struct World {
    now: Timestamp,
    acts: Vec<(Timestamp, Act)>,
    next: u64,
    processes: [Process; 2],
}

#[derive(Debug, Default)]
struct Process {
    /// Requests and calls under way, a call with its socket and callee.
    requests: Vec<ExchangeId>,
    calls: Vec<(ExchangeId, SocketId, u64)>,
    /// Connections that are free.
    free: Vec<(SocketId, u64)>,
}

impl World {
    /// What the next three bytes say: when, who, and what.
    fn act(&mut self, input: &mut Input<'_>) {
        let (what, who, when) = (input.byte(), input.byte(), input.byte());
        let micros = u64::from(when & 15) << (when >> 4);
        self.now = self.now + Duration::from_micros(micros);
        let pid = u32::from(who & 1);
        let tid = who >> 1 & 3;
        let at = Moment {
            time: self.now,
            task: Task {
                pid: pid + 1,
                tid: u32::from(tid % THREADS),
                coroutine: u64::from(who >> 3 & 3),
                coroutine_parent: u64::from(who >> 5 & 3),
            },
        };
        let pick = usize::from(what >> 3);
        match what & 7 {
            0 => self.request(at, pick),
            1 => self.call(at, pick, None),
            2 => {
                self.answer(at, pick);
            }
            3 => self.respond(at, pick),
            4 => {
                // The answer is read, and its connection handed on.
                if let Some(socket) = self.answer(at, pick) {
                    self.call(at, pick, Some(socket));
                }
            }
            5 => {
                // The answer is read, and the response written.
                self.answer(at, pick);
                self.respond(at, 0);
            }
            6 => self.begins_to_answer(at, pick),
            _ => self.other(at, pick),
        }
    }

    fn request(&mut self, at: Moment, pick: usize) {
        let id = self.id();
        self.process(at).requests.push(id);
        let features = Features {
            route: pick as u64 % 4,
            ..features(at, pick)
        };
        self.start(id, Role::Server, SocketId(1 + id.0), at, features);
    }

    /// A call on this connection, one that is free, or a new one.
    fn call(&mut self, at: Moment, pick: usize, socket: Option<(SocketId, u64)>) {
        let id = self.id();
        let callee = pick as u64 % CALLEES;
        let process = self.process(at);
        let mut free = process.free.iter();
        let same = free.position(|free| socket.map_or(free.1 == callee, |used| *free == used));
        let known = same.map(|place| process.free.swap_remove(place));
        let (socket, callee) = known.unwrap_or((SocketId(1 + id.0), callee));
        process.calls.push((id, socket, callee));
        let features = Features {
            route: (callee << 8) | (pick as u64 % 4),
            callee,
            first_on_socket: known.is_none(),
            ..features(at, pick)
        };
        self.start(id, Role::Client, socket, at, features);
    }

    /// A call ends; its connection is free then.
    fn answer(&mut self, at: Moment, pick: usize) -> Option<(SocketId, u64)> {
        let process = self.process(at);
        let place = pick.checked_rem(process.calls.len())?;
        let (exchange, socket, callee) = process.calls.remove(place);
        process.free.push((socket, callee));
        self.push(Act::Answering { exchange, at });
        self.push(Act::Ended { exchange, at });
        Some((socket, callee))
    }

    fn respond(&mut self, at: Moment, pick: usize) {
        let requests = &mut self.process(at).requests;
        if let Some(place) = pick.checked_rem(requests.len()) {
            let exchange = requests.remove(place);
            self.push(Act::Answering { exchange, at });
            self.push(Act::Ended { exchange, at });
        }
    }

    fn begins_to_answer(&mut self, at: Moment, pick: usize) {
        let process = self.process(at);
        let calls = process.calls.iter().map(|call| call.0);
        let all: Vec<_> = process.requests.iter().copied().chain(calls).collect();
        if let Some(place) = pick.checked_rem(all.len()) {
            let exchange = all[place];
            self.push(Act::Answering { exchange, at });
        }
    }

    fn other(&mut self, at: Moment, pick: usize) {
        let exchange = ExchangeId(self.next.saturating_sub(pick as u64));
        match pick & 3 {
            0 => self.push(Act::Connected {
                socket: SocketId(1 + self.next),
                at,
            }),
            1 => self.push(Act::CallerIs {
                exchange,
                caller: at.task,
            }),
            2 => self.push(Act::Woke(Woke {
                time: at.time,
                by: at.task,
                woken: Task { tid: 1, ..at.task },
            })),
            _ => {
                *self.process(at) = Process::default();
                self.push(Act::Exited {
                    pid: at.task.pid,
                    time: at.time,
                });
            }
        }
    }

    fn start(
        &mut self,
        exchange: ExchangeId,
        role: Role,
        socket: SocketId,
        at: Moment,
        features: Features,
    ) {
        self.push(Act::Started {
            exchange,
            role,
            socket,
            at,
            features,
        });
    }

    fn push(&mut self, act: Act) {
        self.acts.push((self.now, act));
    }

    fn id(&mut self) -> ExchangeId {
        self.next += 1;
        ExchangeId(self.next)
    }

    fn process(&mut self, at: Moment) -> &mut Process {
        &mut self.processes[(at.task.pid - 1) as usize]
    }
}

/// Now and then with an id that others have too.
fn features(at: Moment, pick: usize) -> Features {
    let some = (pick & 16 != 0).then_some(pick as u64);
    Features {
        pid: at.task.pid,
        request_ids: some.into_iter().filter(|id| id & 1 != 0).collect(),
        tokens: some.into_iter().filter(|id| id & 1 == 0).collect(),
        ..Features::default()
    }
}
