//! Making packets fit for a device: what it cannot cut or fill in is cut and filled in here.
//!
//! Also the names under which a host's refusals are counted.

use std::io;

use super::{BATCH_SIZE, Batch, PortCounters};
use crate::error::DropReason;
use crate::packet::gso::{Segmenter, complete_checksum};
use crate::packet::{Gso, GsoKind, Packet, Pool};

const VLAN_TPIDS: [u16; 2] = [0x8100, 0x88a8];
const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;

/// Whether the kernel can cut this super-frame: plain IP behind VLAN tags, the transport header
/// where the checksum starts.  It would misread any other headers in between.
fn kernel_can_cut(packet: &Packet, gso: Gso) -> bool {
    let frame = packet.bytes();
    let Some(start) = packet.offload.checksum.map(|c| usize::from(c.start)) else {
        return false;
    };
    let mut at = 12;
    let mut ethertype = be16(frame, at);
    while ethertype.is_some_and(|e| VLAN_TPIDS.contains(&e)) {
        at += 4;
        ethertype = be16(frame, at);
    }
    let network = at + 2;
    let version_and_length = frame.get(network).copied().unwrap_or(0);
    match ethertype {
        Some(IPV4) => {
            let end = network + usize::from(version_and_length & 0x0f) * 4;
            gso.kind != GsoKind::Tcp6 && start == end
        }
        Some(IPV6) => gso.kind != GsoKind::Tcp4 && start >= network + 40,
        _ => false,
    }
}

/// Why the host refused a frame.
pub(super) fn refusal(error: &io::Error) -> DropReason {
    match error.raw_os_error() {
        Some(libc::EAGAIN | libc::ENOBUFS | libc::ENOMEM) => DropReason::TxQueueFull,
        Some(libc::EMSGSIZE) => DropReason::TxOversize,
        Some(libc::ENETDOWN | libc::ENXIO | libc::ENODEV) => DropReason::PortDown,
        _ => DropReason::TxError,
    }
}

/// Replaces each super-frame that the kernel cannot cut by its segments, in place.
pub(super) fn cut_odd_shapes(packets: &mut Batch, pool: &mut Pool, counters: &mut PortCounters) {
    cut_all(packets, kernel_can_cut, pool, counters);
}

/// Makes all packets finished frames: cuts every super-frame, fills in every checksum.
pub(super) fn finish_all(packets: &mut Batch, pool: &mut Pool, counters: &mut PortCounters) {
    cut_all(packets, |_, _| false, pool, counters);
    packets
        .iter_mut()
        .for_each(|packet| complete_checksum(packet));
}

/// Replaces each super-frame by its segments unless it `may_stay`.
fn cut_all(
    packets: &mut Batch,
    may_stay: impl Fn(&Packet, Gso) -> bool,
    pool: &mut Pool,
    counters: &mut PortCounters,
) {
    let odd = |packet: &Packet| {
        let gso = packet.offload.gso;
        gso.is_some_and(|gso| !may_stay(packet, gso))
    };
    if !packets.iter().any(|packet| odd(packet)) {
        return;
    }
    let mut fit = Batch::with_capacity(packets.len() + BATCH_SIZE);
    for packet in packets.drain(..) {
        if odd(&packet) {
            cut(&packet, pool, &mut fit, counters);
            pool.give(packet);
        } else {
            fit.push(packet);
        }
    }
    *packets = fit;
}

/// Appends the finished segments of a super-frame to `out`; counts it as lost if its headers are
/// not what its offload says.
pub(super) fn cut(packet: &Packet, pool: &mut Pool, out: &mut Batch, counters: &mut PortCounters) {
    let Some(segmenter) = Segmenter::new(packet) else {
        return lose(DropReason::TxError, counters);
    };
    for index in 0..segmenter.count() {
        let mut segment = pool.take();
        segmenter.write(index, packet, &mut segment);
        out.push(segment);
    }
}

/// Counts a packet that could not be sent.
pub(super) fn lose(reason: DropReason, counters: &mut PortCounters) {
    counters.tx_drops.add(reason, 1);
    counters.tx_errors += u64::from(reason == DropReason::TxError);
}

fn be16(frame: &[u8], at: usize) -> Option<u16> {
    let bytes = frame.get(at..at + 2)?;
    Some(u16::from_be_bytes(bytes.try_into().ok()?))
}
