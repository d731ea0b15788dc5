//! One packet in, the TCP segment in it out: addresses, sequence numbers,
//! flags, and the bytes it carried, as a slice of the packet.
//!
//! Checksums are not looked at: the sending host's network card fills them in
//! after the packet was captured.

use std::net::{IpAddr, SocketAddr};

use bytes::{Buf, Bytes};
use etherparse::{TcpHeaderSlice, TcpOptionElement, ip_number};

use super::fragments::Fragments;
use super::ip::Ip;
use super::link::{self, LinkType, NoIp};
use super::tunnel;
use crate::time::Timestamp;

/// A TCP segment (RFC 9293 section 3.1).
#[derive(Clone, Debug)]
pub(super) struct Segment {
    pub source: SocketAddr,
    pub destination: SocketAddr,
    pub sequence: u32,
    /// The acknowledgment number, if the ACK flag is set.
    pub acknowledgment: Option<u32>,
    pub syn: bool,
    pub fin: bool,
    pub rst: bool,
    pub window: u16,
    /// The window scale option (RFC 7323 section 2); only a SYN has one.
    pub window_scale: Option<u8>,
    /// How many bytes it carried.
    pub length: u64,
    /// The first of them, as far as captured.
    pub payload: Bytes,
}

/// Why a packet holds no TCP segment that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Undecoded {
    UnknownLink,
    NotIp,
    NotTcp,
    Fragment,
    HeadersCut,
    Malformed,
}

impl From<NoIp> for Undecoded {
    fn from(reason: NoIp) -> Self {
        match reason {
            NoIp::UnknownLink => Self::UnknownLink,
            NoIp::NotIp => Self::NotIp,
            NoIp::Cut => Self::HeadersCut,
        }
    }
}

/// IP packets in each other; more is no honest tunnel.
const TUNNELS_MAX: usize = 8;

impl Segment {
    /// `original`: the frame's length on the wire. Its IP packet may be a part of
    /// one only, and have others inside.
    pub(super) fn decode(
        link: LinkType,
        frame: &Bytes,
        original: usize,
        time: Timestamp,
        fragments: &mut Fragments,
    ) -> Result<Self, Undecoded> {
        let ip_offset = link::ip_offset(link, frame)?;
        let mut packet = frame.slice(ip_offset.min(frame.len())..);
        let mut original = original.saturating_sub(ip_offset);
        for _ in 0..TUNNELS_MAX {
            let mut ip = Ip::decode(&packet, original)?;
            if let Some(fragment) = ip.fragment {
                ip = fragments
                    .take(&ip, fragment, time)
                    .ok_or(Undecoded::Fragment)?;
            }
            if ip.protocol == ip_number::TCP {
                return Self::from_tcp(ip.payload, ip.length, (ip.source, ip.destination));
            }
            let inner = tunnel::inside(ip.protocol, &ip.payload).ok_or(Undecoded::NotTcp)?;
            packet = ip.payload.slice(inner.min(ip.payload.len())..);
            original = ip.length.saturating_sub(inner);
        }
        Err(Undecoded::NotTcp)
    }

    /// `tcp`: the segment with its header, as far as captured; `length`: of all
    /// of it. The fixed part of the header is enough: options may be cut off.
    fn from_tcp(
        mut tcp: Bytes,
        length: usize,
        (source, destination): (IpAddr, IpAddr),
    ) -> Result<Self, Undecoded> {
        let fixed: [u8; 20] = *tcp.first_chunk().ok_or(bad(tcp.len() < length))?;
        let header_length = usize::from(fixed[12] >> 4) * 4;
        if header_length < fixed.len() || header_length > length {
            return Err(Undecoded::Malformed);
        }
        let be16 = |at: usize| u16::from_be_bytes([fixed[at], fixed[at + 1]]);
        let be32 = |at: usize| u32::from(be16(at)) << 16 | u32::from(be16(at + 2));
        let flag = |bit: u8| fixed[13] & bit != 0;
        let window_scale = if flag(2) { window_scale(&tcp) } else { None };
        tcp.advance(header_length.min(tcp.len()));
        Ok(Self {
            source: SocketAddr::new(source, be16(0)),
            destination: SocketAddr::new(destination, be16(2)),
            sequence: be32(4),
            acknowledgment: flag(0x10).then(|| be32(8)),
            fin: flag(1),
            syn: flag(2),
            rst: flag(4),
            window: be16(14),
            window_scale,
            length: (length - header_length) as u64,
            payload: tcp,
        })
    }
}

fn bad(cut: bool) -> Undecoded {
    if cut {
        Undecoded::HeadersCut
    } else {
        Undecoded::Malformed
    }
}

fn window_scale(tcp: &[u8]) -> Option<u8> {
    let header = TcpHeaderSlice::from_slice(tcp).ok()?;
    header.options_iterator().find_map(|option| match option {
        Ok(TcpOptionElement::WindowScale(shift)) => Some(shift),
        _ => None,
    })
}
