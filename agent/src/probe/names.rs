//! How names of hosts are looked up, where the C library is part of this file.
#![expect(unsafe_code, reason = "the C library's switch is not known to Rust")]

use std::ffi::{CStr, c_char, c_int};

/// `/etc/hosts`, then DNS: the two that are part of glibc (2.34 and newer).
const SERVICES: &CStr = c"files dns";

unsafe extern "C" {
    /// `int __nss_configure_lookup(const char *dbname, const char *string)`,
    /// `<nss.h>` of glibc.
    fn __nss_configure_lookup(database: *const c_char, services: *const c_char) -> c_int;
}

/// Has names of hosts looked up in `/etc/hosts` and DNS only, whatever
/// `/etc/nsswitch.conf` says.
///
/// A statically linked glibc would load the modules named there, which belong
/// to the host's own C library, perhaps of another version.
pub fn look_up_names_alone() {
    // SAFETY: both strings end with a zero and outlive the call, which copies them.
    let result = unsafe { __nss_configure_lookup(c"hosts".as_ptr(), SERVICES.as_ptr()) };
    if result != 0 {
        log::warn!("cannot set how names of hosts are looked up");
    }
}

#[cfg(test)]
mod tests {
    use std::net::ToSocketAddrs;

    use super::*;

    #[test]
    fn names_are_found() {
        look_up_names_alone();
        let mut found = ("localhost", 80).to_socket_addrs().unwrap();
        assert!(found.any(|address| address.ip().is_loopback()));
    }
}
