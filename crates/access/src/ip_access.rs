//! Which addresses a policy applies to: `directus_policies.ip_access`.

use std::net::IpAddr;

/// Addresses, networks (`10.0.0.0/8`, RFC 4632 and RFC 4291 §2.3) and ranges (`10.0.0.1-10.0.0.9`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IpAccess(Vec<(IpAddr, IpAddr)>);

impl IpAccess {
    /// Reads the entries. One that cannot be read lets nobody in.
    #[must_use]
    pub fn read<'a>(entries: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let mut any = false;
        let ranges = entries
            .into_iter()
            .map(str::trim)
            .filter(|entry| !entry.is_empty())
            .inspect(|_| any = true)
            .filter_map(range)
            .collect();
        any.then_some(Self(ranges))
    }

    /// Whether the address is among them; an unknown address is not.
    #[must_use]
    pub fn admits(&self, ip: Option<IpAddr>) -> bool {
        let Some(ip) = ip.map(|ip| ip.to_canonical()) else {
            return false;
        };
        self.0
            .iter()
            .any(|(first, last)| ip.is_ipv4() == first.is_ipv4() && (first..=last).contains(&&ip))
    }

    /// Whether it admits no address that another one does not. One of its entries that lies across several of the
    /// other's counts as more.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        self.0.iter().all(|(first, last)| {
            first > last
                || other
                    .0
                    .iter()
                    .any(|(from, to)| first.is_ipv4() == from.is_ipv4() && from <= first && last <= to)
        })
    }
}

/// Whether an entry can be read: an address, a network or a range.
#[must_use]
pub fn is_ip_entry(entry: &str) -> bool {
    range(entry.trim()).is_some()
}

fn range(entry: &str) -> Option<(IpAddr, IpAddr)> {
    if let Some((first, last)) = entry.split_once('-') {
        let (first, last) = (address(first)?, address(last)?);
        return (first.is_ipv4() == last.is_ipv4()).then_some((first, last));
    }
    let Some((base, length)) = entry.split_once('/') else {
        return address(entry).map(|ip| (ip, ip));
    };
    let length: u32 = length.parse().ok()?;
    match address(base)? {
        IpAddr::V4(ip) => {
            let host = u32::MAX.checked_shr(length).unwrap_or(0);
            let first = u32::from(ip) & !host;
            (length <= 32).then(|| (IpAddr::V4(first.into()), IpAddr::V4((first | host).into())))
        }
        IpAddr::V6(ip) => {
            let host = u128::MAX.checked_shr(length).unwrap_or(0);
            let first = u128::from(ip) & !host;
            (length <= 128).then(|| (IpAddr::V6(first.into()), IpAddr::V6((first | host).into())))
        }
    }
}

fn address(text: &str) -> Option<IpAddr> {
    text.trim().parse::<IpAddr>().ok().map(|ip| ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_networks_and_ranges() {
        let check = |entries: &[&str], ip: &str, expect: bool| {
            let access = IpAccess::read(entries.iter().copied()).unwrap();
            assert_eq!(
                access.admits(Some(ip.parse().unwrap())),
                expect,
                "{entries:?} {ip}"
            );
        };
        check(&["10.0.0.1"], "10.0.0.1", true);
        check(&["10.0.0.1"], "10.0.0.2", false);
        check(&["10.0.0.0/8"], "10.255.255.255", true);
        check(&["10.0.0.0/8"], "11.0.0.0", false);
        check(&["0.0.0.0/0"], "1.2.3.4", true);
        check(&["0.0.0.0/0"], "::1", false);
        check(&["10.0.0.1/32"], "10.0.0.1", true);
        check(&["10.0.0.1-10.0.0.9"], "10.0.0.9", true);
        check(&["10.0.0.1-10.0.0.9"], "10.0.0.10", false);
        check(&["fd00::/8"], "fd12::1", true);
        check(&["::/0"], "fd12::1", true);
        check(&["10.0.0.1"], "::ffff:10.0.0.1", true);
        check(&["nonsense"], "10.0.0.1", false);
        check(&["10.0.0.0/99"], "10.0.0.1", false);
        check(&["nonsense", "10.0.0.1"], "10.0.0.1", true);
    }

    #[test]
    fn a_list_within_another() {
        let check = |own: &[&str], other: &[&str], expect: bool| {
            let read = |entries: &[&str]| IpAccess::read(entries.iter().copied()).unwrap();
            assert_eq!(read(own).is_within(&read(other)), expect, "{own:?} {other:?}");
        };
        check(&["10.0.0.1"], &["10.0.0.0/8"], true);
        check(&["10.0.0.0/8"], &["10.0.0.0/8", "fd00::/8"], true);
        check(&["::ffff:10.0.0.1"], &["10.0.0.0/8"], true);
        check(&["10.0.0.0/7"], &["10.0.0.0/8"], false);
        check(&["::/0"], &["0.0.0.0/0"], false);
        check(&["10.0.0.1", "11.0.0.1"], &["10.0.0.0/8"], false);
        check(&["nonsense"], &["10.0.0.0/8"], true);
        check(&["10.0.0.1"], &["nonsense"], false);
    }

    #[test]
    fn entries_that_can_be_read() {
        let check = |entry: &str, expect: bool| assert_eq!(is_ip_entry(entry), expect, "{entry}");
        check(" 10.0.0.1 ", true);
        check("10.0.0.0/8", true);
        check("fd00::1-fd00::9", true);
        check("10.0.0.0/33", false);
        check("10.0.0.1-fd00::9", false);
        check("office", false);
        check("", false);
    }

    #[test]
    fn no_entries_are_no_limit_and_an_unknown_address_is_outside() {
        assert_eq!(IpAccess::read([]), None);
        assert_eq!(IpAccess::read(["", " "]), None);
        assert!(!IpAccess::read(["0.0.0.0/0"]).unwrap().admits(None));
    }
}
