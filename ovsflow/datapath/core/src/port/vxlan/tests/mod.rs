//! Tunnel ports against each other, against raw datagrams and against the kernel's VXLAN, in
//! namespaces of their own joined by a veth pair.
#![allow(clippy::unwrap_used, reason = "tests")]

mod kernel;
mod super_frames;
mod wire;

use std::net::UdpSocket;

use super::sockets::{PORTS, SendSockets};
use crate::error::DropReason;
use crate::packet::gso::for_each_plain;
use crate::packet::{
    Checksum, Gso, GsoKind, Offload, Packet, Pool, Tunnel, TunnelAddress, TunnelConfig,
};
use crate::port::lab::{
    Host, eventually, hand_over, in_namespace, ip, open_with, refused, send, settle,
    wait_and_receive,
};
use crate::port::sys::{Absent, Socket, without};
use crate::port::{OpenPort, PortCounters};

const NEAR: u32 = 0x0a00_0001;
const FAR: u32 = 0x0a00_0002;
const FAR_V6: u128 = 0xfd00_0000_0000_0000_0000_0000_0000_0002;

/// Makes this namespace one end of an underlay of 1500 bytes; `far` is run at the other end.
fn with_far<T: Send + 'static>(far: impl FnOnce() -> T + Send + 'static) -> T {
    let host = Host::new(move || {
        ip("address add 10.0.0.2/24 dev u1");
        ip("address add fd00::2/64 dev u1 nodad");
        ip("link set u1 up");
        settle("u1");
        far()
    });
    ip(&format!(
        "link add u0 type veth peer name u1 netns {}",
        host.id
    ));
    ip("address add 10.0.0.1/24 dev u0");
    ip("address add fd00::1/64 dev u0 nodad");
    ip("link set u0 up");
    host.start();
    settle("u0");
    host.join()
}

/// A tunnel port with `options` at each end.
fn two_ends(options: &'static str) -> (OpenPort, OpenPort) {
    two_ends_without(&[], options)
}

/// The same on kernels that lack something.
fn two_ends_without(absent: &'static [Absent], options: &'static str) -> (OpenPort, OpenPort) {
    let open = move |number| {
        let port = without(absent, || open_with("vxlan", number, "vx", options));
        port.unwrap()
    };
    let far = with_far(move || open(2));
    (open(1), far)
}

fn to(dst: TunnelAddress) -> Tunnel {
    Tunnel {
        id: 0x12_3456,
        dst,
        ..Tunnel::default()
    }
}

/// A TCP segment from 10.1.0.1 to 10.1.0.2 with `payload` bytes, its checksum left to fill in.
fn tcp_frame(tos: u8, payload: usize) -> Packet {
    let mut frame = b"\x02\0\0\0\0\x01\x02\0\0\0\0\x02\x08\0".to_vec();
    let total = (40 + payload) as u16;
    frame.extend_from_slice(&[0x45, tos]);
    frame.extend_from_slice(&total.to_be_bytes());
    frame.extend_from_slice(&[0x12, 0x34, 0x40, 0, 33, 6, 0, 0]);
    frame.extend_from_slice(&[10, 1, 0, 1, 10, 1, 0, 2]);
    frame.extend_from_slice(&[0x30, 0x39, 0x00, 0x50, 0, 0, 1, 0, 0, 0, 2, 0]);
    frame.extend_from_slice(&[0x50, 0x18, 1, 0, 0, 0, 0, 0]);
    frame.extend((0..payload).map(|i| (i * 7) as u8 ^ (i >> 8) as u8));
    let sum = |bytes: &[u8]| crate::packet::checksum::sum(bytes);
    let header = !sum(&frame[14..34]);
    frame[24..26].copy_from_slice(&header.to_be_bytes());
    let lengths = crate::packet::checksum::fold(6 + u64::from(total) - 20);
    let pseudo = crate::packet::checksum::add(sum(&frame[26..34]), lengths);
    frame[50..52].copy_from_slice(&pseudo.to_be_bytes());
    let mut packet = Packet::from_frame(&frame);
    packet.offload.checksum = Some(Checksum {
        start: 34,
        offset: 16,
    });
    packet
}

fn super_frame(payload: usize, size: u16) -> Packet {
    let mut packet = tcp_frame(0, payload);
    packet.offload.gso = Some(Gso {
        kind: GsoKind::Tcp4,
        size,
        ecn: false,
    });
    packet
}

/// A copy of a packet on its way into a tunnel.
fn tunnelled(packet: &Packet, tunnel: Tunnel) -> Packet {
    let mut copy = Packet::with_capacity(packet.len());
    copy.copy_from(packet);
    copy.tunnel = Some(tunnel);
    copy
}

/// The frames that a wire would carry for these packets.
fn plain(packets: &[Box<Packet>]) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    for packet in packets {
        for_each_plain(packet, &mut Pool::new(0, 0), |frame| {
            frames.push(frame.bytes().to_vec());
        });
    }
    frames
}

#[test]
fn test_tunnel_metadata_arrives_as_it_was_sent() {
    in_namespace(|| {
        let (near, mut far) = two_ends("exts=gbp,ttl=9,tos=0x48");
        let sent = tcp_frame(2, 100);
        for (dst, src) in [
            (TunnelAddress::V4(FAR), TunnelAddress::V4(NEAR)),
            (TunnelAddress::V6(FAR_V6), TunnelAddress::V6(FAR_V6 - 1)),
        ] {
            let policy = Tunnel {
                gbp_id: 77,
                gbp_flags: 0x48,
                ..to(dst)
            };
            let counters = send(&near, tunnelled(&sent, policy));
            assert_eq!(
                (counters.tx_packets, counters.tx_bytes),
                (1, sent.len() as u64)
            );
            let mut counters = PortCounters::default();
            let got = wait_and_receive(&mut far, &mut counters);
            assert_eq!(got.len(), 1, "{:?}", counters.rx_drops);
            let expected = Tunnel {
                src,
                tos: 0x4a,
                ttl: 9,
                ..policy
            };
            assert_eq!(got[0].tunnel, Some(expected));
            assert_eq!(got[0].in_port.0, 2);
            assert_eq!(plain(&got), plain(&[Box::new(tunnelled(&sent, policy))]));
            assert_eq!(
                (counters.rx_packets, counters.rx_bytes),
                (1, sent.len() as u64)
            );
        }
    });
}

#[test]
fn test_flow_and_inner_packet_give_what_the_port_leaves_to_them() {
    in_namespace(|| {
        let (near, mut far) = two_ends("tos=inherit,ttl=inherit,csum=true,df_default=false");
        let received = |far: &mut OpenPort| {
            let got = wait_and_receive(far, &mut PortCounters::default());
            got[0].tunnel.unwrap()
        };
        ip("address add 10.0.0.77/24 dev u0");
        let source = Tunnel {
            src: TunnelAddress::V4(0x0a00_004d),
            ..to(TunnelAddress::V4(FAR))
        };
        send(&near, tunnelled(&tcp_frame(0xb9, 10), source));
        let got = received(&mut far);
        assert_eq!((got.src, got.tos, got.ttl), (source.src, 0xb9, 33));
        let arp = Packet::from_frame(&[0xff; 42]);
        let of_a_cut_packet = Tunnel {
            ttl: 5,
            tos: 0x23,
            src: TunnelAddress::V6(1),
            ..source
        };
        send(&near, tunnelled(&arp, of_a_cut_packet));
        let got = received(&mut far);
        assert_eq!((got.tos, got.ttl), (0x22, 5));
        assert_eq!(
            got.src,
            TunnelAddress::V4(NEAR),
            "a source of the other family is no source"
        );
        send(&near, tunnelled(&arp, source));
        let got = received(&mut far);
        assert_eq!(
            (got.tos, got.ttl),
            (0, 64),
            "inherit means the default without IP inside"
        );
    });
}

#[test]
fn test_lost_sends_have_a_name_each() {
    in_namespace(|| {
        let (near, _far) = two_ends("");
        let v4 = to(TunnelAddress::V4(FAR));
        let cases = [
            (to(TunnelAddress::Unset), DropReason::TunnelNoDestination),
            (to(TunnelAddress::V4(0)), DropReason::TunnelNoDestination),
            (
                to(TunnelAddress::V4(0x0b00_0001)),
                DropReason::TunnelNoRoute,
            ),
            (to(TunnelAddress::V6(7)), DropReason::TunnelNoRoute),
            (
                Tunnel {
                    src: TunnelAddress::V4(0x0102_0304),
                    ..v4
                },
                DropReason::TunnelBadSource,
            ),
            (
                Tunnel {
                    src: TunnelAddress::V6(7),
                    ..to(TunnelAddress::V6(FAR_V6))
                },
                DropReason::TunnelBadSource,
            ),
        ];
        for packet in [tcp_frame(0, 10), super_frame(3000, 1000)] {
            for (tunnel, reason) in cases {
                let counters = send(&near, tunnelled(&packet, tunnel));
                assert_eq!(counters.tx_packets, 0, "{tunnel:?}");
                assert_eq!(
                    counters.tx_drops.count(reason),
                    1,
                    "{tunnel:?} {:?}",
                    counters.tx_drops
                );
            }
            assert_eq!(
                send(&near, tunnelled(&packet, v4)).tx_packets,
                1,
                "works afterwards"
            );
        }
        assert_eq!(
            send(&near, tcp_frame(0, 1))
                .tx_drops
                .count(DropReason::TunnelNoDestination),
            1
        );
    });
}

/// A datagram with this VXLAN header and an inner frame.
fn datagram(header: [u8; 8], inner: &[u8]) -> Vec<u8> {
    [&header, inner].concat()
}

#[test]
fn test_bad_datagrams_are_counted_by_reason_and_nothing_else_changes() {
    use DropReason::{
        VxlanFlags as Flags, VxlanNoPort as NoPort, VxlanReserved as Reserved,
        VxlanTooShort as Short,
    };
    in_namespace(|| {
        let mut far = with_far(|| open_with("vxlan", 2, "vx", "key=7,remote_ip=10.0.0.1").unwrap());
        let near = UdpSocket::bind("10.0.0.1:0").unwrap();
        let frame = [0x5a; 60];
        let cases = [
            ("empty", vec![], Short),
            ("cut header", vec![8; 7], Short),
            (
                "runt frame",
                datagram([8, 0, 0, 0, 0, 0, 7, 0], &[0; 13]),
                Short,
            ),
            (
                "no VNI flag",
                datagram([0, 0, 0, 0, 0, 0, 7, 0], &frame),
                Flags,
            ),
            (
                "group policy",
                datagram([0x88, 0, 0, 1, 0, 0, 7, 0], &frame),
                Flags,
            ),
            ("GPE", datagram([0x0c, 0, 0, 3, 0, 0, 7, 0], &frame), Flags),
            (
                "reserved after flags",
                datagram([8, 0, 1, 0, 0, 0, 7, 0], &frame),
                Reserved,
            ),
            (
                "reserved after VNI",
                datagram([8, 0, 0, 0, 0, 0, 7, 1], &frame),
                Reserved,
            ),
            (
                "VNI of nobody",
                datagram([8, 0, 0, 0, 0, 0, 8, 0], &frame),
                NoPort,
            ),
        ];
        for (name, bytes, reason) in cases {
            near.send_to(&bytes, "10.0.0.2:4789").unwrap();
            let mut counters = PortCounters::default();
            let got = wait_and_receive(&mut far, &mut counters);
            assert!(got.is_empty(), "{name}");
            assert_eq!(
                counters.rx_drops.count(reason),
                1,
                "{name}: {:?}",
                counters.rx_drops
            );
            assert_eq!(counters.rx_packets, 0, "{name}");
        }
        near.send_to(&datagram([8, 0, 0, 0, 0, 0, 7, 0], &frame), "10.0.0.2:4789")
            .unwrap();
        let got = wait_and_receive(&mut far, &mut PortCounters::default());
        assert_eq!(got[0].bytes(), frame);
        assert_eq!(got[0].offload, Offload::default());
    });
}

#[test]
fn test_congestion_marks_of_the_path_are_carried_inside() {
    use crate::port::sys::{Address, Outgoing, Socket, send_messages};
    use std::io::IoSlice;
    in_namespace(|| {
        let mut far = with_far(|| open_with("vxlan", 2, "vx", "").unwrap());
        let near = Socket::new(libc::AF_INET, libc::SOCK_DGRAM, 0).unwrap();
        let to = Address::new("10.0.0.2".parse().unwrap(), 4789);
        for outer in 0..4_u8 {
            near.set(libc::IPPROTO_IP, libc::IP_TOS, i32::from(0x20 | outer))
                .unwrap();
            for inner in 0..4_u8 {
                let sent = plain(&[Box::new(tcp_frame(0xb8 | inner, 20))]).remove(0);
                let bytes = datagram([8, 0, 0, 0, 0, 0, 7, 0], &sent);
                let message = Outgoing {
                    slices: &[IoSlice::new(&bytes)],
                    to: to.as_bytes(),
                    control: None,
                };
                assert_eq!(send_messages(&near, &[message]).unwrap(), 1);
                let mut counters = PortCounters::default();
                let got = wait_and_receive(&mut far, &mut counters);
                let tos = got.first().map(|packet| packet.bytes()[15]);
                let expected = match (outer, inner) {
                    (3, 0) => None,
                    (3, _) => Some(0xbb),
                    (_, inner) => Some(0xb8 | inner),
                };
                assert_eq!(tos, expected, "outer {outer}, inner {inner}");
                let lost = counters.rx_drops.count(DropReason::TunnelCongestion);
                assert_eq!(lost, u64::from(expected.is_none()));
                if let Some(packet) = got.first() {
                    let header = &packet.bytes()[14..34];
                    assert_eq!(crate::packet::checksum::sum(header), 0xffff);
                }
            }
        }
    });
}

#[test]
fn test_ports_share_a_udp_port_and_hand_over_the_lead() {
    in_namespace(|| {
        let (mut any, mut seven, mut eight) = with_far(|| {
            let open = |number, options| open_with("vxlan", number, "vx", options);
            let ports = (
                open(2, "").unwrap(),
                open(3, "key=7").unwrap(),
                open(4, "key=8,remote_ip=10.0.0.1").unwrap(),
            );
            assert!(refused(open(5, "key=7")).contains("accepts the same"));
            assert!(refused(open(5, "exts=gbp,key=9")).contains("gbp"));
            let _elsewhere = open(5, "dst_port=4790,key=7").unwrap();
            ports
        });
        let near = UdpSocket::bind("10.0.0.1:0").unwrap();
        let send = |vni: u8| {
            let bytes = datagram([8, 0, 0, 0, 0, 0, vni, 0], &[vni; 60]);
            near.send_to(&bytes, "10.0.0.2:4789").unwrap();
        };
        let arrives = |port: &mut OpenPort, leader: Option<&mut OpenPort>, vni: u8, number: u32| {
            let mut counters = PortCounters::default();
            if let Some(leader) = leader {
                hand_over(leader);
            }
            let got = wait_and_receive(port, &mut counters);
            assert_eq!(got.len(), 1, "VNI {vni}");
            assert_eq!((got[0].bytes()[0], got[0].in_port.0), (vni, number));
            assert_eq!(counters.rx_packets, 1);
        };
        send(9);
        arrives(&mut any, None, 9, 2);
        send(7);
        arrives(&mut seven, Some(&mut any), 7, 3);
        send(8);
        arrives(&mut eight, Some(&mut any), 8, 4);
        drop(any);
        send(7);
        arrives(&mut seven, None, 7, 3);
        send(8);
        arrives(&mut eight, Some(&mut seven), 8, 4);
        send(9);
        let mut counters = PortCounters::default();
        assert!(wait_and_receive(&mut seven, &mut counters).is_empty());
        assert_eq!(counters.rx_drops.count(DropReason::VxlanNoPort), 1);
        drop(seven);
        send(8);
        arrives(&mut eight, None, 8, 4);
    });
}

#[test]
fn test_options_that_make_no_sense_are_refused() {
    let cases = [
        ("remote_ip=224.0.0.1", "remote_ip"),
        ("remote_ip=example.org", "remote_ip"),
        ("remote_ip=10.0.0.1,local_ip=flow", "local_ip=flow"),
        ("remote_ip=10.0.0.1,local_ip=fd00::1", "families"),
        ("key=16777216", "key=16777216"),
        ("key=1,in_key=2", "in_key"),
        ("tos=1", "tos=1"),
        ("ttl=0", "ttl=0"),
        ("ttl=256", "ttl=256"),
        ("dst_port=0", "dst_port"),
        ("dst_port=65536", "dst_port"),
        ("exts=gpe", "exts=gpe"),
        ("csum=maybe", "csum"),
        ("packet_type=ptap", "\"packet_type\""),
    ];
    in_namespace(move || {
        for (options, named) in cases {
            let message = refused(open_with("vxlan", 1, "vx", options));
            assert!(message.contains(named), "{options}: {message}");
        }
    });
}

#[test]
fn test_source_port_follows_the_inner_flow() {
    in_namespace(|| {
        let listener = with_far(|| UdpSocket::bind("10.0.0.2:4789").unwrap());
        let near = open_with("vxlan", 1, "vx", "").unwrap();
        let mut ports = std::collections::BTreeMap::new();
        let mut room = [0; 2048];
        for flow in 0..200_u8 {
            let mut packet = tcp_frame(0, 10);
            packet.bytes_mut()[34] = flow;
            let mut first = None;
            for _ in 0..2 {
                send(&near, tunnelled(&packet, to(TunnelAddress::V4(FAR))));
                let (_, from) = listener.recv_from(&mut room).unwrap();
                assert_eq!(*first.get_or_insert(from.port()), from.port());
            }
            *ports.entry(first).or_insert(0) += 1;
        }
        assert_eq!(ports.len(), 16, "{ports:?}");
    });
}

#[test]
fn test_source_ports_differ_where_there_are_few() {
    in_namespace(|| {
        let range = "/proc/sys/net/ipv4/ip_local_port_range";
        std::fs::write(range, "40000 40019").unwrap();
        for csum in [None, Some(true), Some(false)] {
            let config = TunnelConfig {
                csum,
                ..TunnelConfig::default()
            };
            // A process that another test is starting may hold the sockets before for a moment.
            let free = || SendSockets::share(&config).ok();
            let sockets = eventually("enough ports are free", free);
            let families = [Some(&sockets.v4), sockets.v6.as_ref()];
            for family in families.into_iter().flatten() {
                let port = |socket: &Socket| socket.local_address().unwrap().port();
                let ports: Vec<_> = family.plain.iter().map(port).collect();
                let train: Vec<_> = family.train.iter().map(port).collect();
                let different: std::collections::BTreeSet<_> = ports.iter().collect();
                assert_eq!(different.len(), PORTS, "{ports:?}");
                assert_eq!(ports, train);
            }
        }
    });
}
