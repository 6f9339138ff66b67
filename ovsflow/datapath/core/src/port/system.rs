//! An existing network device, through a packet socket.
//!
//! Frames come and go with a virtio-net header, so that the device's host may leave checksums
//! and segmentation to be done and a super-frame stays one packet; where a kernel has no such header,
//! what was left to do is guessed, and everything is done before a frame goes out.  The device is made
//! promiscuous, our own output is not read back, and the host's network stack does not see what
//! arrives, as if the device were a port of a bridge.  All of it ends with the port.
//!
//! Small frames are read from a ring that the kernel fills, the others through calls for many at a
//! time; where there can be no ring, all are.
//!
//! A VLAN tag that the kernel took off arrives beside the frame and is put back.

mod receive;
mod sockets;

use std::fmt;
use std::io::{self, IoSlice};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use self::receive::PacketReceiver;
use self::sockets::{Opened, packet_sockets};
use super::bundle::{Bundles, Counts};
use super::fit::{cut, cut_odd_shapes, finish_all, lose, refusal};
use super::open::{
    OpenError, OpenPort, PortFacts, Request, STATE_LINK_DOWN, STATE_LIVE, SenderFactory, shared_by,
    unbundled,
};
use super::shorten::{Room, shorten};
use super::sys::{Device, IngressBlock, Outgoing, Socket, VNET_HEADER, send_messages};
use super::way::Way;
use super::{BATCH_SIZE, Batch, PortCounters, Sender, virtio};
use crate::packet::{Packet, Pool};
use crate::time::Now;

/// Opens the device that the port is named after.  Options: `host` (false): the host's own
/// stack goes on seeing what the device receives.
pub(super) fn open(request: &mut Request<'_>) -> Result<OpenPort, OpenError> {
    let host = request.options.flag("host")?.unwrap_or(false);
    request.options.finish()?;
    let device = Device::find(request.name)?;
    let opened = packet_sockets(&device, request.receivers)?;
    let block = match host {
        true => None,
        // An older kernel has no such hook: then the host sees the frames, as it does with any
        // packet socket; hosts rarely have an address on a switch port.
        false => IngressBlock::new(device.index).ok(),
    };
    let facts = facts(&device)?;
    // All were made in the same way.
    let vnet = opened.iter().all(|one| one.abilities.vnet);
    let bundles = Way::new(true);
    let backend = PacketBackend {
        kind: opened.first().map_or("", Opened::kind),
        host_as_asked: host || block.is_some(),
        receivers: opened.len(),
        bundles: bundles.clone(),
    };
    let (block, mut sockets) = (block.map(Arc::new), Vec::new());
    let receivers = opened.into_iter().map(|one| {
        let socket = Arc::new(one.socket);
        sockets.push(socket.clone());
        let (number, block) = (request.number, block.clone());
        let receiver = PacketReceiver::new(number, socket, one.ring, one.abilities, block);
        Box::new(receiver) as _
    });
    Ok(OpenPort {
        receivers: receivers.collect(),
        sender: Box::new(PacketSenders {
            sockets,
            made: AtomicUsize::new(0),
            vnet,
            bundles,
            mtu: facts.mtu as usize,
        }),
        backend: Box::new(backend),
        facts,
        memory: None,
    })
}

fn facts(device: &Device) -> io::Result<PortFacts> {
    let state = match device.flags()?.is_running() {
        true => STATE_LIVE,
        false => STATE_LINK_DOWN,
    };
    Ok(PortFacts {
        hw_addr: device.hw_addr()?,
        mtu: device.mtu()?,
        state,
        speed: device.speed(),
        tunnel: None,
    })
}

/// How frames come and go.
struct PacketBackend {
    kind: &'static str,
    /// Whether the host sees what arrives just where somebody wants it to.
    host_as_asked: bool,
    receivers: usize,
    bundles: Way,
}

impl fmt::Display for PacketBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind)?;
        if !self.host_as_asked {
            f.write_str(", host stack sees frames too")?;
        }
        f.write_str(unbundled(&self.bundles))?;
        f.write_str(&shared_by(self.receivers))
    }
}

struct PacketSenders {
    sockets: Vec<Arc<Socket>>,
    /// Senders made so far: they take turns in what they send through.
    made: AtomicUsize,
    vnet: bool,
    /// Equal datagrams as one frame.
    bundles: Way,
    mtu: usize,
}

impl SenderFactory for PacketSenders {
    fn sender(&self) -> io::Result<Box<dyn Sender>> {
        let turn = self.made.fetch_add(1, Ordering::Relaxed) % self.sockets.len();
        Ok(Box::new(PacketSender {
            socket: self.sockets[turn].clone(),
            mtu: self.mtu,
            vnet: self.vnet,
            bundles: Bundles::new(&self.bundles),
        }))
    }
}

struct PacketSender {
    socket: Arc<Socket>,
    /// Longest IP datagram when the port was opened, in bytes.
    mtu: usize,
    /// Whether each frame has a virtio-net header.
    vnet: bool,
    bundles: Bundles,
}

impl PacketSender {
    /// Sends packets in order, all that the kernel can cut by itself.
    fn send_all(
        &self,
        packets: &[Box<Packet>],
        counts: &Counts,
        pool: &mut Pool,
        counters: &mut PortCounters,
    ) {
        let mut next = 0;
        while let Some(packet) = packets.get(next) {
            let sent = match self.send_some(&packets[next..]) {
                // It may tell of the past: a device that went down leaves it to the next call.
                Err(error) if error.raw_os_error() == Some(libc::ENETDOWN) => {
                    self.send_some(&packets[next..])
                }
                sent => sent,
            };
            match sent {
                Ok(sent) if sent > 0 => {
                    for (packet, at) in packets[next..].iter().zip(next..next + sent) {
                        counts.count_sent(at, packet, counters);
                    }
                    next += sent;
                }
                Ok(_) => return,
                Err(error) => {
                    let gso = packet.offload.gso.is_some();
                    if gso && error.raw_os_error() == Some(libc::EINVAL) {
                        self.bundles.note_refused(counts.packets(next));
                        let mut pieces = Batch::new();
                        cut(packet, pool, &mut pieces, counters);
                        self.send_all(&pieces, &Counts::default(), pool, counters);
                        pieces.drain(..).for_each(|piece| pool.give(piece));
                    } else {
                        (0..counts.packets(next)).for_each(|_| lose(refusal(&error), counters));
                    }
                    next += 1;
                }
            }
        }
    }

    /// One system call for the first packets.
    fn send_some(&self, packets: &[Box<Packet>]) -> io::Result<usize> {
        let count = packets.len().min(BATCH_SIZE);
        let mut headers = [[0; VNET_HEADER]; BATCH_SIZE];
        for (header, packet) in headers.iter_mut().zip(packets) {
            *header = virtio::encode(packet);
        }
        let mut slices = [[IoSlice::new(&[]); 2]; BATCH_SIZE];
        for ((slices, packet), header) in slices.iter_mut().zip(packets).zip(&headers) {
            *slices = [IoSlice::new(header), IoSlice::new(packet.bytes())];
        }
        let skip = usize::from(!self.vnet);
        let mut messages = [Outgoing::default(); BATCH_SIZE];
        for (message, slices) in messages.iter_mut().zip(&slices) {
            message.slices = &slices[skip..];
        }
        send_messages(&self.socket, &messages[..count])
    }
}

impl Sender for PacketSender {
    fn send(
        &mut self,
        _now: Now,
        packets: &mut Batch,
        pool: &mut Pool,
        counters: &mut PortCounters,
    ) {
        for packet in packets.iter_mut().filter(|p| p.len() > self.mtu) {
            // What cannot be made shorter is left to the kernel to refuse.
            shorten(packet, Room::Datagram(self.mtu));
        }
        if self.vnet {
            cut_odd_shapes(packets, pool, counters);
            self.bundles.make(packets, pool);
        } else {
            finish_all(packets, pool, counters);
        }
        self.send_all(packets, self.bundles.counts(), pool, counters);
        packets.drain(..).for_each(|packet| pool.give(packet));
    }
}

#[cfg(test)]
mod tests;
