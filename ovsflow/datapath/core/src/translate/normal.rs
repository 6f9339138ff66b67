//! NORMAL: what a learning switch would do, VLAN by VLAN.
//!
//! Every port is a trunk of all VLANs; untagged and priority-tagged frames are VLAN 0.  The
//! source address is learned as a side effect; the destination decides between one port and
//! a flood of the rest.

use super::Effect;
use super::Observer;
use super::walk::Walk;
use crate::error::DropReason;
use crate::flow::slot;
use crate::table::{Port, port_config};

/// Addresses 01:80:c2:00:00:00 to 0f, which no bridge forwards.  Source: IEEE 802.1D table 7-10.
const RESERVED: u64 = 0x0180_c200_0000;

impl<O: Observer> Walk<'_, O> {
    pub(super) fn normal(&mut self) {
        self.uses_fdb = true;
        for place in [slot::ETH_DST, slot::ETH_SRC] {
            self.provenance.consult_slot(place, place.ones());
        }
        self.provenance.consult_slot(slot::VLAN_TCI, 0x1fff);
        let vlan = self.flow.value(slot::VLAN_TCI) as u16 & 0x0fff;
        let source = self.flow.value(slot::ETH_SRC) as u64;
        let destination = self.flow.value(slot::ETH_DST) as u64;
        let in_port = self.in_port();
        if destination & !0xf == RESERVED {
            self.lost.get_or_insert(DropReason::NoOutput);
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
            pipeline.fdb().lookup(vlan, destination)
        } else {
            None
        };
        match known {
            Some(port) if port == in_port => {
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
}
