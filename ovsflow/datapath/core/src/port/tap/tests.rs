//! TAP devices: they come and go with the port; TCP through them with offloads on.
#![allow(clippy::unwrap_used, reason = "tests")]

use crate::error::DropReason;
use crate::packet::{LARGE_FRAME, Packet, Pool};
use crate::port::PortCounters;
use crate::port::bundle::tests::arrive_and_are_told;
use crate::port::lab::{
    Bridge, Host, eventually, in_namespace, ip, is_stream, open_shared, open_with, refused, serve,
    settle, stream_to, wait_and_receive,
};
use crate::port::sys::{Absent, Device, tun_offload, without};
use crate::time::Now;

#[test]
fn test_device_comes_and_goes_with_the_port() {
    in_namespace(|| {
        let mut port = open_with("tap", 3, "t0", "").unwrap();
        assert_eq!(port.facts.state, 1);
        assert_eq!(port.facts.mtu, 1500);
        let mut pool = Pool::new(LARGE_FRAME, 1);
        let mut counters = PortCounters::default();
        let mut packets = vec![Box::new(Packet::from_frame(&[2; 60]))];
        let mut sender = port.sender.sender().unwrap();
        sender.send(Now(0), &mut packets, &mut pool, &mut counters);
        assert_eq!(counters.tx_drops.count(DropReason::PortDown), 1);

        ip("link set t0 addrgenmode none up");
        settle("t0");
        packets.push(Box::new(Packet::from_frame(&[2; 60])));
        sender.send(Now(0), &mut packets, &mut pool, &mut counters);
        assert_eq!((counters.tx_packets, counters.tx_bytes), (1, 60));

        ip("address add 10.9.0.1/24 dev t0");
        let socket = std::net::UdpSocket::bind("10.9.0.1:0").unwrap();
        socket.send_to(b"x", "10.9.0.2:9").unwrap();
        let is_arp = |packet: &Packet| packet.bytes()[12..14] == [0x08, 0x06];
        let asks = (0..3).any(|_| {
            let batch = wait_and_receive(&mut port, &mut counters);
            assert!(batch.iter().all(|packet| packet.in_port.0 == 3));
            batch.iter().any(|packet| is_arp(packet))
        });
        assert!(asks, "the host looks for its neighbour through the port");

        drop((port, sender));
        // A process that another test is starting holds the descriptor for a moment.
        eventually("t0 is gone", || Device::find("t0").err());
    });
}

#[test]
fn test_internal_is_a_tap_and_options_are_refused() {
    in_namespace(|| {
        let port = open_with("internal", 0xffff_fffe, "br0", "").unwrap();
        assert!(port.backend.to_string().starts_with("tap, checksum"));
        assert!(refused(open_with("tap", 1, "t1", "mtu=9000")).contains("\"mtu\""));
        assert!(open_with("tap", 1, "a-name-that-is-far-too-long", "").is_err());
    });
}

#[test]
fn test_tcp_crosses_whatever_the_device_cannot_leave_to_us() {
    let cases = [
        (0, "tap, checksum, TCP and UDP segmentation"),
        (tun_offload::USO4, "tap, checksum and TCP segmentation"),
        (tun_offload::TSO4, "tap, checksum"),
        (tun_offload::CSUM, "tap, no offload"),
    ];
    for (absent, told) in cases {
        in_namespace(move || {
            let server = Host::new(|| {
                ip("address add 10.9.0.2/24 dev t1");
                ip("link set t1 up");
                serve("10.9.0.2:9000")
            });
            let client = Host::new(|| {
                ip("address add 10.9.0.1/24 dev t0");
                ip("link set t0 up");
                stream_to("10.9.0.2:9000");
            });
            let open = |number, name| {
                let port = without(&[Absent::Offloads(absent)], || {
                    open_with("tap", number, name, "")
                });
                port.unwrap()
            };
            let ports = [open(1, "t0"), open(2, "t1")];
            assert_eq!(ports[0].backend.to_string(), told);
            ip(&format!("link set t0 netns {}", client.id));
            ip(&format!("link set t1 netns {}", server.id));
            // A device goes with its namespace, and that with the last who holds it.
            let held = [client.id, server.id]
                .map(|id| std::fs::File::open(format!("/proc/self/task/{id}/ns/net")).unwrap());
            let bridge = Bridge::start(ports, |_, _| ());
            server.start();
            client.start();
            client.join();
            let got = server.join();
            bridge.stop();
            drop(held);
            assert!(is_stream(&got), "{told}: {} bytes", got.len());
        });
    }
}

#[test]
fn test_a_kernel_without_programs_gives_a_tap_one_queue() {
    in_namespace(|| {
        let open = |name| open_shared("tap", 1, name, "", 2).unwrap();
        assert!(open("t0").backend.to_string().ends_with(", 2 receivers"));
        // A process that another test is starting may hold the first device for a moment.
        let alone = without(&[Absent::Programs], || open("t1"));
        assert!(!alone.backend.to_string().contains("receivers"));
        assert_eq!(alone.receivers.len(), 1);
    });
}

#[test]
fn test_datagrams_leave_and_it_is_told_when_the_kernel_takes_no_bundles() {
    in_namespace(|| {
        let port = open_with("tap", 1, "t0", "").unwrap();
        ip("link set t0 addrgenmode none up");
        settle("t0");
        let mut host = open_with("system", 2, "t0", "host=true").unwrap();
        arrive_and_are_told(&port, &mut host);
    });
}
