//! The field table: one row for each field, in the order in which a switch encodes a match.
//!
//! What the columns mean is told at [`Field`](super::Field).  The code points stand oldest
//! first; the last one whose version is not newer than the session's is the one to emit.  A
//! code point of an experimenter is the TLV's 32-bit header followed by the experimenter's id.
//! Sources: OpenFlow 1.5.1 §7.2.3.8 for class 0x8000; the Nicira extensions for 0x0000 and 0x0001.

use super::{Field, FieldId, Format, Prerequisite, Settable};
use crate::flow::key::{Slot, slot};

/// A number of `bits` ones.
const fn ones(bits: u8) -> u128 {
    if bits == 128 {
        u128::MAX
    } else {
        (1 << bits) - 1
    }
}

/// A place inside another.
const fn part(whole: Slot, start: u8, width: u8) -> Slot {
    Slot {
        word: whole.word,
        shift: whole.shift + start,
        width,
    }
}

macro_rules! fields {
    ($($id:ident, [$name:literal $(, $alias:literal)*], $bits:literal, $bytes:literal, $legal:expr,
       $maskable:literal, $set:ident, $needs:ident, $format:ident, $place:expr, $codes:expr;)*) => {
        /// The number of each row.
        #[allow(non_camel_case_types, clippy::upper_case_acronyms, reason = "names of constants")]
        enum Row { $($id,)* }

        $(#[doc = concat!("`", $name, "`.")] pub const $id: FieldId = FieldId(Row::$id as u16);)*

        /// Every field, in the order in which a match is encoded.
        pub static FIELDS: &[Field] = &[$(Field {
            id: $id,
            name: $name,
            aliases: &[$($alias),*],
            bits: $bits,
            wire_bytes: $bytes,
            legal: $legal,
            maskable: $maskable,
            settable: Settable::$set,
            prerequisite: Prerequisite::$needs,
            format: Format::$format,
            slot: $place,
            headers: &$codes,
        },)*];
    };
}

#[rustfmt::skip]
fields! {
    // constant         names                     bits  bytes  legal bits  masks  set   prerequisite  format       place                          code points (since version, TLV header)
    PACKET_TYPE,        ["packet_type"],          32,   4,     ones(32),   false, No,   Nothing,      PacketType,  slot::PACKET_TYPE,             [(1, 0x8000_5804)];
    DP_HASH,            ["dp_hash"],              32,   4,     ones(32),   true,  No,   Nothing,      Hexadecimal, slot::DP_HASH,                 [(1, 0xffff_0008_0000_2320), (1, 0x0001_4604)];
    RECIRC_ID,          ["recirc_id"],            32,   4,     ones(32),   false, No,   Nothing,      Decimal,     slot::RECIRC_ID,               [(1, 0x0001_4804)];
    CONJ_ID,            ["conj_id"],              32,   4,     ones(32),   false, No,   Nothing,      Decimal,     slot::CONJ_ID,                 [(1, 0x0001_4a04)];
    IN_PORT,            ["in_port"],              16,   2,     ones(16),   false, Yes,  Nothing,      Port16,      slot::IN_PORT,                 [(1, 0x0000_0002)];
    IN_PORT_OXM,        ["in_port_oxm"],          32,   4,     ones(32),   false, Yes,  Nothing,      Port32,      slot::IN_PORT,                 [(1, 0x8000_0004)];
    IN_PHY_PORT,        ["in_phy_port"],          32,   4,     ones(32),   false, No,   InPort,       Port32,      slot::IN_PHY_PORT,             [(1, 0x8000_0204)];
    ACTSET_OUTPUT,      ["actset_output"],        32,   4,     ones(32),   false, No,   Nothing,      Port32,      slot::ACTSET_OUTPUT,           [(1, 0xffff_5608_4f4e_4600), (6, 0x8000_5604)];
    ETH_SRC,            ["eth_src", "dl_src"],    48,   6,     ones(48),   true,  Yes,  Ethernet,     Ethernet,    slot::ETH_SRC,                 [(1, 0x0000_0406), (4, 0x8000_0806)];
    ETH_DST,            ["eth_dst", "dl_dst"],    48,   6,     ones(48),   true,  Yes,  Ethernet,     Ethernet,    slot::ETH_DST,                 [(1, 0x0000_0206), (4, 0x8000_0606)];
    ETH_TYPE,           ["eth_type", "dl_type"],  16,   2,     ones(16),   false, Spec, Ethernet,     Hexadecimal, slot::ETH_TYPE,                [(1, 0x0000_0602), (4, 0x8000_0a02)];
    VLAN_TCI,           ["vlan_tci"],             16,   2,     ones(16),   true,  Yes,  Ethernet,     Hexadecimal, slot::VLAN_TCI,                [(1, 0x0000_0802)];
    DL_VLAN,            ["dl_vlan"],              12,   2,     ones(12),   false, Yes,  Ethernet,     Decimal,     part(slot::VLAN_TCI, 0, 12),   [];
    DL_VLAN_PCP,        ["dl_vlan_pcp"],          3,    1,     ones(3),    false, Yes,  Ethernet,     Decimal,     part(slot::VLAN_TCI, 13, 3),   [];
    VLAN_VID,           ["vlan_vid"],             12,   2,     0x1fff,     true,  Yes,  Ethernet,     Decimal,     part(slot::VLAN_TCI, 0, 13),   [(1, 0x8000_0c02)];
    VLAN_PCP,           ["vlan_pcp"],             3,    1,     ones(3),    false, Yes,  Vlan,         Decimal,     part(slot::VLAN_TCI, 13, 3),   [(1, 0x8000_0e01)];
    PBB_ISID,           ["pbb_isid"],             24,   3,     ones(24),   true,  Spec, Pbb,          Hexadecimal, part(slot::PBB_ITAG, 0, 24),   [(1, 0x8000_4a03)];
    PBB_UCA,            ["pbb_uca"],              1,    1,     ones(1),    false, Spec, Pbb,          Decimal,     part(slot::PBB_ITAG, 27, 1),   [(1, 0x8000_5201)];
    MPLS_TC,            ["mpls_tc"],              3,    1,     ones(3),    false, Yes,  Mpls,         Decimal,     part(slot::MPLS_LSE0, 9, 3),   [(1, 0x8000_4601)];
    MPLS_BOS,           ["mpls_bos"],             1,    1,     ones(1),    false, Spec, Mpls,         Decimal,     part(slot::MPLS_LSE0, 8, 1),   [(1, 0x8000_4801)];
    MPLS_TTL,           ["mpls_ttl"],             8,    1,     ones(8),    false, Yes,  Mpls,         Decimal,     part(slot::MPLS_LSE0, 0, 8),   [(1, 0x0001_3c01)];
    MPLS_LABEL,         ["mpls_label"],           20,   4,     ones(20),   false, Yes,  Mpls,         Decimal,     part(slot::MPLS_LSE0, 12, 20), [(1, 0x8000_4404)];
    IP_SRC,             ["ip_src", "nw_src"],     32,   4,     ones(32),   true,  Yes,  Ipv4,         Ipv4,        slot::IPV4_SRC,                [(1, 0x0000_0e04), (4, 0x8000_1604)];
    IP_DST,             ["ip_dst", "nw_dst"],     32,   4,     ones(32),   true,  Yes,  Ipv4,         Ipv4,        slot::IPV4_DST,                [(1, 0x0000_1004), (4, 0x8000_1804)];
    IPV6_SRC,           ["ipv6_src"],             128,  16,    ones(128),  true,  Yes,  Ipv6,         Ipv6,        slot::IPV6_SRC,                [(1, 0x0001_2610), (4, 0x8000_3410)];
    IPV6_DST,           ["ipv6_dst"],             128,  16,    ones(128),  true,  Yes,  Ipv6,         Ipv6,        slot::IPV6_DST,                [(1, 0x0001_2810), (4, 0x8000_3610)];
    IPV6_LABEL,         ["ipv6_label"],           20,   4,     ones(20),   true,  Yes,  Ipv6,         Hexadecimal, part(slot::IPV6_LABEL, 0, 20), [(1, 0x0001_3604), (4, 0x8000_3804)];
    IPV6_EXTHDR,        ["ipv6_exthdr"],          9,    2,     0x1ff,      true,  No,   Ipv6,         Hexadecimal, slot::IPV6_EXTHDR,             [(1, 0x8000_4e02)];
    IP_FRAG,            ["ip_frag", "nw_frag"],   2,    1,     0x3,        true,  No,   Ip,           Frag,        slot::IP_FRAG,                 [(1, 0x0001_3401)];
    NW_TOS,             ["nw_tos"],               8,    1,     0xfc,       false, Yes,  Ip,           Decimal,     slot::IP_TOS,                  [(1, 0x0000_0a01)];
    IP_DSCP,            ["ip_dscp"],              6,    1,     ones(6),    false, Yes,  Ip,           Decimal,     part(slot::IP_TOS, 2, 6),      [(1, 0x8000_1001)];
    NW_ECN,             ["nw_ecn", "ip_ecn"],     2,    1,     ones(2),    false, Yes,  Ip,           Decimal,     part(slot::IP_TOS, 0, 2),      [(1, 0x0001_3801), (4, 0x8000_1201)];
    NW_TTL,             ["nw_ttl"],               8,    1,     ones(8),    false, Yes,  Ip,           Decimal,     slot::IP_TTL,                  [(1, 0x0001_3a01)];
    NW_PROTO,           ["nw_proto", "ip_proto"], 8,    1,     ones(8),    false, Spec, Ip,           Decimal,     slot::IP_PROTO,                [(1, 0x0000_0c01), (4, 0x8000_1401)];
    TCP_SRC,            ["tcp_src", "tp_src"],    16,   2,     ones(16),   true,  Yes,  Tcp,          Decimal,     slot::TP_SRC,                  [(1, 0x0000_1202), (4, 0x8000_1a02)];
    TCP_DST,            ["tcp_dst", "tp_dst"],    16,   2,     ones(16),   true,  Yes,  Tcp,          Decimal,     slot::TP_DST,                  [(1, 0x0000_1402), (4, 0x8000_1c02)];
    TCP_FLAGS,          ["tcp_flags"],            12,   2,     0xfff,      true,  No,   Tcp,          TcpFlags,    slot::TCP_FLAGS,               [(1, 0x0001_4402), (4, 0xffff_5406_4f4e_4600), (6, 0x8000_5402)];
    UDP_SRC,            ["udp_src"],              16,   2,     ones(16),   true,  Yes,  Udp,          Decimal,     slot::TP_SRC,                  [(1, 0x0000_1602), (4, 0x8000_1e02)];
    UDP_DST,            ["udp_dst"],              16,   2,     ones(16),   true,  Yes,  Udp,          Decimal,     slot::TP_DST,                  [(1, 0x0000_1802), (4, 0x8000_2002)];
    SCTP_SRC,           ["sctp_src"],             16,   2,     ones(16),   true,  Yes,  Sctp,         Decimal,     slot::TP_SRC,                  [(1, 0x8000_2202)];
    SCTP_DST,           ["sctp_dst"],             16,   2,     ones(16),   true,  Yes,  Sctp,         Decimal,     slot::TP_DST,                  [(1, 0x8000_2402)];
    ICMP_TYPE,          ["icmp_type"],            8,    1,     ones(8),    false, Yes,  Icmpv4,       Decimal,     part(slot::TP_SRC, 0, 8),      [(1, 0x0000_1a01), (4, 0x8000_2601)];
    ICMP_CODE,          ["icmp_code"],            8,    1,     ones(8),    false, Yes,  Icmpv4,       Decimal,     part(slot::TP_DST, 0, 8),      [(1, 0x0000_1c01), (4, 0x8000_2801)];
    ICMPV6_TYPE,        ["icmpv6_type"],          8,    1,     ones(8),    false, Yes,  Icmpv6,       Decimal,     part(slot::TP_SRC, 0, 8),      [(1, 0x0001_2a01), (4, 0x8000_3a01)];
    ICMPV6_CODE,        ["icmpv6_code"],          8,    1,     ones(8),    false, Yes,  Icmpv6,       Decimal,     part(slot::TP_DST, 0, 8),      [(1, 0x0001_2c01), (4, 0x8000_3c01)];
    ND_TARGET,          ["nd_target"],            128,  16,    ones(128),  true,  Yes,  Nd,           Ipv6,        slot::ND_TARGET,               [(1, 0x0001_2e10), (4, 0x8000_3e10)];
    ND_SLL,             ["nd_sll"],               48,   6,     ones(48),   true,  Yes,  NdSolicit,    Ethernet,    slot::ARP_SHA,                 [(1, 0x0001_3006), (4, 0x8000_4006)];
    ND_TLL,             ["nd_tll"],               48,   6,     ones(48),   true,  Yes,  NdAdvert,     Ethernet,    slot::ARP_THA,                 [(1, 0x0001_3206), (4, 0x8000_4206)];
    ND_RESERVED,        ["nd_reserved"],          32,   4,     ones(32),   false, Yes,  Nd,           Decimal,     slot::ND_RESERVED,             [(1, 0x1000_0204)];
    ND_OPTIONS_TYPE,    ["nd_options_type"],      8,    1,     ones(8),    false, Yes,  Nd,           Decimal,     slot::ND_OPTION_TYPE,          [(1, 0x1000_0401)];
    ARP_OP,             ["arp_op"],               16,   2,     0xff,       false, Yes,  Arp,          Decimal,     slot::IP_PROTO,                [(1, 0x0000_1e02), (4, 0x8000_2a02)];
    ARP_SPA,            ["arp_spa"],              32,   4,     ones(32),   true,  Yes,  Arp,          Ipv4,        slot::IPV4_SRC,                [(1, 0x0000_2004), (4, 0x8000_2c04)];
    ARP_TPA,            ["arp_tpa"],              32,   4,     ones(32),   true,  Yes,  Arp,          Ipv4,        slot::IPV4_DST,                [(1, 0x0000_2204), (4, 0x8000_2e04)];
    ARP_SHA,            ["arp_sha"],              48,   6,     ones(48),   true,  Yes,  Arp,          Ethernet,    slot::ARP_SHA,                 [(1, 0x0001_2206), (4, 0x8000_3006)];
    ARP_THA,            ["arp_tha"],              48,   6,     ones(48),   true,  Yes,  Arp,          Ethernet,    slot::ARP_THA,                 [(1, 0x0001_2406), (4, 0x8000_3206)];
    TUN_ID,             ["tun_id", "tunnel_id"],  64,   8,     ones(64),   true,  Yes,  Nothing,      Hexadecimal, slot::TUN_ID,                  [(1, 0x0001_2008), (4, 0x8000_4c08)];
    TUN_FLAGS,          ["tun_flags"],            1,    2,     0x1,        true,  Yes,  Nothing,      TunnelFlags, slot::TUN_FLAGS,               [(1, 0x0001_d002)];
    TUN_SRC,            ["tun_src"],              32,   4,     ones(32),   true,  Yes,  Nothing,      Ipv4,        slot::TUN_SRC,                 [(1, 0x0001_3e04)];
    TUN_DST,            ["tun_dst"],              32,   4,     ones(32),   true,  Yes,  Nothing,      Ipv4,        slot::TUN_DST,                 [(1, 0x0001_4004)];
    TUN_IPV6_SRC,       ["tun_ipv6_src"],         128,  16,    ones(128),  true,  Yes,  Nothing,      Ipv6,        slot::TUN_IPV6_SRC,            [(1, 0x0001_da10)];
    TUN_IPV6_DST,       ["tun_ipv6_dst"],         128,  16,    ones(128),  true,  Yes,  Nothing,      Ipv6,        slot::TUN_IPV6_DST,            [(1, 0x0001_dc10)];
    TUN_TTL,            ["tun_ttl"],              8,    1,     ones(8),    false, No,   Nothing,      Decimal,     slot::TUN_TTL,                 [];
    TUN_TOS,            ["tun_tos"],              8,    1,     ones(8),    false, No,   Nothing,      Decimal,     slot::TUN_TOS,                 [];
    TUN_GBP_ID,         ["tun_gbp_id"],           16,   2,     ones(16),   true,  Yes,  Nothing,      Decimal,     slot::TUN_GBP_ID,              [(1, 0x0001_4c02)];
    TUN_GBP_FLAGS,      ["tun_gbp_flags"],        8,    1,     ones(8),    true,  Yes,  Nothing,      Hexadecimal, slot::TUN_GBP_FLAGS,           [(1, 0x0001_4e01)];
    REG0,               ["reg0"],                 32,   4,     ones(32),   true,  Yes,  Nothing,      Hexadecimal, slot::register(0),             [(1, 0x0001_0004)];
    REG1,               ["reg1"],                 32,   4,     ones(32),   true,  Yes,  Nothing,      Hexadecimal, slot::register(1),             [(1, 0x0001_0204)];
    REG2,               ["reg2"],                 32,   4,     ones(32),   true,  Yes,  Nothing,      Hexadecimal, slot::register(2),             [(1, 0x0001_0404)];
    REG3,               ["reg3"],                 32,   4,     ones(32),   true,  Yes,  Nothing,      Hexadecimal, slot::register(3),             [(1, 0x0001_0604)];
    REG4,               ["reg4"],                 32,   4,     ones(32),   true,  Yes,  Nothing,      Hexadecimal, slot::register(4),             [(1, 0x0001_0804)];
    REG5,               ["reg5"],                 32,   4,     ones(32),   true,  Yes,  Nothing,      Hexadecimal, slot::register(5),             [(1, 0x0001_0a04)];
    REG6,               ["reg6"],                 32,   4,     ones(32),   true,  Yes,  Nothing,      Hexadecimal, slot::register(6),             [(1, 0x0001_0c04)];
    REG7,               ["reg7"],                 32,   4,     ones(32),   true,  Yes,  Nothing,      Hexadecimal, slot::register(7),             [(1, 0x0001_0e04)];
    REG8,               ["reg8"],                 32,   4,     ones(32),   true,  Yes,  Nothing,      Hexadecimal, slot::register(8),             [(1, 0x0001_1004)];
    REG9,               ["reg9"],                 32,   4,     ones(32),   true,  Yes,  Nothing,      Hexadecimal, slot::register(9),             [(1, 0x0001_1204)];
    REG10,              ["reg10"],                32,   4,     ones(32),   true,  Yes,  Nothing,      Hexadecimal, slot::register(10),            [(1, 0x0001_1404)];
    REG11,              ["reg11"],                32,   4,     ones(32),   true,  Yes,  Nothing,      Hexadecimal, slot::register(11),            [(1, 0x0001_1604)];
    REG12,              ["reg12"],                32,   4,     ones(32),   true,  Yes,  Nothing,      Hexadecimal, slot::register(12),            [(1, 0x0001_1804)];
    REG13,              ["reg13"],                32,   4,     ones(32),   true,  Yes,  Nothing,      Hexadecimal, slot::register(13),            [(1, 0x0001_1a04)];
    REG14,              ["reg14"],                32,   4,     ones(32),   true,  Yes,  Nothing,      Hexadecimal, slot::register(14),            [(1, 0x0001_1c04)];
    REG15,              ["reg15"],                32,   4,     ones(32),   true,  Yes,  Nothing,      Hexadecimal, slot::register(15),            [(1, 0x0001_1e04)];
    REG16,              ["reg16"],                32,   4,     ones(32),   true,  Yes,  Nothing,      Hexadecimal, slot::register(16),            [(1, 0xffff_2208_0000_2320)];
    REG17,              ["reg17"],                32,   4,     ones(32),   true,  Yes,  Nothing,      Hexadecimal, slot::register(17),            [(1, 0xffff_2408_0000_2320)];
    REG18,              ["reg18"],                32,   4,     ones(32),   true,  Yes,  Nothing,      Hexadecimal, slot::register(18),            [(1, 0xffff_2608_0000_2320)];
    REG19,              ["reg19"],                32,   4,     ones(32),   true,  Yes,  Nothing,      Hexadecimal, slot::register(19),            [(1, 0xffff_2808_0000_2320)];
    REG20,              ["reg20"],                32,   4,     ones(32),   true,  Yes,  Nothing,      Hexadecimal, slot::register(20),            [(1, 0xffff_2a08_0000_2320)];
    REG21,              ["reg21"],                32,   4,     ones(32),   true,  Yes,  Nothing,      Hexadecimal, slot::register(21),            [(1, 0xffff_2c08_0000_2320)];
    REG22,              ["reg22"],                32,   4,     ones(32),   true,  Yes,  Nothing,      Hexadecimal, slot::register(22),            [(1, 0xffff_2e08_0000_2320)];
    REG23,              ["reg23"],                32,   4,     ones(32),   true,  Yes,  Nothing,      Hexadecimal, slot::register(23),            [(1, 0xffff_3008_0000_2320)];
    REG24,              ["reg24"],                32,   4,     ones(32),   true,  Yes,  Nothing,      Hexadecimal, slot::register(24),            [(1, 0xffff_3208_0000_2320)];
    REG25,              ["reg25"],                32,   4,     ones(32),   true,  Yes,  Nothing,      Hexadecimal, slot::register(25),            [(1, 0xffff_3408_0000_2320)];
    REG26,              ["reg26"],                32,   4,     ones(32),   true,  Yes,  Nothing,      Hexadecimal, slot::register(26),            [(1, 0xffff_3608_0000_2320)];
    REG27,              ["reg27"],                32,   4,     ones(32),   true,  Yes,  Nothing,      Hexadecimal, slot::register(27),            [(1, 0xffff_3808_0000_2320)];
    REG28,              ["reg28"],                32,   4,     ones(32),   true,  Yes,  Nothing,      Hexadecimal, slot::register(28),            [(1, 0xffff_3a08_0000_2320)];
    REG29,              ["reg29"],                32,   4,     ones(32),   true,  Yes,  Nothing,      Hexadecimal, slot::register(29),            [(1, 0xffff_3c08_0000_2320)];
    REG30,              ["reg30"],                32,   4,     ones(32),   true,  Yes,  Nothing,      Hexadecimal, slot::register(30),            [(1, 0xffff_3e08_0000_2320)];
    REG31,              ["reg31"],                32,   4,     ones(32),   true,  Yes,  Nothing,      Hexadecimal, slot::register(31),            [(1, 0xffff_4008_0000_2320)];
    XREG0,              ["xreg0"],                64,   8,     ones(64),   true,  Yes,  Nothing,      Hexadecimal, slot::xregister(0),            [(1, 0x8001_0008)];
    XREG1,              ["xreg1"],                64,   8,     ones(64),   true,  Yes,  Nothing,      Hexadecimal, slot::xregister(1),            [(1, 0x8001_0208)];
    XREG2,              ["xreg2"],                64,   8,     ones(64),   true,  Yes,  Nothing,      Hexadecimal, slot::xregister(2),            [(1, 0x8001_0408)];
    XREG3,              ["xreg3"],                64,   8,     ones(64),   true,  Yes,  Nothing,      Hexadecimal, slot::xregister(3),            [(1, 0x8001_0608)];
    XREG4,              ["xreg4"],                64,   8,     ones(64),   true,  Yes,  Nothing,      Hexadecimal, slot::xregister(4),            [(1, 0x8001_0808)];
    XREG5,              ["xreg5"],                64,   8,     ones(64),   true,  Yes,  Nothing,      Hexadecimal, slot::xregister(5),            [(1, 0x8001_0a08)];
    XREG6,              ["xreg6"],                64,   8,     ones(64),   true,  Yes,  Nothing,      Hexadecimal, slot::xregister(6),            [(1, 0x8001_0c08)];
    XREG7,              ["xreg7"],                64,   8,     ones(64),   true,  Yes,  Nothing,      Hexadecimal, slot::xregister(7),            [(1, 0x8001_0e08)];
    XREG8,              ["xreg8"],                64,   8,     ones(64),   true,  Yes,  Nothing,      Hexadecimal, slot::xregister(8),            [(1, 0x8001_1008)];
    XREG9,              ["xreg9"],                64,   8,     ones(64),   true,  Yes,  Nothing,      Hexadecimal, slot::xregister(9),            [(1, 0x8001_1208)];
    XREG10,             ["xreg10"],               64,   8,     ones(64),   true,  Yes,  Nothing,      Hexadecimal, slot::xregister(10),           [(1, 0x8001_1408)];
    XREG11,             ["xreg11"],               64,   8,     ones(64),   true,  Yes,  Nothing,      Hexadecimal, slot::xregister(11),           [(1, 0x8001_1608)];
    XREG12,             ["xreg12"],               64,   8,     ones(64),   true,  Yes,  Nothing,      Hexadecimal, slot::xregister(12),           [(1, 0x8001_1808)];
    XREG13,             ["xreg13"],               64,   8,     ones(64),   true,  Yes,  Nothing,      Hexadecimal, slot::xregister(13),           [(1, 0x8001_1a08)];
    XREG14,             ["xreg14"],               64,   8,     ones(64),   true,  Yes,  Nothing,      Hexadecimal, slot::xregister(14),           [(1, 0x8001_1c08)];
    XREG15,             ["xreg15"],               64,   8,     ones(64),   true,  Yes,  Nothing,      Hexadecimal, slot::xregister(15),           [(1, 0x8001_1e08)];
    XXREG0,             ["xxreg0"],               128,  16,    ones(128),  true,  Yes,  Nothing,      Hexadecimal, slot::xxregister(0),           [(1, 0x0001_de10)];
    XXREG1,             ["xxreg1"],               128,  16,    ones(128),  true,  Yes,  Nothing,      Hexadecimal, slot::xxregister(1),           [(1, 0x0001_e010)];
    XXREG2,             ["xxreg2"],               128,  16,    ones(128),  true,  Yes,  Nothing,      Hexadecimal, slot::xxregister(2),           [(1, 0x0001_e210)];
    XXREG3,             ["xxreg3"],               128,  16,    ones(128),  true,  Yes,  Nothing,      Hexadecimal, slot::xxregister(3),           [(1, 0x0001_e410)];
    XXREG4,             ["xxreg4"],               128,  16,    ones(128),  true,  Yes,  Nothing,      Hexadecimal, slot::xxregister(4),           [(1, 0xffff_4214_0000_2320)];
    XXREG5,             ["xxreg5"],               128,  16,    ones(128),  true,  Yes,  Nothing,      Hexadecimal, slot::xxregister(5),           [(1, 0xffff_4414_0000_2320)];
    XXREG6,             ["xxreg6"],               128,  16,    ones(128),  true,  Yes,  Nothing,      Hexadecimal, slot::xxregister(6),           [(1, 0xffff_4614_0000_2320)];
    XXREG7,             ["xxreg7"],               128,  16,    ones(128),  true,  Yes,  Nothing,      Hexadecimal, slot::xxregister(7),           [(1, 0xffff_4814_0000_2320)];
    PKT_MARK,           ["pkt_mark"],             32,   4,     ones(32),   true,  Yes,  Nothing,      Hexadecimal, slot::PKT_MARK,                [(1, 0x0001_4204)];
    METADATA,           ["metadata"],             64,   8,     ones(64),   true,  Yes,  Nothing,      Hexadecimal, slot::METADATA,                [(1, 0x8000_0408)];
}
