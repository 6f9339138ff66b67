//! PACKET_OUT: a list of actions run on a packet of the controller's.

use super::Datapath;
use crate::error::{DropReason, OfResult};
use crate::flow::extract::{Depth, extract};
use crate::flow::{FlowKey, PACKET_WORDS, slot};
use crate::openflow::modify::{PacketOut, Resume};
use crate::openflow::{Version, check, error};
use crate::packet::{PortNo, Tunnel, TunnelAddress};
use crate::time::Now;
use crate::translate::{METADATA_BITS, Silent, dropping, resume, translate_actions};

impl Datapath {
    /// Runs the actions of a packet-out on its packet.
    ///
    /// # Errors
    ///
    /// An action needs a header that the packet has not, or a group or meter that is not there.
    pub(super) fn packet_out(
        &self,
        version: Version,
        request: &PacketOut,
        now: Now,
    ) -> OfResult<()> {
        let index = self.records().get(&request.in_port).map_or(0, |r| r.worker);
        let mut worker = self.cell(index).visit();
        let mut packet = worker.buffer();
        packet.set_frame(&request.data);
        packet.in_port = request.in_port;
        packet.tunnel = tunnel_of(&request.metadata.value);
        let state = self.shared.read();
        let fragments = state.settings.fragments.on_extract();
        let mut key = FlowKey::default();
        let translation = if extract(&packet, Depth::All, fragments, &mut key) {
            preset(&mut key, request);
            check::packet_out(&request.actions, version, &key)?;
            state.pipeline.check_actions(&request.actions)?;
            translate_actions(&state.context(), &key, &request.actions, &mut Silent)
        } else {
            dropping(DropReason::Malformed, &FlowKey::default())
        };
        drop(state);
        worker.run(translation, packet, now);
        Ok(())
    }
}

impl Datapath {
    /// Lets a paused packet go on where it stopped.
    ///
    /// # Errors
    ///
    /// NXR_STALE for a continuation that this switch did not make.
    pub(super) fn resume(&self, request: &Resume, now: Now) -> OfResult<()> {
        let in_port = PortNo(request.metadata.value.value(slot::IN_PORT) as u32);
        let index = self.records().get(&in_port).map_or(0, |r| r.worker);
        let mut worker = self.cell(index).visit();
        let mut packet = worker.buffer();
        packet.set_frame(&request.data);
        packet.in_port = in_port;
        packet.tunnel = tunnel_of(&request.metadata.value);
        let state = self.shared.read();
        let fragments = state.settings.fragments.on_extract();
        let mut key = FlowKey::default();
        let translation = if extract(&packet, Depth::All, fragments, &mut key) {
            // The message tells all pipeline fields that are not 0.
            for (index, bits) in METADATA_BITS.iter().enumerate() {
                key.words[index] &= !bits;
                key.words[index] |= request.metadata.value.words[index] & bits;
            }
            let registers = &request.metadata.value.words[PACKET_WORDS..];
            key.words[PACKET_WORDS..].copy_from_slice(registers);
            resume(&state.context(), &key, &request.continuation)
        } else {
            Some(dropping(DropReason::Malformed, &FlowKey::default()))
        };
        drop(state);
        let translation = translation.ok_or(error::STALE_CONTINUATION)?;
        worker.run(translation, packet, now);
        Ok(())
    }
}

/// Puts the pipeline fields in place that OpenFlow 1.5 lets a packet-out start with.
fn preset(key: &mut FlowKey, request: &PacketOut) {
    let metadata = &request.metadata;
    for index in 0..key.words.len() {
        let mask = metadata.mask.words[index];
        key.words[index] = key.words[index] & !mask | metadata.value.words[index];
    }
    key.set(slot::IN_PORT, u128::from(request.in_port.0));
}

/// The tunnel metadata in `key`, if there is some.
fn tunnel_of(key: &FlowKey) -> Option<Tunnel> {
    let address = |v4, v6| match (key.value(v4), key.value(v6)) {
        (0, 0) => TunnelAddress::Unset,
        (0, v6) => TunnelAddress::V6(v6),
        (v4, _) => TunnelAddress::V4(v4 as u32),
    };
    let tunnel = Tunnel {
        id: key.value(slot::TUN_ID) as u64,
        src: address(slot::TUN_SRC, slot::TUN_IPV6_SRC),
        dst: address(slot::TUN_DST, slot::TUN_IPV6_DST),
        flags: key.value(slot::TUN_FLAGS) as u16,
        gbp_id: key.value(slot::TUN_GBP_ID) as u16,
        gbp_flags: key.value(slot::TUN_GBP_FLAGS) as u8,
        tos: 0,
        ttl: 0,
    };
    (tunnel != Tunnel::default()).then_some(tunnel)
}
