//! Several receivers of one port: each packet arrives once, and each flow at one of them, in order.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::collections::HashMap;
use std::net::UdpSocket;

use super::lab::{eventually, in_namespace, ip, open_shared, open_with, pool, receive, settle};
use super::{Batch, OpenPort, PortCounters};
use crate::packet::Packet;
use crate::time::Now;

const FLOWS: u16 = 64;
const ROUNDS: u8 = 50;

/// A flow: its number, and whether this is the way back.
type Flow = (u16, bool);

/// How the frames of a flow are made: from their flow and their place in it.
type Make = fn(Flow, u8) -> Vec<u8>;

/// Lets frames arrive at a port.
type Arrive = Box<dyn FnMut(Vec<(Flow, u8)>)>;

/// The last bytes of every frame: flow, direction and place.
fn mark((number, back): Flow, place: u8) -> [u8; 4] {
    let [high, low] = number.to_be_bytes();
    [high, low, u8::from(back), place]
}

fn ports((number, back): Flow) -> [u8; 4] {
    let [high, low] = (10_000 + number * 7).to_be_bytes();
    match back {
        false => [high, low, 0x12, 0xb5],
        true => [0x12, 0xb5, high, low],
    }
}

fn ethernet(ethertype: &[u8]) -> Vec<u8> {
    let mut frame = b"\x02\0\0\0\0\x01\x02\0\0\0\0\x02".to_vec();
    frame.extend_from_slice(ethertype);
    frame
}

fn udp_v4(flow: Flow, place: u8) -> Vec<u8> {
    let mut frame = ethernet(&[8, 0]);
    frame.extend([0x45, 0, 0, 46, 0, 1, 0x40, 0, 64, 17, 0, 0]);
    frame.extend(if flow.1 {
        [10, 0, 0, 2, 10, 0, 0, 1]
    } else {
        [10, 0, 0, 1, 10, 0, 0, 2]
    });
    finish(frame, flow, place)
}

fn tagged_v6(flow: Flow, place: u8) -> Vec<u8> {
    let mut frame = ethernet(&[0x81, 0, 0, 7, 0x86, 0xdd]);
    frame.extend([0x60, 0, 0, 0, 0, 26, 17, 64]);
    let address = |last| [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last];
    frame.extend(address(if flow.1 { 2 } else { 1 }));
    frame.extend(address(if flow.1 { 1 } else { 2 }));
    finish(frame, flow, place)
}

/// Ports, length, no checksum, 14 bytes and the mark.
fn finish(mut frame: Vec<u8>, flow: Flow, place: u8) -> Vec<u8> {
    frame.extend(ports(flow));
    frame.extend([0, 26, 0, 0]);
    frame.extend([0; 14]);
    frame.extend(mark(flow, place));
    frame
}

/// Fragments of datagrams: only their addresses tell flows apart.
fn fragment(flow: Flow, place: u8) -> Vec<u8> {
    let mut frame = udp_v4(flow, place);
    frame[20] = if place.is_multiple_of(2) { 0x20 } else { 0 };
    frame[21] = place % 2;
    frame[29] = flow.0 as u8;
    frame[33] = flow.0 as u8;
    frame[if flow.1 { 33 } else { 29 }] ^= 0x80;
    frame
}

fn through(port: OpenPort, make: Make) -> Arrive {
    let mut sender = port.sender.sender().unwrap();
    Box::new(move |marks| {
        let _keep = &port;
        let (mut pool, mut counters) = (pool(), PortCounters::default());
        for (flow, place) in marks {
            // One by one, so that none are bundled.
            let mut packets = vec![Box::new(Packet::from_frame(&make(flow, place)))];
            sender.send(Now(0), &mut packets, &mut pool, &mut counters);
        }
    })
}

fn system(make: Make) -> (OpenPort, Arrive) {
    ip("link add d0 type veth peer name d1");
    for device in ["d0", "d1"] {
        ip(&format!("link set {device} up addrgenmode none"));
    }
    settle("d0");
    settle("d1");
    let port = open_shared("system", 1, "d0", "", 2).unwrap();
    // What the port sends it must not read back.
    let sender = &mut port.sender.sender().unwrap();
    let mut own = vec![Box::new(Packet::from_frame(&[0xee; 60]))];
    sender.send(Now(0), &mut own, &mut pool(), &mut PortCounters::default());
    (
        port,
        through(open_with("system", 2, "d1", "").unwrap(), make),
    )
}

fn tap(make: Make) -> (OpenPort, Arrive) {
    let port = open_shared("tap", 1, "t0", "", 2).unwrap();
    ip("link set t0 addrgenmode none up");
    settle("t0");
    let host = open_with("system", 2, "t0", "host=true").unwrap();
    (port, through(host, make))
}

/// Flows of one peer, by their source ports; there is no way back.
fn vxlan(make: Make) -> (OpenPort, Arrive) {
    let port = open_shared("vxlan", 1, "vxlan0", "dst_port=4791", 2).unwrap();
    let bind = |number| UdpSocket::bind(("127.0.0.1", 20_000 + number)).unwrap();
    let sockets: Vec<_> = (0..FLOWS).map(bind).collect();
    let arrive = move |marks: Vec<(Flow, u8)>| {
        for ((number, _), place) in marks {
            let mut datagram = vec![8, 0, 0, 0, 0, 0, 10, 0];
            datagram.extend(make((number, false), place));
            let socket = &sockets[usize::from(number)];
            socket.send_to(&datagram, "127.0.0.1:4791").unwrap();
        }
    };
    (port, Box::new(arrive))
}

/// What arrived at each receiver, in order.
fn arrived(port: &mut OpenPort) -> Vec<Vec<(Flow, u8)>> {
    let mut counters = PortCounters::default();
    let mut all = Vec::new();
    for receiver in &mut port.receivers {
        let mut batch = Batch::new();
        while receive(receiver, &mut batch, &mut counters) {}
        let marks = batch.iter().filter_map(|packet| {
            let bytes = packet.bytes();
            assert_ne!(bytes.first(), Some(&0xee), "the port's own");
            // What a host says of itself is no test's.
            let [.., high, low, back, place] = *bytes else {
                return None;
            };
            bytes
                .starts_with(b"\x02\0\0\0\0\x01")
                .then(|| ((u16::from_be_bytes([high, low]), back == 1), place))
        });
        all.push(marks.collect());
    }
    all
}

fn is_shared(open: fn(Make) -> (OpenPort, Arrive), make: Make, both_ways: bool) {
    in_namespace(move || {
        let (mut port, mut arrive) = open(make);
        assert!(
            port.backend.to_string().contains(", 2 receivers"),
            "{}",
            port.backend
        );
        let ways: &[bool] = if both_ways { &[false, true] } else { &[false] };
        let mut sent = Vec::new();
        for place in 0..ROUNDS {
            for back in ways {
                sent.extend((0..FLOWS).map(|number| ((number, *back), place)));
            }
        }
        arrive(sent.clone());
        let all = arrived(&mut port);
        let total: usize = all.iter().map(Vec::len).sum();
        assert_eq!(total, sent.len(), "each arrives once");
        let mut home: HashMap<u16, usize> = HashMap::new();
        let mut next: HashMap<Flow, u8> = HashMap::new();
        for (index, one) in all.iter().enumerate() {
            assert!(
                one.len() > total / 8,
                "receiver {index} has {} of {total}",
                one.len()
            );
            for (flow, place) in one {
                assert_eq!(
                    *home.entry(flow.0).or_insert(index),
                    index,
                    "{flow:?} at both"
                );
                let expected = next.entry(*flow).or_default();
                assert_eq!(place, expected, "{flow:?} in order");
                *expected += 1;
            }
        }
    });
}

#[test]
fn test_packet_sockets_share_a_device_by_flow() {
    is_shared(system, udp_v4, true);
    is_shared(system, tagged_v6, true);
    is_shared(system, fragment, true);
}

#[test]
fn test_queues_share_a_tap_by_flow() {
    is_shared(tap, udp_v4, true);
    is_shared(tap, tagged_v6, true);
    is_shared(tap, fragment, true);
}

#[test]
fn test_lanes_share_a_udp_port_by_outer_flow() {
    is_shared(vxlan, udp_v4, false);
}

#[test]
fn test_a_shared_udp_port_is_not_shared_with_strangers() {
    in_namespace(|| {
        let stranger = UdpSocket::bind("0.0.0.0:4792").unwrap();
        let open = || open_shared("vxlan", 1, "vxlan0", "dst_port=4792", 2);
        assert!(open().is_err());
        drop(stranger);
        // A process that another test is starting may hold the socket for a moment.
        let port = eventually("the UDP port is free", || open().ok());
        assert_eq!(port.receivers.len(), 2);
        let member = open_shared("vxlan", 2, "vxlan1", "dst_port=4792,in_key=5", 1).unwrap();
        assert_eq!(
            member.receivers.len(),
            2,
            "as many as the UDP port has lanes"
        );
        assert!(UdpSocket::bind("0.0.0.0:4792").is_err());
    });
}
