//! Tunnels over a wire of memory: the outer headers that are written and read here.

use proptest::prelude::*;

use super::{FAR, FAR_V6, NEAR, plain, super_frame, tcp_frame, to, tunnelled};
use crate::error::DropReason;
use crate::packet::layers::Layers;
use crate::packet::{Packet, Pool, Tunnel, TunnelAddress, TunnelOut, checksum, transport};
use crate::port::lab::{open_with, receive, refused, send};
use crate::port::{Batch, OpenPort, PortCounters};
use crate::time::Now;

fn open(options: &str) -> OpenPort {
    open_with("vxlan", 2, "vx", &format!("backend=memory,{options}")).unwrap()
}

/// The outer frames for a packet.
fn encapsulate(port: &OpenPort, packet: &Packet, tunnel: Tunnel) -> Vec<Vec<u8>> {
    let counters = send(port, tunnelled(packet, tunnel));
    assert_eq!(counters.tx_packets, 1, "{:?}", counters.tx_drops);
    assert_eq!(counters.tx_bytes, packet.len() as u64);
    port.memory.as_ref().unwrap().take_frames()
}

/// The same by way of a batch that shares its tunnel.
fn encapsulate_batch(port: &OpenPort, packet: &Packet, tunnel: Tunnel) -> Vec<Vec<u8>> {
    let (mut pool, mut counters) = (Pool::new(0, 0), PortCounters::default());
    let mut sender = port.sender.sender().unwrap();
    let mut copy = Packet::with_capacity(0);
    copy.copy_from(packet);
    let mut packets = vec![Box::new(copy)];
    assert!(sender.encapsulate(&TunnelOut::from(tunnel), &mut packets));
    assert!(packets.is_empty());
    sender.send(Now(0), &mut packets, &mut pool, &mut counters);
    assert_eq!(counters.tx_packets, 1, "{:?}", counters.tx_drops);
    port.memory.as_ref().unwrap().take_frames()
}

/// What comes out of a port that these outer frames arrive at.
fn decapsulate(port: &mut OpenPort, frames: &[Vec<u8>]) -> (Batch, PortCounters) {
    for frame in frames {
        let packet = Box::new(Packet::from_frame(frame));
        assert!(port.memory.as_ref().unwrap().inject(packet).is_ok());
    }
    let (mut batch, mut counters) = (Batch::new(), PortCounters::default());
    let receiver = &mut port.receivers[0];
    while receive(receiver, &mut batch, &mut counters) {}
    (batch, counters)
}

fn assert_sound(frame: &[u8]) {
    let layers = Layers::parse_frame(frame);
    assert_eq!(layers.end as usize, frame.len());
    let l4 = usize::from(layers.l4);
    if frame[14] >> 4 == 4 {
        assert_eq!(checksum::sum(&frame[14..34]), 0xffff);
    }
    if frame[l4 + 6..l4 + 8] != [0, 0] {
        assert!(transport::verify(frame, &layers));
    }
}

#[test]
fn test_outer_headers_are_written_and_read_back() {
    for (options, dst, src) in [
        ("", TunnelAddress::V4(FAR), TunnelAddress::V4(NEAR)),
        (
            "csum=true,df_default=false",
            TunnelAddress::V4(FAR),
            TunnelAddress::V4(NEAR),
        ),
        ("", TunnelAddress::V6(FAR_V6), TunnelAddress::V6(FAR_V6 - 1)),
        (
            "csum=false",
            TunnelAddress::V6(FAR_V6),
            TunnelAddress::V6(FAR_V6 - 1),
        ),
    ] {
        let mut port = open(&format!("exts=gbp,ttl=9,tos=0x48,{options}"));
        let tunnel = Tunnel {
            src,
            gbp_id: 7,
            gbp_flags: 0x08,
            ..to(dst)
        };
        for packet in [
            tcp_frame(2, 100),
            tcp_frame(3, 1),
            super_frame(40_000, 1378),
        ] {
            let frames = encapsulate(&port, &packet, tunnel);
            frames.iter().for_each(|frame| assert_sound(frame));
            let (got, counters) = decapsulate(&mut port, &frames);
            assert_eq!(counters.rx_packets, frames.len() as u64, "{options}");
            assert_eq!(plain(&got), plain(&[Box::new(tunnelled(&packet, tunnel))]));
            let ecn = [0, 1, 2, 2][usize::from(packet.bytes()[15] & 3)];
            let expected = Tunnel {
                ttl: 9,
                tos: 0x48 | ecn,
                ..tunnel
            };
            assert!(got.iter().all(|packet| packet.tunnel == Some(expected)));
            assert!(got.iter().all(|packet| packet.in_port.0 == 2));
        }
    }
}

#[test]
fn test_what_is_not_a_sound_tunnel_datagram_is_counted() {
    let mut port = open("key=0x123456,remote_ip=10.0.0.1");
    let tunnel = Tunnel {
        src: TunnelAddress::V4(NEAR),
        ..to(TunnelAddress::V4(FAR))
    };
    let sender = open("csum=true,local_ip=10.0.0.1");
    let good = encapsulate(&sender, &tcp_frame(0, 10), tunnel).remove(0);
    assert_eq!(
        decapsulate(&mut port, std::slice::from_ref(&good)).0.len(),
        1
    );
    let changes: [(&str, usize, u8, DropReason); 10] = [
        ("EtherType", 13, 0x06, DropReason::RxError),
        ("IP options", 14, 0x46, DropReason::RxError),
        ("fragment", 20, 0x20, DropReason::RxError),
        ("protocol", 23, 6, DropReason::RxError),
        ("IP checksum", 24, good[24] ^ 1, DropReason::RxError),
        ("another port", 36, 0, DropReason::RxError),
        ("length", 38, 0xff, DropReason::RxError),
        ("UDP checksum", 40, good[40] ^ 1, DropReason::RxError),
        ("payload", 100, good[100] ^ 1, DropReason::RxError),
        ("source", 29, 9, DropReason::RxError),
    ];
    for (name, at, value, reason) in changes {
        let mut frame = good.clone();
        frame[at] = value;
        let (got, counters) = decapsulate(&mut port, &[frame]);
        assert!(got.is_empty(), "{name}");
        assert_eq!(counters.rx_drops.count(reason), 1, "{name}");
    }
    for cut in 0..good.len() {
        assert!(decapsulate(&mut port, &[good[..cut].to_vec()]).0.is_empty());
    }
    let stranger = Tunnel {
        src: TunnelAddress::V4(9),
        ..tunnel
    };
    let frames = encapsulate(&open(""), &tcp_frame(0, 10), stranger);
    let (_, counters) = decapsulate(&mut port, &frames);
    assert_eq!(counters.rx_drops.count(DropReason::VxlanNoPort), 1);
}

#[test]
fn test_options_of_the_wire_are_read() {
    let port = open("discard=true");
    let counters = send(
        &port,
        tunnelled(&tcp_frame(0, 10), to(TunnelAddress::V4(FAR))),
    );
    assert_eq!((counters.tx_packets, counters.tx_bytes), (1, 64));
    assert_eq!(port.memory.unwrap().waiting(), 0);
    assert!(refused(open_with("vxlan", 1, "v", "backend=memory,rate=1")).contains("\"rate\""));
    assert!(refused(open_with("vxlan", 1, "v", "backend=udp,discard=1")).contains("\"discard\""));
}

proptest! {
    #[test]
    fn test_any_frame_comes_back_as_it_went(
        frame in prop::collection::vec(any::<u8>(), 14..200),
        id in 0..0x100_0000_u64,
        v6 in any::<bool>(),
        csum in any::<bool>(),
        addresses in any::<(u32, u32)>(),
    ) {
        let (src, dst) = (addresses.0.max(1), addresses.1.max(1));
        let tunnel = Tunnel {
            id,
            src: if v6 { TunnelAddress::V6(src.into()) } else { TunnelAddress::V4(src) },
            dst: if v6 { TunnelAddress::V6(dst.into()) } else { TunnelAddress::V4(dst) },
            ..Tunnel::default()
        };
        let mut port = open(&format!("csum={csum}"));
        let frames = encapsulate(&port, &Packet::from_frame(&frame), tunnel);
        frames.iter().for_each(|frame| assert_sound(frame));
        prop_assert_eq!(&encapsulate_batch(&port, &Packet::from_frame(&frame), tunnel), &frames);
        let (got, _) = decapsulate(&mut port, &frames);
        prop_assert_eq!(got[0].bytes(), &frame[..]);
        let back = got[0].tunnel.unwrap();
        prop_assert_eq!((back.id, back.src, back.dst), (id, tunnel.src, tunnel.dst));
    }

    #[test]
    fn test_no_outer_frame_breaks_the_port(frame in prop::collection::vec(any::<u8>(), 0..150), v6 in any::<bool>()) {
        let mut port = open("");
        let mut frame = frame;
        if let Some(head) = frame.get_mut(12..15) {
            head.copy_from_slice(if v6 { &[0x86, 0xdd, 0x60] } else { &[0x08, 0x00, 0x45] });
        }
        decapsulate(&mut port, &[frame]);
    }
}
