//! IP packets inside of IP packets: what is behind the tunnels that carry other
//! people's connections.

use etherparse::{IpNumber, ip_number};

use super::link::{behind_ethernet, behind_ethertype, behind_mpls, behind_ppp};

/// Offset of the inner IP header in the payload of an outer one; `None` if what
/// it holds is no tunnel of a known kind.
pub(super) fn inside(protocol: IpNumber, payload: &[u8]) -> Option<usize> {
    match protocol {
        ip_number::IPV4 | ip_number::IPV6 => Some(0),
        ip_number::GRE => behind_gre(payload),
        ip_number::UDP => behind_udp(payload),
        ip_number::ETHER_IP => behind_ethernet(payload, 2).ok(),
        ip_number::MPLS_IN_IP => behind_mpls(payload, 0).ok(),
        _ => None,
    }
}

/// RFC 2784 and 2890; version 1 is PPTP's (RFC 2637 section 4.1).
fn behind_gre(payload: &[u8]) -> Option<usize> {
    let &[flags, version, high, low, ..] = payload else {
        return None;
    };
    let optional = |flag: u8| if flags & flag != 0 { 4 } else { 0 };
    let behind = 4 + optional(0x20) + optional(0x10);
    if version & 7 == 1 {
        let acknowledgment = if version & 0x80 != 0 { 4 } else { 0 };
        return behind_ppp(payload, behind + acknowledgment).ok();
    }
    let behind = behind + optional(0x80);
    match u16::from_be_bytes([high, low]) {
        _ if flags & 0x40 != 0 || version & 7 != 0 => None,
        ERSPAN if flags & 0x10 == 0 => behind_ethernet(payload, behind).ok(),
        ERSPAN => behind_ethernet(payload, behind + 8).ok(),
        ERSPAN_3 => behind_ethernet(payload, behind + 12).ok(),
        _ => behind_ethertype(payload, 2, behind).ok(),
    }
}

/// Tunnels over UDP are known by their ports.
fn behind_udp(payload: &[u8]) -> Option<usize> {
    let &[
        from_high,
        from_low,
        to_high,
        to_low,
        _,
        _,
        _,
        _,
        ref inner @ ..,
    ] = payload
    else {
        return None;
    };
    let from = u16::from_be_bytes([from_high, from_low]);
    let to = u16::from_be_bytes([to_high, to_low]);
    let behind = match (to, from) {
        (VXLAN | VXLAN_LINUX, _) => behind_vxlan(inner),
        (GENEVE, _) => behind_geneve(inner),
        (GTP_U, _) | (_, GTP_U) => behind_gtp(inner),
        (L2TP, _) | (_, L2TP) => behind_l2tp(inner),
        (TEREDO, _) | (_, TEREDO) => behind_teredo(inner),
        _ => None,
    }?;
    Some(8 + behind)
}

const ERSPAN: u16 = 0x88be;
const ERSPAN_3: u16 = 0x22eb;
/// RFC 7348.
const VXLAN: u16 = 4789;
/// What Linux used before that, and still does by default.
const VXLAN_LINUX: u16 = 8472;
/// RFC 8926.
const GENEVE: u16 = 6081;
/// 3GPP TS 29.281.
const GTP_U: u16 = 2152;
/// RFC 2661.
const L2TP: u16 = 1701;
/// RFC 4380.
const TEREDO: u16 = 3544;
/// GTP's flags: each makes the header longer, all by the same four bytes.
const EXTENDED: u8 = 4;
const NUMBERED: u8 = 2;
const N_PDU: u8 = 1;
/// Extension headers of GTP behind each other.
const EXTENSIONS_MAX: usize = 8;

fn behind_vxlan(inner: &[u8]) -> Option<usize> {
    let is_vxlan = inner.starts_with(&[8, 0, 0, 0]);
    is_vxlan.then(|| behind_ethernet(inner, 8).ok())?
}

fn behind_geneve(inner: &[u8]) -> Option<usize> {
    let first = *inner.first()?;
    let version = first >> 6;
    let behind = 8 + usize::from(first & 0x3f) * 4;
    (version == 0).then(|| behind_ethertype(inner, 2, behind).ok())?
}

/// Section 5.1; user data is message type 255.
fn behind_gtp(inner: &[u8]) -> Option<usize> {
    let &[flags, 255, ..] = inner else {
        return None;
    };
    if flags >> 4 != 3 {
        return None;
    }
    let optional = flags & (EXTENDED | NUMBERED | N_PDU) != 0;
    let mut behind = if optional { 12 } else { 8 };
    let mut next = if flags & EXTENDED == 0 {
        0
    } else {
        *inner.get(11)?
    };
    for _ in 0..EXTENSIONS_MAX {
        if next == 0 {
            break;
        }
        let length = usize::from(*inner.get(behind)?) * 4;
        behind += length.max(4);
        next = *inner.get(behind - 1)?;
    }
    matches!(inner.get(behind)? >> 4, 4 | 6).then_some(behind)
}

/// Section 3.1; T says that it is a control message.
fn behind_l2tp(inner: &[u8]) -> Option<usize> {
    let &[flags, version, ..] = inner else {
        return None;
    };
    if version & 0xf != 2 || flags & 0x80 != 0 {
        return None;
    }
    let length = if flags & 0x40 != 0 { 2 } else { 0 };
    let numbers = if flags & 8 != 0 { 4 } else { 0 };
    let mut behind = 2 + length + 4 + numbers;
    if flags & 2 != 0 {
        let padding = inner.get(behind..)?.first_chunk::<2>()?;
        behind += 2 + usize::from(u16::from_be_bytes(*padding));
    }
    behind_ppp(inner, behind).ok()
}

/// Section 5.1.1, with an origin indication in front or without.
fn behind_teredo(inner: &[u8]) -> Option<usize> {
    let behind = if inner.starts_with(&[0, 0]) { 8 } else { 0 };
    (inner.get(behind)? >> 4 == 6).then_some(behind)
}

#[cfg(test)]
mod tests {
    use super::*;

    const IP: [u8; 2] = [0x45, 0];
    const MACS: [u8; 12] = [2; 12];
    const ETHERNET: [u8; 14] = [2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 8, 0];

    fn udp(port: u16, inner: &[&[u8]]) -> Vec<u8> {
        let ports = [[0x9c, 0x40], port.to_be_bytes()].concat();
        [&ports[..], &[0; 4], &inner.concat(), &IP].concat()
    }

    #[test]
    fn every_tunnel_leads_to_its_inner_packet() {
        let gre = |parts: &[&[u8]]| [&parts.concat()[..], &IP].concat();
        let cases: Vec<(IpNumber, Vec<u8>)> = vec![
            (ip_number::IPV4, IP.to_vec()),
            (ip_number::IPV6, IP.to_vec()),
            (ip_number::GRE, gre(&[&[0, 0, 8, 0]])),
            (ip_number::GRE, gre(&[&[0xb0, 0, 0x86, 0xdd], &[9; 12]])),
            (
                ip_number::GRE,
                gre(&[&[0x20, 0, 0x65, 0x58], &[9; 4], &ETHERNET]),
            ),
            (
                ip_number::GRE,
                gre(&[&[0x10, 0, 0x88, 0xbe], &[9; 12], &ETHERNET]),
            ),
            (
                ip_number::GRE,
                gre(&[&[0x30, 0x81, 0x88, 0x0b], &[9; 12], &[0xff, 3, 0, 0x21]]),
            ),
            (ip_number::ETHER_IP, gre(&[&[0x30, 0], &ETHERNET])),
            (ip_number::MPLS_IN_IP, gre(&[&[0, 1, 1, 9]])),
            (
                ip_number::UDP,
                udp(4789, &[&[8, 0, 0, 0, 0, 0, 7, 0], &ETHERNET]),
            ),
            (
                ip_number::UDP,
                udp(
                    6081,
                    &[&[1, 0, 0x65, 0x58, 0, 0, 7, 0, 9, 9, 9, 9], &ETHERNET],
                ),
            ),
            (ip_number::UDP, udp(2152, &[&[0x30, 255, 0, 9, 0, 0, 0, 7]])),
            (
                ip_number::UDP,
                udp(
                    2152,
                    &[&[0x34, 255, 0, 9, 0, 0, 0, 7, 0, 0, 0, 0x85, 1, 9, 9, 0]],
                ),
            ),
            (
                ip_number::UDP,
                udp(1701, &[&[0x40, 2, 0, 40, 0, 1, 0, 2, 0xff, 3, 0, 0x21]]),
            ),
        ];
        for (protocol, payload) in cases {
            let offset = payload.len() - IP.len();
            assert_eq!(inside(protocol, &payload), Some(offset), "{payload:02x?}");
            for length in 0..payload.len() {
                // None may look beyond what was captured.
                inside(protocol, &payload[..length]);
            }
        }
        let teredo = [&udp(3544, &[])[..8], &[0x60, 0]].concat();
        assert_eq!(inside(ip_number::UDP, &teredo), Some(8));
    }

    #[test]
    fn what_is_no_tunnel_is_left_alone() {
        let dns = udp(53, &[&[8, 0, 0, 0, 0, 0, 7, 0], &ETHERNET]);
        assert_eq!(inside(ip_number::UDP, &dns), None);
        let control = udp(1701, &[&[0xc8, 2, 0, 40, 0, 1, 0, 2], &MACS]);
        assert_eq!(inside(ip_number::UDP, &control), None);
        assert_eq!(inside(ip_number::ICMP, &IP), None);
    }
}
