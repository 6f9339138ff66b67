//! Matches: TLVs in the order of the field table, and the fixed match of OpenFlow 1.0.

use crate::flow::field::{self, FIELDS, Field, FieldId, Format, port_to_16};
use crate::flow::{FlowMask, slot};
use crate::openflow::Version;
use crate::openflow::codec::{pad8, patch_len, put_number, put_zeros, put16, put32};
use crate::openflow::modify::Match;
use crate::packet::PortNo;

/// Appends an ofp_match (OFPMT_OXM) with its padding.
pub fn ofp_match(version: Version, matching: &Match, out: &mut Vec<u8>) {
    let start = out.len();
    put16(out, 1);
    put16(out, 0);
    match_tlvs(version, matching, out);
    patch_len(out, start + 2, start);
    pad8(out, start);
}

/// Appends a match as TLVs, without padding: NXM where the version is 1.0, else OXM.
pub fn match_tlvs(version: Version, matching: &Match, out: &mut Vec<u8>) {
    let mut left = matching.mask.clone();
    for field in FIELDS {
        let bits = left.value(field.slot) & field.key_mask(field.legal);
        if bits == 0 || !is_used(version, field, matching) {
            continue;
        }
        let is_whole = bits == field.key_mask(field.legal);
        let fits = is_whole || field.maskable;
        // Only a part of tun_flags is public, so Open vSwitch always tells its mask.
        let is_exact = is_whole && field.id != field::TUN_FLAGS;
        if fits && field.prerequisite.holds(&matching.value, &matching.mask) {
            let mask = Some(bits).filter(|_| !is_exact);
            tlv(version, field, field.read(&matching.value), mask, out);
            clear(&mut left, field, bits);
        }
    }
}

fn clear(left: &mut FlowMask, field: &Field, bits: u128) {
    left.set_masked(field.slot, 0, bits);
}

/// Appends one TLV.
pub(super) fn tlv(
    version: Version,
    field: &Field,
    value: u128,
    mask: Option<u128>,
    out: &mut Vec<u8>,
) {
    let Some(header) = field.header(version as u8) else {
        return;
    };
    let size = usize::from(field.wire_bytes);
    tlv_header(header, mask.is_some(), size, out);
    put_number(out, value & mask.unwrap_or(u128::MAX), size);
    if let Some(mask) = mask {
        put_number(out, mask, size);
    }
}

/// Appends a TLV's header; with a mask its length grows by the value's.
pub(super) fn tlv_header(header: u64, masked: bool, size: usize, out: &mut Vec<u8>) {
    let grow = if masked { 0x100 + size as u32 } else { 0 };
    if header >> 32 == 0 {
        put32(out, header as u32 + grow);
    } else {
        put32(out, (header >> 32) as u32 + grow);
        put32(out, header as u32);
    }
}

/// Whether this version names these bits by this field, and not by another view of them.
fn is_used(version: Version, field: &Field, matching: &Match) -> bool {
    let nxm = version == Version::Of10;
    match field.id {
        field::IN_PORT | field::NW_TOS => nxm,
        field::VLAN_TCI => nxm || !tci_splits(matching),
        id if (field::REG0..=field::REG31).contains(&id) => version != Version::Of15,
        _ => !field.headers.is_empty(),
    }
}

/// Whether another field is this version's name for the same bits.
pub(super) fn is_alias(version: Version, field: &Field) -> bool {
    let nxm = version == Version::Of10;
    match field.id {
        field::IN_PORT | field::NW_TOS | field::VLAN_TCI => !nxm,
        field::IN_PORT_OXM | field::IP_DSCP | field::VLAN_VID | field::VLAN_PCP => nxm,
        _ => field.headers.is_empty(),
    }
}

/// Appends fields as a set: each as a TLV whose value tells the bits that are read, in whole bytes
/// where these are all, whatever its prerequisites.
pub(super) fn field_set(version: Version, fields: &[(FieldId, u128)], out: &mut Vec<u8>) {
    for &(id, bits) in fields {
        let field = field::field(id);
        let whole = u128::MAX >> (128 - 8 * u32::from(field.wire_bytes));
        let value = if bits == field.legal { whole } else { bits };
        tlv(version, field, value, None, out);
    }
}

/// Whether a match on the TCI can be told as vlan_vid and vlan_pcp.
fn tci_splits(matching: &Match) -> bool {
    let mask = matching.mask.value(slot::VLAN_TCI);
    let pcp = mask >> 13;
    if matching.value.value(slot::VLAN_TCI) & field::VLAN_PRESENT != 0 {
        return pcp == 0 || pcp == 7;
    }
    // Without a tag there is no priority to tell.
    pcp == 0 || mask & field::VLAN_PRESENT != 0
}

/// Appends the 40-byte match of OpenFlow 1.0; what it cannot say is left out.
pub fn match_10(matching: &Match, out: &mut Vec<u8>) {
    let fixed = Fixed10 { matching };
    let (vlan, pcp, vlan_wildcards) = fixed.vlan();
    let mut wildcards = vlan_wildcards
        | fixed.wildcard(field::IN_PORT_OXM, 1 << 0)
        | fixed.wildcard(field::ETH_SRC, 1 << 2)
        | fixed.wildcard(field::ETH_DST, 1 << 3)
        | fixed.wildcard(field::ETH_TYPE, 1 << 4)
        | fixed.wildcard(field::NW_PROTO, 1 << 5)
        | fixed.wildcard(field::TCP_SRC, 1 << 6)
        | fixed.wildcard(field::TCP_DST, 1 << 7)
        | fixed.wildcard(field::NW_TOS, 1 << 21);
    wildcards |= fixed.ignored_bits(field::IP_SRC) << 8;
    wildcards |= fixed.ignored_bits(field::IP_DST) << 14;
    put32(out, wildcards);
    let port = PortNo(fixed.value(field::IN_PORT_OXM) as u32);
    put16(
        out,
        if wildcards & 1 == 0 {
            port_to_16(port)
        } else {
            0
        },
    );
    put_number(out, fixed.value(field::ETH_SRC), 6);
    put_number(out, fixed.value(field::ETH_DST), 6);
    put16(out, vlan);
    out.extend_from_slice(&[pcp, 0]);
    put16(out, fixed.value(field::ETH_TYPE) as u16);
    out.push(fixed.value(field::NW_TOS) as u8);
    out.push(fixed.value(field::NW_PROTO) as u8);
    put_zeros(out, 2);
    put32(out, fixed.value(field::IP_SRC) as u32);
    put32(out, fixed.value(field::IP_DST) as u32);
    put16(out, fixed.value(field::TCP_SRC) as u16);
    put16(out, fixed.value(field::TCP_DST) as u16);
}

/// A match seen through OpenFlow 1.0's eyes.
struct Fixed10<'a> {
    matching: &'a Match,
}

impl Fixed10<'_> {
    /// Whether the ports' place means ICMP type and code here.
    fn is_icmp(&self) -> bool {
        matches!(self.matching.value.value(slot::IP_PROTO), 1 | 58)
    }

    fn value(&self, id: FieldId) -> u128 {
        let field = field::field(id);
        if self.wildcard(id, 1) != 0 && !matches!(id, field::IP_SRC | field::IP_DST) {
            return 0;
        }
        match field.format {
            Format::Ipv4 => {
                let kept = u128::from(u32::MAX.checked_shl(self.ignored_bits(id)).unwrap_or(0));
                field.read(&self.matching.value) & kept
            }
            _ => field.read(&self.matching.value),
        }
    }

    /// `bit` unless the field is matched whole.
    fn wildcard(&self, id: FieldId, bit: u32) -> u32 {
        let field = field::field(id);
        let ports = matches!(id, field::TCP_SRC | field::TCP_DST);
        let whole = if ports && self.is_icmp() {
            0xff
        } else {
            field.legal
        };
        let mask = self.matching.mask.value(field.slot) & field.legal;
        if mask == whole { 0 } else { bit }
    }

    /// How many low bits of an IPv4 address are not matched.
    fn ignored_bits(&self, id: FieldId) -> u32 {
        let mask = self.matching.mask.value(field::field(id).slot) as u32;
        if mask == 0 {
            32
        } else {
            mask.leading_ones().abs_diff(32)
        }
    }

    /// dl_vlan, dl_vlan_pcp and their wildcard bits.
    fn vlan(&self) -> (u16, u8, u32) {
        const VLAN: u32 = 1 << 1;
        const PCP: u32 = 1 << 20;
        let value = self.matching.value.value(slot::VLAN_TCI) as u16;
        let mask = self.matching.mask.value(slot::VLAN_TCI) as u16;
        if mask & 0x1000 == 0 {
            return (0, 0, VLAN | PCP);
        }
        if value & 0x1000 == 0 {
            return (0xffff, 0, PCP);
        }
        let mut wildcards = 0;
        let mut vid = value & 0xfff;
        let mut pcp = (value >> 13) as u8;
        if mask & 0xfff != 0xfff {
            wildcards |= VLAN;
            vid = 0;
        }
        if mask >> 13 != 7 {
            wildcards |= PCP;
            pcp = 0;
        }
        (vid, pcp, wildcards)
    }
}
