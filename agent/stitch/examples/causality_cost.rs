//! What a causality decision costs, by requests in flight.
//!
//! In: a process of the example's own making that serves so many requests at a
//! time, each with two calls in sequence. Out: µs a link on one core, resident
//! memory added, and the share of right links, for four kinds of evidence:
//! blocking threads, trace contexts passed on, one thread for all (an event
//! loop), and timing alone, as in recorded spans that tell no threads.
//!
//! Run with `cargo run --release -p wirespan-stitch --example causality_cost`;
//! `-- timing 64` runs one line of the table only.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::time::Duration;

use wirespan_stitch::causality::{Act, Causality, Config, Decision, ExchangeId, Features};
use wirespan_stitch::event::{SocketId, Task};
use wirespan_stitch::exchange::{Moment, Role};
use wirespan_stitch::span::TraceId;
use wirespan_stitch::time::Timestamp;

/// Requests in flight.
const IN_FLIGHT: [u64; 7] = [1, 4, 16, 64, 256, 1024, 10_000];
/// Links measured in a run, at least; and links for each request in flight.
const LINKS: u64 = 100_000;
const LINKS_EACH: u64 = 20;
/// Acts that are made before the clock starts.
const CHUNK: usize = 16_384;
const US: u64 = 1_000;

/// What tells whose call it is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Thread,
    Explicit,
    Loop,
    Timing,
}

impl Kind {
    fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }
}

fn main() {
    println!("evidence  in flight  µs/link  MiB added  right %  sure and wrong %  cut short %");
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    for kind in [Kind::Thread, Kind::Explicit, Kind::Loop, Kind::Timing] {
        for in_flight in IN_FLIGHT {
            let line = [kind.name(), in_flight.to_string()];
            if wanted.iter().all(|word| line.contains(word)) {
                run(kind, in_flight);
            }
        }
    }
}

fn run(kind: Kind, in_flight: u64) {
    let before = resident();
    let mut load = Load::new(kind, in_flight);
    let mut stage = Causality::new(Config::default());
    let mut acts = Vec::with_capacity(CHUNK + 2);
    let mut tally = Tally::default();
    let mut took = Duration::ZERO;
    let wanted = LINKS.max(in_flight * LINKS_EACH);
    let mut decisions = Vec::new();
    while tally.links < wanted {
        load.fill(&mut acts);
        let begin = on_processor();
        for (time, act) in acts.drain(..) {
            while stage.poll_timeout().is_some_and(|due| due <= time) {
                stage.handle_timeout(time);
            }
            stage.observe(act);
            decisions.extend(std::iter::from_fn(|| stage.poll_decision()));
        }
        took += on_processor().saturating_sub(begin);
        tally.count(&mut load.truth, &mut decisions);
    }
    let share = |part: u64| part as f64 * 100.0 / tally.links as f64;
    println!(
        "{:8}  {in_flight:9}  {:7.2}  {:9.1}  {:7.2}  {:16.2}  {:11.2}",
        kind.name(),
        took.as_secs_f64() * 1e6 / tally.links as f64,
        resident() - before,
        share(tally.right),
        share(tally.sure_wrong),
        share(stage.counters().decided_greedily),
    );
}

/// Decisions counted.
#[derive(Default)]
struct Tally {
    links: u64,
    right: u64,
    sure_wrong: u64,
}

impl Tally {
    fn count(
        &mut self,
        truth: &mut HashMap<ExchangeId, ExchangeId>,
        decisions: &mut Vec<Decision>,
    ) {
        for decision in decisions.drain(..) {
            let cause = truth.remove(&decision.call);
            let best = decision.candidates.first();
            let right = best.map(|best| best.cause) == cause;
            self.links += 1;
            self.right += u64::from(right);
            self.sure_wrong += u64::from(!right && best.is_some_and(|b| b.confidence >= 0.9));
        }
    }
}

/// A process under a closed load.
struct Load {
    kind: Kind,
    lanes: Vec<Lane>,
    /// Lanes by the time of what they do next.
    next: BinaryHeap<Reverse<(u64, u64)>>,
    exchanges: u64,
    seed: u64,
    truth: HashMap<ExchangeId, ExchangeId>,
}

/// One request after the other.
#[derive(Clone, Copy)]
struct Lane {
    stage: u8,
    request: ExchangeId,
    call: ExchangeId,
}

impl Load {
    fn new(kind: Kind, in_flight: u64) -> Self {
        let lane = Lane {
            stage: 0,
            request: ExchangeId(0),
            call: ExchangeId(0),
        };
        Self {
            kind,
            lanes: vec![lane; in_flight as usize],
            next: (0..in_flight)
                .map(|n| Reverse((1000 * US + n * 20 * US, n)))
                .collect(),
            exchanges: 0,
            seed: 1,
            truth: HashMap::new(),
        }
    }

    fn fill(&mut self, acts: &mut Vec<(Timestamp, Act)>) {
        while acts.len() < CHUNK {
            let Some(Reverse((time, lane))) = self.next.pop() else {
                return;
            };
            let pause = self.step(lane, time, acts);
            self.next.push(Reverse((time + pause, lane)));
        }
    }

    /// The next thing a lane does; gives the time until the one after it.
    fn step(&mut self, number: u64, time: u64, acts: &mut Vec<(Timestamp, Act)>) -> u64 {
        let mut lane = self.lanes[number as usize];
        let stage = lane.stage;
        lane.stage = (stage + 1) % 6;
        let pause = match stage {
            0 => {
                lane.request = self.start(number, time, Role::Server, 1, acts);
                100 * US + self.noise(100 * US)
            }
            1 | 3 => {
                lane.call = self.start(number, time, Role::Client, u64::from(stage), acts);
                self.truth.insert(lane.call, lane.request);
                1000 * US + self.noise(4000 * US)
            }
            2 | 4 => {
                self.end(number, time, lane.call, acts);
                80 * US + self.noise(80 * US)
            }
            _ => {
                self.end(number, time, lane.request, acts);
                50 * US + self.noise(1000 * US)
            }
        };
        self.lanes[number as usize] = lane;
        pause
    }

    fn start(
        &mut self,
        lane: u64,
        time: u64,
        role: Role,
        route: u64,
        acts: &mut Vec<(Timestamp, Act)>,
    ) -> ExchangeId {
        self.exchanges += 1;
        let exchange = ExchangeId(self.exchanges);
        let request = match role {
            Role::Server => exchange,
            Role::Client => self.lanes[lane as usize].request,
        };
        let trace = TraceId(u128::from(request.0).to_le_bytes());
        let act = Act::Started {
            exchange,
            role,
            socket: SocketId(self.exchanges),
            at: self.moment(lane, time),
            features: Features {
                pid: 1,
                route,
                callee: route,
                trace_id: (self.kind == Kind::Explicit).then_some(trace),
                ..Features::default()
            },
        };
        acts.push((Timestamp(time), act));
        exchange
    }

    fn end(&self, lane: u64, time: u64, exchange: ExchangeId, acts: &mut Vec<(Timestamp, Act)>) {
        let at = self.moment(lane, time);
        acts.push((Timestamp(time), Act::Answering { exchange, at }));
        acts.push((Timestamp(time), Act::Ended { exchange, at }));
    }

    fn moment(&self, lane: u64, time: u64) -> Moment {
        let tid = match self.kind {
            Kind::Thread => 100 + lane as u32,
            Kind::Loop => 100,
            Kind::Explicit | Kind::Timing => 0,
        };
        Moment {
            time: Timestamp(time),
            task: Task {
                pid: 1,
                tid,
                ..Task::default()
            },
        }
    }

    /// A number that looks random, below `limit`; the same in every run.
    fn noise(&mut self, limit: u64) -> u64 {
        self.seed = self
            .seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.seed >> 33) % limit
    }
}

/// How long this process has been on a processor: unlike a clock on the wall
/// it does not count what others do to the machine.
fn on_processor() -> Duration {
    let schedule = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let spent = schedule.split_whitespace().next();
    Duration::from_nanos(spent.and_then(|ns| ns.parse().ok()).unwrap_or_default())
}

/// Resident memory of this process in MiB; 0 where it is not told.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kib.unwrap_or_default() / 1024.0
}
