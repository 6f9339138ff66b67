//! Packet sockets on veth pairs in namespaces of their own.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::mpsc;

use super::sockets::PACKET_IGNORE_OUTGOING;
use crate::error::DropReason;
use crate::packet::{Checksum, Packet};
use crate::port::bundle::tests::arrive_and_are_told;
use crate::port::lab::{
    Bridge, Host, STREAM, eventually, in_namespace, ip, is_stream, open_shared, open_with, receive,
    send, serve, settle, stream_to, wait_and_receive,
};
use crate::port::sys::{Absent, without};
use crate::port::{Batch, PortCounters};

fn veth_pair() {
    ip("link add d0 type veth peer name d1");
    ip("link set d0 up addrgenmode none");
    ip("link set d1 up addrgenmode none");
    settle("d0");
    settle("d1");
}

fn frame(tag: &[u8], len: usize) -> Vec<u8> {
    let mut frame = b"\x02\0\0\0\0\x01\x02\0\0\0\0\x02".to_vec();
    frame.extend_from_slice(tag);
    frame.extend_from_slice(&0x88b5_u16.to_be_bytes());
    frame.resize(len, 0x5a);
    frame
}

#[test]
fn test_frames_cross_whole_with_tags_and_open_checksums() {
    in_namespace(|| {
        veth_pair();
        let near = open_with("system", 1, "d0", "").unwrap();
        let mut far = open_with("system", 2, "d1", "").unwrap();
        let tags: [&[u8]; 3] = [
            &[],
            &[0x81, 0x00, 0x60, 0x0a],
            &[0x88, 0xa8, 0x00, 0x05, 0x81, 0x00, 0x20, 0x0b],
        ];
        for tag in tags {
            let sent = frame(tag, 100);
            let mut packet = Packet::from_frame(&sent);
            let checksum = Checksum {
                start: 40,
                offset: 6,
            };
            packet.offload.checksum = Some(checksum);
            assert_eq!(send(&near, packet).tx_packets, 1);
            let mut counters = PortCounters::default();
            let got = wait_and_receive(&mut far, &mut counters);
            assert_eq!(got.len(), 1, "{tag:02x?}");
            assert_eq!(got[0].bytes(), sent, "{tag:02x?}");
            assert_eq!(got[0].offload.checksum, Some(checksum), "{tag:02x?}");
            assert_eq!(got[0].in_port.0, 2);
            assert_eq!((counters.rx_packets, counters.rx_bytes), (1, 100));
        }
    });
}

#[test]
fn test_refusals_of_the_host_are_named() {
    in_namespace(|| {
        veth_pair();
        let port = open_with("system", 1, "d0", "").unwrap();
        let counters = send(&port, Packet::from_frame(&frame(&[], 3000)));
        assert_eq!(counters.tx_drops.count(DropReason::TxOversize), 1);
        ip("link set d0 down");
        let counters = send(&port, Packet::from_frame(&frame(&[], 100)));
        assert_eq!(counters.tx_drops.count(DropReason::PortDown), 1);
        ip("link set d0 up");
        assert_eq!(
            send(&port, Packet::from_frame(&frame(&[], 100))).tx_packets,
            1
        );
        ip("link del d0");
        let counters = send(&port, Packet::from_frame(&frame(&[], 100)));
        assert_eq!(counters.tx_drops.count(DropReason::PortDown), 1);
    });
}

#[test]
fn test_host_stack_does_not_answer_for_the_port() {
    in_namespace(|| {
        veth_pair();
        ip("address add 10.9.0.1/24 dev d0");
        let switch = open_with("system", 1, "d0", "").unwrap();
        let mut far = open_with("system", 2, "d1", "").unwrap();
        let arp = b"\xff\xff\xff\xff\xff\xff\x02\0\0\0\0\x02\x08\x06\0\x01\x08\0\x06\x04\0\x01\
            \x02\0\0\0\0\x02\x0a\x09\0\x02\0\0\0\0\0\0\x0a\x09\0\x01";
        send(&far, Packet::from_frame(arp));
        let mut counters = PortCounters::default();
        let mut batch = Batch::new();
        receive(&mut far.receivers[0], &mut batch, &mut counters);
        assert!(batch.is_empty(), "the host answered");
        drop(switch);
        let answered = (0..3).any(|_| {
            send(&far, Packet::from_frame(arp));
            let batch = wait_and_receive(&mut far, &mut counters);
            batch.iter().any(|p| p.bytes()[12..14] == [0x08, 0x06])
        });
        assert!(answered, "the host is as it was");
    });
}

#[test]
fn test_facts_tell_address_mtu_and_link() {
    in_namespace(|| {
        veth_pair();
        ip("link set d0 address 02:00:00:00:00:aa mtu 1400");
        let facts = open_with("system", 1, "d0", "").unwrap().facts;
        assert_eq!(facts.hw_addr, [2, 0, 0, 0, 0, 0xaa]);
        assert_eq!((facts.mtu, facts.state), (1400, 4));
        assert_eq!(facts.speed, 10_000_000);
        ip("link set d1 down");
        eventually("the link is told to be down", || {
            let state = open_with("system", 1, "d0", "").unwrap().facts.state;
            (state == 1).then_some(())
        });
    });
}

#[test]
fn test_tcp_with_every_offload_on_crosses_two_ports_intact() {
    let near = tcp_crosses(&[], "packet socket with ring, vnet header");
    assert!(
        near.rx_packets < (STREAM / 1448) as u64,
        "super-frames stay whole: {} packets",
        near.rx_packets
    );
}

#[test]
fn test_tcp_crosses_whatever_the_kernel_lacks() {
    const HEADER: Absent = Absent::Option(libc::SOL_PACKET, libc::PACKET_VNET_HDR);
    const RING: Absent = Absent::Option(libc::SOL_PACKET, libc::PACKET_RX_RING);
    const SILENCE: Absent = Absent::Option(libc::SOL_PACKET, PACKET_IGNORE_OUTGOING);
    const GROUPS: Absent = Absent::Option(libc::SOL_PACKET, libc::PACKET_FANOUT);
    tcp_crosses(&[HEADER], "packet socket, offloads done here");
    tcp_crosses(&[SILENCE], "packet socket, vnet header");
    tcp_crosses(&[RING], "packet socket, vnet header");
    tcp_crosses(&[HEADER, SILENCE], "packet socket, offloads done here");
    tcp_crosses(
        &[Absent::Programs],
        "packet socket with ring, vnet header, host stack sees frames too",
    );
    in_namespace(move || {
        veth_pair();
        let open = || open_shared("system", 1, "d0", "", 2).unwrap();
        assert_eq!(
            open().backend.to_string(),
            "packet socket with ring, vnet header, 2 receivers"
        );
        let alone = without(&[GROUPS], open);
        assert_eq!(
            alone.backend.to_string(),
            "packet socket with ring, vnet header"
        );
        assert_eq!(alone.receivers.len(), 1);
    });
}

#[test]
fn test_datagrams_arrive_and_it_is_told_when_the_kernel_takes_no_bundles() {
    in_namespace(|| {
        veth_pair();
        let near = open_with("system", 1, "d0", "").unwrap();
        let mut far = open_with("system", 2, "d1", "").unwrap();
        assert_eq!(
            near.backend.to_string(),
            "packet socket with ring, vnet header"
        );
        arrive_and_are_told(&near, &mut far);
    });
}

/// Sends a stream between two hosts, on a kernel that lacks something, through ports that say what
/// they use; what the first one counted.
fn tcp_crosses(absent: &'static [Absent], told: &'static str) -> PortCounters {
    let (tell, counted) = mpsc::channel();
    in_namespace(move || {
        let server = Host::new(|| {
            ip("address add 10.9.0.2/24 dev e1");
            ip("link set e1 up");
            serve("10.9.0.2:9000")
        });
        let client = Host::new(|| {
            ip("address add 10.9.0.1/24 dev e0");
            ip("link set e0 up");
            stream_to("10.9.0.2:9000");
        });
        for (index, id) in [client.id, server.id].into_iter().enumerate() {
            ip(&format!(
                "link add d{index} type veth peer name e{index} netns {id}"
            ));
            ip(&format!("link set d{index} up"));
        }
        let open = |number, name| without(absent, || open_with("system", number, name, ""));
        let ports = [open(1, "d0").unwrap(), open(2, "d1").unwrap()];
        assert_eq!(ports[0].backend.to_string(), told);
        let bridge = Bridge::start(ports, |_, _| ());
        server.start();
        client.start();
        client.join();
        let got = server.join();
        let [near, _] = bridge.stop();
        assert!(is_stream(&got), "{} bytes", got.len());
        tell.send(near).unwrap();
    });
    counted.recv().unwrap()
}
