//! Which address a request comes from: the peer's, or behind proxies that are trusted the one that they tell
//! (authentication.md section 6).
//!
//! Each proxy appends to `X-Forwarded-For` whom it was asked by, so the list is read from its right end, and only as far as
//! those who wrote it are trusted: the rightmost address that is no trusted proxy is the client's, whatever stands left of
//! it. An entry that is no address ends the walk, too: what is left of it was told by nobody known. The client is then the
//! nearest address that was told in order, so that junk never makes an address of the sender's choice.

use std::{
    net::{IpAddr, SocketAddr},
    sync::atomic::{AtomicBool, Ordering},
};

use ipnet::{IpNet, Ipv4Net};
use poem::http::HeaderMap;

const FORWARDED_FOR: &str = "x-forwarded-for";

/// The proxies whose `X-Forwarded-For` is believed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// These networks. IPv4-mapped IPv6 means the IPv4.
    pub fn new(networks: impl IntoIterator<Item = IpNet>) -> Self {
        Self(networks.into_iter().map(folded).collect())
    }

    pub(super) fn trust(&self, address: IpAddr) -> bool {
        self.0.iter().any(|net| net.contains(&address))
    }
}

/// `::ffff:10.0.0.0/104` is `10.0.0.0/8`.
fn folded(net: IpNet) -> IpNet {
    let IpNet::V6(six) = net else { return net.trunc() };
    let four = six.addr().to_ipv4_mapped().zip(six.prefix_len().checked_sub(96));
    let four = four.and_then(|(address, prefix)| Ipv4Net::new(address, prefix).ok());
    four.map_or(net, IpNet::V4).trunc()
}

/// Finds out addresses.
#[derive(Debug)]
pub(super) struct ClientAddress {
    proxies: TrustedProxies,
    /// Whether the log has that somebody unknown told an address.
    warned: AtomicBool,
}

impl ClientAddress {
    pub(super) const fn behind(proxies: TrustedProxies) -> Self {
        Self { proxies, warned: AtomicBool::new(false) }
    }

    /// The address that a request comes from; `None` where the peer has none.
    pub(super) fn of(&self, peer: Option<&SocketAddr>, headers: &HeaderMap) -> Option<IpAddr> {
        let peer = peer?.ip().to_canonical();
        if !headers.contains_key(FORWARDED_FOR) {
            return Some(peer);
        }
        if !self.proxies.trust(peer) {
            if !self.warned.swap(true, Ordering::Relaxed) {
                tracing::warn!(
                    %peer,
                    "X-Forwarded-For came from who is not in server.trusted_proxies, and is ignored; this is not logged again"
                );
            }
            return Some(peer);
        }
        let lines = headers.get_all(FORWARDED_FOR).into_iter().rev();
        let entries = lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
        Some(self.client(peer, entries))
    }

    /// Entries from the right end on; the nearest to us has told the first of them.
    fn client<'a>(&self, peer: IpAddr, entries: impl Iterator<Item = &'a [u8]>) -> IpAddr {
        let mut nearest = peer;
        for entry in entries {
            let Some(address) = address(entry) else { break };
            nearest = address;
            if !self.proxies.trust(address) {
                break;
            }
        }
        nearest
    }
}

/// An address, perhaps with a port: `192.0.2.7`, `192.0.2.7:80`, `2001:db8::7`, `[2001:db8::7]`, `[2001:db8::7]:80`.
fn address(entry: &[u8]) -> Option<IpAddr> {
    let entry = std::str::from_utf8(entry).ok()?.trim_matches([' ', '\t']);
    let plain = entry.parse().ok().or_else(|| entry.parse::<SocketAddr>().ok().map(|with_port| with_port.ip()));
    let bracketed = || entry.strip_prefix('[')?.strip_suffix(']')?.parse().ok().filter(IpAddr::is_ipv6);
    plain.or_else(bracketed).map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use poem::http::{HeaderName, HeaderValue};
    use proptest::prelude::*;

    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn behind(proxies: &[&str]) -> ClientAddress {
        ClientAddress::behind(TrustedProxies::new(proxies.iter().map(|net| net.parse().unwrap())))
    }

    fn of(address: &ClientAddress, peer: &str, lines: &[&[u8]]) -> String {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(HeaderName::from_static(FORWARDED_FOR), HeaderValue::from_bytes(line).unwrap());
        }
        address.of(Some(&SocketAddr::new(ip(peer), 1)), &headers).unwrap().to_string()
    }

    #[test]
    fn without_trusted_proxies_the_peer_is_the_client_whatever_it_says() {
        let address = behind(&[]);
        assert_eq!(of(&address, "192.0.2.1", &[]), "192.0.2.1");
        assert!(!address.warned.load(Ordering::Relaxed));
        assert_eq!(of(&address, "192.0.2.1", &[b"203.0.113.9"]), "192.0.2.1");
        assert!(address.warned.load(Ordering::Relaxed));
        assert_eq!(of(&address, "::ffff:192.0.2.1", &[b"203.0.113.9"]), "192.0.2.1");
        assert_eq!(address.of(None, &HeaderMap::new()), None);
    }

    #[test]
    fn behind_trusted_proxies_it_is_the_rightmost_whom_nobody_trusts_of_all_lines() {
        let address = behind(&["10.0.0.0/8", "2001:db8:ffff::/48"]);
        for (lines, client) in [
            (&[][..], "10.0.0.1"),
            (&[&b"203.0.113.9"[..]], "203.0.113.9"),
            (&[b"198.51.100.1, 203.0.113.9"], "203.0.113.9"),
            (&[b"198.51.100.1, 203.0.113.9,10.0.0.7 ,10.0.0.8"], "203.0.113.9"),
            (&[b"198.51.100.1", b"203.0.113.9", b"10.0.0.7"], "203.0.113.9"),
            (&[b"203.0.113.9", b"10.0.0.7, 10.0.0.8"], "203.0.113.9"),
            (&[b"203.0.113.9, ::ffff:10.0.0.7, 2001:db8:ffff::7"], "203.0.113.9"),
            (&[b"10.9.9.9, 10.0.0.7"], "10.9.9.9"),
        ] {
            assert_eq!(of(&address, "10.0.0.1", lines), client, "{lines:?}");
            assert_eq!(of(&address, "::ffff:10.0.0.1", lines), client, "{lines:?}");
        }
        assert!(!address.warned.load(Ordering::Relaxed));
        assert_eq!(of(&address, "192.0.2.1", &[b"203.0.113.9, 10.0.0.7"]), "192.0.2.1");
    }

    #[test]
    fn entries_may_have_ports_and_brackets() {
        let address = behind(&["127.0.0.1/32"]);
        for (entry, client) in [
            ("203.0.113.9:443", "203.0.113.9"),
            (" \t203.0.113.9 ", "203.0.113.9"),
            ("2001:DB8::7", "2001:db8::7"),
            ("[2001:db8::7]", "2001:db8::7"),
            ("[2001:db8::7]:443", "2001:db8::7"),
            ("::ffff:203.0.113.9", "203.0.113.9"),
            ("[::ffff:203.0.113.9]:1", "203.0.113.9"),
        ] {
            assert_eq!(of(&address, "127.0.0.1", &[entry.as_bytes()]), client, "{entry}");
        }
    }

    #[test]
    fn junk_ends_the_walk_at_the_nearest_address_that_was_told_in_order() {
        let address = behind(&["10.0.0.0/8"]);
        for junk in [
            &b"unknown"[..],
            b"_hidden",
            b"",
            b"203.0.113.9:99999",
            b"203.0.113",
            b"0xcb.0.113.9",
            b"[203.0.113.9]",
            b"[2001:db8::7",
            b"2001:db8::7]",
            b"fe80::1%eth0",
            b"\"203.0.113.9\"",
            b"203.0.113.9 198.51.100.1",
            b"\xff\xfe",
            b"for=203.0.113.9",
        ] {
            let line = [&b"198.51.100.66, "[..], junk, b", 10.0.0.7"].concat();
            assert_eq!(of(&address, "10.0.0.1", &[&line]), "10.0.0.7", "{junk:?}");
            assert_eq!(of(&address, "10.0.0.1", &[b"198.51.100.66", junk]), "10.0.0.1", "{junk:?}");
            let left = [junk, b", 203.0.113.9, 10.0.0.7"].concat();
            assert_eq!(of(&address, "10.0.0.1", &[&left]), "203.0.113.9", "{junk:?}");
        }
    }

    #[test]
    fn a_mapped_network_is_the_one_that_it_maps() {
        for (given, meant) in [
            ("::ffff:10.1.2.3/104", "10.0.0.0/8"),
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("2001:db8::1/32", "2001:db8::/32"),
            ("::/0", "::/0"),
        ] {
            assert_eq!(folded(given.parse().unwrap()).to_string(), meant);
        }
    }

    proptest! {
        /// What a client can send is on the left of what the proxies append.
        #[test]
        fn no_client_chooses_its_address(sent in proptest::collection::vec("[ -~]{0,40}", 0..4)) {
            let address = behind(&["10.0.0.0/8"]);
            let mut lines: Vec<_> = sent.iter().map(String::as_bytes).collect();
            lines.push(b"203.0.113.9, 10.0.0.2");
            prop_assert_eq!(of(&address, "10.0.0.1", &lines), "203.0.113.9");
            let joined = format!("{}, 203.0.113.9", sent.join(","));
            prop_assert_eq!(of(&address, "10.0.0.1", &[joined.as_bytes()]), "203.0.113.9");
        }

        #[test]
        fn no_bytes_are_too_odd(bytes in proptest::collection::vec(0x20_u8..0x7f, 0..200)) {
            let _ = of(&behind(&["0.0.0.0/0", "::/0"]), "10.0.0.1", &[&bytes]);
        }
    }
}
