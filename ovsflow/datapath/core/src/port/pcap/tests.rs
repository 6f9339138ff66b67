//! Capture files read as arrivals and written as sends.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::PathBuf;

use proptest::prelude::*;

use super::file::{decode, read};
use super::*;
use crate::packet::Packet;
use crate::port::Poller;
use crate::port::lab::{open_with, pool, receive_at, refused, send};

/// A file of this test alone, gone when dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str, bytes: &[u8]) -> Self {
        let file = format!("ovsflow-{}-{name}.pcap", std::process::id());
        let path = std::env::temp_dir().join(file);
        std::fs::write(&path, bytes).unwrap();
        Self(path)
    }

    fn text(&self) -> String {
        self.0.display().to_string()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A capture in the byte order that `put` writes.
fn capture(magic: u32, put: fn(u32) -> [u8; 4], frames: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = put(magic).to_vec();
    bytes.extend([0; 12]);
    bytes.extend(put(65535));
    bytes.extend(put(1));
    for frame in frames {
        let len = put(frame.len() as u32);
        bytes.extend([put(1), put(2), len, len].concat());
        bytes.extend(frame);
    }
    bytes
}

/// The frames of a set, at most a batch.
fn all(frames: &Frames) -> Vec<Vec<u8>> {
    let mut batch = Batch::new();
    let (mut cursor, mut counters) = (Cursor::default(), PortCounters::default());
    let mut intake = Intake {
        pool: &mut pool(),
        batch: &mut batch,
        counters: &mut counters,
    };
    cursor.take(frames, (false, BATCH_SIZE), PortNo(1), &mut intake);
    batch.iter().map(|packet| packet.bytes().to_vec()).collect()
}

fn frames() -> Vec<Vec<u8>> {
    vec![vec![1; 60], vec![2; 100], vec![3; 1514]]
}

#[test]
fn test_every_kind_of_classic_file_is_read() {
    for magic in [0xa1b2_c3d4, 0xa1b2_3c4d] {
        for put in [u32::to_le_bytes, u32::to_be_bytes] {
            let got = decode(&capture(magic, put, &frames())).unwrap();
            assert_eq!(all(&got), frames());
        }
    }
}

#[test]
fn test_files_of_other_kinds_are_refused_and_cut_records_left_out() {
    let good = capture(0xa1b2_c3d4, u32::to_le_bytes, &frames());
    assert!(decode(&good[..23]).is_err());
    assert!(decode(&[0x0a; 100]).is_err());
    let mut wifi = good.clone();
    wifi[20] = 105;
    assert!(decode(&wifi).is_err());
    for cut in 24..good.len() {
        let count = all(&decode(&good[..cut]).unwrap()).len();
        assert_eq!(
            count,
            usize::from(cut >= 100) + usize::from(cut >= 216),
            "{cut}"
        );
    }
}

proptest! {
    #[test]
    fn test_no_file_breaks_the_reader(mut bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(&bytes);
        let good = capture(0xa1b2_c3d4, u32::to_le_bytes, &[]);
        bytes.splice(0..0, good);
        let _ = decode(&bytes);
    }
}

fn arrivals(port: &mut OpenPort, now: Now) -> (Vec<u8>, bool) {
    let mut batch = Batch::new();
    let mut counters = PortCounters::default();
    let more = receive_at(now, &mut port.receivers[0], &mut batch, &mut counters);
    (batch.iter().map(|p| p.bytes()[0]).collect(), more)
}

#[test]
fn test_a_file_arrives_once_in_a_loop_or_at_a_rate() {
    let file = Scratch::new("read", &capture(0xa1b2_c3d4, u32::to_le_bytes, &frames()));
    let mut once = open_with("pcap", 1, "p", &format!("file={}", file.text())).unwrap();
    assert_eq!(arrivals(&mut once, Now(5)), (vec![1, 2, 3], true));
    assert_eq!(arrivals(&mut once, Now(6)), (vec![], false));

    let options = format!("file={},loop=true", file.text());
    let mut repeated = open_with("pcap", 1, "p", &options).unwrap();
    let (first, more) = arrivals(&mut repeated, Now(0));
    assert_eq!(
        (first.len(), &first[..4], more),
        (64, &[1, 2, 3, 1][..], true)
    );
    // The third batch ends with the last frame of the file.
    for _ in 0..4 {
        assert_eq!(arrivals(&mut repeated, Now(0)).0.len(), 64);
    }

    // A batch that ends where the file ends is not the last one.
    let even: Vec<Vec<u8>> = (0..BATCH_SIZE as u8).map(|fill| vec![fill; 60]).collect();
    let even = Scratch::new("even", &capture(0xa1b2_c3d4, u32::to_le_bytes, &even));
    let options = format!("file={},loop=true", even.text());
    let mut even = open_with("pcap", 1, "p", &options).unwrap();
    let round = (0..BATCH_SIZE as u8).collect::<Vec<_>>();
    for _ in 0..3 {
        assert_eq!(arrivals(&mut even, Now(0)), (round.clone(), true));
    }

    let options = format!("file={},loop=true,rate=10", file.text());
    let mut paced = open_with("pcap", 1, "p", &options).unwrap();
    let seconds = Now::from_secs;
    assert_eq!(arrivals(&mut paced, seconds(100)), (vec![1], true));
    assert_eq!(arrivals(&mut paced, seconds(100)), (vec![], false));
    assert_eq!(arrivals(&mut paced, seconds(101)).0.len(), 10);
    assert_eq!(arrivals(&mut paced, seconds(101)), (vec![], false));
    assert_eq!(arrivals(&mut paced, seconds(110)).0.len(), 64);
}

#[test]
fn test_a_port_that_rests_wakes_its_worker_when_the_next_packet_is_due() {
    let file = Scratch::new("rest", &capture(0xa1b2_c3d4, u32::to_le_bytes, &frames()));
    for (rate, wakes) in [(200, true), (1, false)] {
        let options = format!("file={},rate={rate}", file.text());
        let mut port = open_with("pcap", 1, "p", &options).unwrap();
        let poller = Poller::new().unwrap();
        poller.add(port.receivers[0].fd().unwrap()).unwrap();
        assert!(poller.wait(2000).unwrap(), "the first one is due at once");
        assert_eq!(arrivals(&mut port, Now(0)), (vec![1], true));
        assert_eq!(arrivals(&mut port, Now(0)), (vec![], false));
        port.receivers[0].rest(Now(0)).unwrap();
        assert_eq!(poller.wait(if wakes { 2000 } else { 0 }).unwrap(), wakes);
        // Nothing comes after the last frame, nor does the timer keep anybody awake.
        assert_eq!(arrivals(&mut port, Now::from_secs(9)), (vec![2, 3], true));
        assert_eq!(arrivals(&mut port, Now::from_secs(9)), (vec![], false));
        port.receivers[0].rest(Now::from_secs(9)).unwrap();
        assert!(!poller.wait(0).unwrap());
    }
}

#[test]
fn test_what_is_sent_is_written_with_checksums_filled_in() {
    let file = Scratch::new("write", b"");
    let port = open_with("pcap", 1, "p", &format!("write={}", file.text())).unwrap();
    let mut packet = Packet::from_frame(&[0; 60]);
    packet.offload.checksum = Some(crate::packet::Checksum {
        start: 20,
        offset: 6,
    });
    assert_eq!(send(&port, packet).tx_packets, 1);
    assert_eq!(send(&port, Packet::from_frame(&[9; 70])).tx_bytes, 70);
    let got = all(&read(&file.0).unwrap());
    assert_eq!(got.len(), 2);
    assert_eq!(got[0][26..28], [0xff, 0xff]);
    assert_eq!(got[1], [9; 70]);
}

#[test]
fn test_options_are_checked() {
    assert!(refused(open_with("pcap", 1, "p", "")).contains("file or write"));
    assert!(refused(open_with("pcap", 1, "p", "file=/x,rate=0")).contains("rate=0"));
    let wrong = Scratch::new("wrong", b"hello");
    let wrong = format!("file={}", wrong.text());
    for (options, reason) in [
        ("file=/no/such", "No such file or directory"),
        ("write=/no/such", "No such file or directory"),
        (&wrong, "no pcap file header"),
    ] {
        let told = refused(open_with("pcap", 1, "p", options));
        assert_eq!(told, format!("{options}: {reason}"));
    }
}
