//! The network that a request comes from: what is counted where somebody's addresses would be too many to count.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// One address of version 4, also where it is written in version 6 (RFC 4291 §2.5.5.2); or the 2⁶⁴ addresses of version 6
/// that share their first 64 bits, which is the least that anybody gets (RFC 6177 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Network(IpAddr);

impl Network {
    pub(crate) fn of(ip: IpAddr) -> Self {
        Self(match ip.to_canonical() {
            IpAddr::V4(ip) => IpAddr::V4(ip),
            IpAddr::V6(ip) => {
                let [a, b, c, d, ..] = ip.segments();
                IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
        })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(ip) => ip.fmt(f),
            IpAddr::V6(ip) => write!(f, "{ip}/64"),
        }
    }
}

/// The network of an address as text, to count by; all that is unknown is one.
pub(crate) fn place(ip: Option<IpAddr>) -> String {
    ip.map_or_else(String::new, |ip| Network::of(ip).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_network_are_one_place() {
        let check = |ip: &str, expect: &str| {
            assert_eq!(place(Some(ip.parse().unwrap())), expect, "{ip}");
        };
        check("192.0.2.1", "192.0.2.1");
        check("::ffff:192.0.2.1", "192.0.2.1");
        check("2001:db8:1:2::1", "2001:db8:1:2::/64");
        check("2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64");
        check("2001:db8:1:3::1", "2001:db8:1:3::/64");
        check("::1", "::/64");
        assert_eq!(place(None), "");
    }
}
