//! Super-frames through tunnels: whole, cut, cut shorter.

use super::{
    FAR, FAR_V6, NEAR, plain, super_frame, tcp_frame, to, tunnelled, two_ends, two_ends_without,
};
use crate::error::DropReason;
use crate::packet::layers::Layers;
use crate::packet::{Packet, Tunnel, TunnelAddress};
use crate::port::lab::{
    in_namespace, ip, open_with, pool, refused, send, send_batch, wait_and_receive,
};
use crate::port::sys::{Absent, tun_offload, without};
use crate::port::vxlan::endpoint::UDP_GRO;
use crate::port::vxlan::train::UDP_SEGMENT;
use crate::port::{OpenPort, PortCounters};
use crate::time::Now;

#[test]
fn test_super_frames_arrive_as_the_same_segments() {
    in_namespace(|| {
        for options in ["backend=udp", "csum=true", "backend=udp,df_default=false"] {
            super_frames_arrive(options);
        }
    });
}

/// Sends, and receives, trains of datagrams as one; tunnel super-frames through a TAP.
const SEGMENT: Absent = Absent::Option(libc::IPPROTO_UDP, UDP_SEGMENT);
const RECEIVE: Absent = Absent::Option(libc::IPPROTO_UDP, UDP_GRO);
const UPLINK: Absent = Absent::Offloads(tun_offload::UDP_TUNNEL_GSO);

#[test]
fn test_super_frames_arrive_whatever_the_kernel_lacks() {
    let cases: [(&'static [Absent], &'static str); 5] = [
        (&[], "super-frames through a tap uplink"),
        (&[UPLINK], "super-frames by UDP segmentation"),
        (&[UPLINK, SEGMENT], "super-frames cut here"),
        (&[RECEIVE], "received datagram by datagram"),
        (
            &[UPLINK, SEGMENT, RECEIVE],
            "cut here, sent datagram by datagram, received datagram by datagram",
        ),
    ];
    for (absent, told) in cases {
        in_namespace(move || {
            let (near, mut far) = two_ends_without(absent, "");
            assert!(near.backend.to_string().contains(told), "{}", near.backend);
            for dst in [TunnelAddress::V4(FAR), TunnelAddress::V6(FAR_V6)] {
                payload_arrives(&near, &mut far, &super_frame(30_000, 1378), dst);
            }
            if absent.contains(&UPLINK) {
                let refusal = without(absent, || {
                    refused(open_with("vxlan", 3, "vx", "backend=tap,key=3"))
                });
                assert!(refusal.contains("os error"), "{refusal}");
            }
        });
    }
}

fn super_frames_arrive(options: &'static str) {
    in_namespace(move || {
        let (near, mut far) = two_ends(options);
        let cases = [
            (3000, 1378),
            (1378 * 2, 1378),
            (64_000, 1378),
            (65_000, 1000),
            (60_000, 300),
        ];
        for (payload, size) in cases {
            for dst in [TunnelAddress::V4(FAR), TunnelAddress::V6(FAR_V6)] {
                let sent = super_frame(payload, size);
                let counters = send(&near, tunnelled(&sent, to(dst)));
                let drops = &counters.tx_drops;
                assert_eq!(counters.tx_packets, 1, "{payload}/{size} {dst:?} {drops:?}");
                let expected = plain(&[Box::new(sent)]);
                let (mut got, mut packets) = (Vec::new(), 0);
                while got.len() < expected.len() {
                    let batch = wait_and_receive(&mut far, &mut PortCounters::default());
                    assert!(!batch.is_empty(), "{payload}/{size} {dst:?}: {}", got.len());
                    packets += batch.len();
                    got.extend(plain(&batch));
                }
                assert!(got == expected, "{options} {payload}/{size} {dst:?}");
                assert!(
                    packets <= 3,
                    "{options} {payload}/{size} {dst:?}: {packets} packets"
                );
            }
        }
    });
}

#[test]
fn test_segments_that_exceed_the_path_are_fragmented_or_named() {
    in_namespace(|| {
        let (near, mut far) = two_ends("backend=udp,df_default=false");
        let sent = super_frame(6000, 1460);
        assert_eq!(
            send(&near, tunnelled(&sent, to(TunnelAddress::V4(FAR)))).tx_packets,
            1
        );
        let mut got = Vec::new();
        while got.len() < 5 {
            let batch = wait_and_receive(&mut far, &mut PortCounters::default());
            assert!(!batch.is_empty());
            got.extend(plain(&batch));
        }
        assert!(got == plain(&[Box::new(sent)]));
    });
    in_namespace(|| {
        let (near, _far) = two_ends("");
        let mut packet = tcp_frame(0, 1460);
        packet.bytes_mut()[23] = 17;
        let counters = send(&near, tunnelled(&packet, to(TunnelAddress::V4(FAR))));
        assert_eq!(counters.tx_drops.count(DropReason::TunnelOversize), 1);
    });
}

/// Sends a TCP packet and checks that its payload arrives, whole and in order, in how many packets.
fn payload_arrives(
    near: &OpenPort,
    far: &mut OpenPort,
    sent: &Packet,
    dst: TunnelAddress,
) -> usize {
    let counters = send(near, tunnelled(sent, to(dst)));
    assert_eq!(counters.tx_packets, 1, "{dst:?} {:?}", counters.tx_drops);
    let (mut payload, mut packets) = (Vec::new(), 0);
    let expected = &sent.bytes()[54..];
    while payload.len() < expected.len() {
        let batch = wait_and_receive(far, &mut PortCounters::default());
        assert!(!batch.is_empty());
        packets += batch.len();
        for frame in plain(&batch) {
            assert_eq!(frame[38..42], (0x100 + payload.len() as u32).to_be_bytes());
            payload.extend_from_slice(&frame[54..]);
            let layers = Layers::parse_frame(&frame);
            assert!(crate::packet::transport::verify(&frame, &layers));
        }
    }
    assert!(payload == expected);
    packets
}

#[test]
fn test_tcp_that_exceeds_the_path_is_cut_shorter() {
    in_namespace(|| {
        for options in ["backend=udp", "backend=tap"] {
            tcp_is_cut_shorter(options);
        }
    });
}

fn tcp_is_cut_shorter(options: &'static str) {
    in_namespace(move || {
        let (near, mut far) = two_ends(options);
        for sent in [
            tcp_frame(0, 1460),
            super_frame(6000, 1460),
            tcp_frame(0, 1460),
        ] {
            for dst in [TunnelAddress::V4(FAR), TunnelAddress::V6(FAR_V6)] {
                payload_arrives(&near, &mut far, &sent, dst);
            }
        }
        let mut wrong = tcp_frame(0, 1460);
        wrong.offload.checksum = None;
        let counters = send(&near, tunnelled(&wrong, to(TunnelAddress::V4(FAR))));
        let lost = counters.tx_drops.count(DropReason::TunnelOversize);
        assert_eq!(lost, 1, "a wrong checksum is not made right");
    });
}

#[test]
fn test_uplink_carries_super_frames_whole() {
    in_namespace(|| {
        let (near, mut far) = two_ends("backend=tap,ttl=9,tos=0x48");
        assert!(near.backend.to_string().contains("tap uplink"));
        for payload in [3000, 20_000, 64_000] {
            let sent = super_frame(payload, 1378);
            let packets = payload_arrives(&near, &mut far, &sent, TunnelAddress::V4(FAR));
            assert_eq!(packets, 1, "{payload}");
        }
        send(
            &near,
            tunnelled(&super_frame(3000, 1000), to(TunnelAddress::V4(FAR))),
        );
        let got = wait_and_receive(&mut far, &mut PortCounters::default());
        let expected = Tunnel {
            src: TunnelAddress::V4(NEAR),
            tos: 0x48,
            ttl: 9,
            ..to(TunnelAddress::V4(FAR))
        };
        assert_eq!(got[0].tunnel, Some(expected));
        let nowhere = to(TunnelAddress::V4(0x0b00_0001));
        let counters = send(&near, tunnelled(&super_frame(3000, 1000), nowhere));
        assert_eq!(counters.tx_drops.count(DropReason::TunnelNoRoute), 1);
    });
}

#[test]
fn test_uplink_leaves_to_the_sockets_what_it_cannot_carry() {
    in_namespace(|| {
        ip("address add 10.0.0.77/32 dev lo");
        let (near, mut far) = two_ends("backend=tap");
        payload_arrives(
            &near,
            &mut far,
            &super_frame(30_000, 1378),
            TunnelAddress::V6(FAR_V6),
        );
        let source = Tunnel {
            src: TunnelAddress::V4(0x0a00_004d),
            ..to(TunnelAddress::V4(FAR))
        };
        send(&near, tunnelled(&super_frame(3000, 1378), source));
        let got = wait_and_receive(&mut far, &mut PortCounters::default());
        assert_eq!(got[0].tunnel.unwrap().src, source.src);
        assert!(
            refused(open_with("vxlan", 3, "vx", "backend=tap,csum=true,key=3")).contains("csum")
        );
        assert!(refused(open_with("vxlan", 3, "vx", "backend=xdp")).contains("backend=xdp"));
        std::fs::write("/proc/sys/net/ipv4/conf/all/rp_filter", "1").unwrap();
        let refusal = refused(open_with("vxlan", 3, "vx", "backend=tap,key=3"));
        assert!(refusal.contains("rp_filter"), "{refusal}");
    });
}

#[test]
fn test_uplink_is_left_while_the_host_does_not_forward() {
    in_namespace(|| {
        let (near, mut far) = two_ends("");
        let whole = "super-frames through a tap uplink";
        let left =
            "super-frames by UDP segmentation, as the host does not forward from the tap uplink";
        tells(&near, whole);
        for (forwarding, told) in [("0", left), ("0", left), ("1", whole)] {
            let setting = "/proc/sys/net/ipv4/conf/vxuplink0/forwarding";
            std::fs::write(setting, forwarding).unwrap();
            let sent = super_frame(30_000, 1378);
            payload_arrives(&near, &mut far, &sent, TunnelAddress::V4(FAR));
            tells(&near, told);
        }
    });
}

/// Checks that a port says how super-frames go out, and nothing else of it.
fn tells(port: &OpenPort, told: &str) {
    let backend = port.backend.to_string();
    let (_, rest) = backend.split_at(backend.find("super-frames").unwrap());
    assert_eq!(rest, told);
}

#[test]
fn test_super_frames_arrive_and_it_is_told_when_the_uplink_is_no_more() {
    for end in ["link delete vxuplink0", "link set vxuplink0 down"] {
        in_namespace(move || {
            let (near, mut far) = two_ends("");
            let dst = TunnelAddress::V4(FAR);
            payload_arrives(&near, &mut far, &super_frame(30_000, 1378), dst);
            tells(&near, "super-frames through a tap uplink");
            ip(end);
            for _ in 0..2 {
                payload_arrives(&near, &mut far, &super_frame(30_000, 1378), dst);
                tells(&near, "super-frames by UDP segmentation");
            }
        });
    }
}

#[test]
fn test_packets_arrive_and_it_is_told_when_a_device_cuts_no_trains() {
    // What a kernel says where a device has no checksum offload, or packets are encrypted.
    let no_trains = &[Absent::Control(libc::IPPROTO_UDP, UDP_SEGMENT, libc::EIO)];
    in_namespace(|| {
        let (near, mut far) = two_ends("backend=udp");
        let dst = TunnelAddress::V4(FAR);
        tells(&near, "super-frames by UDP segmentation");
        without(no_trains, || {
            payload_arrives(&near, &mut far, &super_frame(30_000, 1378), dst);
        });
        tells(&near, "super-frames cut here");
        let frame = |number| tunnelled(&udp_frame(number, 64), to(dst));
        let sender = &mut near.sender.sender().unwrap();
        let sent = without(no_trains, || {
            send_batch(sender, (0..64).map(frame).collect())
        });
        assert_eq!(sent.tx_packets, 64);
        tells(&near, "super-frames cut here, sent datagram by datagram");
        let mut got = 0;
        while got < 64 {
            let batch = wait_and_receive(&mut far, &mut PortCounters::default());
            assert!(!batch.is_empty(), "{got}");
            got += plain(&batch).len();
        }
        assert_eq!(got, 64);
        // For good: what a device can do, it can from its start.
        payload_arrives(&near, &mut far, &super_frame(30_000, 1378), dst);
        tells(&near, "super-frames cut here, sent datagram by datagram");
    });
}

/// UDP datagrams of one length, each with a payload of its own.
fn udp_frame(number: u8, payload: usize) -> Packet {
    let mut packet = tcp_frame(0, payload);
    let frame = packet.bytes_mut();
    frame[23] = 17;
    frame[38..42].copy_from_slice(&[((28 + payload) >> 8) as u8, payload as u8, 0, 0]);
    frame[60] = number;
    packet.offload.checksum = None;
    packet
}

#[test]
fn test_many_equal_datagrams_arrive_each_by_itself() {
    in_namespace(|| {
        let cases: [(&'static str, usize, &'static [Absent]); 5] = [
            ("", 64, &[]),
            ("csum=false", 64, &[]),
            ("csum=true", 1300, &[]),
            ("", 64, &[SEGMENT]),
            ("", 64, &[RECEIVE]),
        ];
        for (options, payload, absent) in cases {
            in_namespace(move || {
                let (near, mut far) = two_ends_without(absent, options);
                let mut sender = near.sender.sender().unwrap();
                for dst in [TunnelAddress::V4(FAR), TunnelAddress::V6(FAR_V6)] {
                    let frame = |number| tunnelled(&udp_frame(number, payload), to(dst));
                    let mut packets: Vec<_> = (0..64).map(|n| Box::new(frame(n))).collect();
                    packets.insert(20, Box::new(tunnelled(&tcp_frame(0, 9), to(dst))));
                    let mut counters = PortCounters::default();
                    sender.send(Now(0), &mut packets, &mut pool(), &mut counters);
                    assert_eq!(counters.tx_packets, 65);
                    let mut got = Vec::new();
                    while got.len() < 65 {
                        let mut counters = PortCounters::default();
                        let batch = wait_and_receive(&mut far, &mut counters);
                        assert!(!batch.is_empty(), "{options} {dst:?} {}", got.len());
                        assert_eq!(counters.rx_packets, batch.len() as u64);
                        got.extend(plain(&batch));
                    }
                    got.retain(|frame| frame[23] == 17);
                    let sent = |number| udp_frame(number, payload).bytes().to_vec();
                    assert!(
                        got == (0..64).map(sent).collect::<Vec<_>>(),
                        "{options} {dst:?}"
                    );
                }
            });
        }
    });
}
