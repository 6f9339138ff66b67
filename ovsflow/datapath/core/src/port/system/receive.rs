//! Frames from a packet socket: from its ring, from its queue, and what comes beside them.

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;

use super::sockets::Abilities;
use crate::error::DropReason;
use crate::packet::gso::complete_crc;
use crate::packet::{Offload, Packet, Pool, PortNo};
use crate::port::partial::left_open;
use crate::port::sys::{Control, Inbox, Incoming, IngressBlock, Ring, Slot, Socket};
use crate::port::{BATCH_SIZE, Batch, Intake, PortCounters, Receiver, virtio};
use crate::time::Now;

/// Bits of `tpacket_auxdata.tp_status`.
const STATUS_VLAN_VALID: u32 = 0x10;
const STATUS_VLAN_TPID_VALID: u32 = 0x40;

/// One worker's receiving half of a device.
pub(super) struct PacketReceiver {
    number: PortNo,
    socket: Arc<Socket>,
    ring: Option<Ring>,
    inbox: Inbox,
    abilities: Abilities,
    _block: Option<Arc<IngressBlock>>,
}

impl PacketReceiver {
    /// `socket` is shared with a sender, `ring` is its own; `block` lives as long as the receiver.
    pub(super) fn new(
        number: PortNo,
        socket: Arc<Socket>,
        ring: Option<Ring>,
        abilities: Abilities,
        block: Option<Arc<IngressBlock>>,
    ) -> Self {
        Self {
            number,
            socket,
            ring,
            inbox: Inbox::new(abilities.vnet),
            abilities,
            _block: block,
        }
    }
}

impl Receiver for PacketReceiver {
    fn fd(&self) -> Option<RawFd> {
        Some(self.socket.as_raw_fd())
    }

    fn receive(&mut self, _now: Now, intake: &mut Intake<'_>) -> io::Result<bool> {
        let mut arrivals = Arrivals {
            number: self.number,
            batch: intake.batch,
            counters: intake.counters,
        };
        let pool = &mut *intake.pool;
        let received = match self.ring.take() {
            Some(mut ring) => {
                let received = self.receive_from(&mut ring, pool, &mut arrivals);
                self.ring = Some(ring);
                received
            }
            None => self.receive_queued(None, pool, &mut arrivals),
        };
        match received {
            Ok((_, more)) => Ok(more),
            // The device went down or away.  It may come back; who watches links will tell.
            Err(error) => match error.raw_os_error() {
                Some(libc::ENETDOWN | libc::ENXIO | libc::ENODEV | libc::EINTR) => Ok(false),
                _ => Err(error),
            },
        }
    }

    fn note_losses(&mut self, counters: &mut PortCounters) {
        // A device that is gone has nothing more to tell.
        let losses = self.socket.take_packet_losses().unwrap_or(0);
        counters
            .rx_drops
            .add(DropReason::RxQueueFull, u64::from(losses));
    }
}

impl PacketReceiver {
    /// A batch from the ring, and from the socket's queue where the ring says so.
    fn receive_from(
        &mut self,
        ring: &mut Ring,
        pool: &mut Pool,
        arrivals: &mut Arrivals<'_>,
    ) -> io::Result<(usize, bool)> {
        let mut done = 0;
        while done < BATCH_SIZE {
            let Some(slot) = ring.peek(0) else { break };
            let read = match slot {
                Slot::Frame { vnet, frame, tag } => {
                    let packet = pool.hold(frame);
                    arrivals.add(finish(packet, virtio::decode(vnet), tag), pool);
                    1
                }
                Slot::Lost => {
                    arrivals.counters.rx_drops.add(DropReason::RxQueueFull, 1);
                    1
                }
                Slot::Queued => {
                    let is_queued = |at: &usize| matches!(ring.peek(*at), Some(Slot::Queued));
                    let queued = (1..BATCH_SIZE - done).take_while(is_queued).count() + 1;
                    self.receive_queued(Some(queued), pool, arrivals)?.0
                }
            };
            if read == 0 {
                break;
            }
            ring.release(read);
            done += read;
        }
        if done == 0 {
            // A pending error, such as of a device that went down, would wake us for ever.
            match self.socket.option(libc::SOL_SOCKET, libc::SO_ERROR)? {
                0 => {}
                error => return Err(io::Error::from_raw_os_error(error)),
            }
        }
        Ok((done, done == BATCH_SIZE))
    }

    /// Frames from the socket's queue: so many at most, or as many as may be worth asking for.
    fn receive_queued(
        &mut self,
        most: Option<usize>,
        pool: &mut Pool,
        arrivals: &mut Arrivals<'_>,
    ) -> io::Result<(usize, bool)> {
        let Abilities {
            vnet,
            deaf_to_itself,
        } = self.abilities;
        let each = |incoming: Incoming<'_>, pool: &mut Pool| {
            if !deaf_to_itself && incoming.from.is_outgoing() {
                return pool.give(incoming.packet);
            }
            let offload = match vnet {
                true => virtio::decode(incoming.vnet),
                false => Some(left_open(&incoming.packet, None)),
            };
            let offload = offload.filter(|_| !incoming.cut);
            let tag = stripped_tag(incoming.control);
            arrivals.add(finish(incoming.packet, offload, tag), pool);
        };
        match most {
            Some(most) => self.inbox.receive_at_most(most, &self.socket, pool, each),
            None => self.inbox.receive(&self.socket, pool, each),
        }
    }
}

/// Where received frames go.
struct Arrivals<'a> {
    number: PortNo,
    batch: &'a mut Batch,
    counters: &'a mut PortCounters,
}

impl Arrivals<'_> {
    fn add(&mut self, finished: Result<Box<Packet>, Box<Packet>>, pool: &mut Pool) {
        match finished {
            Ok(mut packet) => {
                packet.in_port = self.number;
                self.counters.rx_packets += 1;
                self.counters.rx_bytes += packet.len() as u64;
                self.batch.push(packet);
            }
            Err(packet) => {
                self.counters.rx_errors += 1;
                self.counters.rx_drops.add(DropReason::RxError, 1);
                pool.give(packet);
            }
        }
    }
}

/// Puts to a frame what came beside it: what is left to do, and a tag; gives the packet back as an
/// error when it is of no use.
fn finish(
    mut packet: Box<Packet>,
    offload: Option<Offload>,
    tag: Option<(u16, u16)>,
) -> Result<Box<Packet>, Box<Packet>> {
    let Some(offload) = offload else {
        return Err(packet);
    };
    packet.offload = offload;
    complete_crc(&mut packet);
    if let Some((tpid, tci)) = tag
        && !put_back_tag(&mut packet, tpid, tci)
    {
        return Err(packet);
    }
    Ok(packet)
}

/// TPID and TCI of a tag that the kernel took off, from `struct tpacket_auxdata`: status, two
/// lengths (4 bytes each), two offsets, TCI, TPID (2 bytes each).
fn stripped_tag(control: &Control) -> Option<(u16, u16)> {
    let auxdata = |(level, kind, value)| {
        let ours = level == libc::SOL_PACKET && kind == libc::PACKET_AUXDATA;
        ours.then_some(value)
    };
    let value: &[u8] = control.items().find_map(auxdata)?;
    let [
        s0,
        s1,
        s2,
        s3,
        _,
        _,
        _,
        _,
        _,
        _,
        _,
        _,
        _,
        _,
        _,
        _,
        t0,
        t1,
        p0,
        p1,
    ] = *value.first_chunk::<20>()?;
    let status = u32::from_ne_bytes([s0, s1, s2, s3]);
    if status & STATUS_VLAN_VALID == 0 {
        return None;
    }
    let tpid = match status & STATUS_VLAN_TPID_VALID {
        0 => 0x8100,
        _ => u16::from_ne_bytes([p0, p1]),
    };
    Some((tpid, u16::from_ne_bytes([t0, t1])))
}

/// Puts a VLAN tag behind the addresses; `false` for a frame that ends before.
fn put_back_tag(packet: &mut Packet, tpid: u16, tci: u16) -> bool {
    if packet.len() < 12 || packet.push_front(4).is_none() {
        return false;
    }
    let frame = packet.bytes_mut();
    frame.copy_within(4..16, 0);
    frame[12..14].copy_from_slice(&tpid.to_be_bytes());
    frame[14..16].copy_from_slice(&tci.to_be_bytes());
    true
}
