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
    /// PPP, perhaps in HDLC-like framing.
    pub const PPP: Self = Self(9);
    /// PPP in HDLC-like framing, or Cisco's HDLC.
    pub const PPP_SERIAL: Self = Self(50);
    /// PPP over Ethernet, from its own header on.
    pub const PPP_ETHER: Self = Self(51);
    /// Cisco's HDLC.
    pub const C_HDLC: Self = Self(104);
    /// FDDI.
    pub const FDDI: Self = Self(10);
    /// LLC over ATM (RFC 1483).
    pub const ATM_RFC1483: Self = Self(100);
    /// IEEE 802.11.
    pub const IEEE802_11: Self = Self(105);
    /// IEEE 802.11 behind a radiotap header.
    pub const RADIOTAP: Self = Self(127);
    /// IEEE 802.11 or Ethernet behind a PPI header.
    pub const PPI: Self = Self(192);
    /// OpenBSD's `enc`: `IPsec` without its encryption.
    pub const ENC: Self = Self(109);
    /// OpenBSD's `pflog`.
    pub const PFLOG: Self = Self(117);
    /// PPP behind a byte that tells its direction.
    pub const PPP_WITH_DIR: Self = Self(204);
    /// Linux netfilter's log.
    pub const NFLOG: Self = Self(239);
    /// Solaris' ipnet.
    pub const IPNET: Self = Self(226);
    /// Ethernet behind a netANALYZER header.
    pub const NETANALYZER: Self = Self(240);
    /// Apple's `pktap`.
    pub const PKTAP: Self = Self(258);
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
        LinkType::PPP | LinkType::PPP_SERIAL => match frame.first() {
            Some(0x0f | 0x8f) => behind_ethertype(frame, 2, 4), // Cisco's HDLC
            _ => behind_ppp(frame, 0),
        },
        LinkType::PPP_ETHER => behind_ppp(frame, PPPOE),
        LinkType::PPP_WITH_DIR => behind_ppp(frame, 1),
        LinkType::C_HDLC => behind_ethertype(frame, 2, 4),
        LinkType::IEEE802_11 => behind_wifi(frame, 0),
        LinkType::RADIOTAP => behind_wifi(frame, le16(frame, 2)?),
        LinkType::PPI => match le16(frame, 4)? {
            105 => behind_wifi(frame, le16(frame, 2)?),
            1 => behind_ethernet(frame, le16(frame, 2)?),
            _ => Err(NoIp::UnknownLink),
        },
        LinkType::ATM_RFC1483 => behind_llc(frame, 0),
        LinkType::FDDI => behind_llc(frame, 13),
        LinkType::NETANALYZER => behind_ethernet(frame, 4),
        LinkType::ENC => Ok(12),
        LinkType::IPNET => Ok(24),
        LinkType::PFLOG => frame.first().map_or(Err(NoIp::Cut), |length| {
            Ok(usize::from(*length).next_multiple_of(4))
        }),
        LinkType::PKTAP => behind_pktap(frame),
        LinkType::NFLOG => behind_nflog(frame),
        _ => Err(NoIp::UnknownLink),
    }
}

/// A whole Ethernet frame begins at `at`.
pub(super) fn behind_ethernet(frame: &[u8], at: usize) -> Result<usize, NoIp> {
    behind_ethertype(frame, at + 12, at + 14)
}

/// The type stands at `place`, what it tells of begins at `payload`.
pub(super) fn behind_ethertype(frame: &[u8], place: usize, payload: usize) -> Result<usize, NoIp> {
    let (mut place, mut payload) = (place, payload);
    for _ in 0..=TAGS_MAX {
        match be16(frame, place)? {
            ETHERTYPE_IPV4 | ETHERTYPE_IPV6 => return Ok(payload),
            ETHERTYPE_MPLS | ETHERTYPE_MPLS_MULTICAST => return behind_mpls(frame, payload),
            ETHERTYPE_PPPOE => return behind_ppp(frame, payload + PPPOE),
            ETHERTYPE_PPP => return behind_ppp(frame, payload),
            ETHERTYPE_ETHERNET => (place, payload) = (payload + 12, payload + 14),
            ETHERTYPE_BACKBONE => (place, payload) = (payload + 16, payload + 18),
            tag if ETHERTYPE_VLAN.contains(&tag) => (place, payload) = (payload + 2, payload + 4),
            length if length < ETHERTYPE_MIN && snap(frame, payload) => {
                (place, payload) = (payload + 6, payload + 8);
            }
            _ => return Err(NoIp::NotIp),
        }
    }
    Err(NoIp::NotIp)
}

/// PPP in any framing that leaves it in bytes (RFC 1661 section 2): with or
/// without address and control, protocol numbers in one byte or two.
pub(super) fn behind_ppp(frame: &[u8], at: usize) -> Result<usize, NoIp> {
    let at = match frame.get(at..at + 2) {
        Some([0xff, 3]) => at + 2,
        _ => at,
    };
    let (protocol, size) = match frame.get(at).ok_or(NoIp::Cut)? {
        short if short & 1 == 1 => (u16::from(*short), 1),
        _ => (be16(frame, at)?, 2),
    };
    match protocol {
        0x21 | 0x57 => Ok(at + size),
        0x281 => behind_mpls(frame, at + size),
        _ => Err(NoIp::NotIp),
    }
}

/// A stack of MPLS labels (RFC 3032); what follows says itself what it is
/// (RFC 4928 section 3), else it is taken for Ethernet.
pub(super) fn behind_mpls(frame: &[u8], at: usize) -> Result<usize, NoIp> {
    let mut at = at;
    for _ in 0..TAGS_MAX {
        let label = frame.get(at..at + 4).ok_or(NoIp::Cut)?;
        at += 4;
        if label[2] & 1 == 1 {
            return match frame.get(at).ok_or(NoIp::Cut)? >> 4 {
                4 | 6 => Ok(at),
                0 => behind_ethernet(frame, at + 4), // RFC 4448: a control word
                _ => behind_ethernet(frame, at),
            };
        }
    }
    Err(NoIp::NotIp)
}

const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86dd;
/// IEEE 802.1Q, 802.1ad, and what `QinQ` was before that.
const ETHERTYPE_VLAN: [u16; 3] = [0x8100, 0x88a8, 0x9100];
const ETHERTYPE_MPLS: u16 = 0x8847;
const ETHERTYPE_MPLS_MULTICAST: u16 = 0x8848;
/// RFC 2516: the session stage.
const ETHERTYPE_PPPOE: u16 = 0x8864;
const ETHERTYPE_PPP: u16 = 0x880b;
/// RFC 7637: "transparent Ethernet bridging".
const ETHERTYPE_ETHERNET: u16 = 0x6558;
/// IEEE 802.1ah: four bytes of tag, then Ethernet.
const ETHERTYPE_BACKBONE: u16 = 0x88e7;
/// IEEE 802.3: values below are lengths.
const ETHERTYPE_MIN: u16 = 0x0600;
/// LLC for SNAP with an Ethernet type (RFC 1042).
const SNAP: [u8; 6] = [0xaa, 0xaa, 3, 0, 0, 0];
/// Bytes of the header of PPP over Ethernet.
const PPPOE: usize = 6;
/// Linux knows fewer kinds of them.
const NFLOG_ATTRIBUTES_MAX: usize = 32;
/// Tags or labels behind each other.
const TAGS_MAX: usize = 8;

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

/// A frame of IEEE 802.11 (section 9.2) with data that is not encrypted.
fn behind_wifi(frame: &[u8], at: usize) -> Result<usize, NoIp> {
    let control = frame.get(at..at + 2).ok_or(NoIp::Cut)?;
    let (kind, subtype) = (control[0] >> 2 & 3, control[0] >> 4);
    let (no_data, encrypted) = (subtype & 4 != 0, control[1] & 0x40 != 0);
    if kind != 2 || no_data || encrypted {
        return Err(NoIp::NotIp);
    }
    let addresses = if control[1] & 3 == 3 { 30 } else { 24 };
    let quality = match (subtype & 8 != 0, control[1] & 0x80 != 0) {
        (true, true) => 6,
        (true, false) => 2,
        (false, _) => 0,
    };
    behind_llc(frame, at + addresses + quality)
}

fn behind_llc(frame: &[u8], at: usize) -> Result<usize, NoIp> {
    if snap(frame, at) {
        behind_ethertype(frame, at + 6, at + 8)
    } else {
        Err(NoIp::NotIp)
    }
}

/// Apple's header in front of another link layer, whose type it tells.
fn behind_pktap(frame: &[u8]) -> Result<usize, NoIp> {
    let (length, link) = (le16(frame, 0)?, le16(frame, 8)?);
    let link = match u16::try_from(link).map(LinkType) {
        Ok(LinkType::PKTAP) | Err(_) => return Err(NoIp::UnknownLink),
        Ok(link) => link,
    };
    let inner = frame.get(length..).ok_or(NoIp::Cut)?;
    Ok(length + ip_offset(link, inner)?)
}

/// A family, a version and a group, then attributes up to the packet itself. The
/// byte order is that of the capturing host.
fn behind_nflog(frame: &[u8]) -> Result<usize, NoIp> {
    const PAYLOAD: usize = 9;
    let mut at = 4;
    for _ in 0..NFLOG_ATTRIBUTES_MAX {
        let (length, kind) = (le16(frame, at)?, le16(frame, at + 2)?);
        let (length, kind) = match kind {
            256.. => (be16(frame, at)?.into(), kind >> 8),
            _ => (length, kind),
        };
        if kind == PAYLOAD {
            return Ok(at + 4);
        }
        at += length.max(4).next_multiple_of(4);
    }
    Err(NoIp::NotIp)
}

fn snap(frame: &[u8], at: usize) -> bool {
    frame.get(at..at + SNAP.len()) == Some(&SNAP)
}

fn be16(frame: &[u8], place: usize) -> Result<u16, NoIp> {
    let bytes = frame.get(place..).and_then(<[u8]>::first_chunk::<2>);
    bytes
        .map(|bytes| u16::from_be_bytes(*bytes))
        .ok_or(NoIp::Cut)
}

fn le16(frame: &[u8], place: usize) -> Result<usize, NoIp> {
    be16(frame, place).map(|value| value.swap_bytes().into())
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
        let wifi = [[8, 1].as_slice(), &[0; 22]].concat();
        let quality = [[0x88, 2].as_slice(), &[0; 24]].concat();
        let cases: Vec<(LinkType, Vec<u8>, usize)> = vec![
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
            (
                LinkType::ETHERNET,
                frame(&[&macs, &[0x88, 0x64, 0x11, 0, 0, 7, 0, 60, 0, 0x21], &ip]),
                22,
            ),
            (
                LinkType::ETHERNET,
                frame(&[&macs, &[0x88, 0x47, 0, 1, 0, 9, 0, 2, 1, 9], &ip]),
                22,
            ),
            (
                LinkType::ETHERNET,
                frame(&[
                    &macs,
                    &[0x88, 0x47, 0, 1, 1, 9, 0, 0, 0, 0],
                    &macs,
                    &[8, 0],
                    &ip,
                ]),
                36,
            ),
            (
                LinkType::ETHERNET,
                frame(&[&macs, &[0x88, 0xe7, 0, 0, 0, 1], &macs, &[8, 0], &ip]),
                32,
            ),
            (LinkType::PPP, frame(&[&[0xff, 3, 0, 0x21], &ip]), 4),
            (LinkType::PPP, frame(&[&[0x21], &ip]), 1),
            (LinkType::PPP_SERIAL, frame(&[&[0x0f, 0, 8, 0], &ip]), 4),
            (
                LinkType::PPP_ETHER,
                frame(&[&[0x11, 0, 0, 7, 0, 60, 0, 0x57], &ip]),
                8,
            ),
            (LinkType::C_HDLC, frame(&[&[0x0f, 0, 8, 0], &ip]), 4),
            (
                LinkType::IEEE802_11,
                frame(&[&wifi, &SNAP, &[8, 0], &ip]),
                32,
            ),
            (
                LinkType::RADIOTAP,
                frame(&[&[0, 0, 8, 0, 0, 0, 0, 0], &quality, &SNAP, &[8, 0], &ip]),
                42,
            ),
            (
                LinkType::PPI,
                frame(&[&[0, 0, 8, 0, 105, 0, 0, 0], &wifi, &SNAP, &[8, 0], &ip]),
                40,
            ),
            (LinkType::PFLOG, frame(&[&[61], &[0; 63], &ip]), 64),
            (
                LinkType::PKTAP,
                frame(&[&[12, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0], &macs, &[8, 0], &ip]),
                26,
            ),
        ];
        for (link, frame, offset) in cases {
            assert_eq!(ip_offset(link, &frame), Ok(offset), "{link:?} {frame:02x?}");
        }
    }

    #[test]
    fn what_logs_and_access_servers_write_leads_to_its_ip_packet() {
        let ip = [0x45u8, 0];
        let cases = [
            (
                LinkType::PPP_WITH_DIR,
                frame(&[&[1, 0xff, 3, 0, 0x21], &ip]),
                5,
            ),
            (
                LinkType::NFLOG,
                frame(&[&[2, 0, 0, 30, 5, 0, 10, 0, 0, 0, 0, 0, 6, 0, 9, 0], &ip]),
                16,
            ),
            (
                LinkType::NFLOG,
                frame(&[&[2, 0, 0, 30, 0, 5, 0, 10, 0, 0, 0, 0, 0, 6, 0, 9], &ip]),
                16,
            ),
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
