//! Which addresses the gateway reaches for users: those of the public Internet and no others.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Networks of IPv4 in which nothing public is (IANA's special-purpose registry), and one address.
const REFUSED_V4: &[(Ipv4Addr, u32)] = &[
    // This network; the private ones; carriers' NAT; this machine; the link, where clouds have their metadata.
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    // The protocols' own; documentation; 6to4's relays; benchmarks.
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    // Multicast; reserved, with broadcast as its last.
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
    // Looks public, and is what every machine of one cloud finds its metadata at.
    (Ipv4Addr::new(168, 63, 129, 16), 32),
];

/// What IPv6 has given to the public, of which the next are not. Outside lie this machine, the link, private networks, multicast,
/// IPv4 inside IPv6, and NAT64.
const PUBLIC_V6: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);
const REFUSED_V6: &[(Ipv6Addr, u32)] = &[
    // The protocols' own, with Teredo; documentation; 6to4; documentation once more.
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// Whether an address is of the public Internet.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !REFUSED_V4.iter().any(|(network, bits)| {
            let differ = network.to_bits() ^ v4.to_bits();
            differ.leading_zeros() >= *bits
        }),
        IpAddr::V6(v6) => within(v6, PUBLIC_V6) && !REFUSED_V6.iter().any(|network| within(v6, *network)),
    }
}

fn within(address: Ipv6Addr, (network, bits): (Ipv6Addr, u32)) -> bool {
    (network.to_bits() ^ address.to_bits()).leading_zeros() >= bits
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFUSED: &str = "0.0.0.0 0.255.255.255 10.0.0.0 10.255.255.255 100.64.0.0 100.127.255.255 127.0.0.1 127.255.255.255 \
        169.254.0.0 169.254.169.254 172.16.0.0 172.31.255.255 192.168.0.0 192.168.255.255 192.0.0.0 192.0.0.255 \
        192.0.2.1 198.51.100.1 203.0.113.1 192.88.99.1 198.18.0.0 198.19.255.255 224.0.0.1 239.255.255.255 \
        240.0.0.0 255.255.255.255 168.63.129.16 :: ::1 ::ffff:127.0.0.1 ::ffff:8.8.8.8 ::8.8.8.8 \
        64:ff9b::7f00:1 64:ff9b::808:808 64:ff9b:1::1 100::1 2001::1 2001:1ff:ffff::1 2001:db8::1 2002::1 \
        2002:7f00:1:: 2002:ffff::1 3fff::1 3fff:fff:ffff::1 4000::1 fc00::1 fd00:ec2::254 fe80::1 febf::1 \
        fec0::1 ff02::1 ffff::1";
    const PUBLIC: &str = "1.0.0.0 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0 169.253.255.255 \
        169.255.0.0 172.15.255.255 172.32.0.0 192.167.255.255 192.169.0.0 192.0.1.0 192.0.3.0 198.17.255.255 \
        198.20.0.0 223.255.255.255 8.8.8.8 168.63.129.17 2000::1 2001:200::1 2001:db7::1 2001:db9::1 2003::1 \
        2606:4700::1111 3ffe::1 3fff:1000::1";

    #[test]
    fn both_ends_of_every_network_are_refused_and_what_lies_beside_is_not() {
        for refused in REFUSED.split(' ') {
            assert!(!is_public(refused.parse().unwrap()), "{refused} is reached");
        }
        for public in PUBLIC.split(' ') {
            assert!(is_public(public.parse().unwrap()), "{public} is refused");
        }
    }
}
