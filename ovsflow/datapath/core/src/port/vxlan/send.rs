//! From packets to datagrams, through UDP sockets: the host's kernel routes, finds neighbours,
//! fragments where it may, and knows the path's MTU.
//!
//! A batch is ordered by source port (an inner flow has one), and single datagrams of a port go
//! out in one system call.  A super-frame goes out as a train: the headers of each segment are
//! written out, the payload is gathered from where it lies, and the kernel cuts one long datagram
//! at every segment.  Where the device cannot do that, segments go out one by one.

use std::io::{self, IoSlice};
use std::net::{IpAddr, UdpSocket};
use std::sync::Arc;

use super::path::Paths;
use super::plan::Plan;
use super::sockets::{Family, SendSockets};
use crate::error::DropReason;
use crate::packet::gso::{Segmenter, complete_checksum};
use crate::packet::vxlan::HEADER_LEN;
use crate::packet::{Packet, Pool, TunnelConfig};
use crate::port::shorten::{Room, shorten};
use crate::port::sys::{Outgoing, Socket, send_messages};
use crate::port::{BATCH_SIZE, Batch, PortCounters, Sender, SenderFactory};
use crate::time::Now;

/// Bytes of a datagram that the kernel is to cut.  More would be cut before the device sees it.
const TRAIN_BYTES: usize = 65_000;

/// Segments that the kernel takes in one datagram.
const TRAIN_SEGMENTS: usize = 128;

/// UDP_SEGMENT; the installed headers may be older than the kernel.
const UDP_SEGMENT: i32 = 103;

/// Makes senders for one tunnel port.
pub(super) struct TunnelSenders {
    pub(super) config: Arc<TunnelConfig>,
    pub(super) sockets: SendSockets,
}

impl SenderFactory for TunnelSenders {
    fn sender(&self) -> io::Result<Box<dyn Sender>> {
        Ok(Box::new(TunnelSender {
            config: self.config.clone(),
            sockets: self.sockets.clone(),
            plans: Vec::with_capacity(BATCH_SIZE),
            headers: Vec::new(),
            kernel_cuts: true,
            paths: Paths::default(),
            now: Now::default(),
        }))
    }
}

/// The sending half of a tunnel port.
struct TunnelSender {
    config: Arc<TunnelConfig>,
    sockets: SendSockets,
    /// How each packet of a batch is to go out, with its place in the batch.
    plans: Vec<(usize, Plan)>,
    /// Headers of a train's segments.
    headers: Vec<u8>,
    /// Whether the kernel cuts trains; never again after it refused once.
    kernel_cuts: bool,
    /// Paths that have turned out to be short.
    paths: Paths,
    now: Now,
}

impl Sender for TunnelSender {
    fn send(
        &mut self,
        now: Now,
        packets: &mut Batch,
        pool: &mut Pool,
        counters: &mut PortCounters,
    ) {
        self.now = now;
        for batch in packets.chunks_mut(BATCH_SIZE) {
            self.send_batch(batch, counters);
        }
        packets.drain(..).for_each(|packet| pool.give(packet));
    }
}

impl TunnelSender {
    fn send_batch(&mut self, packets: &mut [Box<Packet>], counters: &mut PortCounters) {
        let mut plans = std::mem::take(&mut self.plans);
        for (index, packet) in packets.iter_mut().enumerate() {
            match self.prepare(packet) {
                Ok(plan) => plans.push((index, plan)),
                Err(reason) => lose(reason, counters),
            }
        }
        // The place in the batch keeps each flow in order.
        plans.sort_unstable_by_key(|(index, plan)| (plan.is_v6, plan.port, *index));
        let together = |(_, first): &(usize, Plan), (_, second): &(usize, Plan)| {
            let same_socket = (first.is_v6, first.port) == (second.is_v6, second.port);
            same_socket && !first.is_train && !second.is_train
        };
        for run in plans.chunk_by(together) {
            match run {
                [(index, plan)] if plan.is_train => {
                    self.send_train(&mut packets[*index], plan, counters);
                }
                _ => self.send_plain(packets, run, counters),
            }
        }
        plans.clear();
        self.plans = plans;
    }

    /// Plans for a packet, and makes it a finished datagram unless it is a super-frame.
    fn prepare(&self, packet: &mut Packet) -> Result<Plan, DropReason> {
        let mut plan = Plan::new(packet, &self.config)?;
        if let Some(room) = self.paths.room(plan.destination, self.now)
            && (packet.len() > room)
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

    /// The sockets for a plan; a host without IPv6 has no route.
    fn family(&self, plan: &Plan) -> Option<&Family> {
        match plan.is_v6 {
            false => Some(&self.sockets.v4),
            true => self.sockets.v6.as_ref(),
        }
    }

    /// Sends single datagrams that share a socket.
    fn send_plain(
        &mut self,
        packets: &mut [Box<Packet>],
        run: &[(usize, Plan)],
        counters: &mut PortCounters,
    ) {
        let socket = match run {
            [(_, plan), ..] => self.family(plan).and_then(|f| f.plain.get(plan.port)),
            [] => None,
        };
        let Some(socket) = socket else {
            counters
                .tx_drops
                .add(DropReason::TunnelNoRoute, run.len() as u64);
            return;
        };
        let mut slices = [[IoSlice::new(&[])]; BATCH_SIZE];
        let mut messages = [Outgoing::default(); BATCH_SIZE];
        for ((index, _), slice) in run.iter().zip(&mut slices) {
            *slice = [IoSlice::new(packets[*index].bytes())];
        }
        for (((_, plan), slice), message) in run.iter().zip(&slices).zip(&mut messages) {
            *message = Outgoing {
                slices: slice,
                to: plan.to.as_bytes(),
                control: Some(&plan.control),
            };
        }
        let mut too_long = Vec::new();
        let mut next = 0;
        while let Some((index, plan)) = run.get(next) {
            match send_messages(socket, &messages[next..run.len()]) {
                Ok(sent) if sent > 0 => {
                    for (index, _) in &run[next..next + sent] {
                        counters.tx_packets += 1;
                        counters.tx_bytes += (packets[*index].len() - HEADER_LEN) as u64;
                    }
                    next += sent;
                }
                Ok(_) => break,
                Err(error) => {
                    match refusal(&error, plan) {
                        DropReason::TunnelOversize => too_long.push((*index, plan)),
                        reason => lose(reason, counters),
                    }
                    next += 1;
                }
            }
        }
        for (index, plan) in too_long {
            let packet = &mut packets[index];
            packet.pull_front(HEADER_LEN);
            if self.shorten_for_path(packet, plan) {
                self.send_train(packet, plan, counters);
            } else {
                lose(DropReason::TunnelOversize, counters);
            }
        }
    }

    /// Makes a packet that was too long fit its path; `false` where that cannot be done.
    fn shorten_for_path(&mut self, packet: &mut Packet, plan: &Plan) -> bool {
        let before = packet.offload.gso.map(|gso| gso.size);
        let room = self.paths.learn(plan.destination, self.now);
        room.is_some_and(|room| shorten(packet, Room::Frame(room)))
            && packet.offload.gso.map(|gso| gso.size) != before
    }

    /// Sends a super-frame as a train; once more, shorter, if its segments were too long.
    fn send_train(&mut self, packet: &mut Packet, plan: &Plan, counters: &mut PortCounters) {
        let mut sent = self.try_train(packet, plan);
        if sent == Err(DropReason::TunnelOversize) && self.shorten_for_path(packet, plan) {
            sent = self.try_train(packet, plan);
        }
        match sent {
            Ok(()) => {
                counters.tx_packets += 1;
                counters.tx_bytes += packet.len() as u64;
            }
            Err(reason) => lose(reason, counters),
        }
    }

    fn try_train(&mut self, packet: &Packet, plan: &Plan) -> Result<(), DropReason> {
        let family = self.family(plan).ok_or(DropReason::TunnelNoRoute)?.clone();
        let segmenter = Segmenter::new(packet).ok_or(DropReason::TunnelSendError)?;
        let mut headers = std::mem::take(&mut self.headers);
        let each = HEADER_LEN + segmenter.header_len();
        headers.clear();
        headers.resize(each * segmenter.count(), 0);
        for (index, header) in headers.chunks_exact_mut(each).enumerate() {
            let (tunnel, inner) = header.split_at_mut(HEADER_LEN);
            tunnel.copy_from_slice(&plan.header);
            segmenter.write_header(index, packet.bytes(), inner);
        }
        let mut slices = Vec::with_capacity(2 * segmenter.count());
        for (index, header) in headers.chunks_exact(each).enumerate() {
            let payload = packet.bytes().get(segmenter.payload(index));
            slices.push(IoSlice::new(header));
            slices.push(IoSlice::new(payload.unwrap_or(&[])));
        }
        let sent = match self.send_cut_by_kernel(&family, plan, &segmenter, &slices) {
            Err((done, error)) if self.must_cut(&error, plan) => {
                let socket = family.plain.get(plan.port);
                send_one_by_one(socket, plan, slices.get(2 * done..).unwrap_or(&[]))
            }
            Err((_, error)) => Err(error),
            Ok(()) => Ok(()),
        };
        self.headers = headers;
        sent.map_err(|error| refusal(&error, plan))
    }

    /// Sends as few long datagrams as will do, all of about the same length.  On failure tells
    /// how many segments have gone out.
    fn send_cut_by_kernel(
        &self,
        family: &Family,
        plan: &Plan,
        segmenter: &Segmenter,
        slices: &[IoSlice<'_>],
    ) -> Result<(), (usize, io::Error)> {
        let cannot = || (0, io::Error::from_raw_os_error(libc::EIO));
        if !self.kernel_cuts {
            return Err(cannot());
        }
        let socket = family.train.get(plan.port).ok_or_else(cannot)?;
        let segment = HEADER_LEN + segmenter.longest();
        let most = (TRAIN_BYTES / segment).clamp(1, TRAIN_SEGMENTS);
        let datagrams = segmenter.count().div_ceil(most);
        let each = segmenter.count().div_ceil(datagrams);
        let mut control = plan.control;
        control.push(
            libc::IPPROTO_UDP,
            UDP_SEGMENT,
            &(segment as u16).to_ne_bytes(),
        );
        let mut done = 0;
        for datagram in slices.chunks(2 * each) {
            let message = Outgoing {
                slices: datagram,
                to: plan.to.as_bytes(),
                control: Some(&control),
            };
            send_messages(socket, &[message]).map_err(|error| (done, error))?;
            done += each;
        }
        Ok(())
    }

    /// Whether a train that the kernel refused is to go out segment by segment: the device has no
    /// checksum offload (and will have none next time), or the path wants fragments.
    fn must_cut(&mut self, error: &io::Error, plan: &Plan) -> bool {
        match error.raw_os_error() {
            Some(libc::EMSGSIZE) => !self.config.df,
            Some(libc::EINVAL) if plan.source.is_some() => false,
            Some(libc::EIO | libc::EINVAL | libc::EOPNOTSUPP) => {
                self.kernel_cuts = false;
                true
            }
            _ => false,
        }
    }
}

/// Sends segments as datagrams of their own; each is a header and its payload.
fn send_one_by_one(socket: Option<&Socket>, plan: &Plan, slices: &[IoSlice<'_>]) -> io::Result<()> {
    let Some(socket) = socket else {
        return Err(io::Error::from_raw_os_error(libc::EAFNOSUPPORT));
    };
    let message = |slices| Outgoing {
        slices,
        to: plan.to.as_bytes(),
        control: Some(&plan.control),
    };
    let messages: Vec<_> = slices.chunks(2).map(message).collect();
    let mut rest = messages.as_slice();
    while !rest.is_empty() {
        let sent = send_messages(socket, rest)?;
        rest = rest.get(sent.max(1)..).unwrap_or(&[]);
    }
    Ok(())
}

/// Why the host refused an encapsulated packet.
fn refusal(error: &io::Error, plan: &Plan) -> DropReason {
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
