//! Outputs: to ports and reserved ports, through tunnels, to the control plane.

use std::sync::Arc;

use super::Observer;
use super::walk::Walk;
use crate::action::{ControllerOut, DpAction, PacketInReason};
use crate::error::DropReason;
use crate::flow::{FlowKey, FlowMask, PACKET_WORDS, slot};
use crate::openflow::action::{ControllerAction, MeterId};
use crate::packet::{Key, Local, PortNo, Remote, Tunnel, TunnelAddress, TunnelConfig};
use crate::table::{Port, port_config};

impl<O: Observer> Walk<'_, O> {
    /// Sends a copy to a port or reserved port.
    pub(super) fn output(&mut self, port: PortNo, max_len: u16) {
        match port {
            PortNo::IN_PORT => self.output_port(self.in_port(), true, None),
            PortNo::TABLE => self.submit_to_tables(),
            PortNo::NORMAL => self.normal(),
            PortNo::FLOOD => self.flood(Port::is_flooded),
            PortNo::ALL => self.flood(|_| true),
            PortNo::CONTROLLER => self.output_controller(max_len),
            port => self.output_port(port, false, None),
        }
    }

    /// Sends a copy cut to `max_len` bytes.
    pub(super) fn output_truncated(&mut self, port: PortNo, max_len: u32) {
        match port {
            PortNo::IN_PORT => self.output_port(self.in_port(), true, Some(max_len)),
            port => self.output_port(port, false, Some(max_len)),
        }
    }

    /// The port that the packet is taken to have come from.
    pub(super) fn in_port(&self) -> PortNo {
        PortNo(self.flow.value(slot::IN_PORT) as u32)
    }

    /// Sends a copy to every other port that `wanted` lets through.
    pub(super) fn flood(&mut self, wanted: impl Fn(&Port) -> bool) {
        let ports = self.context.pipeline.ports();
        let in_port = self.in_port();
        for port in ports.iter() {
            let open = port.is_up() && port.config & port_config::NO_FWD == 0;
            if port.number != in_port && open && wanted(port) {
                self.output_port(port.number, false, None);
            }
        }
    }

    /// Sends a copy to one real port.
    pub(super) fn output_port(&mut self, number: PortNo, back: bool, max_len: Option<u32>) {
        if let Err(reason) = self.try_output(number, back, max_len) {
            self.observer.note(format_args!(
                "no output to port {}: {}",
                number.0,
                reason.describe()
            ));
            self.emitter.push(DpAction::Lost(reason));
        }
    }

    fn try_output(
        &mut self,
        number: PortNo,
        back: bool,
        max_len: Option<u32>,
    ) -> Result<(), DropReason> {
        let pipeline = self.context.pipeline;
        let port = pipeline.ports().port(number);
        let port = port.ok_or(DropReason::NoSuchPort)?;
        if !back && number == self.in_port() {
            return Err(DropReason::OutputToIngress);
        }
        if port.config & port_config::NO_FWD != 0 {
            return Err(DropReason::PortNoForward);
        }
        if !port.is_up() {
            return Err(DropReason::PortDown);
        }
        let tunnel = match &port.tunnel {
            Some(config) => Some(self.outgoing_tunnel(config)?),
            None => None,
        };
        self.emitter.flush_all(&self.flow);
        self.emitter.push(match (max_len, tunnel) {
            (None, None) => DpAction::Output(number),
            (None, Some(tunnel)) => DpAction::OutputTunnel {
                port: number,
                tunnel: tunnel.into(),
            },
            (Some(max_len), tunnel) => DpAction::OutputTruncated {
                port: number,
                max_len,
                tunnel: tunnel.map(Arc::new),
            },
        });
        Ok(())
    }

    /// The metadata to send with; what the port's configuration fixes is not looked at.
    fn outgoing_tunnel(&mut self, config: &TunnelConfig) -> Result<Tunnel, DropReason> {
        let mut wanted = FlowMask::default();
        if config.out_key == Key::Flow {
            wanted.set(slot::TUN_ID, 0xff_ffff);
        }
        let flow_names_remote = config.remote == Remote::Flow;
        if flow_names_remote {
            wanted.set(slot::TUN_DST, slot::TUN_DST.ones());
            if self.flow.value(slot::TUN_DST) == 0 {
                wanted.set(slot::TUN_IPV6_DST, u128::MAX);
            }
        }
        if config.local == Local::Flow {
            match self.tunnel_destination(config) {
                TunnelAddress::V6(_) => wanted.set(slot::TUN_IPV6_SRC, u128::MAX),
                _ => wanted.set(slot::TUN_SRC, slot::TUN_SRC.ones()),
            }
        }
        if config.gbp {
            wanted.set(slot::TUN_GBP_ID, slot::TUN_GBP_ID.ones());
            wanted.set(slot::TUN_GBP_FLAGS, slot::TUN_GBP_FLAGS.ones());
        }
        self.provenance.consult(&wanted);
        let tunnel = config.outgoing(&self.flow_tunnel(self.tunnel_destination(config)));
        if tunnel.dst == TunnelAddress::Unset {
            return Err(DropReason::TunnelNoDestination);
        }
        if self.arrived_at(tunnel.dst) {
            return Err(DropReason::TunnelOwnAddress);
        }
        Ok(tunnel)
    }

    fn tunnel_destination(&self, config: &TunnelConfig) -> TunnelAddress {
        match config.remote {
            Remote::Fixed(address) => address,
            Remote::Flow => address(&self.flow, slot::TUN_DST, slot::TUN_IPV6_DST),
        }
    }

    /// The tunnel metadata that the flow asks for, towards `dst`.
    fn flow_tunnel(&self, dst: TunnelAddress) -> Tunnel {
        let flow = &self.flow;
        let src = match dst {
            TunnelAddress::V6(_) => match flow.value(slot::TUN_IPV6_SRC) {
                0 => TunnelAddress::Unset,
                address => TunnelAddress::V6(address),
            },
            _ => match flow.value(slot::TUN_SRC) {
                0 => TunnelAddress::Unset,
                address => TunnelAddress::V4(address as u32),
            },
        };
        Tunnel {
            id: flow.value(slot::TUN_ID) as u64,
            src,
            dst,
            flags: 0,
            gbp_id: flow.value(slot::TUN_GBP_ID) as u16,
            gbp_flags: flow.value(slot::TUN_GBP_FLAGS) as u8,
            tos: 0,
            ttl: 0,
        }
    }

    /// Whether the packet came through a tunnel to this very address.
    fn arrived_at(&mut self, dst: TunnelAddress) -> bool {
        let in_port = PortNo(self.original.value(slot::IN_PORT) as u32);
        let ports = self.context.pipeline.ports();
        if ports.port(in_port).is_none_or(|port| port.tunnel.is_none()) {
            return false;
        }
        for place in [slot::TUN_DST, slot::TUN_IPV6_DST] {
            self.provenance.consult_original(place, place.ones());
        }
        address(self.original, slot::TUN_DST, slot::TUN_IPV6_DST) == dst
    }

    /// A packet-in for the usual connections.
    pub(super) fn output_controller(&mut self, max_len: u16) {
        self.tell_controller(self.source.reason, 0, max_len);
    }

    /// A packet-in with Nicira's options.
    pub(super) fn output_controller_with(&mut self, options: &ControllerAction) {
        if let Some(out) = self.controller_out_with(options) {
            self.emit_controller(Arc::new(out));
        }
    }

    /// A packet-in of a packet that no flow matched.
    pub(super) fn tell_miss(&mut self) {
        if let Some(mut out) = self.controller_message(PacketInReason::TableMiss, 0, 0xffff) {
            out.is_miss = true;
            self.emit_controller(Arc::new(out));
        }
    }

    /// The same, to be sent later.
    pub(super) fn controller_out_with(
        &mut self,
        options: &ControllerAction,
    ) -> Option<ControllerOut> {
        let reason = match options.reason {
            0 => PacketInReason::TableMiss,
            2 => PacketInReason::InvalidTtl,
            3 => PacketInReason::ActionSet,
            4 => PacketInReason::Group,
            5 => PacketInReason::PacketOut,
            _ => self.source.reason,
        };
        let mut out = self.controller_message(reason, options.controller, options.max_len)?;
        out.userdata.clone_from(&options.userdata);
        out.meter = options.meter;
        Some(out)
    }

    pub(super) fn tell_controller(
        &mut self,
        reason: PacketInReason,
        controller: u16,
        max_len: u16,
    ) {
        if let Some(out) = self.controller_out(reason, controller, max_len) {
            self.emit_controller(out);
        }
    }

    fn emit_controller(&mut self, out: Arc<ControllerOut>) {
        self.emitter.flush_all(&self.flow);
        self.emitter.push(DpAction::Controller(out));
    }

    /// A packet-in to be, unless it is of a packet that no flow matched, and its port causes none.
    pub(super) fn controller_out(
        &mut self,
        reason: PacketInReason,
        controller: u16,
        max_len: u16,
    ) -> Option<Arc<ControllerOut>> {
        self.controller_message(reason, controller, max_len)
            .map(Arc::new)
    }

    fn controller_message(
        &mut self,
        reason: PacketInReason,
        controller: u16,
        max_len: u16,
    ) -> Option<ControllerOut> {
        let in_port = self.context.pipeline.ports().port(self.in_port());
        if reason == PacketInReason::TableMiss
            && in_port.is_some_and(|port| port.config & port_config::NO_PACKET_IN != 0)
        {
            self.emitter
                .push(DpAction::Lost(DropReason::PortNoPacketIn));
            return None;
        }
        let (metadata, written) = self.metadata();
        let meter: Option<MeterId> = None;
        Some(ControllerOut {
            reason,
            is_miss: false,
            table: self.source.table,
            cookie: self.source.cookie,
            max_len,
            controller,
            metadata: Box::new(metadata),
            written: Box::new(written),
            userdata: Box::default(),
            meter,
            continuation: None,
        })
    }

    /// The pipeline's fields now, and which bits of them the walk decided: the others are each
    /// packet's own.
    fn metadata(&self) -> (FlowKey, FlowMask) {
        let written = self.provenance.overwritten();
        let mut metadata = &self.flow & written;
        let mut mask = written.clone();
        for (index, bits) in METADATA_BITS.iter().enumerate() {
            metadata.words[index] &= bits;
            mask.words[index] &= bits;
        }
        metadata.words[PACKET_WORDS..].copy_from_slice(&self.flow.words[PACKET_WORDS..]);
        mask.words[PACKET_WORDS..].fill(u64::MAX);
        (metadata, mask)
    }
}

/// Bits of the packet words that are metadata: ingress port, tunnel, packet mark.
pub(crate) static METADATA_BITS: [u64; PACKET_WORDS] = {
    let mut bits = [0; PACKET_WORDS];
    bits[0] = 0xffff_ffff_0000_0000;
    let mut word = 5;
    while word < 12 {
        bits[word] = u64::MAX;
        word += 1;
    }
    bits[24] = 0x0000_0000_ffff_ffff;
    bits
};

/// An address that has a place for each family; IPv4 wins.
fn address(key: &FlowKey, v4: crate::flow::Slot, v6: crate::flow::Slot) -> TunnelAddress {
    match (key.value(v4), key.value(v6)) {
        (0, 0) => TunnelAddress::Unset,
        (0, v6) => TunnelAddress::V6(v6),
        (v4, _) => TunnelAddress::V4(v4 as u32),
    }
}
