//! Reading and writing fields in mid-walk: prerequisites, set_field, load, move, the stack.

use super::Observer;
use super::freeze::Hidden;
use super::walk::Walk;
use crate::error::DropReason;
use crate::flow::field::{Field, LATER_FRAGMENT, Prerequisite, VLAN_PRESENT, field, port_from_16};
use crate::flow::{FlowMask, Slot, slot};
use crate::openflow::action::{FieldValue, Subfield};
use crate::packet::PortNo;
use crate::packet::ethernet::TYPE_NONE;

/// Bytes that the stack may hold.
const STACK_LIMIT_BYTES: usize = 65_536;

impl<O: Observer> Walk<'_, O> {
    /// Whether the packet, as it is now, has the headers that `prerequisite` asks for.
    pub(super) fn meets(&mut self, prerequisite: Prerequisite) -> bool {
        let mut wanted = FlowMask::default();
        prerequisite_bits(prerequisite, &mut wanted);
        self.provenance.consult(&wanted);
        // A match on ICMP may speak of later fragments, but those have no such header.
        let is_cut = wanted.value(slot::IP_FRAG) & self.flow.value(slot::IP_FRAG) != 0;
        !is_cut && (prerequisite == Prerequisite::InPort || prerequisite.holds(&self.flow, &wanted))
    }

    /// The value of some bits of a field; they have decided something from now on.
    pub(super) fn read(&mut self, source: Subfield) -> u128 {
        let row = field(source.field);
        let mask = subfield_mask(source);
        let bits = row.key_mask(mask);
        self.provenance.consult_slot(row.slot, bits);
        (row.read(&self.flow) & mask) >> source.start
    }

    /// Writes some bits of a field; nothing if the packet lacks the field's header.
    pub(super) fn write(&mut self, target: Subfield, value: u128) {
        let mask = subfield_mask(target);
        self.write_field(&FieldValue {
            field: target.field,
            value: value << target.start & mask,
            mask,
        });
    }

    /// Writes a field; nothing if the packet lacks the field's header.
    pub(super) fn write_field(&mut self, write: &FieldValue) {
        let row = field(write.field);
        if !self.meets(row.prerequisite) {
            let name = row.name;
            self.observer
                .note(format_args!("{name} not set: the packet has no such field"));
            return;
        }
        if row.slot.word == slot::VLAN_TCI.word && row.slot.shift < slot::ETH_DST.shift {
            self.write_tag(row, write);
        } else {
            self.write_bits(row, write);
        }
    }

    /// Writes the outer TCI; its present bit decides whether there is a tag at all.
    fn write_tag(&mut self, row: &Field, write: &FieldValue) {
        let bits = row.key_mask(write.mask);
        let shifted = bits << row.slot.shift;
        let present_after = write.value << row.slot.shift & VLAN_PRESENT != 0;
        if shifted & VLAN_PRESENT == 0 {
            return self.write_bits(row, write);
        }
        match (self.meets(Prerequisite::Vlan), present_after) {
            (false, true) => self.push_vlan(0x8100, 0),
            (true, false) => return self.pop_vlan(),
            (false, false) => return,
            (true, true) => {}
        }
        self.write_bits(row, write);
    }

    fn write_bits(&mut self, row: &Field, write: &FieldValue) {
        let mut bits = row.key_mask(write.mask);
        if bits != row.key_mask(row.legal) && is_written_whole(row) {
            bits = row.key_mask(row.legal);
            self.provenance.consult_slot(row.slot, bits);
        }
        let before = self.flow.value(row.slot) & bits;
        let known = self.provenance.is_known(row.slot, bits);
        if let Some(hidden) = hidden_by(row) {
            if self.lacks_ethertype() {
                return;
            }
            // Earlier writes are of headers that this one may turn into others.
            self.emitter.flush_all(&self.flow);
            self.hidden = self.hidden.max(hidden);
        }
        row.write(&mut self.flow, write.value, write.mask);
        self.provenance.overwrite(row.slot, bits);
        let unchanged = known && before == self.flow.value(row.slot) & bits;
        if is_header(row.slot) && !unchanged {
            self.emitter.pend(row.slot, bits);
        }
    }

    /// Whether the frame has a length where an EtherType would stand.
    fn lacks_ethertype(&mut self) -> bool {
        let all = slot::ETH_TYPE.ones();
        self.provenance.consult_slot(slot::ETH_TYPE, all);
        self.flow.value(slot::ETH_TYPE) == u128::from(TYPE_NONE)
    }

    /// Copies bits from one field to another; nothing if a header is missing.
    pub(super) fn move_bits(&mut self, source: Subfield, target: Subfield) {
        if self.meets(field(source.field).prerequisite) {
            let value = self.read(source);
            self.write(target, value);
        }
    }

    /// Pushes bits on the stack.
    pub(super) fn stack_push(&mut self, source: Subfield) {
        let value = self.read(source);
        self.stack.push((value, source.len));
        let bytes = |&(_, bits): &(u128, u8)| usize::from(bits).div_ceil(8);
        // The sum is taken only where it could be near the limit.
        if self.stack.len() > STACK_LIMIT_BYTES / 16
            && self.stack.iter().map(bytes).sum::<usize>() > STACK_LIMIT_BYTES
        {
            self.fail(DropReason::StackOverflow);
        }
    }

    /// Pops bits off the stack; an empty one leaves the field alone.
    pub(super) fn stack_pop(&mut self, target: Subfield) {
        match self.stack.pop() {
            Some((value, _)) => self.write(target, value),
            None => self.observer.note(format_args!("pop of an empty stack")),
        }
    }
}

/// The bits that `part` names, in place in its field.
pub(super) fn subfield_mask(part: Subfield) -> u128 {
    let ones = if part.len >= 128 {
        u128::MAX
    } else {
        (1 << part.len) - 1
    };
    ones.checked_shl(u32::from(part.start)).unwrap_or(0)
}

/// The port that a number in a field names: in 16 bits reserved ports have OpenFlow 1.0's numbers.
pub(super) fn port_in_field(number: u128) -> PortNo {
    u16::try_from(number).map_or(PortNo(number as u32), port_from_16)
}

/// Whether a place belongs to a header of the packet, and not to metadata.
fn is_header(place: Slot) -> bool {
    match place.word {
        0 => place == slot::IP_PROTO || place == slot::ETH_TYPE,
        1..=4 | 12..=22 => true,
        23 => place.shift >= slot::ND_RESERVED.shift,
        _ => false,
    }
}

/// What becomes of the headers behind a field that says what they are, when it is written.
fn hidden_by(row: &Field) -> Option<Hidden> {
    match row.slot {
        slot::ETH_TYPE => Some(Hidden::Frame),
        slot::IP_PROTO if row.prerequisite == Prerequisite::Ip => Some(Hidden::Network),
        _ => None,
    }
}

/// Whether a header field can only be written whole: its other bits must then be known.
fn is_written_whole(row: &Field) -> bool {
    let icmp = matches!(
        row.prerequisite,
        Prerequisite::Icmpv4 | Prerequisite::Icmpv6
    );
    let whole = [
        slot::ETH_TYPE,
        slot::IP_TTL,
        slot::IP_PROTO,
        slot::ND_RESERVED,
        slot::ND_OPTION_TYPE,
    ];
    icmp || whole.contains(&row.slot)
}

/// Adds the bits that decide whether a prerequisite holds.
fn prerequisite_bits(prerequisite: Prerequisite, wanted: &mut FlowMask) {
    let ethertype = |wanted: &mut FlowMask| wanted.set(slot::ETH_TYPE, slot::ETH_TYPE.ones());
    let transport = |wanted: &mut FlowMask| {
        ethertype(wanted);
        wanted.set(slot::IP_PROTO, slot::IP_PROTO.ones());
        wanted.set(slot::IP_FRAG, LATER_FRAGMENT);
    };
    match prerequisite {
        Prerequisite::Nothing | Prerequisite::InPort => {}
        Prerequisite::Ethernet => wanted.set(slot::PACKET_TYPE, slot::PACKET_TYPE.ones()),
        Prerequisite::Vlan => wanted.set(slot::VLAN_TCI, VLAN_PRESENT),
        Prerequisite::Pbb
        | Prerequisite::Mpls
        | Prerequisite::Arp
        | Prerequisite::Ipv4
        | Prerequisite::Ipv6
        | Prerequisite::Ip => ethertype(wanted),
        Prerequisite::Tcp
        | Prerequisite::Udp
        | Prerequisite::Sctp
        | Prerequisite::Icmpv4
        | Prerequisite::Icmpv6 => transport(wanted),
        Prerequisite::Nd | Prerequisite::NdSolicit | Prerequisite::NdAdvert => {
            transport(wanted);
            wanted.set(slot::TP_SRC, slot::TP_SRC.ones());
            wanted.set(slot::TP_DST, slot::TP_DST.ones());
        }
    }
}
