//! From packets to datagrams: the host's kernel routes, finds neighbours, fragments where it may,
//! and knows the path's MTU.
//!
//! A batch is ordered by source port (an inner flow has one), and single datagrams of a port go
//! out in one system call; many of one length to one end point go through the kernel as one
//! long datagram that is cut at the device.  Super-frames go out by the first of the ways in [`Trains`] that can
//! take them.

use std::io::{self, IoSlice};
use std::net::{IpAddr, UdpSocket};
use std::sync::Arc;

use super::path::Paths;
use super::plan::Plan;
use super::sockets::SendSockets;
use super::train::{TRAIN_BYTES, UDP_SEGMENT, UdpTrains};
use super::uplink::Uplink;
use super::ways::Ways;
use crate::error::DropReason;
use crate::packet::gso::complete_checksum;
use crate::packet::vxlan::HEADER_LEN;
use crate::packet::{Packet, Pool, TunnelConfig};
use crate::port::bundle::BUNDLE_LEAST;
use crate::port::shorten::{Room, shorten};
use crate::port::sys::{Outgoing, Socket, send_messages};
use crate::port::way::Way;
use crate::port::{BATCH_SIZE, Batch, PortCounters, Sender, SenderFactory};
use crate::time::Now;

/// A way to send super-frames.
pub(super) trait Trains: Send {
    /// Sends a super-frame; may change its offloads, but sends all of it or none.
    fn send(&mut self, packet: &mut Packet, plan: &Plan, paths: &mut Paths) -> Result<(), Refusal>;
}

/// Why a way to send did not take a packet.
pub(super) enum Refusal {
    /// Not this way, for this packet; nothing has changed.
    Unfit,
    /// It cannot be sent.
    Lost(DropReason),
}

/// Makes senders for one tunnel port.
pub(super) struct TunnelSenders {
    pub(super) config: Arc<TunnelConfig>,
    pub(super) sockets: Arc<SendSockets>,
    /// The way for super-frames that was asked for, before that of the sockets.
    pub(super) uplink: Option<Uplink>,
    pub(super) ways: Ways,
}

impl SenderFactory for TunnelSenders {
    fn sender(&self) -> io::Result<Box<dyn Sender>> {
        let mut trains: Vec<Box<dyn Trains>> = Vec::new();
        if let Some(uplink) = &self.uplink {
            trains.push(Box::new(uplink.clone()));
        }
        trains.push(Box::new(UdpTrains::new(
            &self.config,
            &self.sockets,
            &self.ways.trains,
        )));
        Ok(Box::new(TunnelSender {
            config: self.config.clone(),
            sockets: self.sockets.clone(),
            trains,
            paths: Paths::default(),
            bundles: self.ways.bundles.clone(),
            plans: Vec::with_capacity(BATCH_SIZE),
            order: Vec::with_capacity(BATCH_SIZE),
        }))
    }
}

/// The sending half of a tunnel port.
struct TunnelSender {
    config: Arc<TunnelConfig>,
    sockets: Arc<SendSockets>,
    trains: Vec<Box<dyn Trains>>,
    /// Whether datagrams may be bundled: the kernel wants a checksum for that, and a device that
    /// can cut them.
    bundles: Way,
    paths: Paths,
    /// How each packet of a batch is to go out; `None` for one that is lost.
    plans: Vec<Option<Plan>>,
    /// Places in the batch, in the order in which packets go out.
    order: Vec<Place>,
}

/// A packet's place in the order of sending: its socket, then its index in the batch.
type Place = (u8, u8);

impl Sender for TunnelSender {
    fn send(
        &mut self,
        now: Now,
        packets: &mut Batch,
        pool: &mut Pool,
        counters: &mut PortCounters,
    ) {
        self.paths.now = now;
        for batch in packets.chunks_mut(BATCH_SIZE) {
            self.send_batch(batch, counters);
        }
        packets.drain(..).for_each(|packet| pool.give(packet));
    }
}

impl TunnelSender {
    fn send_batch(&mut self, packets: &mut [Box<Packet>], counters: &mut PortCounters) {
        let mut plans = std::mem::take(&mut self.plans);
        let mut order = std::mem::take(&mut self.order);
        for (index, packet) in packets.iter_mut().enumerate() {
            match self.prepare(packet) {
                Ok(plan) => {
                    order.push((plan.socket(), index as u8));
                    plans.push(Some(plan));
                }
                Err(reason) => {
                    lose(reason, counters);
                    plans.push(None);
                }
            }
        }
        // The index keeps each flow in order.
        order.sort_unstable();
        let is_train = |(_, index): &Place| {
            let plan = plans.get(usize::from(*index));
            plan.is_some_and(|plan| plan.as_ref().is_some_and(|plan| plan.is_train))
        };
        for run in order.chunk_by(|a, b| a.0 == b.0 && !is_train(a) && !is_train(b)) {
            match run {
                [place] if is_train(place) => {
                    let index = usize::from(place.1);
                    if let Some(plan) = &plans[index] {
                        self.send_train(&mut packets[index], plan, counters);
                    }
                }
                _ => self.send_plain(packets, &plans, run, counters),
            }
        }
        plans.clear();
        order.clear();
        (self.plans, self.order) = (plans, order);
    }

    /// Plans for a packet, and makes it a finished datagram unless it is a super-frame.
    fn prepare(&self, packet: &mut Packet) -> Result<Plan, DropReason> {
        let mut plan = Plan::new(packet, &self.config)?;
        if let Some(room) = self.paths.short(plan.destination)
            && packet.len() > room
        {
            shorten(packet, Room::Frame(room));
        }
        plan.is_train = packet.offload.gso.is_some();
        if !plan.is_train {
            complete_checksum(packet);
            let header = packet.push_front(HEADER_LEN);
            header
                .ok_or(DropReason::NoHeadroom)?
                .copy_from_slice(&plan.header);
        }
        Ok(plan)
    }

    /// Sends single datagrams that share a socket; those that follow one another to one end point
    /// and are of one length go as a bundle, when there are many.
    fn send_plain(
        &mut self,
        packets: &mut [Box<Packet>],
        plans: &[Option<Plan>],
        run: &[Place],
        counters: &mut PortCounters,
    ) {
        let mut single = 0;
        let mut at = 0;
        let alike = |a: &Place, b: &Place| {
            let [a, b] = [a, b].map(|place| usize::from(place.1));
            match (plans.get(a), plans.get(b)) {
                (Some(Some(first)), Some(Some(second))) => {
                    first.is_alike(second) && packets[a].len() == packets[b].len()
                }
                _ => false,
            }
        };
        let groups: Vec<_> = run.chunk_by(alike).map(<[Place]>::len).collect();
        for len in groups {
            if self.bundles.is_open() && len >= BUNDLE_LEAST {
                self.send_single(packets, plans, &run[single..at], counters);
                self.send_bundle(packets, plans, &run[at..at + len], counters);
                single = at + len;
            }
            at += len;
        }
        self.send_single(packets, plans, &run[single..], counters);
    }

    /// Sends equal datagrams to one end point as few long ones, which the kernel cuts.
    fn send_bundle(
        &mut self,
        packets: &mut [Box<Packet>],
        plans: &[Option<Plan>],
        group: &[Place],
        counters: &mut PortCounters,
    ) {
        let index = |place: &Place| usize::from(place.1);
        let Some(Some(plan)) = group.first().and_then(|place| plans.get(index(place))) else {
            return;
        };
        let len = packets[index(&group[0])].len();
        for part in group.chunks((TRAIN_BYTES / len).max(1)) {
            let mut slices = [IoSlice::new(&[]); BATCH_SIZE];
            for (slice, place) in slices.iter_mut().zip(part) {
                *slice = IoSlice::new(packets[index(place)].bytes());
            }
            let mut control = plan.control;
            let segment = len as u16;
            control.push(libc::IPPROTO_UDP, UDP_SEGMENT, &segment.to_ne_bytes());
            let message = Outgoing {
                slices: &slices[..part.len()],
                to: plan.to.as_bytes(),
                control: Some(&control),
            };
            let socket = self.sockets.family(plan.is_v6);
            let socket = socket.and_then(|family| family.train.get(plan.port));
            match socket.map(|socket| send_messages(socket, &[message])) {
                Some(Ok(_)) => {
                    counters.tx_packets += part.len() as u64;
                    counters.tx_bytes += (part.len() * (len - HEADER_LEN)) as u64;
                }
                refused => {
                    let errno = refused.and_then(|sent| sent.err()?.raw_os_error());
                    // No offload here, and none next time; all else is told one by one.
                    if errno == Some(libc::EIO) {
                        self.bundles.close();
                    }
                    self.send_single(packets, plans, part, counters);
                }
            }
        }
    }

    /// Sends single datagrams that share a socket, each by itself.
    fn send_single(
        &mut self,
        packets: &mut [Box<Packet>],
        plans: &[Option<Plan>],
        run: &[Place],
        counters: &mut PortCounters,
    ) {
        let planned = |place: &Place| plans.get(usize::from(place.1))?.as_ref();
        let first = run.first().and_then(planned);
        let Some(socket) = first.and_then(|first| self.sockets.plain(first)) else {
            let none = DropReason::TunnelNoRoute;
            return run.iter().for_each(|_| lose(none, counters));
        };
        let mut slices = [[IoSlice::new(&[])]; BATCH_SIZE];
        let mut messages = [Outgoing::default(); BATCH_SIZE];
        for ((_, index), slice) in run.iter().zip(&mut slices) {
            *slice = [IoSlice::new(packets[usize::from(*index)].bytes())];
        }
        for ((plan, slice), message) in run
            .iter()
            .filter_map(planned)
            .zip(&slices)
            .zip(&mut messages)
        {
            *message = Outgoing {
                slices: slice,
                to: plan.to.as_bytes(),
                control: Some(&plan.control),
            };
        }
        let too_long = send_run(socket, &messages[..run.len()], |at, sent| {
            let (_, index) = run[at];
            match sent {
                Ok(()) => {
                    counters.tx_packets += 1;
                    counters.tx_bytes += (packets[usize::from(index)].len() - HEADER_LEN) as u64;
                    true
                }
                Err(error) => match planned(&run[at]).map(|plan| why(&error, plan)) {
                    Some(DropReason::TunnelOversize) => false,
                    reason => {
                        lose(reason.unwrap_or(DropReason::Internal), counters);
                        true
                    }
                },
            }
        });
        for place in too_long.into_iter().filter_map(|at| run.get(at)) {
            let packet = &mut packets[usize::from(place.1)];
            packet.pull_front(HEADER_LEN);
            match planned(place) {
                Some(plan) if self.paths.shorten(packet, plan.destination) => {
                    self.send_train(packet, plan, counters);
                }
                _ => lose(DropReason::TunnelOversize, counters),
            }
        }
    }

    /// Sends a super-frame by the first way that takes it.
    fn send_train(&mut self, packet: &mut Packet, plan: &Plan, counters: &mut PortCounters) {
        for way in &mut self.trains {
            match way.send(packet, plan, &mut self.paths) {
                Ok(()) => {
                    counters.tx_packets += 1;
                    counters.tx_bytes += packet.len() as u64;
                    return;
                }
                Err(Refusal::Lost(reason)) => return lose(reason, counters),
                Err(Refusal::Unfit) => {}
            }
        }
        lose(DropReason::TunnelSendError, counters);
    }
}

/// Sends messages in order and tells `each` what became of every one; returns those that it
/// answers with `false`.
fn send_run(
    socket: &Socket,
    messages: &[Outgoing<'_>],
    mut each: impl FnMut(usize, io::Result<()>) -> bool,
) -> Vec<usize> {
    let mut again = Vec::new();
    let mut next = 0;
    while next < messages.len() {
        match send_messages(socket, &messages[next..]) {
            Ok(sent) => {
                // The kernel takes the first one or says why not.
                let end = messages.len().min(next + sent.max(1));
                (next..end).for_each(|at| {
                    each(at, Ok(()));
                });
                next = end;
            }
            Err(error) => {
                if !each(next, Err(error)) {
                    again.push(next);
                }
                next += 1;
            }
        }
    }
    again
}

/// Why the host refused an encapsulated packet.
pub(super) fn why(error: &io::Error, plan: &Plan) -> DropReason {
    match error.raw_os_error() {
        Some(libc::EMSGSIZE) => DropReason::TunnelOversize,
        Some(libc::EAGAIN | libc::ENOBUFS | libc::ENOMEM) => DropReason::TxQueueFull,
        // Kernels differ in what they say of a source that is not theirs.
        Some(libc::EINVAL | libc::EADDRNOTAVAIL | libc::ENETUNREACH)
            if plan.source.is_some_and(|source| !is_own_address(source)) =>
        {
            DropReason::TunnelBadSource
        }
        Some(libc::ENETUNREACH | libc::EHOSTUNREACH | libc::EAFNOSUPPORT) => {
            DropReason::TunnelNoRoute
        }
        _ => DropReason::TunnelSendError,
    }
}

/// Whether this host has the address: whether a socket could be bound to it.
fn is_own_address(address: IpAddr) -> bool {
    UdpSocket::bind((address, 0)).is_ok()
}

fn lose(reason: DropReason, counters: &mut PortCounters) {
    counters.tx_drops.add(reason, 1);
    counters.tx_errors += u64::from(reason == DropReason::TunnelSendError);
}
