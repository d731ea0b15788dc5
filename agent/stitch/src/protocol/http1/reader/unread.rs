//! What was passed over while the place was lost, and what may hide in it.

/// No request of HTTP/1.x does without these bytes (RFC 9112 section 2.3).
const NAME: &[u8] = b"HTTP/";

/// Whether a request may lie in what was passed over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Unread {
    may_hide: bool,
    /// So many of the last bytes begin the protocol's name.
    matched: usize,
}

impl Unread {
    /// Something was not seen.
    pub(super) fn unseen() -> Self {
        Self {
            may_hide: true,
            matched: 0,
        }
    }

    /// Takes what is passed over next.
    pub(super) fn pass(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if self.may_hide {
                return;
            }
            self.matched = match NAME.get(self.matched) {
                Some(next) if *next == byte => self.matched + 1,
                _ => usize::from(byte == NAME[0]),
            };
            self.may_hide = self.matched == NAME.len();
        }
    }

    /// Whether a request may lie in it.
    pub(super) fn may_hide_request(self) -> bool {
        self.may_hide
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_found_wherever_it_is_cut() {
        let bytes = b"a=b&HHTTP/1.1";
        for cut in 0..bytes.len() {
            let mut unread = Unread::default();
            unread.pass(&bytes[..cut]);
            unread.pass(&bytes[cut..]);
            assert!(unread.may_hide_request(), "{cut}");
        }
        let mut unread = Unread::default();
        unread.pass(b"HTTHTTP HTTP");
        assert!(!unread.may_hide_request());
    }
}
