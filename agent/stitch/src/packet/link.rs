//! Link layers: a frame in, the place of the IP packet in it out.
//!
//! What a crate would add over these few fixed offsets is checks that reject
//! frames whose IP packet can be found all the same.

/// The kind of a frame's first header: a `LINKTYPE_` value of
/// <https://www.tcpdump.org/linktypes.html>.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkType(pub u16);

impl LinkType {
    /// BSD loopback; the address family in the byte order of the capturing host.
    pub const NULL: Self = Self(0);
    /// Ethernet.
    pub const ETHERNET: Self = Self(1);
    /// IP without a link header, as OpenBSD numbers it.
    pub const RAW_OPENBSD: Self = Self(14);
    /// IP without a link header, as other systems' `DLT_RAW` is numbered.
    pub const RAW_BSD: Self = Self(12);
    /// IP without a link header.
    pub const RAW: Self = Self(101);
    /// OpenBSD loopback; the address family in network byte order.
    pub const LOOP: Self = Self(108);
    /// Linux "cooked" capture.
    pub const LINUX_SLL: Self = Self(113);
    /// IPv4 without a link header.
    pub const IPV4: Self = Self(228);
    /// IPv6 without a link header.
    pub const IPV6: Self = Self(229);
    /// Linux "cooked" capture, version 2.
    pub const LINUX_SLL2: Self = Self(276);
}

/// Why there is no IP packet to be had from a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoIp {
    UnknownLink,
    NotIp,
    Cut,
}

/// Offset of the IP header in `frame`.
pub(super) fn ip_offset(link: LinkType, frame: &[u8]) -> Result<usize, NoIp> {
    match link {
        LinkType::ETHERNET => behind_ethertype(frame, 12, 14),
        LinkType::LINUX_SLL => behind_ethertype(frame, 14, 16),
        LinkType::LINUX_SLL2 => behind_ethertype(frame, 0, 20),
        LinkType::NULL | LinkType::LOOP => behind_family(frame),
        LinkType::RAW
        | LinkType::RAW_BSD
        | LinkType::RAW_OPENBSD
        | LinkType::IPV4
        | LinkType::IPV6 => Ok(0),
        _ => Err(NoIp::UnknownLink),
    }
}

const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86dd;
/// IEEE 802.1Q, 802.1ad, and what `QinQ` was before that.
const ETHERTYPE_VLAN: [u16; 3] = [0x8100, 0x88a8, 0x9100];
/// IEEE 802.3: values below are lengths.
const ETHERTYPE_MIN: u16 = 0x0600;
/// LLC for SNAP with an Ethernet type (RFC 1042).
const SNAP: [u8; 6] = [0xaa, 0xaa, 3, 0, 0, 0];
const VLAN_TAGS_MAX: usize = 4;

/// The type stands at `place`, what it tells of begins at `payload`.
fn behind_ethertype(frame: &[u8], place: usize, payload: usize) -> Result<usize, NoIp> {
    let (mut place, mut payload) = (place, payload);
    for _ in 0..=VLAN_TAGS_MAX {
        match be16(frame, place)? {
            ETHERTYPE_IPV4 | ETHERTYPE_IPV6 => return Ok(payload),
            tag if ETHERTYPE_VLAN.contains(&tag) => {
                place = payload + 2;
                payload += 4;
            }
            length if length < ETHERTYPE_MIN => {
                if frame.get(payload..payload + SNAP.len()) != Some(&SNAP) {
                    return Err(NoIp::NotIp);
                }
                place = payload + 6;
                payload += 8;
            }
            _ => return Err(NoIp::NotIp),
        }
    }
    Err(NoIp::NotIp)
}

/// `AF_INET` is 2 everywhere; `AF_INET6` is 10, 24, 28 or 30. Captures of
/// either byte order are about, whatever the link type says.
fn behind_family(frame: &[u8]) -> Result<usize, NoIp> {
    let bytes = *frame.first_chunk::<4>().ok_or(NoIp::Cut)?;
    let family = u32::from_be_bytes(bytes).min(u32::from_le_bytes(bytes));
    match family {
        2 | 10 | 24 | 28 | 30 => Ok(4),
        _ => Err(NoIp::NotIp),
    }
}

fn be16(frame: &[u8], place: usize) -> Result<u16, NoIp> {
    let bytes = frame.get(place..).and_then(<[u8]>::first_chunk::<2>);
    bytes
        .map(|bytes| u16::from_be_bytes(*bytes))
        .ok_or(NoIp::Cut)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(parts: &[&[u8]]) -> Vec<u8> {
        parts.concat()
    }

    #[test]
    fn every_link_layer_leads_to_its_ip_packet() {
        let macs = [0u8; 12];
        let zeros = [0u8; 14];
        let ip = [0x45u8, 0];
        let cases: [(LinkType, Vec<u8>, usize); 13] = [
            (LinkType::ETHERNET, frame(&[&macs, &[8, 0], &ip]), 14),
            (LinkType::ETHERNET, frame(&[&macs, &[0x86, 0xdd], &ip]), 14),
            (
                LinkType::ETHERNET,
                frame(&[&macs, &[0x81, 0, 0, 7, 8, 0], &ip]),
                18,
            ),
            (
                LinkType::ETHERNET,
                frame(&[&macs, &[0x88, 0xa8, 0, 7, 0x81, 0, 0, 9, 0x86, 0xdd], &ip]),
                22,
            ),
            (
                LinkType::ETHERNET,
                frame(&[&macs, &[0, 60], &SNAP, &[8, 0], &ip]),
                22,
            ),
            (LinkType::LINUX_SLL, frame(&[&zeros, &[8, 0], &ip]), 16),
            (
                LinkType::LINUX_SLL,
                frame(&[&zeros, &[0x81, 0, 0, 7, 8, 0], &ip]),
                20,
            ),
            (
                LinkType::LINUX_SLL2,
                frame(&[&[0x86, 0xdd], &[0; 18], &ip]),
                20,
            ),
            (LinkType::NULL, frame(&[&[2, 0, 0, 0], &ip]), 4),
            (LinkType::NULL, frame(&[&[0, 0, 0, 30], &ip]), 4),
            (LinkType::LOOP, frame(&[&[0, 0, 0, 24], &ip]), 4),
            (LinkType::RAW, frame(&[&ip]), 0),
            (LinkType::RAW_BSD, frame(&[&ip]), 0),
        ];
        for (link, frame, offset) in cases {
            assert_eq!(ip_offset(link, &frame), Ok(offset), "{link:?} {frame:02x?}");
        }
    }

    #[test]
    fn what_is_not_ip_is_told_apart_from_what_is_cut() {
        let arp = frame(&[&[0; 12], &[8, 6], &[0; 28]]);
        assert_eq!(ip_offset(LinkType::ETHERNET, &arp), Err(NoIp::NotIp));
        assert_eq!(ip_offset(LinkType::ETHERNET, &arp[..13]), Err(NoIp::Cut));
        let tags = frame(&[&[0; 12], &[0x81, 0, 0, 7].repeat(9)]);
        assert_eq!(ip_offset(LinkType::ETHERNET, &tags), Err(NoIp::NotIp));
        assert_eq!(ip_offset(LinkType(147), &arp), Err(NoIp::UnknownLink));
        assert_eq!(ip_offset(LinkType::NULL, &[7, 0, 0, 0]), Err(NoIp::NotIp));
    }
}
