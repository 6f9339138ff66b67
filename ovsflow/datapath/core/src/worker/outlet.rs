//! Where packets go that leave an action list: one queue for each port, flushed once a batch.

use std::collections::HashMap;
use std::sync::Arc;

use super::events::{Event, EventBody, PacketForController};
use super::shared::Shared;
use crate::action::ControllerOut;
use crate::error::{DropCounters, DropReason};
use crate::execute::{MeterVerdict, Sink};
use crate::flow::FlowKey;
use crate::flow::extract::{Depth, Fragments, extract};
use crate::openflow::action::{GroupId, MeterId};
use crate::packet::{Batch, Packet, Pool, PortNo, Tunnel, TunnelOut, gso};
use crate::port::{PortCounters, Sender};
use crate::table::{Meter, MeterVerdict as Verdict};
use crate::time::Now;
use crate::translate::METADATA_BITS;

const NONE: u16 = u16::MAX;

/// The sending side of one port.
struct PortOut {
    number: PortNo,
    queue: Batch,
    sender: Box<dyn Sender>,
    counters: PortCounters,
    /// Whether it is among the touched ones.
    touched: bool,
}

/// One worker's sending side.
pub(super) struct Outlet {
    pub(super) pool: Pool,
    pub(super) drops: DropCounters,
    pub(super) now: Now,
    /// Packets that walk the tables again, from this frozen state.
    pub(super) recirculated: Vec<(u32, Box<Packet>)>,
    pub(super) meters: HashMap<MeterId, Arc<Meter>>,
    /// Packets and bytes of buckets that hashes picked.
    pub(super) buckets: HashMap<(GroupId, u16), (u64, u64)>,
    ports: Vec<PortOut>,
    /// Place in `ports` of each port number below the reserved ones; [`NONE`] for none.
    places: Vec<u16>,
    /// Ports with something in their queue.
    touched: Vec<u16>,
    shared: Arc<Shared>,
}

impl Outlet {
    pub(super) fn new(pool: Pool, shared: Arc<Shared>) -> Self {
        Self {
            pool,
            drops: DropCounters::default(),
            now: Now(0),
            recirculated: Vec::new(),
            meters: HashMap::new(),
            buckets: HashMap::new(),
            ports: Vec::new(),
            places: Vec::new(),
            touched: Vec::new(),
            shared,
        }
    }

    pub(super) fn add_port(&mut self, number: PortNo, sender: Box<dyn Sender>) {
        self.ports.push(PortOut {
            number,
            queue: Batch::new(),
            sender,
            counters: PortCounters::default(),
            touched: false,
        });
        self.index_ports();
    }

    pub(super) fn remove_port(&mut self, number: PortNo) {
        self.flush();
        self.ports.retain(|port| port.number != number);
        self.index_ports();
    }

    /// The counters of each port's sending side.
    pub(super) fn counters(&self) -> impl Iterator<Item = (PortNo, &PortCounters)> {
        self.ports.iter().map(|port| (port.number, &port.counters))
    }

    /// Sends what waits.
    pub(super) fn flush(&mut self) {
        for place in self.touched.drain(..) {
            if let Some(port) = self.ports.get_mut(usize::from(place)) {
                port.touched = false;
                port.sender.send(
                    self.now,
                    &mut port.queue,
                    &mut self.pool,
                    &mut port.counters,
                );
            }
        }
    }

    /// Counts lost packets.
    pub(super) fn lose(&mut self, reason: DropReason, packet: Box<Packet>) {
        self.drops.add(reason, 1);
        self.pool.give(packet);
    }

    fn index_ports(&mut self) {
        let real = |port: &&PortOut| port.number < PortNo::MAX;
        let highest = self.ports.iter().filter(real).map(|port| port.number.0);
        let size = highest.max().map_or(1, |number| number as usize + 1);
        self.places = vec![NONE; size];
        for (place, port) in self.ports.iter().enumerate() {
            if let Some(entry) = self.places.get_mut(Self::slot(port.number)) {
                *entry = place as u16;
            }
        }
    }

    /// Port 0 does not exist: its slot is LOCAL's.
    #[inline]
    const fn slot(number: PortNo) -> usize {
        if number.0 == PortNo::LOCAL.0 {
            0
        } else if number.0 == 0 {
            usize::MAX
        } else {
            number.0 as usize
        }
    }

    /// A port, marked as touched.
    #[inline]
    fn port(&mut self, number: PortNo) -> Option<&mut PortOut> {
        let place = *self.places.get(Self::slot(number))?;
        let port = self.ports.get_mut(usize::from(place))?;
        if !port.touched {
            port.touched = true;
            self.touched.push(place);
        }
        Some(port)
    }

    /// Its queue.
    #[inline]
    fn queue(&mut self, number: PortNo) -> Option<&mut Batch> {
        self.port(number).map(|port| &mut port.queue)
    }
}

impl Sink for Outlet {
    #[inline]
    fn output(&mut self, port: PortNo, packet: Box<Packet>) {
        match self.queue(port) {
            Some(queue) => queue.push(packet),
            None => self.lose(DropReason::NoSuchPort, packet),
        }
    }

    #[inline]
    fn output_batch(&mut self, port: PortNo, packets: &mut Batch) {
        if packets.is_empty() {
            return;
        }
        match self.queue(port) {
            Some(queue) if queue.is_empty() => std::mem::swap(queue, packets),
            Some(queue) => queue.append(packets),
            None => {
                for packet in packets.drain(..) {
                    self.lose(DropReason::NoSuchPort, packet);
                }
            }
        }
    }

    #[inline]
    fn output_tunnel(&mut self, port: PortNo, tunnel: &TunnelOut, packets: &mut Batch) {
        if let Some(out) = self.port(port)
            && out.queue.is_empty()
            && out.sender.encapsulate(tunnel, packets)
        {
            return;
        }
        let tunnel = Tunnel::from(tunnel);
        for packet in packets.iter_mut() {
            packet.tunnel = Some(tunnel);
        }
        self.output_batch(port, packets);
    }

    fn controller(&mut self, out: &Arc<ControllerOut>, packet: &Packet) {
        if !self.shared.audience.wants(out) {
            self.drops.add(DropReason::NoController, 1);
            return;
        }
        let meter = out.meter.unwrap_or(MeterId::CONTROLLER);
        if self.meter(meter, packet) == MeterVerdict::Drop {
            self.drops.add(DropReason::Meter, 1);
            return;
        }
        let admission = self.shared.audience.admit(out, self.now);
        self.drops
            .add(DropReason::ControllerLimit, admission.limited);
        if !admission.passes() {
            return;
        }
        let event = Event {
            origin: 0,
            body: EventBody::PacketIn(Box::new(PacketForController {
                out: out.clone(),
                listeners: admission.listeners,
                metadata: metadata(out, packet),
                data: packet.bytes().to_vec(),
                total_len: packet.len(),
            })),
        };
        if !self.shared.events.push(event) {
            self.drops.add(DropReason::ControllerQueue, 1);
        }
    }

    #[inline]
    fn drop(&mut self, reason: DropReason, packet: Box<Packet>) {
        self.lose(reason, packet);
    }

    fn lose_copy(&mut self, reason: DropReason) {
        self.drops.add(reason, 1);
    }

    fn meter(&mut self, meter: MeterId, packet: &Packet) -> MeterVerdict {
        let Some(meter) = self.meters.get(&meter) else {
            return MeterVerdict::Pass;
        };
        let (packets, bytes) = gso::plain_size(packet);
        match meter.run(packets, bytes, self.now) {
            Verdict::Pass => MeterVerdict::Pass,
            Verdict::Drop => MeterVerdict::Drop,
            Verdict::Remark { precedence } => MeterVerdict::Remark(precedence),
        }
    }

    fn count_bucket(&mut self, group: GroupId, bucket: u16, packet: &Packet) {
        let counts = self.buckets.entry((group, bucket)).or_default();
        counts.0 += 1;
        counts.1 += packet.len() as u64;
    }

    fn recirculate(&mut self, id: u32, packet: Box<Packet>) {
        self.recirculated.push((id, packet));
    }

    #[inline]
    fn pool(&mut self) -> &mut Pool {
        &mut self.pool
    }
}

/// A packet-in's pipeline fields: what the walk decided, else the packet's own.
fn metadata(out: &ControllerOut, packet: &Packet) -> FlowKey {
    let mut own = FlowKey::default();
    extract(packet, Depth::Metadata, Fragments::Normal, &mut own);
    let mut told = (*out.metadata).clone();
    for (index, bits) in METADATA_BITS.iter().enumerate() {
        let free = bits & !out.written.words[index];
        told.words[index] |= own.words[index] & free;
    }
    told
}
