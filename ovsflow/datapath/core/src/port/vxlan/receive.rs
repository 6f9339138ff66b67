//! From datagrams to packets.
//!
//! A datagram comes in one of four shapes, which nothing tells apart but its content:
//!
//! 1. one frame;
//! 2. a train: datagrams of equal length (the last may be shorter) that the kernel handed over as
//!    one, with their length beside it.  If it is one flow of TCP, or of long UDP datagrams, it becomes a
//!    super-frame;
//! 3. a tunnel's super-frame with TCP inside, from a peer that leaves segmentation to a device
//!    which was never met;
//! 4. the same with UDP inside, with the length of the *inner* segments beside it.
//!
//! Shapes 3 and 4, and small frames from the same peers, have inner checksums left to fill in.

use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;
use std::os::fd::RawFd;
use std::sync::Arc;

use super::endpoint::{Inlet, Lane, Member, Membership, Ports, UDP_GRO, lock};
use crate::error::DropReason;
use crate::packet::gso::merge_train;
use crate::packet::layers::{L4, Layers};
use crate::packet::vxlan::{self, HEADER_LEN, Header};
use crate::packet::{Packet, Pool, Tunnel, TunnelAddress, gso};
use crate::port::partial::left_open;
use crate::port::sys::{Address, Control, Inbox, Incoming, Socket, int_value};
use crate::port::{BATCH_SIZE, Batch, Intake, PortCounters, Receiver};
use crate::time::Now;

/// Packets that are better not taken out of trains at a time: what waits long falls out of the
/// processor's cache.
const MOST_WAITING: usize = 512;

/// Datagrams of a train that are worth putting together again.
const LONG_DATAGRAM: usize = 700;

/// A receiving half of a tunnel port: its place at one lane.
pub(super) struct TunnelReceiver {
    membership: Arc<Membership>,
    lane: usize,
}

impl TunnelReceiver {
    pub(super) fn new(membership: Arc<Membership>, lane: usize) -> Self {
        Self { membership, lane }
    }

    fn place(&self) -> Option<(&Lane, &Inlet)> {
        let Membership { endpoint, member } = &*self.membership;
        endpoint.lanes.get(self.lane).zip(member.inlet(self.lane))
    }
}

impl Receiver for TunnelReceiver {
    fn fd(&self) -> Option<RawFd> {
        self.place().map(|(_, inlet)| inlet.fd())
    }

    fn receive(&mut self, _now: Now, intake: &mut Intake<'_>) -> io::Result<bool> {
        let Some((lane, inlet)) = self.place() else {
            return Ok(false);
        };
        let first = intake.batch.len();
        let mut more = inlet.queue.pop(BATCH_SIZE, intake.batch);
        if self.membership.member.leads() && intake.batch.len() == first {
            let mut reception = lock(&lane.reception);
            more = reception.receive(self, &lane.sockets, intake)?;
        }
        for packet in intake.batch.iter().skip(first) {
            intake.counters.rx_packets += 1;
            intake.counters.rx_bytes += packet.len() as u64;
        }
        Ok(more)
    }

    /// The port that leads its UDP port counts what any of those behind it may have lost.
    fn note_losses(&mut self, counters: &mut PortCounters) {
        if let Some((lane, _)) = self.place()
            && self.membership.member.leads()
        {
            let losses = lock(&lane.reception).new_losses(&lane.sockets);
            counters.rx_drops.add(DropReason::RxQueueFull, losses);
        }
    }
}

/// The receiving side of a lane: what its leader needs from one batch to the next.
pub(super) struct Reception {
    inboxes: Vec<Inbox>,
    /// Datagrams that each socket is known to have lost.
    losses: Vec<u32>,
    /// Packets of the leader that the last batch had no room for.
    waiting: VecDeque<Box<Packet>>,
}

/// Where decapsulated packets go.
struct Arrivals<'a> {
    gbp: bool,
    ports: Arc<Ports>,
    leader: &'a Arc<Member>,
    lane: usize,
    waiting: &'a mut VecDeque<Box<Packet>>,
    counters: &'a mut PortCounters,
}

impl Reception {
    pub(super) fn new(sockets: usize) -> Self {
        Self {
            inboxes: (0..sockets).map(|_| Inbox::new(false)).collect(),
            losses: vec![0; sockets],
            waiting: VecDeque::new(),
        }
    }

    /// Datagrams that the sockets have lost for want of room since the last call.
    fn new_losses(&mut self, sockets: &[Socket]) -> u64 {
        let each = self.losses.iter_mut().zip(sockets);
        each.map(|(known, socket)| {
            let losses = socket.losses().unwrap_or(*known);
            u64::from(losses.wrapping_sub(std::mem::replace(known, losses)))
        })
        .sum()
    }

    fn receive(
        &mut self,
        receiver: &TunnelReceiver,
        sockets: &[Socket],
        intake: &mut Intake<'_>,
    ) -> io::Result<bool> {
        let mut more = false;
        if self.waiting.is_empty() {
            let Membership { endpoint, member } = &*receiver.membership;
            let mut arrivals = Arrivals {
                gbp: endpoint.gbp,
                ports: endpoint.ports(),
                leader: member,
                lane: receiver.lane,
                waiting: &mut self.waiting,
                counters: intake.counters,
            };
            for (inbox, socket) in self.inboxes.iter_mut().zip(sockets) {
                let before = arrivals.waiting.len();
                let each = |incoming: Incoming<'_>, pool: &mut Pool| {
                    arrivals.datagram(incoming, pool);
                };
                match inbox.receive(socket, intake.pool, each) {
                    Ok((received, filled)) => {
                        more |= filled;
                        let each = (arrivals.waiting.len() - before) / received.max(1);
                        inbox.ask_at_most(MOST_WAITING / each.max(1));
                    }
                    // What an earlier datagram met on its way; the socket goes on.
                    Err(error) if error.raw_os_error() == Some(libc::EBADF) => return Err(error),
                    Err(_) => more = true,
                }
            }
        }
        let count = self.waiting.len().min(BATCH_SIZE);
        intake.batch.extend(self.waiting.drain(..count));
        Ok(more || !self.waiting.is_empty())
    }
}

impl Arrivals<'_> {
    /// Takes one datagram, whatever its shape.
    fn datagram(&mut self, incoming: Incoming<'_>, pool: &mut Pool) {
        let mut packet = incoming.packet;
        let Some((outer, stride)) = outer_header(incoming.from, incoming.control) else {
            return self.lose(packet, DropReason::RxError, pool);
        };
        if incoming.cut {
            return self.lose(packet, DropReason::RxError, pool);
        }
        let stride = stride.filter(|stride| *stride > HEADER_LEN && *stride < packet.len());
        let Some(stride) = stride else {
            return self.frame(packet, &outer, None, pool);
        };
        let frame = packet.bytes().get(HEADER_LEN..).unwrap_or(&[]);
        let layers = Layers::parse_frame(frame);
        if layers.end as usize + HEADER_LEN > stride {
            return self.frame(packet, &outer, u16::try_from(stride).ok(), pool);
        }
        // Small datagrams stay what they are: their number is what people count.
        let merges = layers.l4_kind == L4::Tcp || stride >= LONG_DATAGRAM;
        match Header::parse(packet.bytes(), self.gbp) {
            Ok(header) if merges && merge_train(&mut packet, HEADER_LEN, stride) => {
                self.admit(packet, &header, &outer, pool);
            }
            _ => self.split(packet, &outer, stride, pool),
        }
    }

    /// Takes a train apart; what belongs together is put together again.
    fn split(&mut self, train: Box<Packet>, outer: &Tunnel, stride: usize, pool: &mut Pool) {
        let first = self.waiting.len();
        for datagram in train.bytes().chunks(stride) {
            self.frame(pool.hold(datagram), outer, None, pool);
        }
        pool.give(train);
        if stride >= LONG_DATAGRAM {
            let mut frames: Batch = self.waiting.drain(first..).collect();
            gso::coalesce(&mut frames, pool);
            self.waiting.extend(frames);
        }
    }

    /// Takes one datagram with one inner frame, which may be a super-frame: of UDP if the kernel
    /// told a segment length, of TCP if it is longer than any plain one.
    fn frame(
        &mut self,
        mut packet: Box<Packet>,
        outer: &Tunnel,
        udp_segment: Option<u16>,
        pool: &mut Pool,
    ) {
        let header = match Header::parse(packet.bytes(), self.gbp) {
            Ok(header) => header,
            Err(reason) => return self.lose(packet, reason, pool),
        };
        packet.pull_front(HEADER_LEN);
        packet.offload = left_open(&packet, udp_segment);
        self.admit(packet, &header, outer, pool);
    }

    /// Fills in what the tunnel said of an inner frame, and hands it to the port that it is for.
    fn admit(&mut self, mut packet: Box<Packet>, header: &Header, outer: &Tunnel, pool: &mut Pool) {
        let Some(member) = self.ports.lookup(header.vni, outer.src, outer.dst) else {
            return self.lose(packet, DropReason::VxlanNoPort, pool);
        };
        if !vxlan::decapsulate_ecn(&mut packet, outer.tos) {
            return self.lose(packet, DropReason::TunnelCongestion, pool);
        }
        let policy = header.policy.unwrap_or_default();
        packet.in_port = member.number;
        packet.tunnel = Some(Tunnel {
            id: u64::from(header.vni),
            gbp_id: policy.id,
            gbp_flags: policy.flags,
            ..*outer
        });
        if Arc::ptr_eq(member, self.leader) {
            return self.waiting.push_back(packet);
        }
        let mut packets = vec![packet];
        if let Some(inlet) = member.inlet(self.lane) {
            inlet.queue.push(&mut packets);
        }
        for packet in packets {
            self.lose(packet, DropReason::TunnelQueueFull, pool);
        }
    }

    fn lose(&mut self, packet: Box<Packet>, reason: DropReason, pool: &mut Pool) {
        self.counters.rx_drops.add(reason, 1);
        self.counters.rx_errors += u64::from(is_error(reason));
        pool.give(packet);
    }
}

/// Whether a drop is a fault of what was received, not a decision.
fn is_error(reason: DropReason) -> bool {
    matches!(
        reason,
        DropReason::RxError
            | DropReason::VxlanTooShort
            | DropReason::VxlanFlags
            | DropReason::VxlanReserved
            | DropReason::TunnelCongestion
    )
}

/// What the outer header said, and the length of a train's datagrams if it is one.
fn outer_header(from: &Address, control: &Control) -> Option<(Tunnel, Option<usize>)> {
    let mut tunnel = Tunnel {
        src: address(from.ip()?),
        ..Tunnel::default()
    };
    let mut stride = None;
    for (level, kind, value) in control.items() {
        match (level, kind) {
            // struct in_pktinfo: interface, local address, header's destination address.
            (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                let destination = value.get(8..)?.first_chunk::<4>()?;
                tunnel.dst = TunnelAddress::V4(u32::from_be_bytes(*destination));
            }
            // struct in6_pktinfo: destination address, interface.
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                let destination = value.first_chunk::<16>()?;
                tunnel.dst = TunnelAddress::V6(u128::from_be_bytes(*destination));
            }
            (libc::IPPROTO_IP, libc::IP_TOS) | (libc::IPPROTO_IPV6, libc::IPV6_TCLASS) => {
                tunnel.tos = int_value(value)? as u8;
            }
            (libc::IPPROTO_IP, libc::IP_TTL) | (libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT) => {
                tunnel.ttl = int_value(value)? as u8;
            }
            (libc::IPPROTO_UDP, UDP_GRO) => stride = usize::try_from(int_value(value)?).ok(),
            _ => {}
        }
    }
    Some((tunnel, stride))
}

/// A peer's address; IPv4 in IPv6's clothes is IPv4.
fn address(ip: IpAddr) -> TunnelAddress {
    ip.to_canonical().into()
}
