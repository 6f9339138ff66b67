//! Which bits of a packet an action list may look at, or move to where a rule looks at them.
//!
//! An upper bound, known without a packet: what one walk really looked at is told by its own
//! mask, which is never wider.

use crate::flow::field::{self, Prerequisite, VLAN_PRESENT};
use crate::flow::{FlowMask, Slot, slot};
use crate::openflow::action::{Action, FieldId, Instructions, LearnSource, Subfield};
use crate::packet::PortNo;

/// Words of the tunnel fields.
const TUNNEL_WORDS: std::ops::Range<usize> = 5..12;

/// What the instructions of a rule may look at.  `is_tunnel` tells which ports are tunnels.
pub(super) fn of_instructions(
    instructions: &Instructions,
    is_tunnel: &impl Fn(PortNo) -> bool,
) -> FlowMask {
    let mut reads = Reads {
        mask: FlowMask::default(),
        written: FlowMask::default(),
        is_tunnel,
    };
    reads.list(&instructions.apply);
    // A set runs its outputs last.
    reads.sets(&instructions.write);
    reads.list(&instructions.write);
    reads.mask
}

/// What the action set of a bucket may look at.
pub(super) fn of_bucket(actions: &[Action], is_tunnel: &impl Fn(PortNo) -> bool) -> FlowMask {
    let mut reads = Reads {
        mask: FlowMask::default(),
        written: FlowMask::default(),
        is_tunnel,
    };
    reads.sets(actions);
    reads.list(actions);
    reads.mask
}

struct Reads<'a, F> {
    mask: FlowMask,
    /// Whole tunnel fields written before.
    written: FlowMask,
    is_tunnel: &'a F,
}

impl<F: Fn(PortNo) -> bool> Reads<'_, F> {
    fn slot(&mut self, slot: Slot, bits: u128) {
        self.mask.set(slot, self.mask.value(slot) | bits);
    }

    fn all(&mut self, slots: &[Slot]) {
        for &slot in slots {
            self.slot(slot, slot.ones());
        }
    }

    fn subfield(&mut self, part: Subfield) {
        let row = field::field(part.field);
        self.slot(row.slot, row.slot.ones());
        self.prerequisite(part.field);
    }

    /// What decides whether a packet has a field.
    fn prerequisite(&mut self, id: FieldId) {
        match field::field(id).prerequisite {
            Prerequisite::Nothing | Prerequisite::InPort => {}
            Prerequisite::Ethernet => {
                if field::field(id).slot.word == slot::VLAN_TCI.word {
                    self.slot(slot::VLAN_TCI, VLAN_PRESENT);
                }
                self.all(&[slot::PACKET_TYPE]);
            }
            Prerequisite::Vlan => self.slot(slot::VLAN_TCI, VLAN_PRESENT),
            Prerequisite::Pbb
            | Prerequisite::Mpls
            | Prerequisite::Arp
            | Prerequisite::Ipv4
            | Prerequisite::Ipv6
            | Prerequisite::Ip => self.all(&[slot::ETH_TYPE]),
            Prerequisite::Tcp
            | Prerequisite::Udp
            | Prerequisite::Sctp
            | Prerequisite::Icmpv4
            | Prerequisite::Icmpv6 => self.transport(),
            Prerequisite::Nd | Prerequisite::NdSolicit | Prerequisite::NdAdvert => {
                self.transport();
                self.all(&[slot::TP_SRC, slot::TP_DST]);
            }
        }
    }

    fn transport(&mut self) {
        self.all(&[slot::ETH_TYPE, slot::IP_PROTO, slot::IP_FRAG]);
    }

    /// Notes the tunnel fields that a list writes whole.
    fn sets(&mut self, actions: &[Action]) {
        for action in actions {
            if let Action::SetField(set) = action {
                let place = field::field(set.field).slot;
                if TUNNEL_WORDS.contains(&usize::from(place.word)) && set.mask == place.ones() {
                    self.written.set(place, place.ones());
                }
            }
        }
    }

    fn list(&mut self, actions: &[Action]) {
        for action in actions {
            self.action(action);
            self.sets(std::slice::from_ref(action));
        }
    }

    fn output(&mut self, port: PortNo) {
        match port {
            PortNo::NORMAL => {
                self.all(&[slot::ETH_DST, slot::ETH_SRC, slot::VLAN_TCI]);
                self.tunnel();
            }
            PortNo::FLOOD | PortNo::ALL | PortNo::IN_PORT => self.tunnel(),
            port if (self.is_tunnel)(port) => self.tunnel(),
            _ => {}
        }
    }

    fn tunnel(&mut self) {
        for word in TUNNEL_WORDS {
            self.mask.words[word] |= !self.written.words[word];
        }
        // Whether the packet would go back to where it came from.
        self.all(&[slot::TUN_DST, slot::TUN_IPV6_DST]);
    }

    fn action(&mut self, action: &Action) {
        match action {
            Action::Output { port, .. }
            | Action::OutputTruncated { port, .. }
            | Action::Enqueue { port, .. } => self.output(*port),
            Action::OutputField { source, .. } => {
                self.subfield(*source);
                self.tunnel();
            }
            Action::SetField(set) => self.prerequisite(set.field),
            Action::Load { target, .. }
            | Action::StackPop(target)
            | Action::CheckPacketLarger { target, .. } => self.prerequisite(target.field),
            Action::Move { source, target } => {
                self.subfield(*source);
                self.prerequisite(target.field);
            }
            Action::StackPush(source) => self.subfield(*source),
            Action::Clone(nested) => self.list(nested),
            Action::Learn(learn) => {
                for spec in &learn.specs {
                    if let LearnSource::Field(source) = spec.source {
                        self.subfield(source);
                    }
                }
            }
            Action::Multipath(_) | Action::Bundle(_) => self.hash_fields(),
            Action::FinTimeout { .. } => {
                self.transport();
                self.all(&[slot::TCP_FLAGS]);
            }
            Action::Group(_)
            | Action::Meter(_)
            | Action::Controller(_)
            | Action::SetQueue(_)
            | Action::PopQueue
            | Action::Resubmit { .. }
            | Action::Exit
            | Action::Conjunction { .. }
            | Action::Note(_)
            | Action::Sample(_) => {}
            Action::SetNwTtl(_) | Action::DecNwTtl { .. } => self.all(&[slot::ETH_TYPE]),
            Action::SetVlanVid(_)
            | Action::SetVlanPcp(_)
            | Action::PushVlan(_)
            | Action::PopVlan => {
                self.all(&[
                    slot::VLAN_TCI,
                    slot::VLAN_TCI2,
                    slot::VLAN_TPID,
                    slot::VLAN_TPID2,
                ]);
            }
            _ => self.shim_headers(),
        }
    }

    /// MPLS and PBB: pushing and popping move fields to places where rules look at them.
    fn shim_headers(&mut self) {
        self.transport();
        self.all(&[
            slot::VLAN_TCI,
            slot::VLAN_TCI2,
            slot::MPLS_LSE0,
            slot::MPLS_LSE1,
            slot::MPLS_LSE2,
            slot::PBB_ITAG,
            slot::ETH_DST,
            slot::ETH_SRC,
            slot::IP_TOS,
            slot::IP_TTL,
        ]);
    }

    fn hash_fields(&mut self) {
        self.transport();
        self.all(&[
            slot::ETH_SRC,
            slot::ETH_DST,
            slot::VLAN_TCI,
            slot::IPV4_SRC,
            slot::IPV4_DST,
            slot::IPV6_SRC,
            slot::IPV6_DST,
            slot::TP_SRC,
            slot::TP_DST,
        ]);
    }
}
