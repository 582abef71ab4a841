//! Addresses that are not public.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What an address is that is not public.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Inner {
    Metadata,
    Loopback,
    Unspecified,
    LinkLocal,
    Private,
    Multicast,
    Reserved,
}

/// Where clouds tell a machine who it is, and what it may.
const METADATA_V4: [Ipv4Addr; 4] = [
    Ipv4Addr::new(169, 254, 169, 254),
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(168, 63, 129, 16),
    Ipv4Addr::new(192, 0, 0, 192),
];
const METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);

impl Inner {
    /// None: it is public.
    pub(super) fn of(address: IpAddr) -> Option<Self> {
        match address {
            IpAddr::V4(address) => Self::of_v4(address),
            IpAddr::V6(address) => match within(address) {
                Some(within) => Self::of_v6(address).or_else(|| Self::of_v4(within)),
                None => Self::of_v6(address),
            },
        }
    }

    fn of_v4(address: Ipv4Addr) -> Option<Self> {
        let [a, b, c, _] = address.octets();
        if METADATA_V4.contains(&address) {
            return Some(Self::Metadata);
        }
        match (a, b, c) {
            (0, ..) => Some(Self::Unspecified),
            (127, ..) => Some(Self::Loopback),
            (169, 254, _) => Some(Self::LinkLocal),
            (10, ..) | (172, 16..=31, _) | (192, 168, _) | (100, 64..=127, _) => {
                Some(Self::Private)
            }
            (224..=239, ..) => Some(Self::Multicast),
            (240.., ..) | (192, 0, 0) | (198, 18..=19, _) => Some(Self::Reserved),
            _ => None,
        }
    }

    fn of_v6(address: Ipv6Addr) -> Option<Self> {
        let [first, ..] = address.segments();
        if address == METADATA_V6 {
            return Some(Self::Metadata);
        }
        match first {
            _ if address.is_unspecified() => Some(Self::Unspecified),
            _ if address.is_loopback() => Some(Self::Loopback),
            0xfe80..=0xfebf => Some(Self::LinkLocal),
            0xfc00..=0xfdff | 0xfec0..=0xfeff => Some(Self::Private),
            0xff00.. => Some(Self::Multicast),
            _ => None,
        }
    }
}

/// The address of version 4 that one of version 6 stands for.
fn within(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let last = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Some(Ipv4Addr::new(a, b, c, d))
    };
    match address.segments() {
        // Mapped, and the older form of the same.
        [0, 0, 0, 0, 0, 0xffff | 0, high, low] => last(high, low),
        // Translated on the way.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0, 0, 0, 0, 0xffff, 0, high, low] => {
            last(high, low)
        }
        // Translated by whoever likes to: what it stands for is nobody's knowledge here.
        [0x64, 0xff9b, 1, ..] => Some(Ipv4Addr::UNSPECIFIED),
        [0x2002, high, low, ..] => last(high, low),
        // Written the other way round.
        [0x2001, 0, _, _, _, _, high, low] => last(!high, !low),
        _ => None,
    }
}

impl fmt::Display for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Metadata => "at the address of a cloud's metadata service",
            Self::Loopback => "at a loopback address, this machine itself",
            Self::Unspecified => "at an address that stands for this machine",
            Self::LinkLocal => "at a link-local address",
            Self::Private => "at an address of a private network",
            Self::Multicast => "at a multicast address",
            Self::Reserved => "at a reserved address",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Option<Inner> {
        Inner::of(text.parse().unwrap())
    }

    /// First and last of every range, and their neighbours outside.
    const RANGES: [(Inner, &[&str], &[&str]); 7] = [
        (
            Inner::Metadata,
            &["169.254.169.254", "100.100.100.200", "fd00:ec2::254"],
            &["168.63.129.17"],
        ),
        (
            Inner::Loopback,
            &["127.0.0.1", "127.255.255.255", "::1"],
            &["126.255.255.255", "128.0.0.0"],
        ),
        (
            Inner::Unspecified,
            &["0.0.0.0", "0.1.2.3", "::"],
            &["1.0.0.0"],
        ),
        (
            Inner::LinkLocal,
            &["169.254.0.0", "169.254.255.255", "fe80::1", "febf::1"],
            &["169.253.255.255", "169.255.0.0"],
        ),
        (
            Inner::Private,
            &[
                "10.0.0.0",
                "10.255.255.255",
                "172.16.0.0",
                "172.31.255.255",
                "192.168.0.0",
                "192.168.255.255",
                "100.64.0.0",
                "100.127.255.255",
                "fc00::1",
                "fdff::1",
                "fec0::1",
            ],
            &[
                "9.255.255.255",
                "11.0.0.0",
                "172.15.255.255",
                "172.32.0.0",
                "192.167.255.255",
                "192.169.0.0",
                "100.63.255.255",
                "100.128.0.0",
                "fbff::1",
            ],
        ),
        (
            Inner::Multicast,
            &["224.0.0.1", "239.255.255.255", "ff02::1"],
            &["223.255.255.255"],
        ),
        (
            Inner::Reserved,
            &["240.0.0.0", "255.255.255.255", "192.0.0.1", "198.19.0.1"],
            &["192.0.1.1", "198.20.0.0", "2606:4700::1111"],
        ),
    ];

    #[test]
    fn every_range_is_known_from_its_first_to_its_last_address() {
        for (inner, within, outside) in RANGES {
            for text in within {
                assert_eq!(of(text), Some(inner), "{text}");
            }
            for text in outside {
                assert_eq!(of(text), None, "{text}");
            }
        }
    }

    #[test]
    fn an_address_of_version_4_is_the_same_within_one_of_version_6() {
        let of_v4 = |text: &&&str| text.parse::<Ipv4Addr>().is_ok();
        for (inner, within, outside) in RANGES {
            for text in within.iter().filter(of_v4) {
                assert_eq!(of(&format!("::ffff:{text}")), Some(inner), "{text}");
                assert_eq!(of(&format!("64:ff9b::{text}")), Some(inner), "{text}");
            }
            for text in outside.iter().filter(of_v4) {
                assert_eq!(of(&format!("::ffff:{text}")), None, "{text}");
            }
        }
        assert_eq!(of("::127.0.0.1"), Some(Inner::Loopback));
        assert_eq!(of("2002:7f00:1::"), Some(Inner::Loopback));
        assert_eq!(of("2002:808:808::"), None);
        assert_eq!(of("2001:0:1:2:3:4:80ff:fffe"), Some(Inner::Loopback));
        assert!(of("64:ff9b:1::1").is_some());
    }
}
