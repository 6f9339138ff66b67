//! TAP devices: they come and go with the port; TCP through them with offloads on.
#![allow(clippy::unwrap_used, reason = "tests")]

use crate::error::DropReason;
use crate::packet::{LARGE_FRAME, Packet, Pool};
use crate::port::PortCounters;
use crate::port::lab::{in_namespace, ip, open_with, refused, settle, wait_and_receive};
use crate::port::sys::Device;
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
        let gone = (0..2000).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(1));
            Device::find("t0").is_err()
        });
        assert!(gone);
    });
}

#[test]
fn test_internal_is_a_tap_and_options_are_refused() {
    in_namespace(|| {
        let port = open_with("internal", 0xffff_fffe, "br0", "").unwrap();
        assert!(port.facts.backend.starts_with("tap, checksum"));
        assert!(refused(open_with("tap", 1, "t1", "mtu=9000")).contains("\"mtu\""));
        assert!(open_with("tap", 1, "a-name-that-is-far-too-long", "").is_err());
    });
}
