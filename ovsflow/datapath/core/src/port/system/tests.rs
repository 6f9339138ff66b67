//! Packet sockets on veth pairs in namespaces of their own.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::packet::{Checksum, Packet, Pool};
use crate::port::lab::{Host, in_namespace, ip, open_with};
use crate::port::sys::Poller;
use crate::port::{Batch, OpenPort, PortCounters, Receiver, Sender};
use crate::time::Now;

const STREAM: usize = 8 << 20;

fn pool() -> Pool {
    Pool::new(crate::packet::LARGE_FRAME, 8)
}

/// Waits until something arrives, at most two seconds.
fn wait_and_receive(port: &mut OpenPort, counters: &mut PortCounters) -> Batch {
    let poller = Poller::new().unwrap();
    poller.add(port.receivers[0].fd().unwrap()).unwrap();
    let mut batch = Batch::new();
    for _ in 0..20 {
        if poller.wait(100).unwrap() {
            port.receivers[0]
                .receive(Now(0), &mut pool(), &mut batch, counters)
                .unwrap();
        }
        if !batch.is_empty() {
            break;
        }
    }
    batch
}

fn veth_pair() {
    ip("link add d0 type veth peer name d1");
    ip("link set d0 up addrgenmode none");
    ip("link set d1 up addrgenmode none");
}

fn send(port: &OpenPort, packet: Packet) -> PortCounters {
    let mut counters = PortCounters::default();
    let mut sender = port.sender.sender().unwrap();
    let mut packets = vec![Box::new(packet)];
    sender.send(Now(0), &mut packets, &mut pool(), &mut counters);
    counters
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
        assert_eq!(
            counters
                .tx_drops
                .count(crate::error::DropReason::TxOversize),
            1
        );
        ip("link set d0 down");
        let counters = send(&port, Packet::from_frame(&frame(&[], 100)));
        assert_eq!(
            counters.tx_drops.count(crate::error::DropReason::PortDown),
            1
        );
        ip("link set d0 up");
        assert_eq!(
            send(&port, Packet::from_frame(&frame(&[], 100))).tx_packets,
            1
        );
        ip("link del d0");
        let counters = send(&port, Packet::from_frame(&frame(&[], 100)));
        assert_eq!(
            counters.tx_drops.count(crate::error::DropReason::PortDown),
            1
        );
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
        far.receivers[0]
            .receive(Now(0), &mut pool(), &mut batch, &mut counters)
            .unwrap();
        assert!(batch.is_empty(), "the host answered");
        drop(switch);
        send(&far, Packet::from_frame(arp));
        let batch = wait_and_receive(&mut far, &mut counters);
        assert_eq!(batch.len(), 1, "the host is as it was");
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
        let facts = open_with("system", 1, "d0", "").unwrap().facts;
        assert_eq!(facts.state, 1);
    });
}

/// Moves packets between two ports until `done`.
fn bridge(mut ports: [OpenPort; 2], done: &AtomicBool) -> [PortCounters; 2] {
    let poller = Poller::new().unwrap();
    let [a, b] = &mut ports;
    let mut senders: [Box<dyn Sender>; 2] =
        [a.sender.sender().unwrap(), b.sender.sender().unwrap()];
    let mut receivers: [Box<dyn Receiver>; 2] = [a.receivers.remove(0), b.receivers.remove(0)];
    for receiver in &receivers {
        poller.add(receiver.fd().unwrap()).unwrap();
    }
    let (mut pool, mut batch) = (pool(), Batch::new());
    let mut counters = [PortCounters::default(), PortCounters::default()];
    while !done.load(Ordering::Relaxed) {
        if !poller.wait(20).unwrap() {
            continue;
        }
        for from in 0..2 {
            receivers[from]
                .receive(Now(0), &mut pool, &mut batch, &mut counters[from])
                .unwrap();
            let to = 1 - from;
            senders[to].send(Now(0), &mut batch, &mut pool, &mut counters[to]);
        }
    }
    counters
}

fn stream() -> impl Iterator<Item = u8> {
    (0..STREAM).map(|i| (i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) as u8 ^ (i >> 8) as u8)
}

#[test]
fn test_tcp_with_every_offload_on_crosses_two_ports_intact() {
    in_namespace(|| {
        let server = Host::new(|| {
            ip("address add 10.9.0.2/24 dev e1");
            ip("link set e1 up");
            let (mut socket, _) = TcpListener::bind("10.9.0.2:9000")
                .unwrap()
                .accept()
                .unwrap();
            let mut got = Vec::new();
            socket.read_to_end(&mut got).unwrap();
            got
        });
        let client = Host::new(|| {
            ip("address add 10.9.0.1/24 dev e0");
            ip("link set e0 up");
            let mut socket = (0..50)
                .find_map(|_| {
                    std::thread::sleep(std::time::Duration::from_millis(20));
                    TcpStream::connect("10.9.0.2:9000").ok()
                })
                .unwrap();
            let bytes: Vec<u8> = stream().collect();
            socket.write_all(&bytes).unwrap();
        });
        ip(&format!(
            "link add d0 type veth peer name e0 netns {}",
            client.id
        ));
        ip(&format!(
            "link add d1 type veth peer name e1 netns {}",
            server.id
        ));
        ip("link set d0 up");
        ip("link set d1 up");
        let ports = [
            open_with("system", 1, "d0", "").unwrap(),
            open_with("system", 2, "d1", "").unwrap(),
        ];
        let done = Arc::new(AtomicBool::new(false));
        let stop = done.clone();
        let switch = std::thread::spawn(move || bridge(ports, &stop));
        server.start();
        client.start();
        client.join();
        let got = server.join();
        done.store(true, Ordering::Relaxed);
        let [near, _] = switch.join().unwrap();
        assert!(got.iter().copied().eq(stream()), "{} bytes", got.len());
        assert!(
            near.rx_packets < (STREAM / 1448) as u64,
            "super-frames stay whole: {} packets",
            near.rx_packets
        );
    });
}
