//! Tunnel metadata: what a tunnel's outer header said, or shall say.

use std::sync::Arc;

/// A tunnel end point's address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TunnelAddress {
    /// None: not a tunnel packet, or left to the port's configuration.
    #[default]
    Unset,
    /// IPv4, host byte order of the 32-bit number.
    V4(u32),
    /// IPv6, as a 128-bit number.
    V6(u128),
}

/// One packet's tunnel metadata.  On receive: the outer header's values.  On send: those to use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Tunnel {
    /// tun_id: the VNI in the low 24 bits.
    pub id: u64,
    /// Outer source address.
    pub src: TunnelAddress,
    /// Outer destination address.
    pub dst: TunnelAddress,
    /// tun_flags; bit 0 is OAM.
    pub flags: u16,
    /// Group policy identifier.
    pub gbp_id: u16,
    /// Group policy flags: 0x40 do not learn, 0x08 policy applied.
    pub gbp_flags: u8,
    /// Outer TOS or traffic class: DSCP and ECN.  On send: that of an IP packet before it was cut.
    pub tos: u8,
    /// Outer TTL or hop limit.  On send: that of an IP packet before it was cut, 1 for 0; 0 for all
    /// others, which are asked themselves.
    pub ttl: u8,
}

/// Metadata to send with, as lists of actions keep it.
///
/// That of a tunnel over IPv4 lies in the list: whoever sends to many end points reads no other memory
/// for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TunnelOut {
    V4(TunnelV4),
    Any(Arc<Tunnel>),
}

/// Metadata of a tunnel over IPv4.  A source of 0 is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TunnelV4 {
    pub id: u32,
    pub src: u32,
    pub dst: u32,
    pub flags: u16,
    pub gbp_id: u16,
    pub gbp_flags: u8,
    pub tos: u8,
    pub ttl: u8,
}

impl From<TunnelV4> for Tunnel {
    fn from(v4: TunnelV4) -> Self {
        Self {
            id: u64::from(v4.id),
            src: match v4.src {
                0 => TunnelAddress::Unset,
                src => TunnelAddress::V4(src),
            },
            dst: TunnelAddress::V4(v4.dst),
            flags: v4.flags,
            gbp_id: v4.gbp_id,
            gbp_flags: v4.gbp_flags,
            tos: v4.tos,
            ttl: v4.ttl,
        }
    }
}

impl From<Tunnel> for TunnelOut {
    fn from(tunnel: Tunnel) -> Self {
        let v4 = match (tunnel.src, tunnel.dst) {
            (src @ (TunnelAddress::Unset | TunnelAddress::V4(_)), TunnelAddress::V4(dst)) => {
                TunnelV4 {
                    id: tunnel.id as u32,
                    src: match src {
                        TunnelAddress::V4(src) => src,
                        _ => 0,
                    },
                    dst,
                    flags: tunnel.flags,
                    gbp_id: tunnel.gbp_id,
                    gbp_flags: tunnel.gbp_flags,
                    tos: tunnel.tos,
                    ttl: tunnel.ttl,
                }
            }
            _ => return Self::Any(Arc::new(tunnel)),
        };
        // An identifier of 33 bits, say, or a source that is 0.
        if Tunnel::from(v4) == tunnel {
            Self::V4(v4)
        } else {
            Self::Any(Arc::new(tunnel))
        }
    }
}

impl From<&TunnelOut> for Tunnel {
    fn from(tunnel: &TunnelOut) -> Self {
        match tunnel {
            TunnelOut::V4(v4) => (*v4).into(),
            TunnelOut::Any(tunnel) => **tunnel,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::sample::Random;

    #[test]
    fn test_what_is_kept_is_what_it_was_made_of() {
        let random = &mut Random::new(1);
        let mut inline = 0;
        for _ in 0..1_000 {
            let address = |random: &mut Random| match random.below(4) {
                0 => TunnelAddress::Unset,
                1 => TunnelAddress::V6(u128::from(random.next())),
                2 => TunnelAddress::V4(random.below(2) as u32),
                _ => TunnelAddress::V4(random.next() as u32),
            };
            let tunnel = Tunnel {
                id: random.next() >> (8 * random.below(8)),
                src: address(random),
                dst: address(random),
                flags: random.next() as u16,
                gbp_id: random.next() as u16,
                gbp_flags: random.next() as u8,
                tos: random.next() as u8,
                ttl: random.next() as u8,
            };
            let kept = TunnelOut::from(tunnel);
            assert_eq!(Tunnel::from(&kept), tunnel);
            assert_eq!(kept, TunnelOut::from(tunnel));
            inline += usize::from(matches!(kept, TunnelOut::V4(_)));
        }
        assert!((100..900).contains(&inline), "{inline}");
    }
}
