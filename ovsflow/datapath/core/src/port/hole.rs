//! What arrives while nobody reads: as much as a busy host's scheduler may leave waiting stays,
//! and what is more is counted.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::net::UdpSocket;
use std::sync::mpsc;

use super::lab::{Host, in_namespace, ip, open_with, pool, receive, settle};
use super::{BATCH_SIZE, Batch, OpenPort, PortCounters};
use crate::error::DropReason;
use crate::packet::Packet;
use crate::time::Now;

/// Frames of 17,500 a second in a third of a second.
const HOLE: usize = 6_000;

/// Frames that no queue is to hold.
const FLOOD: usize = 100_000;

/// A port, and what lets small frames arrive at it; returns how many were let go.
type Rig = (OpenPort, Box<dyn FnMut(usize) -> usize>);

/// Sends small frames through a port.
fn sender_of(port: OpenPort) -> Box<dyn FnMut(usize) -> usize> {
    let mut sender = port.sender.sender().unwrap();
    let mut pool = pool();
    Box::new(move |count| {
        let _keep = &port;
        let mut counters = PortCounters::default();
        let mut frame = [0x5a; 60];
        frame[12..14].copy_from_slice(&0x88b5_u16.to_be_bytes());
        for _ in 0..count.div_ceil(BATCH_SIZE) {
            let one = |_| Box::new(Packet::from_frame(&frame));
            let mut packets: Batch = (0..BATCH_SIZE).map(one).collect();
            sender.send(Now(0), &mut packets, &mut pool, &mut counters);
        }
        let full = counters.tx_drops.count(DropReason::TxQueueFull);
        (counters.tx_packets + full) as usize
    })
}

fn system() -> Rig {
    ip("link add d0 type veth peer name d1");
    for device in ["d0", "d1"] {
        ip(&format!("link set {device} up addrgenmode none"));
    }
    settle("d0");
    settle("d1");
    let far = open_with("system", 2, "d1", "").unwrap();
    (open_with("system", 1, "d0", "").unwrap(), sender_of(far))
}

fn tap() -> Rig {
    let port = open_with("tap", 1, "t0", "").unwrap();
    ip("link set t0 addrgenmode none up");
    settle("t0");
    let host = open_with("system", 2, "t0", "host=true").unwrap();
    (port, sender_of(host))
}

fn vxlan() -> Rig {
    let port = open_with("vxlan", 1, "vxlan0", "dst_port=4790").unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut datagram = [0; 68];
    datagram[..8].copy_from_slice(&[8, 0, 0, 0, 0, 0, 10, 0]);
    datagram[20..22].copy_from_slice(&0x88b5_u16.to_be_bytes());
    let send = move |count| {
        for _ in 0..count {
            socket.send_to(&datagram, "127.0.0.1:4790").unwrap();
        }
        count
    };
    (port, Box::new(send))
}

/// Whether a frame is one of ours: a host that finds a device says something of its own.
fn is_ours(packet: &Packet) -> bool {
    matches!(
        packet.bytes(),
        [_, _, _, _, _, _, _, _, _, _, _, _, 0x88, 0xb5, ..]
    )
}

/// Reads all that waits: our frames, and losses that the port tells.
fn drain(port: &mut OpenPort) -> (usize, usize) {
    let (mut counters, mut received) = (PortCounters::default(), 0);
    for receiver in &mut port.receivers {
        let mut batch = Batch::new();
        loop {
            let more = receive(receiver, &mut batch, &mut counters);
            let nothing = batch.is_empty();
            received += batch.iter().filter(|packet| is_ours(packet)).count();
            batch.clear();
            if !more && nothing {
                break;
            }
        }
        receiver.note_losses(&mut counters);
    }
    let lost = counters.rx_drops.count(DropReason::RxQueueFull);
    (received, lost as usize)
}

/// Each frame was received or told as lost; a host's own words may be among the latter.
fn assert_all(sent: usize, received: usize, lost: usize) {
    let told = received + lost;
    assert!(
        (sent..sent + 16).contains(&told),
        "{sent} sent, {received} received, {lost} lost"
    );
}

fn waits_and_counts(rig: fn() -> Rig) {
    in_namespace(move || {
        let (mut port, mut arrive) = rig();
        let sent = arrive(HOLE);
        assert!(sent >= HOLE);
        assert_eq!(drain(&mut port), (sent, 0), "none is lost in a hole");
        let sent = arrive(FLOOD);
        let (received, lost) = drain(&mut port);
        assert!(lost > 0, "no queue holds {sent}");
        assert_all(sent, received, lost);
        assert_eq!(drain(&mut port), (0, 0), "each loss is told once");
        let sent = arrive(1);
        assert_eq!(drain(&mut port), (sent, 0), "and the port goes on");
    });
}

#[test]
fn test_packet_socket_keeps_what_arrives_in_a_hole_and_counts_what_is_lost() {
    waits_and_counts(system);
}

#[test]
fn test_tap_keeps_what_arrives_in_a_hole_and_counts_what_is_lost() {
    waits_and_counts(tap);
}

#[test]
fn test_tunnel_keeps_what_arrives_in_a_hole_and_counts_what_is_lost() {
    waits_and_counts(vxlan);
}

#[test]
fn test_losses_of_a_tap_are_told_under_another_name_and_in_another_namespace() {
    in_namespace(|| {
        let (mut port, _) = tap();
        let (tell, told) = mpsc::channel();
        let (end, ended) = mpsc::channel::<()>();
        let away = Host::new(move || {
            ip("link set t9 addrgenmode none up");
            settle("t9");
            let host = open_with("system", 2, "t9", "host=true").unwrap();
            tell.send(sender_of(host)(FLOOD)).unwrap();
            // The device lives as long as its namespace.
            let _ = ended.recv();
        });
        ip("link set t0 down");
        ip("link set t0 name t9");
        ip(&format!("link set t9 netns {}", away.id));
        away.start();
        let sent = told.recv().unwrap();
        let (received, lost) = drain(&mut port);
        assert!(lost > 0);
        assert_all(sent, received, lost);
        drop(end);
        away.join();
    });
}
