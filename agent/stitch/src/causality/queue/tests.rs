//! Pools of the tests' own making: who waits is known.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};

use super::filter::MOST as MOST_HYPOTHESES;
use super::line::Line;
use super::*;
use crate::causality::pool::Pools;
use crate::causality::queue::steps::EACH;

/// Connections to each of two callees.
const CONNECTIONS: usize = 4;
const CALLEES: [u64; 2] = [11, 12];
const US: u64 = 1_000;

/// In what order those who wait get a connection.
#[derive(Clone, Copy, PartialEq)]
enum Order {
    FirstComeFirst,
    LastComeFirst,
    NobodyWaits,
}

/// What happens next, in a process with one thread.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Arrives,
    Answer { call: u64 },
}

/// A process that serves two routes: one calls both callees in sequence, the
/// other the second only.
struct Process {
    order: Order,
    events: BinaryHeap<Reverse<(u64, Event)>>,
    waiting: [VecDeque<u64>; 2],
    free: [Vec<SocketId>; 2],
    sockets: u64,
    /// Calls: request, callee, socket.
    calls: HashMap<u64, (u64, usize, SocketId)>,
    /// Calls that were handed a connection, in order, with their requests.
    handed_on: Vec<(u64, u64)>,
    pools: Pools,
    freed: Option<SocketId>,
    ids: u64,
    seed: u64,
    messages: Vec<(Message, Timestamp)>,
}

impl Process {
    /// What is read and written while `in_flight` requests are served at a time.
    fn run(order: Order, in_flight: u64, events: usize) -> Self {
        let mut process = Self {
            order,
            events: (0..in_flight)
                .map(|n| Reverse((n * 500 * US, Event::Arrives)))
                .collect(),
            waiting: [const { VecDeque::new() }; 2],
            free: [const { Vec::new() }; 2],
            sockets: 0,
            calls: HashMap::new(),
            handed_on: Vec::new(),
            pools: Pools::default(),
            freed: None,
            ids: 1,
            seed: 1,
            messages: Vec::new(),
        };
        for _ in 0..events {
            let Some(Reverse((at, event))) = process.events.pop() else {
                break;
            };
            process.happens(event, at);
        }
        process
    }

    fn happens(&mut self, event: Event, at: u64) {
        match event {
            Event::Arrives => {
                self.freed = None;
                let id = self.id();
                let route = id % 2;
                self.says(Message::Request { id, route }, at);
                self.asks(id, route as usize, at + 20 * US);
            }
            Event::Answer { call } => {
                let Some((request, callee, socket)) = self.calls.remove(&call) else {
                    return;
                };
                self.says(Message::Answer { id: call }, at);
                self.pools.freed(CALLEES[callee]);
                self.free[callee].push(socket);
                self.freed = Some(socket);
                // Callbacks of the answer run first, then the pool's.
                if callee == 0 {
                    self.asks(request, 1, at + 20 * US);
                } else {
                    self.says(Message::Response { id: request }, at + 20 * US);
                    let pause = self.random(4000);
                    self.events.push(Reverse((at + pause * US, Event::Arrives)));
                }
                let next = match self.order {
                    Order::LastComeFirst => self.waiting[callee].pop_back(),
                    _ => self.waiting[callee].pop_front(),
                };
                if let Some(next) = next {
                    self.writes(next, callee, at + 40 * US);
                }
            }
        }
    }

    /// A request needs a connection.
    fn asks(&mut self, request: u64, callee: usize, at: u64) {
        let busy = self.calls.values().filter(|call| call.1 == callee).count();
        if busy >= CONNECTIONS && self.order != Order::NobodyWaits {
            self.waiting[callee].push_back(request);
        } else {
            self.writes(request, callee, at);
        }
    }

    fn writes(&mut self, request: u64, callee: usize, at: u64) {
        let id = self.id();
        let known = self.free[callee].pop();
        let socket = known.unwrap_or_else(|| {
            self.sockets += 1;
            SocketId(self.sockets)
        });
        let full = self.pools.is_full_with_one_more(CALLEES[callee]);
        let handed_on = full && self.freed == Some(socket);
        self.pools.called(CALLEES[callee]);
        self.calls.insert(id, (request, callee, socket));
        if handed_on {
            self.handed_on.push((id, request));
        }
        let message = Message::Call {
            id,
            asked: CALLEES[callee],
            callee: CALLEES[callee],
            socket,
            first: known.is_none(),
            handed_on,
        };
        self.says(message, at);
        let takes = 1000 + self.random(4000);
        self.events
            .push(Reverse((at + takes * US, Event::Answer { call: id })));
    }

    fn says(&mut self, message: Message, at: u64) {
        self.messages.push((message, Timestamp(at)));
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

    /// Of the last calls that were handed a connection: how many, to how many the
    /// queue gives a cause with much weight, and how many of these rightly.
    fn judge(&self, line: &mut Line) -> (usize, usize, usize) {
        let last = &self.handed_on[self.handed_on.len() / 2..];
        let owners: Vec<u64> = last.iter().map(|(_, request)| *request).collect();
        let (mut said, mut right) = (0, 0);
        for (call, request) in last {
            let Some(verdict) = line.verdict(*call).filter(|v| !v.is_silent()) else {
                continue;
            };
            let weight = |who: &u64| verdict.weight(Some(*who), 8, MOST);
            let best = owners.iter().max_by(|a, b| weight(a).total_cmp(&weight(b)));
            let best = best.filter(|who| weight(who) > 2.0);
            said += usize::from(best.is_some());
            right += usize::from(best == Some(request));
        }
        (last.len(), said, right)
    }
}

fn line(process: &Process, steps: u32) -> (Line, u64) {
    let mut line = Line::new(steps);
    let mut cut = 0;
    for (message, at) in &process.messages {
        line.add(*message, *at);
        cut += line.take_limits().0;
    }
    (line, cut)
}

#[test]
fn who_waited_longest_is_found() {
    let process = Process::run(Order::FirstComeFirst, 16, 6000);
    let (mut line, cut) = line(&process, EACH);
    let (all, said, right) = process.judge(&mut line);
    assert!(all > 500, "{all}");
    assert!(said > all * 8 / 10, "{said} of {all}");
    assert!(right > said * 9 / 10, "{right} of {said}");
    assert_eq!(cut, 0);
}

#[test]
fn who_comes_in_the_midst_of_it_finds_its_way() {
    let mut process = Process::run(Order::FirstComeFirst, 16, 6000);
    // What is first seen is the answer to a call that was not.
    process.messages.drain(..1000);
    let (mut line, _) = line(&process, EACH);
    let (all, said, right) = process.judge(&mut line);
    assert!(said > all * 8 / 10, "{said} of {all}");
    assert!(right > said * 9 / 10, "{right} of {said}");
}

#[test]
fn of_another_order_nothing_is_said() {
    let process = Process::run(Order::LastComeFirst, 16, 6000);
    let (mut line, _) = line(&process, EACH);
    let (all, said, right) = process.judge(&mut line);
    assert!(all > 500, "{all}");
    assert!(said - right < all / 10, "{} of {all} wrong", said - right);
}

#[test]
fn where_nobody_waits_there_is_no_queue() {
    let process = Process::run(Order::NobodyWaits, 16, 6000);
    let mut queues = Queues::default();
    for (message, at) in &process.messages {
        assert_eq!(queues.add(*message, 7, *at), (0, 0));
        assert!(queues.line.is_none());
    }
    assert_eq!(queues.before.len(), MAX_BEFORE);
}

#[test]
fn a_queue_is_begun_and_given_up_as_threads_and_pools_are() {
    let process = Process::run(Order::FirstComeFirst, 16, 1000);
    let mut queues = Queues::default();
    let mut first = 0;
    for (message, at) in &process.messages {
        let kept = queues.before.len();
        queues.add(*message, 7, *at);
        if queues.line.is_some() && kept > 0 {
            first = kept;
            assert!(queues.before.is_empty(), "the line has them");
        }
    }
    assert!(queues.line.is_some());
    assert!((16..MAX_BEFORE).contains(&first), "{first} came before");
    queues.add(Message::Request { id: 1, route: 1 }, 8, Timestamp(0));
    assert!(queues.line.is_none(), "a second thread");
    queues.add(Message::Request { id: 2, route: 1 }, 7, Timestamp(0));
    assert!(queues.before.is_empty(), "nor will there be another");
}

#[test]
fn without_steps_nothing_is_said_and_that_is_counted() {
    let process = Process::run(Order::FirstComeFirst, 16, 2000);
    let (mut line, cut) = line(&process, 0);
    assert_eq!(process.judge(&mut line).1, 0);
    let calls = process.messages.iter();
    let calls = calls.filter(|(message, _)| matches!(message, Message::Call { .. }));
    // The last ones wait for their answers.
    assert!(cut > calls.count() as u64 * 9 / 10, "{cut}");
}

#[test]
fn memory_is_bounded_whatever_is_never_answered() {
    let mut line = Line::new(EACH);
    for n in 0..20_000 {
        let at = Timestamp(n * 50 * US);
        line.add(
            Message::Request {
                id: 2 * n,
                route: n % 7,
            },
            at,
        );
        let call = Message::Call {
            id: 2 * n + 1,
            asked: n % 100,
            callee: n % 90,
            socket: SocketId(n % 5),
            first: n % 3 == 0,
            handed_on: n % 2 == 0,
        };
        line.add(call, at);
        let (entries, hypotheses) = line.size();
        assert!(entries <= 4 * MOST_HYPOTHESES * 128 && hypotheses <= MOST_HYPOTHESES);
    }
    assert!(
        line.take_limits().0 > 0,
        "calls looked at without their answers"
    );
}
