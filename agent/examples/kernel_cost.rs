//! What the kernel side costs: `kernel_cost [--empty] [SECONDS] [PORT]…`, as root.
//!
//! Loads it, reads what it tells for so long, and prints the time that loading
//! took, the runs of each program and their time, and the losses. With `--empty`
//! the programs on sockets return at once, and runs are not counted: for others
//! to measure what is left.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use wirespan::probe::{Capture, Config, Filter};
use wirespan_stitch::event::Event;
use wirespan_stitch::event::decode::Decoded;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1).peekable();
    let empty = arguments.next_if(|word| word == "--empty").is_some();
    let seconds = arguments.next().map_or(Ok(5), |word| word.parse())?;
    let ports: BTreeSet<u16> = arguments
        .map(|word| word.parse())
        .collect::<Result<_, _>>()?;
    let filter = Filter {
        ports,
        ..Filter::default()
    };
    let mut config = Config {
        filter,
        empty,
        ..Config::default()
    };
    if let Ok(bytes) = std::env::var("RING_BYTES") {
        config.ring_bytes = bytes.parse()?;
    }
    let before = (Instant::now(), processor_time()?);
    let mut capture = Capture::load(&config)?;
    println!(
        "loaded in {:.0} ms, {:.0} ms of them on a processor",
        before.0.elapsed().as_secs_f64() * 1e3,
        (processor_time()? - before.1) * 1e3
    );
    let _counting = if empty {
        None
    } else {
        Some(capture.count_runs()?)
    };
    let end = Instant::now() + Duration::from_secs(seconds);
    let (mut events, mut bytes) = (0u64, 0);
    while Instant::now() < end {
        let drained = capture.drain(|decoded| {
            if let Decoded::Event(Event::Data(data)) = decoded {
                events += 1;
                bytes += data.payload.len();
            }
        });
        if drained.taken == 0 {
            capture.wait(Duration::from_millis(100))?;
        }
    }
    for program in capture.statistics()? {
        let each = program.nanoseconds.checked_div(program.runs).unwrap_or(0);
        let (name, runs, misses) = (program.name, program.runs, program.misses);
        println!("{name:20} {runs:9} runs, {each:6} ns each, {misses} misses");
    }
    println!(
        "{events} events, {bytes} bytes of payload, {:?}",
        capture.losses()
    );
    Ok(())
}

/// Seconds on a processor, of this process.
fn processor_time() -> anyhow::Result<f64> {
    let schedule = std::fs::read_to_string("/proc/self/schedstat")?;
    let nanoseconds = schedule
        .split(' ')
        .next()
        .unwrap_or_default()
        .parse::<f64>()?;
    Ok(nanoseconds / 1e9)
}
