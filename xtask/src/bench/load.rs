//! `wrk` as fast as it goes, for a fixed time.

use anyhow::{Context, Result, ensure};

use crate::run;

/// What one run of `wrk` came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rate {
    /// Requests answered.
    pub(super) requests: f64,
    /// Requests answered a second.
    pub(super) per_second: f64,
}

/// Runs `wrk` against a port on loopback. Fails if any answer is not a 2xx or
/// 3xx, or a connection breaks.
pub(super) fn saturate(port: u16, connections: u32, seconds: u64) -> Result<Rate> {
    let mut wrk = run::command("wrk", &["-t1"]);
    wrk.arg(format!("-c{connections}"))
        .arg(format!("-d{seconds}s"))
        .arg(format!("http://127.0.0.1:{port}/"));
    parse(&run::read(&mut wrk)?)
}

fn parse(output: &str) -> Result<Rate> {
    for trouble in ["Non-2xx", "Socket errors"] {
        ensure!(!output.contains(trouble), "wrk wrote:\n{output}");
    }
    let number = |line: &str| line.split_whitespace().next()?.parse().ok();
    let requests = output.lines().find(|line| line.contains(" requests in "));
    let per_second = output
        .lines()
        .find_map(|line| line.trim().strip_prefix("Requests/sec:"));
    Ok(Rate {
        requests: requests
            .and_then(number)
            .with_context(|| format!("wrk wrote:\n{output}"))?,
        per_second: per_second
            .and_then(number)
            .with_context(|| format!("wrk wrote:\n{output}"))?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "Running 1s test @ http://127.0.0.1:8080/\n  \
        61234 requests in 1.00s, 9.99MB read\nRequests/sec:  61000.50\n";

    #[test]
    fn the_rate_is_read() {
        let expected = Rate {
            requests: 61234.0,
            per_second: 61000.5,
        };
        assert_eq!(parse(OUTPUT).unwrap(), expected);
    }

    #[test]
    fn errors_are_not_a_rate() {
        let output = format!("{OUTPUT}  Socket errors: connect 0, read 3, write 0, timeout 0\n");
        assert!(parse(&output).is_err());
    }
}
