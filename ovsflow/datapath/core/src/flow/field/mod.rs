//! THE field table: every field that a match, a set_field or a subfield can name.
//!
//! A field is a row: its names, width, wire form, prerequisite, and its place in a key.  Fields
//! may be views of one another (vlan_vid and vlan_pcp of the TCI, tcp_src and udp_src, xreg0 and
//! reg0): then their places overlap, and that is all there is to know.  All code that turns
//! fields into bytes or text, in both languages, reads this table; none has a list of its own.
//!
//! Open vSwitch's fields for connection tracking, NSH, ERSPAN, GTP-U and mapped tunnel options
//! are not in the table: [`refused`] knows their headers, so that each gets its own answer.

mod table;
#[cfg(test)]
mod tests;

pub use table::*;

use super::key::{FlowKey, FlowMask, Slot, slot};
use crate::packet::PortNo;

/// Index of a field in the field table ([`FIELDS`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldId(pub u16);

/// One row of the table.
#[derive(Debug)]
pub struct Field {
    /// This row's number.
    pub id: FieldId,
    /// Canonical name, as `ovs-ofctl` knows it.
    pub name: &'static str,
    /// Other names for the same field.
    pub aliases: &'static [&'static str],
    /// Width in bits, as subfields count them.
    pub bits: u8,
    /// Bytes of the value in a TLV; the value is right-aligned in them.
    pub wire_bytes: u8,
    /// The bits that a legal value may have; also the mask of an exact match.
    pub legal: u128,
    /// Whether any mask is allowed, and not only all ones or none.
    pub maskable: bool,
    /// Whether set_field may write it.
    pub settable: Settable,
    /// What a match must say before it may name this field.
    pub prerequisite: Prerequisite,
    /// How people write a value.
    pub format: Format,
    /// Where it lies in a key.
    pub slot: Slot,
    /// Code points, oldest first: the wire version from which each is emitted, and its header
    /// without mask bit; an experimenter's header stands in the high half, its id in the low.
    pub headers: &'static [(u8, u64)],
}

/// Whether actions may write a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settable {
    /// Never.
    No,
    /// Always.
    Yes,
    /// The OpenFlow specification allows it, Open vSwitch does not.
    Spec,
}

/// How people write a field's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Decimal,
    Hexadecimal,
    Ethernet,
    Ipv4,
    Ipv6,
    /// A port in OpenFlow 1.0's 16-bit numbers.
    Port16,
    /// A port in OpenFlow 1.1's 32-bit numbers.
    Port32,
    Frag,
    TcpFlags,
    TunnelFlags,
    PacketType,
}

impl Format {
    /// The name that Python knows it by.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Decimal => "decimal",
            Self::Hexadecimal => "hexadecimal",
            Self::Ethernet => "ethernet",
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
            Self::Port16 => "port16",
            Self::Port32 => "port32",
            Self::Frag => "frag",
            Self::TcpFlags => "tcp_flags",
            Self::TunnelFlags => "tunnel_flags",
            Self::PacketType => "packet_type",
        }
    }
}

/// What a match must say before a field may be named.  Source: OpenFlow 1.5.1 §7.2.3.6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prerequisite {
    Nothing,
    InPort,
    Ethernet,
    Vlan,
    Pbb,
    Mpls,
    Arp,
    Ipv4,
    Ipv6,
    Ip,
    Tcp,
    Udp,
    Sctp,
    Icmpv4,
    Icmpv6,
    Nd,
    NdSolicit,
    NdAdvert,
}

impl Prerequisite {
    /// The name that Python knows it by.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nothing => "none",
            Self::InPort => "in_port",
            Self::Ethernet => "ethernet",
            Self::Vlan => "vlan",
            Self::Pbb => "pbb",
            Self::Mpls => "mpls",
            Self::Arp => "arp",
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
            Self::Ip => "ip",
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
            Self::Icmpv4 => "icmpv4",
            Self::Icmpv6 => "icmpv6",
            Self::Nd => "nd",
            Self::NdSolicit => "nd_solicit",
            Self::NdAdvert => "nd_advert",
        }
    }

    /// Whether a match on `value` under `mask` fulfils this.
    ///
    /// `value` must have no bit outside `mask`: what is not matched reads as 0, which fulfils
    /// no prerequisite but Ethernet's.  As in Open vSwitch, a match that asks for later fragments
    /// may name ICMP's fields, but no ports.
    pub fn holds(self, value: &FlowKey, mask: &FlowMask) -> bool {
        let eth_type = || value.value(slot::ETH_TYPE) as u16;
        let protocol = |number: u8| value.value(slot::IP_PROTO) as u8 == number;
        let ports =
            |number: u8| protocol(number) && value.value(slot::IP_FRAG) & LATER_FRAGMENT == 0;
        let nd = |kinds: &[u8]| {
            Self::Icmpv6.holds(value, mask)
                && value.value(slot::TP_DST) == 0
                && kinds.contains(&(value.value(slot::TP_SRC) as u8))
        };
        match self {
            Self::Nothing => true,
            Self::InPort => mask.value(slot::IN_PORT) != 0,
            Self::Ethernet => value.value(slot::PACKET_TYPE) == 0,
            Self::Vlan => value.value(slot::VLAN_TCI) & VLAN_PRESENT != 0,
            Self::Pbb => eth_type() == 0x88e7,
            Self::Mpls => matches!(eth_type(), 0x8847 | 0x8848),
            Self::Arp => matches!(eth_type(), 0x0806 | 0x8035),
            Self::Ipv4 => eth_type() == 0x0800,
            Self::Ipv6 => eth_type() == 0x86dd,
            Self::Ip => matches!(eth_type(), 0x0800 | 0x86dd),
            Self::Tcp => Self::Ip.holds(value, mask) && ports(6),
            Self::Udp => Self::Ip.holds(value, mask) && ports(17),
            Self::Sctp => Self::Ip.holds(value, mask) && ports(132),
            Self::Icmpv4 => Self::Ipv4.holds(value, mask) && protocol(1),
            Self::Icmpv6 => Self::Ipv6.holds(value, mask) && protocol(58),
            Self::Nd => nd(&[135, 136]),
            Self::NdSolicit => nd(&[135]),
            Self::NdAdvert => nd(&[136]),
        }
    }
}

/// The bit of a TCI in a key that says that a tag is present.
pub const VLAN_PRESENT: u128 = 0x1000;

/// The bit of ip_frag that says that a fragment is not the first.
pub const LATER_FRAGMENT: u128 = 2;

impl Field {
    /// The value in `key`, as it goes on the wire.
    pub fn read(&self, key: &FlowKey) -> u128 {
        let value = key.value(self.slot);
        match self.format {
            Format::Port16 => u128::from(port_to_16(PortNo(value as u32))),
            _ => value & self.legal,
        }
    }

    /// Writes the bits of `value` where `mask` has ones; both as on the wire.
    pub fn write(&self, key: &mut FlowKey, value: u128, mask: u128) {
        match self.format {
            Format::Port16 => {
                let merged = self.read(key) & !mask | value & mask;
                key.set(self.slot, u128::from(port_from_16(merged as u16).0));
            }
            _ => key.set_masked(self.slot, value, mask & self.legal),
        }
    }

    /// The mask over this field's place that a match with `mask` (as on the wire) needs.
    pub fn key_mask(&self, mask: u128) -> u128 {
        match self.format {
            Format::Port16 if mask != 0 => self.slot.ones(),
            _ => mask & self.legal,
        }
    }

    /// The newest code point that a session of wire version `version` may see.
    pub fn header(&self, version: u8) -> Option<u64> {
        let allowed = |&&(since, _): &&(u8, u64)| since <= version;
        self.headers
            .iter()
            .rfind(allowed)
            .map(|&(_, header)| header)
    }
}

/// The field that `id` names.
#[inline]
pub fn field(id: FieldId) -> &'static Field {
    FIELDS.get(usize::from(id.0)).unwrap_or(&FIELDS[0])
}

/// The field of this name or alias.
pub fn by_name(name: &str) -> Option<&'static Field> {
    FIELDS
        .iter()
        .find(|field| field.name == name || field.aliases.contains(&name))
}

/// The field of this TLV header, in the form of [`Field::headers`]: no mask bit, length of the
/// exact form.
pub fn by_header(header: u64) -> Option<&'static Field> {
    let (field, known) = by_code_point(header)?;
    (known == header).then_some(field)
}

/// The field of this class, number and experimenter, and its right header; the length in
/// `header` is not looked at.
pub fn by_code_point(header: u64) -> Option<(&'static Field, u64)> {
    let code_point = without_length(header);
    let index = match DIRECT.get(direct_index(header)) {
        Some(&index) if header >> 32 == 0 && index != NONE => index,
        Some(_) if header >> 32 == 0 => return None,
        _ => {
            let found = |field: &&Field| {
                field
                    .headers
                    .iter()
                    .any(|h| without_length(h.1) == code_point)
            };
            FIELDS.iter().find(found)?.id.0
        }
    };
    let field = field(FieldId(index));
    let same = |h: &&(u8, u64)| without_length(h.1) == code_point;
    field.headers.iter().find(same).map(|&(_, h)| (field, h))
}

/// A header of [`Field::headers`] with its length and mask bit cleared.
const fn without_length(header: u64) -> u64 {
    if header >> 32 != 0 {
        header & !(0x1ff << 32)
    } else {
        header & !0x1ff
    }
}

const NONE: u16 = u16::MAX;

/// Rows of the classes 0x0000, 0x0001, 0x8000 and 0x8001, by class and field number.
static DIRECT: [u16; 512] = direct();

/// Index into [`DIRECT`]; past its end for other classes.
const fn direct_index(header: u64) -> usize {
    let class = match header >> 16 {
        0x0000 => 0,
        0x0001 => 1,
        0x8000 => 2,
        0x8001 => 3,
        _ => return usize::MAX,
    };
    class << 7 | (header >> 9 & 0x7f) as usize
}

const fn direct() -> [u16; 512] {
    let mut rows = [NONE; 512];
    let mut row = 0;
    while row < FIELDS.len() {
        let headers = FIELDS[row].headers;
        let mut i = 0;
        while i < headers.len() {
            let index = direct_index(headers[i].1);
            if index < rows.len() {
                rows[index] = row as u16;
            }
            i += 1;
        }
        row += 1;
    }
    rows
}

/// Fields of Open vSwitch that this switch knows of and does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// A mapped tunnel option: no mapping exists.
    TunnelMetadata,
    /// Connection tracking.
    Conntrack,
    /// NSH, ERSPAN or GTP-U.
    Unsupported,
}

/// Why the field of `header` (form of [`Field::headers`]) is not in the table, if it is known.
pub const fn refused(header: u64) -> Option<Refused> {
    let number = if header >> 32 == 0 {
        header >> 9 & 0x7f
    } else {
        header >> 41 & 0x7f
    };
    if header >> 16 == 1 {
        return match number {
            40..=103 => Some(Refused::TunnelMetadata),
            105..=108 | 119..=125 => Some(Refused::Conntrack),
            _ => None,
        };
    }
    match (header as u32, number) {
        (0x0000_2320, 11..=16) if header >> 48 == 0xffff => Some(Refused::Unsupported),
        (0x005a_d650, 1..=10) if header >> 48 == 0xffff => Some(Refused::Unsupported),
        _ => None,
    }
}

/// A port of OpenFlow 1.0 in 32 bits: its reserved ports are mapped to OpenFlow 1.1's.
pub const fn port_from_16(port: u16) -> PortNo {
    if port >= 0xfff8 {
        PortNo(0xffff_0000 | port as u32)
    } else {
        PortNo(port as u32)
    }
}

/// A port in the 16 bits of OpenFlow 1.0; a number that does not fit becomes OFPP_NONE.
pub const fn port_to_16(port: PortNo) -> u16 {
    match port.0 {
        0..=0xff00 => port.0 as u16,
        0xffff_fff7.. => port.0 as u16,
        _ => 0xffff,
    }
}
