//! The extension headers of an IPv6 packet (RFC 8200 section 4).
//!
//! The iterator of `etherparse` 0.21 reads beyond the end of headers that its lax
//! parser let through.

use etherparse::{IpNumber, ip_number};

/// An extension header, with its first two bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extension<'a> {
    pub kind: IpNumber,
    pub bytes: &'a [u8],
}

/// The extension headers that are whole; `first` is the kind of the one with
/// which `bytes` begins.
pub(super) fn extensions(first: IpNumber, bytes: &[u8]) -> impl Iterator<Item = Extension<'_>> {
    let (mut kind, mut rest) = (first, bytes);
    std::iter::from_fn(move || {
        let &[next, size, ..] = rest else {
            return None;
        };
        let length = match kind {
            ip_number::IPV6_HOP_BY_HOP
            | ip_number::IPV6_ROUTE
            | ip_number::IPV6_DEST_OPTIONS
            | ip_number::MOBILITY
            | ip_number::HIP
            | ip_number::SHIM6 => 8 * (usize::from(size) + 1),
            ip_number::IPV6_FRAG => 8,
            // RFC 4302 section 2.2.
            ip_number::AUTH => 4 * (usize::from(size) + 2),
            _ => return None,
        };
        let (bytes, after) = rest.split_at_checked(length)?;
        let extension = Extension { kind, bytes };
        (kind, rest) = (IpNumber(next), after);
        Some(extension)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: [u8; 8] = [44, 0, 1, 4, 0, 0, 0, 0];
    const FRAGMENT: [u8; 8] = [6, 0, 0, 9, 0, 0, 0, 7];

    #[test]
    fn one_after_the_other() {
        let bytes = [OPTIONS, FRAGMENT].concat();
        let kinds: Vec<_> = extensions(ip_number::IPV6_DEST_OPTIONS, &bytes)
            .map(|extension| (extension.kind, extension.bytes))
            .collect();
        let expected = [
            (ip_number::IPV6_DEST_OPTIONS, OPTIONS.as_slice()),
            (ip_number::IPV6_FRAG, FRAGMENT.as_slice()),
        ];
        assert_eq!(kinds, expected);
    }

    #[test]
    fn one_that_is_cut_is_none() {
        let mut long = OPTIONS;
        long[1] = 1;
        for bytes in [&long[..], &OPTIONS[..7], &OPTIONS[..1], &[]] {
            assert_eq!(extensions(ip_number::IPV6_ROUTE, bytes).count(), 0);
        }
        assert_eq!(extensions(ip_number::TCP, &OPTIONS).count(), 0);
    }
}
