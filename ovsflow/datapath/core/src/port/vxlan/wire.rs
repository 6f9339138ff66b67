//! A tunnel whose underlay is memory: whole outer frames come and go through queues, and no host
//! takes part.
//!
//! For tests without privileges, embedders, and for measuring the datapath itself.  Outer
//! headers are written and read here: Ethernet, IPv4 or IPv6, UDP, VXLAN, untagged and
//! unfragmented.  There is no routing: an unset source stays all zero, and addresses of the outer
//! Ethernet header are fixed.

use std::io;
use std::os::fd::RawFd;
use std::sync::Arc;

use super::demux::Filter;
use super::inner::Inner;
use super::plan::{header, outer_tos, outer_ttl};
use crate::error::DropReason;
use crate::packet::gso::complete_checksum;
use crate::packet::layers::{L3, L4, Layers};
use crate::packet::number::{be16, be32, put_be16, view};
use crate::packet::vxlan::{self, HEADER_LEN, Header};
use crate::packet::{
    PROTO_UDP, Packet, Pool, PortNo, Tunnel, TunnelAddress, TunnelConfig, checksum, transport,
};
use crate::port::memory::{MemoryPort, Wire};
use crate::port::open::{OpenError, OpenPort, PortFacts, Request, STATE_LIVE, SenderFactory};
use crate::port::replay::Cursor;
use crate::port::{Batch, PortCounters, Receiver, Sender};
use crate::time::Now;

const ETHERNET: usize = 14;
const IPV4: usize = 20;
const IPV6: usize = 40;
const UDP: usize = 8;

/// Addresses of the outer Ethernet header, destination first.
const ADDRESSES: [u8; 12] = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];

/// First source port, and how many bits of a flow's hash are added.  Source: RFC 7348 §5.
const SOURCE_PORT: u16 = 49_152;
const SOURCE_PORT_BITS: u16 = 0x3fff;

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
    };
    Ok(OpenPort {
        receivers: vec![Box::new(receiver)],
        facts: PortFacts {
            state: STATE_LIVE,
            backend: "memory, whole outer frames".to_owned(),
            tunnel: Some(TunnelConfig::clone(&config)),
            ..PortFacts::default()
        },
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
}

impl Receiver for WireReceiver {
    fn fd(&self) -> Option<RawFd> {
        Some(self.wire.fd())
    }

    fn receive(
        &mut self,
        _now: Now,
        pool: &mut Pool,
        batch: &mut Batch,
        counters: &mut PortCounters,
    ) -> io::Result<bool> {
        let more = self.wire.receive(&mut self.cursor, pool, &mut self.arrived);
        let mut arrived = std::mem::take(&mut self.arrived);
        for mut packet in arrived.drain(..) {
            match self.decapsulate(&mut packet) {
                Ok(()) => {
                    counters.rx_packets += 1;
                    counters.rx_bytes += packet.len() as u64;
                    batch.push(packet);
                }
                Err(reason) => {
                    counters.rx_errors += u64::from(reason != DropReason::VxlanNoPort);
                    counters.rx_drops.add(reason, 1);
                    pool.give(packet);
                }
            }
        }
        self.arrived = arrived;
        Ok(more)
    }
}

impl WireReceiver {
    /// Takes the outer headers off.
    fn decapsulate(&self, packet: &mut Packet) -> Result<(), DropReason> {
        let frame = packet.bytes();
        let outer = Outer::read(frame, self.config.dst_port).ok_or(DropReason::RxError)?;
        let datagram = frame.get(outer.payload..outer.end).unwrap_or(&[]);
        let header = Header::parse(datagram, self.config.gbp)?;
        let mut tunnel = outer.tunnel;
        if !self.filter.accepts(header.vni, tunnel.src, tunnel.dst) {
            return Err(DropReason::VxlanNoPort);
        }
        packet.truncate(outer.end);
        packet.pull_front(outer.payload + HEADER_LEN);
        if !vxlan::decapsulate_ecn(packet, tunnel.tos) {
            return Err(DropReason::TunnelCongestion);
        }
        let policy = header.policy.unwrap_or_default();
        tunnel.id = u64::from(header.vni);
        (tunnel.gbp_id, tunnel.gbp_flags) = (policy.id, policy.flags);
        packet.tunnel = Some(tunnel);
        packet.in_port = self.number;
        Ok(())
    }
}

/// What outer headers said.
struct Outer {
    tunnel: Tunnel,
    /// Where the UDP payload starts and ends.
    payload: usize,
    end: usize,
}

impl Outer {
    /// Reads the headers of a whole, untagged UDP datagram to `port`; `None` for anything else, and
    /// where a checksum is wrong.
    fn read(frame: &[u8], port: u16) -> Option<Self> {
        let udp = match be16(frame, 12)? {
            0x0800 => ETHERNET + IPV4,
            0x86dd => ETHERNET + IPV6,
            _ => return None,
        };
        let ports_and_rest = view::<UDP>(frame, udp)?;
        let [_, _, p0, p1, l0, l1, c0, c1] = *ports_and_rest;
        let length = usize::from(u16::from_be_bytes([l0, l1]));
        if u16::from_be_bytes([p0, p1]) != port || length < UDP || udp + length > frame.len() {
            return None;
        }
        let tunnel = match udp - ETHERNET {
            IPV4 => read_ipv4(view(frame, ETHERNET)?)?,
            _ => read_ipv6(view(frame, ETHERNET)?)?,
        };
        if [c0, c1] != [0, 0] {
            let layers = Layers::parse_frame(frame);
            let whole = layers.l4_kind == L4::Udp && layers.l3_kind != L3::None;
            if !whole || !transport::verify(frame, &layers) {
                return None;
            }
        }
        Some(Self {
            tunnel,
            payload: udp + UDP,
            end: udp + length,
        })
    }
}

fn read_ipv4(header: &[u8; IPV4]) -> Option<Tunnel> {
    let fragment = be16(header, 6)? & 0x3fff != 0;
    if header[0] != 0x45 || header[9] != PROTO_UDP || fragment || checksum::sum(header) != 0xffff {
        return None;
    }
    Some(Tunnel {
        src: TunnelAddress::V4(be32(header, 12)?),
        dst: TunnelAddress::V4(be32(header, 16)?),
        tos: header[1],
        ttl: header[8],
        ..Tunnel::default()
    })
}

fn read_ipv6(header: &[u8; IPV6]) -> Option<Tunnel> {
    let address =
        |at| view::<16>(header, at).map(|raw| TunnelAddress::V6(u128::from_be_bytes(*raw)));
    if header[0] >> 4 != 6 || header[6] != PROTO_UDP {
        return None;
    }
    Some(Tunnel {
        src: address(8)?,
        dst: address(24)?,
        tos: (be16(header, 0)? >> 4) as u8,
        ttl: header[7],
        ..Tunnel::default()
    })
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
            template: None,
            ready: [Batch::new(), Batch::new()],
        }))
    }
}

struct WireSender {
    wire: Arc<Wire>,
    config: Arc<TunnelConfig>,
    /// The headers of the last packet's tunnel: packets of one flow follow one another.
    template: Option<(Tunnel, Template)>,
    /// Outer frames over IPv4 and over IPv6.
    ready: [Batch; 2],
}

/// Outer headers, but for what each packet has of its own.
#[derive(Clone, Copy)]
struct Template {
    bytes: [u8; ETHERNET + IPV6 + UDP + HEADER_LEN],
    /// Length of the network header.
    network: usize,
    /// Sum of the addresses.
    addresses: u16,
}

impl Template {
    /// `None` for a tunnel without destination.
    fn new(tunnel: &Tunnel, config: &TunnelConfig) -> Option<Self> {
        let mut bytes = [0; ETHERNET + IPV6 + UDP + HEADER_LEN];
        bytes[..12].copy_from_slice(&ADDRESSES);
        let network = match (tunnel.src, tunnel.dst) {
            (_, TunnelAddress::Unset) => return None,
            (source, TunnelAddress::V4(destination)) => {
                let source = if let TunnelAddress::V4(source) = source {
                    source
                } else {
                    0
                };
                bytes[12..15].copy_from_slice(&[0x08, 0x00, 0x45]);
                bytes[20] = if config.df { 0x40 } else { 0 };
                bytes[23] = PROTO_UDP;
                bytes[26..30].copy_from_slice(&source.to_be_bytes());
                bytes[30..34].copy_from_slice(&destination.to_be_bytes());
                IPV4
            }
            (source, TunnelAddress::V6(destination)) => {
                let source = if let TunnelAddress::V6(source) = source {
                    source
                } else {
                    0
                };
                bytes[12..15].copy_from_slice(&[0x86, 0xdd, 0x60]);
                bytes[20] = PROTO_UDP;
                bytes[22..38].copy_from_slice(&source.to_be_bytes());
                bytes[38..54].copy_from_slice(&destination.to_be_bytes());
                IPV6
            }
        };
        let udp = ETHERNET + network;
        bytes[udp + 2..udp + 4].copy_from_slice(&config.dst_port.to_be_bytes());
        let vxlan = udp + UDP;
        bytes[vxlan..vxlan + HEADER_LEN].copy_from_slice(&header(tunnel, config.gbp));
        let addresses = if network == IPV4 { 26..34 } else { 22..54 };
        Some(Self {
            addresses: checksum::sum(&bytes[addresses]),
            bytes,
            network,
        })
    }

    fn len(&self) -> usize {
        ETHERNET + self.network + UDP + HEADER_LEN
    }

    /// Puts the headers before a packet.
    fn push(
        &self,
        packet: &mut Packet,
        tunnel: &Tunnel,
        config: &TunnelConfig,
    ) -> Result<(), DropReason> {
        let inner = Inner::new(packet);
        let (tos, ttl) = (
            outer_tos(&inner, tunnel, config),
            outer_ttl(&inner, tunnel, config),
        );
        let datagram = u16::try_from(UDP + HEADER_LEN + packet.len());
        let total = datagram.map_err(|_| DropReason::TunnelOversize)?;
        let len = self.len();
        let head = packet.push_front(len).ok_or(DropReason::NoHeadroom)?;
        head.copy_from_slice(&self.bytes[..len]);
        let udp = ETHERNET + self.network;
        if self.network == IPV4 {
            let whole = total
                .checked_add(IPV4 as u16)
                .ok_or(DropReason::TunnelOversize)?;
            (head[15], head[22]) = (tos, ttl);
            put_be16(head, 16, whole);
            let sum = u64::from(0x4500 | u16::from(tos))
                + u64::from(whole)
                + u64::from(u16::from(self.bytes[20]) << 8)
                + u64::from(u16::from(ttl) << 8 | u16::from(PROTO_UDP))
                + u64::from(self.addresses);
            put_be16(head, 24, checksum::finish(checksum::fold(sum)));
        } else {
            put_be16(head, 14, 0x6000 | u16::from(tos) << 4);
            put_be16(head, 18, total);
            head[21] = ttl;
        }
        put_be16(
            head,
            udp,
            SOURCE_PORT + (inner.hash as u16 & SOURCE_PORT_BITS),
        );
        put_be16(head, udp + 4, total);
        Ok(())
    }

    /// Fills in the outer UDP checksum; a super-frame's segments get their own where they are cut, which
    /// only a checksum that is not 0 asks for.
    fn fill_checksum(&self, packet: &mut Packet) {
        let udp = ETHERNET + self.network;
        let frame = packet.bytes_mut();
        let datagram = frame.get(udp..).unwrap_or(&[]);
        let pseudo = u64::from(PROTO_UDP) + datagram.len() as u64;
        let sum = checksum::add(self.addresses, checksum::fold(pseudo));
        let sum = checksum::finish(checksum::add(sum, checksum::sum(datagram)));
        put_be16(frame, udp + 6, if sum == 0 { 0xffff } else { sum });
    }
}

impl WireSender {
    fn encapsulate(&mut self, packet: &mut Packet) -> Result<usize, DropReason> {
        let tunnel = packet.tunnel.ok_or(DropReason::TunnelNoDestination)?;
        let template = match &self.template {
            Some((known, template)) if *known == tunnel => template,
            _ => {
                let template = Template::new(&tunnel, &self.config);
                let template = template.ok_or(DropReason::TunnelNoDestination)?;
                &self.template.insert((tunnel, template)).1
            }
        };
        let with_checksum = self.config.csum.unwrap_or(template.network == IPV6);
        if with_checksum {
            complete_checksum(packet);
        }
        template.push(packet, &tunnel, &self.config)?;
        if with_checksum {
            template.fill_checksum(packet);
        }
        Ok(usize::from(template.network == IPV6))
    }
}

impl Sender for WireSender {
    fn send(
        &mut self,
        _now: Now,
        packets: &mut Batch,
        pool: &mut Pool,
        counters: &mut PortCounters,
    ) {
        for mut packet in packets.drain(..) {
            match self.encapsulate(&mut packet) {
                Ok(family) => {
                    packet.tunnel = None;
                    self.ready[family].push(packet);
                }
                Err(reason) => {
                    counters.tx_drops.add(reason, 1);
                    pool.give(packet);
                }
            }
        }
        for (ready, network) in self.ready.iter_mut().zip([IPV4, IPV6]) {
            let overhead = ETHERNET + network + UDP + HEADER_LEN;
            self.wire.send(ready, overhead, pool, counters);
        }
    }
}
