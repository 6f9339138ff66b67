//! Actions, spelled as the session's version spells them.

use super::matching::tlv;
use super::nicira::{self, begin, end};
use crate::flow::field::{self, Format, field, port_to_16};
use crate::openflow::Version;
use crate::openflow::action::{Action, FieldValue, Subfield};
use crate::openflow::codec::{pad8, patch_len, put_number, put_zeros, put16, put32};

/// Appends a list of actions.  `has_vlan`: the packet is known to carry a tag, which decides
/// how OpenFlow 1.0's set_vlan_vid is told to others.
pub fn actions(version: Version, actions: &[Action], has_vlan: bool, out: &mut Vec<u8>) {
    let mut writer = Writer {
        version,
        has_vlan,
        out,
    };
    let mut rest = actions;
    while let Some((action, behind)) = rest.split_first() {
        let taken = writer.transport_for_any(rest);
        if taken > 0 {
            rest = rest.get(taken..).unwrap_or_default();
            continue;
        }
        writer.action(action);
        rest = behind;
    }
}

/// Where actions are written to, and what they depend on.
pub(super) struct Writer<'a> {
    pub(super) version: Version,
    pub(super) has_vlan: bool,
    pub(super) out: &'a mut Vec<u8>,
}

impl Writer<'_> {
    fn is_10(&self) -> bool {
        self.version == Version::Of10
    }

    /// OpenFlow 1.0: a port set for each protocol in turn is one mod_tp_src or mod_tp_dst.
    /// Returns how many actions were told so.
    fn transport_for_any(&mut self, actions: &[Action]) -> usize {
        let [
            Action::SetField(a),
            Action::SetField(b),
            Action::SetField(c),
            ..,
        ] = actions
        else {
            return 0;
        };
        let kind = match (a.field, b.field, c.field) {
            (field::TCP_SRC, field::UDP_SRC, field::SCTP_SRC) => 9,
            (field::TCP_DST, field::UDP_DST, field::SCTP_DST) => 10,
            _ => return 0,
        };
        let same = a.value == b.value && b.value == c.value;
        let whole = [a, b, c].iter().all(|write| write.mask == 0xffff);
        if !self.is_10() || !same || !whole {
            return 0;
        }
        self.short(kind, a.value as u16);
        3
    }

    /// Appends one action.
    fn action(&mut self, action: &Action) {
        match action {
            Action::Output { port, max_len } => self.output(port.0, *max_len),
            Action::Enqueue { port, queue } => self.enqueue(port.0, *queue),
            Action::SetQueue(queue) if self.is_10() => self.nicira_32(4, *queue),
            Action::SetQueue(queue) => self.word(21, *queue),
            Action::Group(group) if self.is_10() => self.nicira_32(40, group.0),
            Action::Group(group) => self.word(22, group.0),
            Action::Meter(meter) if self.version == Version::Of15 => self.word(29, meter.0),
            Action::Meter(_) => {}
            Action::SetField(write) => self.set_field(write),
            Action::Load { target, value } => self.load(*target, *value),
            Action::Move { source, target } => self.copy(*source, *target),
            Action::SetVlanVid(vid) => self.add_vlan(1, field::VLAN_VID, vid | 0x1000),
            Action::SetVlanPcp(pcp) => self.add_vlan(2, field::VLAN_PCP, u16::from(*pcp)),
            Action::PushVlan(tpid) => {
                self.has_vlan = true;
                if !self.is_10() {
                    self.short(17, *tpid);
                }
            }
            Action::PopVlan => {
                self.has_vlan = false;
                self.word(if self.is_10() { 3 } else { 18 }, 0);
            }
            Action::PushMpls(eth_type) => self.short_or_nicira(19, 23, *eth_type),
            Action::PopMpls(eth_type) => self.short_or_nicira(20, 24, *eth_type),
            Action::SetMplsTtl(ttl) => self.short_or_nicira(15, 25, u16::from(*ttl) << 8),
            Action::DecMplsTtl => self.short_or_nicira(16, 26, 0),
            Action::SetNwTtl(ttl) if self.is_10() => {
                let target = Subfield {
                    field: field::NW_TTL,
                    start: 0,
                    len: 8,
                };
                self.load(target, u64::from(*ttl));
            }
            Action::SetNwTtl(ttl) => self.short(23, u16::from(*ttl) << 8),
            Action::DecNwTtl { controllers } if controllers.is_empty() => {
                self.short_or_nicira(24, 18, 0);
            }
            Action::CopyTtlOut => self.not_in_10(11, 0),
            Action::CopyTtlIn => self.not_in_10(12, 0),
            Action::PushPbb(eth_type) => self.not_in_10(26, *eth_type),
            Action::PopPbb => self.not_in_10(27, 0),
            Action::Clone(inner) => {
                let start = begin(self.out, 42);
                put_zeros(self.out, 6);
                actions(self.version, inner, self.has_vlan, self.out);
                end(self.out, start);
            }
            other => nicira::action(self.version, other, self.out),
        }
    }

    /// An action of 8 bytes with a 32-bit argument.
    fn word(&mut self, kind: u16, argument: u32) {
        put16(self.out, kind);
        put16(self.out, 8);
        put32(self.out, argument);
    }

    /// An action of 8 bytes with a 16-bit argument (or an 8-bit one in its high half).
    fn short(&mut self, kind: u16, argument: u16) {
        self.word(kind, u32::from(argument) << 16);
    }

    fn not_in_10(&mut self, kind: u16, argument: u16) {
        if !self.is_10() {
            self.short(kind, argument);
        }
    }

    /// The action `kind`, on OpenFlow 1.0 Nicira's `subtype`.
    fn short_or_nicira(&mut self, kind: u16, subtype: u16, argument: u16) {
        if self.is_10() {
            let start = begin(self.out, subtype);
            put16(self.out, argument);
            put_zeros(self.out, 4);
            end(self.out, start);
        } else {
            self.short(kind, argument);
        }
    }

    fn nicira_32(&mut self, subtype: u16, argument: u32) {
        let start = begin(self.out, subtype);
        put_zeros(self.out, 2);
        put32(self.out, argument);
        end(self.out, start);
    }

    fn output(&mut self, port: u32, max_len: u16) {
        put16(self.out, 0);
        if self.is_10() {
            put16(self.out, 8);
            put16(self.out, port_to_16(crate::packet::PortNo(port)));
            put16(self.out, max_len);
        } else {
            put16(self.out, 16);
            put32(self.out, port);
            put16(self.out, max_len);
            put_zeros(self.out, 6);
        }
    }

    fn enqueue(&mut self, port: u32, queue: u32) {
        if self.is_10() {
            put16(self.out, 11);
            put16(self.out, 16);
            put16(self.out, port_to_16(crate::packet::PortNo(port)));
            put_zeros(self.out, 6);
            put32(self.out, queue);
        } else {
            self.word(21, queue);
            self.output(port, 0);
            nicira::action(self.version, &Action::PopQueue, self.out);
        }
    }

    /// set_vlan_vid or set_vlan_pcp of OpenFlow 1.0, which push a tag when there is none.
    fn add_vlan(&mut self, kind_10: u16, id: crate::flow::FieldId, value: u16) {
        if self.is_10() {
            let argument = if id == field::VLAN_PCP {
                value << 8
            } else {
                value & 0xfff
            };
            self.short(kind_10, argument);
        } else {
            if !self.has_vlan {
                self.short(17, 0x8100);
            }
            self.set_field(&FieldValue {
                field: id,
                value: value.into(),
                mask: field(id).legal,
            });
        }
        self.has_vlan = true;
    }

    fn set_field(&mut self, write: &FieldValue) {
        let row = field(write.field);
        let is_whole = write.mask == row.legal;
        if self.is_10() && is_whole && self.legacy(write) {
            return;
        }
        match self.version {
            Version::Of10 => self.load_field(write),
            Version::Of13 | Version::Of14 if !is_whole => self.load_field(write),
            _ => {
                let start = self.out.len();
                put16(self.out, 25);
                put16(self.out, 0);
                let mask = Some(write.mask).filter(|_| !is_whole);
                tlv(self.version, row, write.value, mask, self.out);
                pad8(self.out, start);
                patch_len(self.out, start + 2, start);
            }
        }
    }

    /// OpenFlow 1.0's own action for a whole field, if there is one.
    fn legacy(&mut self, write: &FieldValue) -> bool {
        let value = write.value;
        match write.field {
            field::ETH_SRC | field::ETH_DST => {
                put16(self.out, if write.field == field::ETH_SRC { 4 } else { 5 });
                put16(self.out, 16);
                put_number(self.out, value, 6);
                put_zeros(self.out, 6);
            }
            field::IP_SRC => self.word(6, value as u32),
            field::IP_DST => self.word(7, value as u32),
            field::IP_DSCP => self.short(8, (value as u16) << 10),
            field::TCP_SRC | field::UDP_SRC | field::SCTP_SRC => self.short(9, value as u16),
            field::TCP_DST | field::UDP_DST | field::SCTP_DST => self.short(10, value as u16),
            field::VLAN_VID if self.has_vlan => self.short(1, value as u16 & 0xfff),
            field::VLAN_PCP if self.has_vlan => self.short(2, (value as u16) << 8),
            field::MPLS_LABEL => self.nicira_32(30, value as u32),
            field::MPLS_TC => self.short_or_nicira(0, 31, (value as u16) << 8),
            field::TUN_ID if value >> 32 == 0 => self.nicira_32(2, value as u32),
            field::TUN_ID => {
                let start = begin(self.out, 9);
                put_zeros(self.out, 6);
                put_number(self.out, value, 8);
                end(self.out, start);
            }
            _ => return false,
        }
        true
    }

    /// A write that the version has no action of its own for: a reg_load for each run of bits,
    /// or reg_load2 where the field's header is too long for that.
    fn load_field(&mut self, write: &FieldValue) {
        let row = field(write.field);
        let long_header = row.header(1).is_none_or(|header| header >> 32 != 0);
        if long_header || row.format == Format::Port16 {
            self.load_2(write);
            return;
        }
        let mut rest = write.mask;
        while rest != 0 {
            let start = rest.trailing_zeros();
            let len = (!(rest >> start)).trailing_zeros().min(64);
            let ones = u128::MAX >> (128 - len) << start;
            let value = (write.value & ones) >> start;
            nicira::reg_load(row, start, len, value as u64, self.out);
            rest &= !ones;
        }
    }

    fn load_2(&mut self, write: &FieldValue) {
        let row = field(write.field);
        let start = begin(self.out, 33);
        let mask = Some(write.mask).filter(|&mask| mask != row.legal);
        tlv(self.version, row, write.value, mask, self.out);
        end(self.out, start);
    }

    fn load(&mut self, target: Subfield, value: u64) {
        let row = field(target.field);
        let long_header = row.header(1).is_none_or(|header| header >> 32 != 0);
        if self.version != Version::Of15 && !long_header {
            let (start, len) = (u32::from(target.start), u32::from(target.len));
            nicira::reg_load(row, start, len, value, self.out);
            return;
        }
        let ones = u128::MAX >> (128 - u32::from(target.len).clamp(1, 128));
        let write = FieldValue {
            field: target.field,
            value: (u128::from(value) & ones) << target.start,
            mask: ones << target.start,
        };
        if self.version == Version::Of15 {
            self.set_field(&write);
        } else {
            self.load_2(&write);
        }
    }

    /// Copies bits: copy_field in OpenFlow 1.5, before that Nicira's reg_move.
    fn copy(&mut self, source: Subfield, target: Subfield) {
        if self.version != Version::Of15 {
            nicira::reg_move(source, target, self.out);
            return;
        }
        let start = self.out.len();
        put16(self.out, 28);
        put16(self.out, 0);
        for number in [source.len, source.start, target.start, 0] {
            put16(self.out, u16::from(number));
        }
        nicira::field_header(6, source.field, self.out);
        nicira::field_header(6, target.field, self.out);
        pad8(self.out, start);
        patch_len(self.out, start + 2, start);
    }
}
