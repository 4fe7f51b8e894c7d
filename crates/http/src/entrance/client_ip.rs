//! The address that a request comes from: the connection's, or behind trusted proxies what they say.
//!
//! Proxies add the address that *they* were called from at the right end of `X-Forwarded-For` or `Forwarded` (RFC 7239);
//! whatever stands to the left of the first address that is no trusted proxy's may have been written by anybody. What
//! cannot be read is not guessed at: the address is unknown then, and no list of addresses admits that.

use std::net::{IpAddr, SocketAddr};

use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName};
use loggia_access::IpAccess;

use super::Peer;
use crate::App;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED: HeaderName = HeaderName::from_static("forwarded");
/// A longer chain of proxies is none.
const MOST_HOPS: usize = 64;

/// The address that a request comes from; `None`: unknown.
pub(crate) fn client_ip(app: &App, parts: &Parts) -> Option<IpAddr> {
    let peer = parts.extensions.get::<Peer>()?.0.ip().to_canonical();
    client(peer, &parts.headers, app.config().trusted_proxies.as_ref())
}

fn client(peer: IpAddr, headers: &HeaderMap, trusted: Option<&IpAccess>) -> Option<IpAddr> {
    let is_proxy = |ip: IpAddr| trusted.is_some_and(|trusted| trusted.admits(Some(ip)));
    if !is_proxy(peer) {
        return Some(peer);
    }
    let lists = [
        (X_FORWARDED_FOR, plain as fn(&str) -> Option<Vec<IpAddr>>),
        (FORWARDED, forwarded),
    ];
    let mut found = Vec::new();
    for (name, read) in lists {
        if headers.contains_key(&name) {
            let hops = joined(headers, &name).and_then(|text| read(&text))?;
            // Where everybody is a trusted proxy, the one furthest away asked on its own behalf.
            let first = hops.first().copied()?;
            found.push(
                hops.iter()
                    .rev()
                    .copied()
                    .find(|ip| !is_proxy(*ip))
                    .unwrap_or(first),
            );
        }
    }
    // A proxy that keeps one header passes the other on as it was sent: where they differ, neither is believed.
    match found.as_slice() {
        [] => Some(peer),
        [one] => Some(*one),
        [one, other] if one == other => Some(*one),
        _ => None,
    }
}

/// The values of a header that may be sent in pieces (RFC 9110 §5.3).
fn joined(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let values: Result<Vec<_>, _> = headers.get_all(name).iter().map(|value| value.to_str()).collect();
    values.ok().map(|values| values.join(","))
}

/// `X-Forwarded-For`: addresses with commas between them.
fn plain(text: &str) -> Option<Vec<IpAddr>> {
    hops(text.split(',').map(|hop| address(hop.trim())))
}

/// `Forwarded`: the `for` of each element.
fn forwarded(text: &str) -> Option<Vec<IpAddr>> {
    hops(split(text, ',')?.into_iter().map(|element| {
        let mut found = None;
        for pair in split(element, ';')? {
            let (name, value) = pair.split_once('=')?;
            if name.trim().eq_ignore_ascii_case("for") {
                // Named twice, it says nothing.
                if found.replace(value.trim()).is_some() {
                    return None;
                }
            }
        }
        let value = found?;
        match value.strip_prefix('"') {
            Some(rest) => address(rest.strip_suffix('"')?),
            // An address of version 6 must be quoted (RFC 7239 §6).
            None => address(value).filter(IpAddr::is_ipv4),
        }
    }))
}

fn hops(hops: impl Iterator<Item = Option<IpAddr>>) -> Option<Vec<IpAddr>> {
    let hops: Vec<IpAddr> = hops.take(MOST_HOPS + 1).collect::<Option<_>>()?;
    (hops.len() <= MOST_HOPS).then_some(hops)
}

/// The pieces of a text between separators that stand outside quotes; `None` where a quote does not end.
fn split(text: &str, separator: char) -> Option<Vec<&str>> {
    let (mut pieces, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            character if character == separator && !quoted => {
                pieces.push(&text[start..at]);
                start = at + character.len_utf8();
            }
            _ => {}
        }
    }
    pieces.push(&text[start..]);
    (!quoted).then_some(pieces)
}

/// An address, with a port or without.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let ip = match bare {
        Some(inside) => inside.parse().ok().filter(IpAddr::is_ipv6),
        None => text
            .parse()
            .ok()
            .or_else(|| text.parse::<SocketAddr>().ok().map(|at| at.ip())),
    };
    ip.map(|ip| ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(peer: &str, trusted: &str, headers: &[(&str, &str)], expect: Option<&str>) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        let trusted = IpAccess::read(trusted.split(','));
        let found = client(peer.parse().unwrap(), &map, trusted.as_ref());
        let expect = expect.map(|ip| ip.parse().unwrap());
        assert_eq!(found, expect, "{peer} trusting {trusted:?} {headers:?}");
    }

    #[test]
    fn the_rightmost_address_that_is_no_proxy_counts() {
        let xff = "x-forwarded-for";
        // Nobody is trusted: what is said does not count.
        check("192.0.2.1", "", &[], Some("192.0.2.1"));
        check("192.0.2.1", "", &[(xff, "10.0.0.1")], Some("192.0.2.1"));
        check("192.0.2.1", "10.0.0.0/8", &[(xff, "10.0.0.1")], Some("192.0.2.1"));
        // One proxy, and what a client put before it.
        check("10.0.0.1", "10.0.0.0/8", &[], Some("10.0.0.1"));
        check("10.0.0.1", "10.0.0.0/8", &[(xff, "192.0.2.1")], Some("192.0.2.1"));
        check(
            "10.0.0.1",
            "10.0.0.0/8",
            &[(xff, "10.9.9.9, 192.0.2.1")],
            Some("192.0.2.1"),
        );
        check(
            "10.0.0.1",
            "10.0.0.0/8",
            &[(xff, "127.0.0.1,203.0.113.5 , 192.0.2.1")],
            Some("192.0.2.1"),
        );
        check(
            "10.0.0.1",
            "10.0.0.0/8",
            &[(xff, "203.0.113.5"), (xff, "192.0.2.1")],
            Some("192.0.2.1"),
        );
        // Several proxies.
        check(
            "10.0.0.1",
            "10.0.0.0/8",
            &[(xff, "192.0.2.1, 10.0.0.2")],
            Some("192.0.2.1"),
        );
        check(
            "10.0.0.1",
            "10.0.0.1,10.0.0.2",
            &[(xff, "10.0.0.9, 10.0.0.2")],
            Some("10.0.0.9"),
        );
        check(
            "10.0.0.1",
            "10.0.0.0/8",
            &[(xff, "10.0.0.3, 10.0.0.2")],
            Some("10.0.0.3"),
        );
        // Ports, and addresses of version 6.
        check(
            "10.0.0.1",
            "10.0.0.0/8",
            &[(xff, "192.0.2.1:4711")],
            Some("192.0.2.1"),
        );
        check(
            "10.0.0.1",
            "10.0.0.0/8",
            &[(xff, "2001:db8::1")],
            Some("2001:db8::1"),
        );
        check(
            "10.0.0.1",
            "10.0.0.0/8",
            &[(xff, "[2001:db8::1]:443")],
            Some("2001:db8::1"),
        );
        check(
            "::ffff:10.0.0.1",
            "10.0.0.0/8",
            &[(xff, "::ffff:192.0.2.1")],
            Some("192.0.2.1"),
        );
        check("fd00::1", "fd00::/8", &[(xff, "192.0.2.1")], Some("192.0.2.1"));
    }

    #[test]
    fn what_cannot_be_read_is_not_believed() {
        for wrong in [
            "",
            " ",
            ",",
            "unknown",
            "192.0.2.1,",
            ",192.0.2.1",
            "192.0.2.1;10.0.0.1",
            "192.0.2.256",
            "192.0.2.1:x",
            "[192.0.2.1]",
            "[2001:db8::1",
            "nonsense, 192.0.2.1",
            "192.0.2.1 10.0.0.1",
            "é",
        ] {
            let header = axum::http::HeaderValue::from_bytes(wrong.as_bytes()).unwrap();
            let map = HeaderMap::from_iter([(X_FORWARDED_FOR, header)]);
            let trusted = IpAccess::read(["10.0.0.0/8"]);
            assert_eq!(
                client([10, 0, 0, 1].into(), &map, trusted.as_ref()),
                None,
                "{wrong}"
            );
        }
        let many = ["192.0.2.1"; 65].join(",");
        check("10.0.0.1", "10.0.0.0/8", &[("x-forwarded-for", &many)], None);
    }

    #[test]
    fn forwarded_is_read_as_it_is_written() {
        let check = |value: &str, expect: Option<&str>| {
            check("10.0.0.1", "10.0.0.0/8", &[("forwarded", value)], expect);
        };
        check("for=192.0.2.1", Some("192.0.2.1"));
        check("For=\"192.0.2.1:4711\";proto=http;by=10.0.0.1", Some("192.0.2.1"));
        check(
            "for=203.0.113.5, for=192.0.2.1;host=\"a,b;for=1\"",
            Some("192.0.2.1"),
        );
        check("for=192.0.2.1, for=10.0.0.2", Some("192.0.2.1"));
        check("for=\"[2001:db8::1]\"", Some("2001:db8::1"));
        check("for=\"[2001:db8::1]:4711\"", Some("2001:db8::1"));
        for wrong in [
            "",
            "for=",
            "for=unknown",
            "for=_hidden",
            "proto=http",
            "for=192.0.2.1;for=192.0.2.2",
            "for=\"192.0.2.1",
            "for=[2001:db8::1]",
            "for=2001:db8::1",
            "for=192.0.2.1,",
            "192.0.2.1",
            "for=192.0.2.1;x",
        ] {
            check(wrong, None);
        }
    }

    #[test]
    fn two_headers_must_say_the_same() {
        let check = |xff: &str, forwarded: &str, expect: Option<&str>| {
            check(
                "10.0.0.1",
                "10.0.0.0/8",
                &[("x-forwarded-for", xff), ("forwarded", forwarded)],
                expect,
            );
        };
        check("192.0.2.1", "for=192.0.2.1", Some("192.0.2.1"));
        check("192.0.2.1", "for=203.0.113.5", None);
        check("192.0.2.1", "for=unknown", None);
    }
}
