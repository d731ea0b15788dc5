//! Waiting for something to become true, never for ever.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

const PAUSE: Duration = Duration::from_millis(10);

/// Asks `look` every 10 ms until it finds something.
///
/// Fails with `what` after `limit`, or as soon as `look` itself fails.
pub fn until<T>(
    limit: Duration,
    what: &str,
    mut look: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let start = Instant::now();
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        if start.elapsed() >= limit {
            bail!("not within {limit:?}: {what}");
        }
        std::thread::sleep(PAUSE);
    }
}
