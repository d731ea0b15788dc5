//! Which failures are worth another attempt, and when
//! (<https://opentelemetry.io/docs/specs/otlp/#failures>).

use std::error::Error as _;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use prost::Message;
use tonic::{Code, Status};

/// The first pause; each next one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// The longest pause that is ours to choose.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The type of the detail by which a server says when to try again.
const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";

/// Whether to send again after `status`, and when: `None` if not.
/// `attempt` counts from 0.
pub(super) fn pause(status: &Status, attempt: u32) -> Option<Duration> {
    let asked = asked_pause(status);
    let retryable = match status.code() {
        Code::Cancelled
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unavailable
        | Code::DataLoss => true,
        // Not the server's word, but that of a connection that broke.
        Code::Unknown => status.source().is_some(),
        // Without a time to come back, what was sent is too much for good.
        Code::ResourceExhausted => asked.is_some(),
        _ => false,
    };
    retryable.then(|| asked.unwrap_or_else(|| backoff(attempt)))
}

/// Somewhere between half the pause and all of it, so that agents which lost
/// the same collector do not come back all at once.
fn backoff(attempt: u32) -> Duration {
    let pause = FIRST_PAUSE
        .saturating_mul(2_u32.saturating_pow(attempt))
        .min(LONGEST_PAUSE);
    let random = RandomState::new().hash_one(attempt) as u32;
    pause / 2 + (pause / 2).mul_f64(f64::from(random) / f64::from(u32::MAX))
}

/// The pause that the server asks for.
fn asked_pause(status: &Status) -> Option<Duration> {
    let details = RpcStatus::decode(status.details()).ok()?.details;
    let info = details
        .iter()
        .find(|detail| detail.type_url == RETRY_INFO)
        .and_then(|detail| RetryInfo::decode(detail.value.as_slice()).ok())?;
    let delay = info.retry_delay.unwrap_or_default();
    Some(Duration::new(
        u64::try_from(delay.seconds).ok()?,
        u32::try_from(delay.nanos)
            .ok()
            .filter(|nanos| *nanos < 1_000_000_000)?,
    ))
}

/// `google.rpc.Status`, as in `grpc-status-details-bin`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct RpcStatus {
    #[prost(int32, tag = "1")]
    pub(super) code: i32,
    #[prost(string, tag = "2")]
    pub(super) message: String,
    #[prost(message, repeated, tag = "3")]
    pub(super) details: Vec<Detail>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Detail {
    #[prost(string, tag = "1")]
    pub(super) type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    pub(super) value: Vec<u8>,
}

/// `google.rpc.RetryInfo`.
#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    pub(super) retry_delay: Option<Delay>,
}

/// `google.protobuf.Duration`.
#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct Delay {
    #[prost(int64, tag = "1")]
    pub(super) seconds: i64,
    #[prost(int32, tag = "2")]
    pub(super) nanos: i32,
}

#[cfg(test)]
pub(super) fn status_with_retry_info(code: Code, delay: Duration) -> Status {
    let info = RetryInfo {
        retry_delay: Some(Delay {
            seconds: delay.as_secs().cast_signed(),
            nanos: delay.subsec_nanos().cast_signed(),
        }),
    };
    let details = RpcStatus {
        code: code as i32,
        message: String::new(),
        details: vec![Detail {
            type_url: RETRY_INFO.to_owned(),
            value: info.encode_to_vec(),
        }],
    };
    Status::with_details(code, "busy", details.encode_to_vec().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_passing_failures_are_retried() {
        let retried = [
            Code::Cancelled,
            Code::DeadlineExceeded,
            Code::Aborted,
            Code::OutOfRange,
            Code::Unavailable,
            Code::DataLoss,
        ];
        for code in 1..=16 {
            let code = Code::from(code);
            let found = pause(&Status::new(code, ""), 0);
            assert_eq!(found.is_some(), retried.contains(&code), "{code:?}");
        }
    }

    #[test]
    fn a_broken_connection_is_a_passing_failure() {
        let broken = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        assert!(pause(&Status::from_error(Box::new(broken)), 0).is_some());
    }

    #[test]
    fn the_server_says_when() {
        let delay = Duration::from_millis(1250);
        for code in [Code::ResourceExhausted, Code::Unavailable] {
            assert_eq!(pause(&status_with_retry_info(code, delay), 9), Some(delay));
        }
        let refused = status_with_retry_info(Code::InvalidArgument, delay);
        assert_eq!(pause(&refused, 0), None);
    }

    #[test]
    fn pauses_grow_to_a_limit() {
        for attempt in 0..70 {
            let full = FIRST_PAUSE
                .saturating_mul(2_u32.saturating_pow(attempt))
                .min(LONGEST_PAUSE);
            let found = backoff(attempt);
            assert!(found >= full / 2 && found <= full, "{attempt}: {found:?}");
        }
    }
}
