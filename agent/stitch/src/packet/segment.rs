//! One packet in, the TCP segment in it out: addresses, sequence numbers,
//! flags, and the bytes it carried, as a slice of the packet.
//!
//! Checksums are not looked at: the sending host's network card fills them in
//! after the packet was captured.

use std::net::{IpAddr, SocketAddr};

use bytes::{Buf, Bytes};
use etherparse::{LaxIpSlice, TcpHeaderSlice, TcpOptionElement, ip_number};

use super::link::{self, LinkType, NoIp};

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

/// The longest segment believed. Linux hands the network card at most 512 KiB
/// in one (BIG TCP).
const LENGTH_MAX: usize = 1 << 20;

impl Segment {
    /// `original`: the packet's length on the wire.
    pub(super) fn decode(
        link: LinkType,
        frame: &Bytes,
        original: usize,
    ) -> Result<Self, Undecoded> {
        let ip_offset = link::ip_offset(link, frame)?;
        let packet = frame.get(ip_offset..).unwrap_or_default();
        let cut = frame.len() < original;
        let (ip, stopped) = LaxIpSlice::from_slice(packet).map_err(|_| bad(cut))?;
        let transport = ip.payload();
        if transport.fragmented {
            return Err(Undecoded::Fragment);
        }
        if stopped.is_some() {
            return Err(bad(cut || transport.incomplete));
        }
        if transport.ip_number != ip_number::TCP {
            return Err(Undecoded::NotTcp);
        }
        let headers = transport.payload.as_ptr().addr() - packet.as_ptr().addr();
        let length = ip_length(&ip)
            .unwrap_or_else(|| original.max(frame.len()) - ip_offset)
            .checked_sub(headers)
            .filter(|length| *length <= LENGTH_MAX)
            .ok_or(Undecoded::Malformed)?;
        let addresses = (ip.source_addr(), ip.destination_addr());
        Self::from_tcp(frame.slice_ref(transport.payload), length, addresses)
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

/// Length of the IP packet with its header, as it says itself. `None` if it
/// says 0, as packets do that the network card was to split (TSO).
fn ip_length(ip: &LaxIpSlice<'_>) -> Option<usize> {
    let (header, rest) = match ip {
        LaxIpSlice::Ipv4(ip) => (0, ip.header().total_len()),
        LaxIpSlice::Ipv6(ip) => (40, ip.header().payload_length()),
    };
    (rest != 0).then(|| header + usize::from(rest))
}

fn window_scale(tcp: &[u8]) -> Option<u8> {
    let header = TcpHeaderSlice::from_slice(tcp).ok()?;
    header.options_iterator().find_map(|option| match option {
        Ok(TcpOptionElement::WindowScale(shift)) => Some(shift),
        _ => None,
    })
}
