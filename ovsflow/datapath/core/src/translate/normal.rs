//! NORMAL: what a learning switch would do, VLAN by VLAN.
//!
//! Every port is a trunk of all VLANs; untagged and priority-tagged frames are VLAN 0, and a tag of
//! VLAN 0 that tells no priority goes.  The source address is learned as a side effect; the
//! destination decides between one port and a flood of the rest.

use super::Effect;
use super::Observer;
use super::walk::Walk;
use crate::error::DropReason;
use crate::flow::field::VLAN_PRESENT;
use crate::flow::slot;
use crate::packet::{PortNo, ethernet};
use crate::table::{Port, port_config};

/// Addresses 01:80:c2:00:00:00 to 0f, which no bridge forwards.  Source: IEEE 802.1D table 7-10.
const RESERVED: u64 = 0x0180_c200_0000;

impl<O: Observer> Walk<'_, O> {
    pub(super) fn normal(&mut self) {
        self.uses_fdb = true;
        for place in [slot::ETH_DST, slot::ETH_SRC] {
            self.provenance.consult_slot(place, place.ones());
        }
        self.provenance
            .consult_slot(slot::VLAN_TCI, slot::VLAN_TCI.ones());
        let tci = self.flow.value(slot::VLAN_TCI) as u16;
        let vlan = tci & 0x0fff;
        let source = self.flow.value(slot::ETH_SRC) as u64;
        let destination = self.flow.value(slot::ETH_DST) as u64;
        let in_port = self.in_port();
        if destination & !0xf == RESERVED {
            self.lost.get_or_insert(DropReason::NoOutput);
            return;
        }
        if tci == 0 && ethernet::is_vlan(self.flow.value(slot::ETH_TYPE) as u16) {
            // A tag that is cut short.
            self.lost.get_or_insert(DropReason::Malformed);
            return;
        }
        let pipeline = self.context.pipeline;
        if source >> 40 & 1 == 0 && pipeline.ports().port(in_port).is_some() {
            self.effects.push(Effect::LearnMac {
                vlan,
                mac: source,
                port: in_port,
            });
        }
        let known = if destination >> 40 & 1 == 0 {
            let learned = self.learned_at(vlan, destination);
            learned.or_else(|| pipeline.fdb().lookup(vlan, destination))
        } else {
            None
        };
        if u128::from(tci) == VLAN_PRESENT {
            self.emitter.flush_all(&self.flow);
            self.copied(|walk| {
                walk.pop_vlan();
                walk.send(known);
            });
        } else {
            self.send(known);
        }
    }

    /// Sends a copy to the port of its destination, or to all if there is none.
    fn send(&mut self, known: Option<PortNo>) {
        match known {
            Some(port) if port == self.in_port() => {
                self.observer.note(format_args!(
                    "the destination is where the packet came from"
                ));
                self.lost.get_or_insert(DropReason::OutputToIngress);
            }
            Some(port) => {
                self.observer
                    .note(format_args!("destination learned at port {}", port.0));
                self.output_port(port, false, None);
            }
            None => {
                self.observer
                    .note(format_args!("destination unknown: flood"));
                self.flood(|port| Port::is_flooded(port) && port.config & port_config::NO_FWD == 0);
            }
        }
    }

    /// The port at which this very packet showed an address.
    fn learned_at(&self, vlan: u16, mac: u64) -> Option<PortNo> {
        self.effects.iter().rev().find_map(|effect| match effect {
            Effect::LearnMac {
                vlan: seen_vlan,
                mac: seen,
                port,
            } if (*seen_vlan, *seen) == (vlan, mac) => Some(*port),
            _ => None,
        })
    }
}
