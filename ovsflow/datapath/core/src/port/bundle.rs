//! Many equal UDP datagrams to a device as one super-frame that the receiving host, or the
//! last device on the way, takes apart.
//!
//! A datagram costs the kernel the same whether it is short or long: the way through a device and
//! a host's network stack is gone once for each frame.  So where many datagrams of one flow and one
//! length follow one another in a batch, they go out as one frame with UDP segmentation left
//! to do.  Only what comes out again bit for bit is put together (see
//! [`crate::packet::gso::merge_run`]).  Counters go on to count datagrams.

use super::way::Way;
use super::{Batch, PortCounters};
use crate::packet::gso::merge_run;
use crate::packet::number::view;
use crate::packet::{PROTO_UDP, Packet, Pool};

/// Fewest datagrams that are bundled.  Few go by themselves, as people watching a wire expect.
pub(super) const BUNDLE_LEAST: usize = 8;

/// Ethernet, IPv4 or IPv6 and UDP headers, up to UDP's length, without tags and options.
const HEAD_V4: usize = 14 + 20 + 6;
const HEAD_V6: usize = 14 + 40 + 6;

/// What a frame stands for in counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    packets: u32,
    bytes: u32,
}

/// How many packets each frame of a batch stands for; empty if each stands for itself.
#[derive(Debug, Default)]
pub(super) struct Counts(Vec<Count>);

/// Makes bundles until the kernel refuses one.
#[derive(Debug)]
pub(super) struct Bundles {
    way: Way,
    /// What was done to the batch in hand.
    counts: Counts,
}

impl Bundles {
    /// Closes `way` when the kernel knows no such frames.
    pub(super) fn new(way: &Way) -> Self {
        Self {
            way: way.clone(),
            counts: Counts::default(),
        }
    }

    /// What [`Self::make`] did.
    pub(super) fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Notes that the kernel did not take a frame that stands for so many packets: it gets no more
    /// bundles if that was one.
    pub(super) fn note_refused(&self, packets: u64) {
        if packets > 1 {
            self.way.close();
        }
    }

    /// Puts long runs of equal datagrams in `packets` together, and remembers what was done
    /// until the next call.
    pub(super) fn make(&mut self, packets: &mut Batch, pool: &mut Pool) {
        let Counts(counts) = &mut self.counts;
        counts.clear();
        let any_alike = || packets.windows(2).any(|pair| alike(&pair[0], &pair[1]));
        if packets.len() < BUNDLE_LEAST || !self.way.is_open() || !any_alike() {
            return;
        }
        let (mut at, mut kept) = (0, 0);
        while let Some((_, rest)) = packets.split_at_mut_checked(at) {
            let Some(count) = take_run(rest, pool) else {
                break;
            };
            counts.push(count);
            packets.swap(kept, at);
            kept += 1;
            at += count.packets as usize;
        }
        for packet in packets.drain(kept..) {
            pool.give(packet);
        }
    }
}

impl Counts {
    /// Counts `packet`, the `index`-th of the batch, as sent.
    pub(super) fn count_sent(&self, index: usize, packet: &Packet, counters: &mut PortCounters) {
        match self.0.get(index) {
            Some(count) => {
                counters.tx_packets += u64::from(count.packets);
                counters.tx_bytes += u64::from(count.bytes);
            }
            None => {
                counters.tx_packets += 1;
                counters.tx_bytes += packet.len() as u64;
            }
        }
    }

    /// How many packets the `index`-th of the batch stands for.
    pub(super) fn packets(&self, index: usize) -> u64 {
        let count = self.0.get(index);
        count.map_or(1, |count| u64::from(count.packets))
    }
}

/// Makes one frame of the first packets where enough of them are alike; says what the first one
/// stands for afterwards, `None` if there is none.
fn take_run(packets: &mut [Box<Packet>], pool: &mut Pool) -> Option<Count> {
    let len = packets.first()?.len();
    let run = 1 + packets
        .windows(2)
        .take_while(|pair| alike(&pair[0], &pair[1]))
        .count();
    let run_bytes = run * len;
    let merged = match packets.get_mut(..run) {
        Some(run) if run.len() >= BUNDLE_LEAST => {
            widen(&mut run[0], run_bytes, pool);
            merge_run(run)
        }
        _ => 1,
    };
    Some(Count {
        packets: merged as u32,
        bytes: (merged * len) as u32,
    })
}

/// Sees to it that a packet's buffer holds a frame of so many bytes, if the pool has one that does.
fn widen(packet: &mut Box<Packet>, bytes: usize, pool: &mut Pool) {
    if packet.space().len() < bytes {
        let mut wide = pool.take();
        wide.copy_from(packet);
        pool.give(std::mem::replace(packet, wide));
    }
}

/// Whether two frames look like equally long datagrams of one flow, by all of their headers but
/// identification and checksums.
#[inline]
fn alike(a: &Packet, b: &Packet) -> bool {
    if a.len() != b.len() || a.offload.gso.is_some() || b.offload.gso.is_some() {
        return false;
    }
    let (a, b) = (a.bytes(), b.bytes());
    if let (Some(a), Some(b)) = (view::<HEAD_V4>(a, 0), view::<HEAD_V4>(b, 0))
        && a[12..15] == [0x08, 0x00, 0x45]
        && a[23] == PROTO_UDP
    {
        return a[26..] == b[26..] && a[..18] == b[..18] && a[20..24] == b[20..24];
    }
    match (view::<HEAD_V6>(a, 0), view::<HEAD_V6>(b, 0)) {
        (Some(a), Some(b)) => a[12..14] == [0x86, 0xdd] && a[20] == PROTO_UDP && a == b,
        _ => false,
    }
}

#[cfg(test)]
pub(super) mod tests;
