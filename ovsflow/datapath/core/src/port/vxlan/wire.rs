//! A tunnel whose underlay is memory: whole outer frames come and go through queues, and no host
//! takes part.
//!
//! For tests without privileges, embedders, and for measuring the datapath itself.  Outer
//! headers are written and read by `outer`.  There is no routing: an unset source stays all zero,
//! and addresses of the outer Ethernet header are fixed.

use std::io;
use std::os::fd::RawFd;
use std::sync::Arc;

use super::demux::Filter;
use super::outer::{OVER_IPV4, OVER_IPV6, Outer, Template};
use crate::error::DropReason;
use crate::packet::gso::complete_checksum;
use crate::packet::vxlan::{self, HEADER_LEN, Header};
use crate::packet::{Packet, Pool, PortNo, Tunnel, TunnelConfig, TunnelOut};
use crate::port::memory::{MemoryPort, Wire};
use crate::port::open::{OpenError, OpenPort, PortFacts, Request, STATE_LIVE, SenderFactory};
use crate::port::replay::Cursor;
use crate::port::{Batch, Intake, PortCounters, Receiver, Sender};
use crate::time::Now;

/// Opens a tunnel port on a wire of memory, whose options are the wire's.
pub(super) fn open(
    request: &mut Request<'_>,
    config: Arc<TunnelConfig>,
) -> Result<OpenPort, OpenError> {
    let wire = Wire::open(&mut request.options)?;
    request.options.finish()?;
    let receiver = WireReceiver {
        number: request.number,
        filter: Filter::new(&config),
        config: config.clone(),
        wire: wire.clone(),
        cursor: Cursor::default(),
        arrived: Batch::new(),
        refused: Vec::new(),
    };
    Ok(OpenPort {
        receivers: vec![Box::new(receiver)],
        facts: PortFacts {
            state: STATE_LIVE,
            tunnel: Some(TunnelConfig::clone(&config)),
            ..PortFacts::default()
        },
        backend: Box::new("memory, whole outer frames"),
        memory: Some(MemoryPort::new(wire.clone())),
        sender: Box::new(WireSenders { wire, config }),
    })
}

struct WireReceiver {
    number: PortNo,
    config: Arc<TunnelConfig>,
    filter: Filter,
    wire: Arc<Wire>,
    cursor: Cursor,
    /// Outer frames.
    arrived: Batch,
    /// Which of them are for nobody here, and why.
    refused: Vec<(usize, DropReason)>,
}

impl Receiver for WireReceiver {
    fn fd(&self) -> Option<RawFd> {
        Some(self.wire.fd())
    }

    fn receive(&mut self, _now: Now, intake: &mut Intake<'_>) -> io::Result<bool> {
        let mut arrived = std::mem::take(&mut self.arrived);
        // What arrives is counted below, without its outer headers.
        let mut outer = PortCounters::default();
        let (wire, cursor) = (&self.wire, &mut self.cursor);
        let mut underlay = Intake {
            pool: intake.pool,
            batch: &mut arrived,
            counters: &mut outer,
        };
        let more = wire.receive(self.number, cursor, &mut underlay);
        let mut bytes = 0;
        self.refused.clear();
        for (index, packet) in arrived.iter_mut().enumerate() {
            match self.decapsulate(packet) {
                Ok(()) => bytes += packet.len() as u64,
                Err(reason) => self.refused.push((index, reason)),
            }
        }
        // From the last on, so that places stay.
        let counters = &mut *intake.counters;
        for (index, reason) in self.refused.drain(..).rev() {
            counters.rx_errors += u64::from(reason != DropReason::VxlanNoPort);
            counters.rx_drops.add(reason, 1);
            intake.pool.give(arrived.remove(index));
        }
        counters.rx_packets += arrived.len() as u64;
        counters.rx_bytes += bytes;
        if intake.batch.is_empty() {
            std::mem::swap(intake.batch, &mut arrived);
        }
        intake.batch.append(&mut arrived);
        self.arrived = arrived;
        Ok(more)
    }
}

impl WireReceiver {
    /// Takes the outer headers off.
    #[inline]
    fn decapsulate(&self, packet: &mut Packet) -> Result<(), DropReason> {
        let frame = packet.bytes();
        let outer = Outer::read(frame, self.config.dst_port).ok_or(DropReason::RxError)?;
        let datagram = frame.get(outer.payload..outer.end).unwrap_or(&[]);
        let header = Header::parse(datagram, self.config.gbp)?;
        if !self.filter.accepts(header.vni, outer.src, outer.dst) {
            return Err(DropReason::VxlanNoPort);
        }
        packet.narrow(outer.payload + HEADER_LEN, outer.end);
        if !vxlan::decapsulate_ecn(packet, outer.tos) {
            return Err(DropReason::TunnelCongestion);
        }
        let policy = header.policy.unwrap_or_default();
        packet.tunnel = Some(Tunnel {
            id: u64::from(header.vni),
            src: outer.src,
            dst: outer.dst,
            flags: 0,
            gbp_id: policy.id,
            gbp_flags: policy.flags,
            tos: outer.tos,
            ttl: outer.ttl,
        });
        Ok(())
    }
}

struct WireSenders {
    wire: Arc<Wire>,
    config: Arc<TunnelConfig>,
}

impl SenderFactory for WireSenders {
    fn sender(&self) -> io::Result<Box<dyn Sender>> {
        Ok(Box::new(WireSender {
            wire: self.wire.clone(),
            config: self.config.clone(),
            ready: Batch::new(),
            is_v6: false,
            refused: Vec::new(),
        }))
    }
}

struct WireSender {
    wire: Arc<Wire>,
    config: Arc<TunnelConfig>,
    /// Outer frames, all over IPv6 or all over IPv4.
    ready: Batch,
    is_v6: bool,
    /// Packets that could not be encapsulated, with the reasons.
    refused: Vec<(DropReason, Box<Packet>)>,
}

impl WireSender {
    /// Puts outer headers before a packet.
    #[inline(always)]
    fn push(
        template: &Template,
        packet: &mut Packet,
        config: &TunnelConfig,
    ) -> Result<(), DropReason> {
        let with_checksum = config.csum.unwrap_or(template.is_v6);
        if with_checksum {
            complete_checksum(packet);
        }
        template.push(packet)?;
        if with_checksum {
            template.fill_checksum(packet);
        }
        Ok(())
    }

    fn encapsulate_one(&mut self, template: &Template, mut packet: Box<Packet>) {
        packet.tunnel = None;
        match Self::push(template, &mut packet, &self.config) {
            Ok(()) => self.ready.push(packet),
            Err(reason) => self.refused.push((reason, packet)),
        }
    }

    fn flush(&mut self, now: Now, pool: &mut Pool, counters: &mut PortCounters) {
        if !self.ready.is_empty() {
            let overhead = if self.is_v6 { OVER_IPV6 } else { OVER_IPV4 };
            self.wire
                .send(now, &mut self.ready, overhead, pool, counters);
        }
    }
}

impl Sender for WireSender {
    fn send(
        &mut self,
        now: Now,
        packets: &mut Batch,
        pool: &mut Pool,
        counters: &mut PortCounters,
    ) {
        for packet in packets.drain(..) {
            let tunnel = packet.tunnel.unwrap_or_default();
            let Some(template) = Template::new(&tunnel, &self.config) else {
                self.refused.push((DropReason::TunnelNoDestination, packet));
                continue;
            };
            if template.is_v6 != self.is_v6 {
                self.flush(now, pool, counters);
                self.is_v6 = template.is_v6;
            }
            self.encapsulate_one(&template, packet);
        }
        self.flush(now, pool, counters);
        for (reason, packet) in self.refused.drain(..) {
            counters.tx_drops.add(reason, 1);
            pool.give(packet);
        }
    }

    fn encapsulate(&mut self, tunnel: &TunnelOut, packets: &mut Batch) -> bool {
        let Some(template) = Template::new(&tunnel.into(), &self.config) else {
            return false;
        };
        if self.ready.is_empty() {
            self.is_v6 = template.is_v6;
        } else if self.is_v6 != template.is_v6 {
            return false;
        }
        let mut done = 0;
        for packet in packets.iter_mut() {
            if Self::push(&template, packet, &self.config).is_err() {
                break;
            }
            // What it came in through is behind it.
            packet.tunnel = None;
            done += 1;
        }
        if done == packets.len() {
            self.ready.append(packets);
            return true;
        }
        self.ready.extend(packets.drain(..done));
        for packet in packets.drain(..) {
            self.encapsulate_one(&template, packet);
        }
        true
    }
}
