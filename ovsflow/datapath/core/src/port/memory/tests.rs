//! Memory ports: order, limits, replay.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;

use crate::error::DropReason;
use crate::packet::{Packet, Pool, PortNo};
use crate::port::queue::QUEUE_LIMIT;
use crate::port::{Batch, OpenError, OpenPort, PortCounters, lab, open};
use crate::time::Now;

fn memory(options: &[(&str, &str)]) -> Result<OpenPort, OpenError> {
    let options: BTreeMap<_, _> = options
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    open("memory", PortNo(7), "m", &options, 1)
}

fn receive(port: &mut OpenPort, counters: &mut PortCounters) -> (Batch, bool) {
    let mut batch = Batch::new();
    let more = lab::receive(&mut port.receivers[0], &mut batch, counters);
    (batch, more)
}

#[test]
fn test_injected_packets_arrive_in_order_with_the_ports_number() {
    let mut port = memory(&[]).unwrap();
    for byte in 0..3 {
        let packet = Box::new(Packet::from_frame(&[byte; 60]));
        port.memory.as_ref().unwrap().inject(packet).unwrap();
    }
    let mut counters = PortCounters::default();
    let (batch, more) = receive(&mut port, &mut counters);
    let seen: Vec<_> = batch.iter().map(|p| (p.in_port, p.bytes()[0])).collect();
    assert_eq!(seen, [(PortNo(7), 0), (PortNo(7), 1), (PortNo(7), 2)]);
    assert!(!more);
    assert_eq!((counters.rx_packets, counters.rx_bytes), (3, 180));
}

#[test]
fn test_what_does_not_fit_in_the_queue_is_counted() {
    let port = memory(&[]).unwrap();
    let (mut pool, mut counters) = (Pool::new(64, 0), PortCounters::default());
    let mut packets: Batch = (0..QUEUE_LIMIT + 5)
        .map(|_| Box::new(Packet::from_frame(&[1; 60])))
        .collect();
    let mut sender = port.sender.sender().unwrap();
    sender.send(Now(0), &mut packets, &mut pool, &mut counters);
    assert!(packets.is_empty());
    assert_eq!(counters.tx_packets, QUEUE_LIMIT as u64);
    assert_eq!(counters.tx_bytes, 60 * QUEUE_LIMIT as u64);
    assert_eq!(counters.tx_drops.count(DropReason::MemoryQueueFull), 5);
    assert_eq!(port.memory.unwrap().take_packets().len(), QUEUE_LIMIT);
}

#[test]
fn test_replay_repeats_copies_and_discard_counts() {
    let mut port = memory(&[("discard", "true")]).unwrap();
    let far = port.memory.clone().unwrap();
    far.replay(vec![[1; 60].into(), [2; 60].into()]);
    let mut counters = PortCounters::default();
    let (mut batch, more) = receive(&mut port, &mut counters);
    assert!(more);
    assert_eq!(batch.iter().filter(|p| p.bytes()[0] == 1).count(), 32);
    let mut sender = port.sender.sender().unwrap();
    sender.send(Now(0), &mut batch, &mut Pool::new(64, 0), &mut counters);
    assert_eq!((counters.tx_packets, far.waiting()), (64, 0));
    far.replay(Vec::new());
    assert!(!receive(&mut port, &mut counters).1);
}

#[test]
fn test_a_capture_arrives_once_and_what_is_sent_is_recorded() {
    let directory = std::env::temp_dir();
    let path = |name: &str| {
        let file = directory.join(format!("ovsflow-memory-{}-{name}", std::process::id()));
        file.to_str().unwrap().to_owned()
    };
    let (arrives, sent) = (path("arrives.pcap"), path("sent.pcap"));
    let mut counters = PortCounters::default();
    let frames = || (1..=70u8).map(|byte| Box::new(Packet::from_frame(&[byte; 60])));
    let write = |file: &str, counters: &mut PortCounters| {
        let port = memory(&[("discard", "true"), ("write", file)]).unwrap();
        let mut pool = Pool::new(64, 0);
        let mut sender = port.sender.sender().unwrap();
        sender.send(Now(0), &mut frames().collect(), &mut pool, counters);
        assert_eq!(port.memory.unwrap().waiting(), 0);
    };
    write(&arrives, &mut counters);
    write(&sent, &mut counters);
    assert_eq!((counters.tx_packets, counters.tx_errors), (140, 0));
    let mut port = memory(&[("replay", &arrives), ("loop", "false")]).unwrap();
    let mut seen = Vec::new();
    while let (batch, true) = receive(&mut port, &mut counters) {
        seen.extend(batch.iter().map(|packet| packet.bytes()[0]));
    }
    assert_eq!(seen, (1..=70).collect::<Vec<_>>());
    assert_eq!(counters.rx_packets, 70);
    assert_eq!(
        std::fs::read(&sent).unwrap().len(),
        24 + 70 * (16 + 60),
        "a file header, and a record for each frame"
    );
    for file in [arrives, sent] {
        std::fs::remove_file(file).unwrap();
    }
}

#[test]
fn test_unknown_options_and_kinds_are_refused_by_name() {
    let refused = |result: Result<OpenPort, OpenError>| match result {
        Err(OpenError::Invalid(message)) => message,
        _ => panic!("opened"),
    };
    assert!(refused(memory(&[("disard", "true")])).contains("\"disard\""));
    assert!(refused(memory(&[("discard", "perhaps")])).contains("discard=perhaps"));
    let unknown = open("dpdk", PortNo(1), "x", &BTreeMap::new(), 1);
    assert!(refused(unknown).contains("\"dpdk\""));
}
