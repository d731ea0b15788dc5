//! The clock that the kernel side stamps its records with, and how wall-clock
//! time stands to it.
#![expect(unsafe_code, reason = "clock_gettime is not known to Rust")]

use wirespan_stitch::event::Event;
use wirespan_stitch::time::{Timestamp, WallTime};

/// How often the clocks are compared; the closest of the readings counts.
const READINGS: usize = 5;

/// Now, on the clock of `bpf_ktime_get_ns`.
pub fn now() -> Timestamp {
    Timestamp(read(libc::CLOCK_MONOTONIC))
}

/// How the clocks stand to each other.
pub fn clock() -> Event {
    let (time, wall) = read_clocks();
    Event::Clock { time, wall }
}

/// Both clocks at one moment, to within the time that reading them takes.
pub(crate) fn read_clocks() -> (Timestamp, WallTime) {
    let reading = (0..READINGS)
        .map(|_| {
            let before = read(libc::CLOCK_MONOTONIC);
            let wall = read(libc::CLOCK_REALTIME);
            let apart = read(libc::CLOCK_MONOTONIC).saturating_sub(before);
            (apart, before + apart / 2, wall)
        })
        .min();
    let (_, time, wall) = reading.unwrap_or_default();
    (Timestamp(time), WallTime(wall))
}

fn read(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is valid for writes. Neither clock can fail.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned()
}

#[cfg(test)]
mod tests {
    use std::time::{SystemTime, UNIX_EPOCH};

    use super::*;

    #[test]
    fn the_clocks_are_read_together() {
        let before = now();
        let Event::Clock { time, wall } = clock() else {
            panic!("not a clock")
        };
        assert!(before <= time && time <= now());
        let system = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_nanos();
        assert!(system.abs_diff(u128::from(wall.0)) < 1_000_000_000);
    }
}
