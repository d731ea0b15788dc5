//! One IP packet: its addresses, and what it carries.

use std::net::{IpAddr, Ipv6Addr};

use bytes::Bytes;
use etherparse::{IpNumber, LaxIpSlice, LaxIpv6Slice, ip_number};

use super::extension::{Extension, extensions};
use super::segment::Undecoded;

/// An IP packet (RFC 791, RFC 8200).
#[derive(Clone, Debug)]
pub(super) struct Ip {
    pub source: IpAddr,
    pub destination: IpAddr,
    /// What the payload is.
    pub protocol: IpNumber,
    /// What it carries, as far as captured.
    pub payload: Bytes,
    /// How much it carries.
    pub length: usize,
    /// It is a part of a packet only.
    pub fragment: Option<Fragment>,
}

/// Which part of a packet (RFC 791 section 3.2, RFC 8200 section 4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fragment {
    pub identification: u32,
    /// Where its payload begins in the packet's.
    pub offset: usize,
    /// It is not the last one.
    pub more: bool,
}

/// The longest packet believed. Linux hands the network card at most 512 KiB in
/// one (BIG TCP).
const LENGTH_MAX: usize = 1 << 20;

impl Ip {
    /// `packet`: from the IP header on; `original`: its length on the wire, with
    /// all that follows it in the frame.
    pub(super) fn decode(packet: &Bytes, original: usize) -> Result<Self, Undecoded> {
        let cut = packet.len() < original;
        let bad = |cut| {
            if cut {
                Undecoded::HeadersCut
            } else {
                Undecoded::Malformed
            }
        };
        let (ip, stopped) = LaxIpSlice::from_slice(packet).map_err(|_| bad(cut))?;
        let inner = ip.payload();
        if stopped.is_some() && !inner.fragmented {
            return Err(bad(cut || inner.incomplete));
        }
        let headers = inner.payload.as_ptr().addr() - packet.as_ptr().addr();
        let before = &packet[..headers];
        let length = length(&ip)
            .unwrap_or_else(|| original.max(packet.len()))
            .checked_sub(headers)
            .filter(|length| *length <= LENGTH_MAX)
            .ok_or(Undecoded::Malformed)?;
        Ok(Self {
            source: ip.source_addr(),
            destination: destination(&ip, before),
            protocol: inner.ip_number,
            payload: packet.slice_ref(inner.payload),
            length,
            fragment: inner.fragmented.then(|| fragment(&ip, before)).flatten(),
        })
    }
}

/// Length of the packet with its header, as it says itself. `None` if it says
/// 0, as packets do that the network card was to split (TSO).
fn length(ip: &LaxIpSlice<'_>) -> Option<usize> {
    let (header, rest) = match ip {
        LaxIpSlice::Ipv4(ip) => (0, ip.header().total_len()),
        LaxIpSlice::Ipv6(ip) => (40, ip.header().payload_length()),
    };
    (rest != 0).then(|| header + usize::from(rest))
}

/// Where it goes to in the end. On the way, a routing header has that address,
/// and the header proper has the next stop's.
fn destination(ip: &LaxIpSlice<'_>, headers: &[u8]) -> IpAddr {
    match ip {
        LaxIpSlice::Ipv4(_) => ip.destination_addr(),
        LaxIpSlice::Ipv6(v6) => {
            last_stop(v6, headers).map_or_else(|| ip.destination_addr(), Into::into)
        }
    }
}

/// RFC 8754 section 2: segments are listed from the last one.
const SEGMENT_ROUTING: u8 = 4;
/// RFC 6275 section 6.4.
const HOME_ADDRESS: u8 = 2;

fn last_stop(ip: &LaxIpv6Slice<'_>, headers: &[u8]) -> Option<Ipv6Addr> {
    let is_routing = |extension: &Extension<'_>| extension.kind == ip_number::IPV6_ROUTE;
    let routing = of_v6(ip, headers).filter(is_routing).last()?;
    let &[_, _, kind, left, _, _, _, _, ref addresses @ ..] = routing.bytes else {
        return None;
    };
    if left == 0 || !matches!(kind, SEGMENT_ROUTING | HOME_ADDRESS) {
        return None;
    }
    addresses
        .first_chunk::<16>()
        .map(|address| Ipv6Addr::from(*address))
}

/// The extension headers, of all headers.
fn of_v6<'a>(ip: &LaxIpv6Slice<'_>, headers: &'a [u8]) -> impl Iterator<Item = Extension<'a>> {
    let after = headers.get(ip.header().slice().len()..).unwrap_or_default();
    extensions(ip.header().next_header(), after)
}

fn fragment(ip: &LaxIpSlice<'_>, headers: &[u8]) -> Option<Fragment> {
    match ip {
        LaxIpSlice::Ipv4(ip) => {
            let header = ip.header();
            Some(Fragment {
                identification: header.identification().into(),
                offset: header.fragments_offset().byte_offset().into(),
                more: header.more_fragments(),
            })
        }
        LaxIpSlice::Ipv6(ip) => {
            let is_fragment = |extension: &Extension<'_>| extension.kind == ip_number::IPV6_FRAG;
            let header = of_v6(ip, headers).find(is_fragment)?;
            let &[_, _, high, low, a, b, c, d] = header.bytes else {
                return None;
            };
            Some(Fragment {
                identification: u32::from_be_bytes([a, b, c, d]),
                // In units of 8 bytes, with three bits below.
                offset: usize::from(u16::from_be_bytes([high, low]) & !7),
                more: low & 1 == 1,
            })
        }
    }
}
