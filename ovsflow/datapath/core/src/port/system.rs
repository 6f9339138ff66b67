//! An existing network device, through a packet socket.
//!
//! Frames come and go with a virtio-net header, so that the device's host may leave checksums
//! and segmentation to be done and a super-frame stays one packet; where a kernel has no such header,
//! what was left to do is guessed, and everything is done before a frame goes out.  The device is made
//! promiscuous, our own output is not read back, and the host's network stack does not see what
//! arrives, as if the device were a port of a bridge.  All of it ends with the port.
//!
//! A VLAN tag that the kernel took off arrives beside the frame and is put back.

use std::fmt;
use std::io::{self, IoSlice};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::bundle::Bundles;
use super::fit::{cut, cut_odd_shapes, finish_all, lose, refusal};
use super::open::{
    OpenError, OpenPort, PortFacts, Request, STATE_LINK_DOWN, STATE_LIVE, SenderFactory, shared_by,
};
use super::partial::left_open;
use super::shorten::{Room, shorten};
use super::sys::{
    Control, Device, Inbox, Incoming, IngressBlock, LinkAddress, Outgoing, Socket, VNET_HEADER,
    send_messages,
};
use super::{BATCH_SIZE, Batch, PortCounters, Receiver, Sender, virtio};
use crate::error::DropReason;
use crate::packet::gso::complete_crc;
use crate::packet::{Packet, Pool, PortNo};
use crate::time::Now;

/// Bytes of frames that may wait in the kernel, each way.
const SOCKET_BUFFER: i32 = 16 << 20;

/// Packet socket options that the installed headers may lack.
const PACKET_IGNORE_OUTGOING: i32 = 23;

/// A new group of sockets (PACKET_FANOUT_FLAG_UNIQUEID) that flows are divided between
/// (PACKET_FANOUT_HASH) and that does not see our own output (PACKET_FANOUT_FLAG_IGNORE_OUTGOING).
const FANOUT_NEW_BY_HASH: i32 = (0x2000 | 0x4000) << 16;

/// Bits of `tpacket_auxdata.tp_status`.
const STATUS_VLAN_VALID: u32 = 0x10;
const STATUS_VLAN_TPID_VALID: u32 = 0x40;

/// Opens the device that the port is named after.  Options: `host` (false): the host's own
/// stack goes on seeing what the device receives.
pub(super) fn open(request: &mut Request<'_>) -> Result<OpenPort, OpenError> {
    let host = request.options.flag("host")?.unwrap_or(false);
    request.options.finish()?;
    let device = Device::find(request.name)?;
    let Sockets { sockets, abilities } = packet_sockets(&device, request.receivers)?;
    let block = match host {
        true => None,
        // An older kernel has no such hook: then the host sees the frames, as it does with any
        // packet socket; hosts rarely have an address on a switch port.
        false => IngressBlock::new(device.index).ok(),
    };
    let mut facts = facts(&device, host || block.is_some())?;
    facts.backend = format!("{abilities}{}{}", facts.backend, shared_by(sockets.len()));
    let block = block.map(Arc::new);
    let receiver = |socket: &Arc<Socket>| PacketReceiver {
        number: request.number,
        socket: socket.clone(),
        inbox: Inbox::new(abilities.vnet),
        abilities,
        _block: block.clone(),
    };
    let receivers = sockets.iter().map(receiver);
    Ok(OpenPort {
        receivers: receivers.map(|one| Box::new(one) as _).collect(),
        sender: Box::new(PacketSenders {
            sockets,
            made: AtomicUsize::new(0),
            vnet: abilities.vnet,
            mtu: facts.mtu as usize,
        }),
        facts,
        memory: None,
    })
}

/// What the kernel's packet sockets can do.
#[derive(Clone, Copy)]
struct Abilities {
    /// A virtio-net header before each frame.
    vnet: bool,
    /// What the socket sends is kept from it.
    deaf_to_itself: bool,
}

impl fmt::Display for Abilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.vnet {
            true => "packet socket, vnet header",
            false => "packet socket, offloads done here",
        })
    }
}

/// The sockets of a device.
struct Sockets {
    sockets: Vec<Arc<Socket>>,
    abilities: Abilities,
}

/// As many sockets as shall receive, between which the kernel divides flows; one where it cannot.
fn packet_sockets(device: &Device, count: usize) -> io::Result<Sockets> {
    let shared = || {
        let sockets = (0..count).map(|_| packet_socket(device, true));
        let sockets = sockets.collect::<io::Result<Vec<_>>>()?;
        share_frames(sockets.iter().map(|(socket, _)| socket))?;
        Ok::<_, io::Error>(sockets)
    };
    let sockets = match count {
        0 | 1 => None,
        _ => shared().ok(),
    };
    let sockets = match sockets {
        Some(sockets) => sockets,
        None => vec![packet_socket(device, false)?],
    };
    // All were made in the same way.
    let all = |has: fn(&Abilities) -> bool| sockets.iter().all(|(_, abilities)| has(abilities));
    Ok(Sockets {
        abilities: Abilities {
            vnet: all(|a| a.vnet),
            deaf_to_itself: all(|a| a.deaf_to_itself),
        },
        sockets: sockets.into_iter().map(|(one, _)| Arc::new(one)).collect(),
    })
}

/// Has the kernel hand each frame to one of these sockets, by a hash that is the same for both
/// directions of a flow.  They must refuse all frames, and accept them from now on.
fn share_frames<'a>(sockets: impl Iterator<Item = &'a Socket> + Clone) -> io::Result<()> {
    let mut group = FANOUT_NEW_BY_HASH;
    for socket in sockets.clone() {
        socket.set(libc::SOL_PACKET, libc::PACKET_FANOUT, group)?;
        // What there is to join has a number now.
        group = socket.option(libc::SOL_PACKET, libc::PACKET_FANOUT)?;
    }
    sockets.into_iter().try_for_each(Socket::accept)
}

/// A socket of the device; `refuses` all frames to begin with if asked.
fn packet_socket(device: &Device, refuses: bool) -> io::Result<(Socket, Abilities)> {
    // Protocol 0: nothing arrives before everything is set.
    let socket = Socket::new(libc::AF_PACKET, libc::SOCK_RAW, 0)?;
    if refuses {
        socket.refuse()?;
    }
    let has = |option| socket.set(libc::SOL_PACKET, option, 1).is_ok();
    let abilities = Abilities {
        vnet: has(libc::PACKET_VNET_HDR),
        deaf_to_itself: has(PACKET_IGNORE_OUTGOING),
    };
    socket.set(libc::SOL_PACKET, libc::PACKET_AUXDATA, 1)?;
    socket.grow_buffers(SOCKET_BUFFER);
    socket.bind(LinkAddress::all_protocols(device.index).as_bytes())?;
    // struct packet_mreq: device, type, no address.
    let mut membership = [0; 16];
    membership[..4].copy_from_slice(&device.index.to_ne_bytes());
    membership[4..6].copy_from_slice(&(libc::PACKET_MR_PROMISC as u16).to_ne_bytes());
    socket.set_bytes(libc::SOL_PACKET, libc::PACKET_ADD_MEMBERSHIP, &membership)?;
    Ok((socket, abilities))
}

fn facts(device: &Device, host_as_asked: bool) -> io::Result<PortFacts> {
    let state = match device.flags()?.is_running() {
        true => STATE_LIVE,
        false => STATE_LINK_DOWN,
    };
    let note = match host_as_asked {
        true => "",
        false => ", host stack sees frames too",
    };
    Ok(PortFacts {
        hw_addr: device.hw_addr()?,
        mtu: device.mtu()?,
        state,
        speed: device.speed(),
        backend: note.to_owned(),
        tunnel: None,
    })
}

struct PacketReceiver {
    number: PortNo,
    socket: Arc<Socket>,
    inbox: Inbox,
    abilities: Abilities,
    _block: Option<Arc<IngressBlock>>,
}

impl Receiver for PacketReceiver {
    fn fd(&self) -> Option<RawFd> {
        Some(self.socket.as_raw_fd())
    }

    fn receive(
        &mut self,
        _now: Now,
        pool: &mut Pool,
        batch: &mut Batch,
        counters: &mut PortCounters,
    ) -> io::Result<bool> {
        let (number, abilities) = (self.number, self.abilities);
        let received = self.inbox.receive(&self.socket, pool, |incoming, pool| {
            if !abilities.deaf_to_itself && incoming.from.is_outgoing() {
                return pool.give(incoming.packet);
            }
            let mut packet = match finish(incoming, abilities.vnet) {
                Ok(packet) => packet,
                Err(packet) => {
                    counters.rx_errors += 1;
                    counters.rx_drops.add(DropReason::RxError, 1);
                    return pool.give(packet);
                }
            };
            packet.in_port = number;
            counters.rx_packets += 1;
            counters.rx_bytes += packet.len() as u64;
            batch.push(packet);
        });
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

/// Reads what came beside a frame; gives the packet back as an error when it is of no use.
fn finish(incoming: Incoming<'_>, vnet: bool) -> Result<Box<Packet>, Box<Packet>> {
    let mut packet = incoming.packet;
    let offload = match vnet {
        true => virtio::decode(incoming.vnet),
        false => Some(left_open(&packet, None)),
    };
    let Some(offload) = offload.filter(|_| !incoming.cut) else {
        return Err(packet);
    };
    packet.offload = offload;
    complete_crc(&mut packet);
    if let Some((tpid, tci)) = stripped_tag(incoming.control)
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

struct PacketSenders {
    sockets: Vec<Arc<Socket>>,
    /// Senders made so far: they take turns in what they send through.
    made: AtomicUsize,
    vnet: bool,
    mtu: usize,
}

impl SenderFactory for PacketSenders {
    fn sender(&self) -> io::Result<Box<dyn Sender>> {
        let turn = self.made.fetch_add(1, Ordering::Relaxed) % self.sockets.len();
        Ok(Box::new(PacketSender {
            socket: self.sockets[turn].clone(),
            mtu: self.mtu,
            vnet: self.vnet,
            bundles: Bundles::default(),
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
        bundles: &mut Bundles,
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
                        bundles.count_sent(at, packet, counters);
                    }
                    next += sent;
                }
                Ok(_) => return,
                Err(error) => {
                    let gso = packet.offload.gso.is_some();
                    if gso && error.raw_os_error() == Some(libc::EINVAL) {
                        bundles.note_refused(next);
                        let mut pieces = Batch::new();
                        cut(packet, pool, &mut pieces, counters);
                        self.send_all(&pieces, &mut Bundles::default(), pool, counters);
                        pieces.drain(..).for_each(|piece| pool.give(piece));
                    } else {
                        (0..bundles.packets(next)).for_each(|_| lose(refusal(&error), counters));
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
        let mut bundles = std::mem::take(&mut self.bundles);
        if self.vnet {
            cut_odd_shapes(packets, pool, counters);
            bundles.make(packets, pool);
        } else {
            finish_all(packets, pool, counters);
        }
        self.send_all(packets, &mut bundles, pool, counters);
        self.bundles = bundles;
        packets.drain(..).for_each(|packet| pool.give(packet));
    }
}

#[cfg(test)]
mod tests;
