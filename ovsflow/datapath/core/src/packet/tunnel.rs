//! Tunnel metadata: what a tunnel's outer header said, or shall say.

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
