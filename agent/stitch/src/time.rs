//! The two clocks an engine knows: the kernel's monotonic one, on which events
//! are ordered, and wall-clock time, which spans carry.

use std::ops::{Add, Sub};
use std::time::Duration;

/// Nanoseconds on the kernel's `CLOCK_MONOTONIC` (packet captures: since the
/// Unix epoch). Never compared with the clock of another machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub u64);

/// Nanoseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WallTime(pub u64);

impl Timestamp {
    /// The time from `earlier` to `self`; zero if `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    /// Saturates at the end of time, some 584 years after boot.
    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(nanos(duration)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;

    /// Saturates at zero.
    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(nanos(duration)))
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// How the two clocks stand to each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clock {
    /// A moment on the events' clock.
    pub time: Timestamp,
    /// The same moment in wall-clock time.
    pub wall: WallTime,
}

impl Clock {
    /// `time` in wall-clock time.
    pub fn wall(&self, time: Timestamp) -> WallTime {
        WallTime(self.wall.0.wrapping_add(time.0.wrapping_sub(self.time.0)))
    }
}
