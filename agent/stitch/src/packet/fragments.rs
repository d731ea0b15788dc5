//! Puts the fragments of IP packets together.
//!
//! In: the parts, in any order. Out: the whole, when the last part came. Of
//! bytes that come twice the first count. A part of which the capture cut off
//! some is as good as none.

use std::net::IpAddr;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use etherparse::IpNumber;
use hashlink::LinkedHashMap;

use super::ip::{Fragment, Ip};
use crate::time::Timestamp;

/// The packets of which parts are there.
#[derive(Debug, Default)]
pub(super) struct Fragments {
    /// The one that began first first.
    packets: LinkedHashMap<Key, Parts>,
    /// Parts that never became a whole.
    pub(super) dropped: u64,
}

/// RFC 791 section 3.2, RFC 8200 section 4.5.
type Key = (IpAddr, IpAddr, IpNumber, u32);

#[derive(Debug)]
struct Parts {
    since: Timestamp,
    there: Vec<(usize, Bytes)>,
    /// Length of the whole, once the last part came.
    length: Option<usize>,
}

/// Packets to be put together at the same time; an attacker's can be many.
const PACKETS: usize = 256;
/// Parts of a packet: the smallest ones have 8 bytes, those in use 500.
const PARTS: usize = 256;
/// RFC 8200 section 4.5: after so long they are given up.
const PATIENCE: Duration = Duration::from_mins(1);

impl Fragments {
    /// Takes a part; the whole packet if it was the last one missing.
    pub(super) fn take(&mut self, ip: &Ip, fragment: Fragment, time: Timestamp) -> Option<Ip> {
        self.forget_the_old(time);
        if ip.payload.len() < ip.length {
            self.dropped += 1;
            return None;
        }
        let key = (
            ip.source,
            ip.destination,
            ip.protocol,
            fragment.identification,
        );
        if self.packets.len() >= PACKETS && !self.packets.contains_key(&key) {
            self.drop_oldest();
        }
        let parts = self.packets.entry(key).or_insert_with(|| Parts {
            since: time,
            there: Vec::new(),
            length: None,
        });
        if !parts.add(fragment, &ip.payload.slice(..ip.length)) {
            self.dropped += 1;
            return None;
        }
        let payload = parts.whole()?;
        self.packets.remove(&key);
        Some(Ip {
            length: payload.len(),
            payload,
            fragment: None,
            ..*ip
        })
    }

    fn forget_the_old(&mut self, now: Timestamp) {
        while self
            .packets
            .front()
            .is_some_and(|(_, parts)| now.since(parts.since) > PATIENCE)
        {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        if let Some((_, parts)) = self.packets.pop_front() {
            self.dropped += parts.there.len() as u64;
        }
    }
}

impl Parts {
    /// Adds a part, unless some of it is there.
    fn add(&mut self, fragment: Fragment, payload: &[u8]) -> bool {
        let (start, end) = (fragment.offset, fragment.offset + payload.len());
        let overlaps = self
            .there
            .iter()
            .any(|(other, bytes)| start < other + bytes.len() && *other < end);
        let beyond = self.length.is_some_and(|length| end > length);
        if overlaps || beyond || payload.is_empty() || self.there.len() >= PARTS {
            return false;
        }
        if !fragment.more {
            self.length = Some(end);
        }
        // A slice would keep all of the read buffer alive.
        self.there.push((start, Bytes::copy_from_slice(payload)));
        true
    }

    fn whole(&mut self) -> Option<Bytes> {
        let length = self.length?;
        let there: usize = self.there.iter().map(|(_, bytes)| bytes.len()).sum();
        if there != length {
            return None;
        }
        self.there.sort_unstable_by_key(|(start, _)| *start);
        let mut whole = BytesMut::with_capacity(length);
        for (_, bytes) in &self.there {
            whole.extend_from_slice(bytes);
        }
        Some(whole.freeze())
    }
}
